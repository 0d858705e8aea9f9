/**
 * The bindings of a port. The one active binding is in the port's own attributes; inactive bindings, for hosts to which a
 * guest may move, are beside it. Pure: the API knows hosts and what they hold.
 */
import type { AttributeTable, PatchOf } from './attribute.ts';
import { text } from './checks.ts';
import { badRequest, refuse } from './faults.ts';
import { portAttributes } from './port.ts';
import type { BindingRecord, InactiveBinding, PortRecord } from './records.ts';
import { standardAttributes } from './standard-attributes.ts';

const { 'binding:vnic_type': vnicType, 'binding:profile': profile } = portAttributes;

/** `host` is what `id` is elsewhere. */
export const portBindingAttributes = {
  host: {
    post: 'required',
    put: true,
    validate: text(255),
    filter: 'text',
    sort: true,
    about: 'The host; a port has one binding at each at most.',
  },
  vif_type: {
    post: 'refused',
    put: false,
    filter: 'text',
    sort: true,
    about: 'How the host would plug it: `ovs`, `unbound` or `binding_failed`.',
  },
  vif_details: {
    post: 'refused',
    put: false,
    type: { type: 'object' },
    about: 'What the host needs for that.',
  },
  vnic_type: vnicType,
  profile: {
    post: 'allowed',
    put: true,
    fallback: {},
    convert: profile.convert,
    validate: profile.validate,
    type: { type: 'object' },
    about: 'What compute services note of the plug; kept, not read.',
  },
  status: {
    post: 'refused',
    put: false,
    filter: 'text',
    sort: true,
    about: '`ACTIVE` for the one that holds, `INACTIVE` for those that wait.',
  },
  project_id: {
    post: 'allowed',
    put: false,
    validate: standardAttributes.project_id.validate,
    hidden: true,
    about: "Taken and not kept: bindings are the cloud's own.",
  },
} as const satisfies AttributeTable;

export type BindingDraft = Pick<InactiveBinding, 'host' | 'vnic_type' | 'profile'>;
export type BindingPatch = PatchOf<typeof portBindingAttributes>;

/** One binding of a port, before anything is known of its host. */
export interface PortBinding extends BindingDraft {
  readonly active: boolean;
  /** It was active before another one was: no host plugs the port by it until it is active again. */
  readonly left: boolean;
  /** The revision of the record of a host that was dead when it was to be bound. */
  readonly silent: number | undefined;
  /** See `InactiveBinding`. */
  readonly made: number | undefined;
}

/** The revision of the record of a host that is dead now; undefined for live and for unknown hosts. */
export type SilentAt = (host: string) => number | undefined;

type Placed = Pick<PortRecord, 'binding:host_id'>;

/** The host that a caller asked for or that holds the port; empty when it is unbound. */
export function holderOf(port: Placed, held: BindingRecord | undefined): string {
  if (port['binding:host_id'] !== '') return port['binding:host_id'];
  return held?.status === 'ACTIVE' ? held.host : '';
}

/** What the host said last. ACTIVE once the switch of the very host where the port is to be has acknowledged its flows. */
export function statusOf(port: Placed, held: BindingRecord | undefined): 'ACTIVE' | 'DOWN' {
  return held?.status === 'ACTIVE' && held.host === holderOf(port, held) ? 'ACTIVE' : 'DOWN';
}

const shownOf = ({ host, vnic_type, profile: noted, left, silent, made }: InactiveBinding): PortBinding => ({
  host,
  vnic_type,
  profile: noted,
  active: false,
  left: left === true,
  silent,
  made,
});

/** The active one first. */
export function bindingsOf(port: PortRecord, held: BindingRecord | undefined): readonly PortBinding[] {
  const others = (port.inactive_bindings ?? []).map(shownOf);
  if (port.binding_removed === true && holderOf(port, held) === '') return others;
  const active = {
    host: holderOf(port, held),
    vnic_type: port['binding:vnic_type'],
    profile: port['binding:profile'],
    active: true,
    left: false,
    silent: port.silent_host,
    made: undefined,
  };
  return [active, ...others.filter(({ host }) => host !== active.host)];
}

/** Throws `PortBindingNotFound`. */
export function bindingAt(port: PortRecord, held: BindingRecord | undefined, host: string): PortBinding {
  const found = bindingsOf(port, held).find((binding) => binding.host === host);
  return found ?? refuse({ code: 'PortBindingNotFound', port: port.id, host });
}

/** Only the ports of compute services move. Throws Neutron's `BadRequest`. */
export function requireComputePort(port: PortRecord): void {
  if (isComputePort(port)) return;
  refuse({ code: 'NotAComputePort', port: port.id });
}

export const isComputePort = (port: Pick<PortRecord, 'device_owner'>): boolean =>
  port.device_owner.startsWith('compute:');

function withBindings(port: PortRecord, bindings: readonly PortBinding[]): PortRecord {
  const active = bindings.find((binding) => binding.active);
  const inactive = bindings
    .filter((binding) => !binding.active)
    .map(({ host, vnic_type, profile: noted, left, silent, made }) => ({
      host,
      vnic_type,
      profile: noted,
      ...(left ? { left: true as const } : {}),
      ...(silent === undefined ? {} : { silent }),
      ...(made === undefined ? {} : { made }),
    }));
  return {
    ...withoutBindingNotes(port),
    'binding:host_id': active?.host ?? '',
    'binding:vnic_type': active?.vnic_type ?? 'normal',
    'binding:profile': active?.profile ?? {},
    ...(inactive.length === 0 ? {} : { inactive_bindings: inactive }),
    ...(active === undefined ? { binding_removed: true } : {}),
    ...(active?.silent === undefined ? {} : { silent_host: active.silent }),
  };
}

/** A further binding, the active one if there is none. Throws `PortBindingAlreadyExists`. */
export function withNewBinding(
  port: PortRecord,
  held: BindingRecord | undefined,
  draft: BindingDraft,
  silentAt: SilentAt,
): PortRecord {
  const { host, vnic_type, profile: noted } = draft;
  const present = bindingsOf(port, held);
  if (present.some((binding) => binding.host === host))
    refuse({ code: 'PortBindingAlreadyExists', port: port.id, host });
  if (present.length > maxBindings)
    badRequest(`Port ${port.id} has ${maxBindings} inactive bindings already`);
  const active = present.every((binding) => !binding.active);
  return withBindings(port, [
    ...present,
    {
      host,
      vnic_type,
      profile: noted,
      active,
      left: false,
      silent: silentAt(host),
      made: active ? undefined : port.revision_number,
    },
  ]);
}

/** A migration needs one, and a few for retries. More come from a broken client. */
const maxBindings = 64;

/** Throws `PortBindingNotFound`, `PortBindingAlreadyExists`. */
export function withChangedBinding(
  port: PortRecord,
  held: BindingRecord | undefined,
  host: string,
  patch: BindingPatch,
  silentAt: SilentAt,
): PortRecord {
  const before = bindingAt(port, held, host);
  const present = bindingsOf(port, held);
  const moved = patch.host !== undefined && patch.host !== host;
  if (moved && present.some((binding) => binding.host === patch.host))
    refuse({ code: 'PortBindingAlreadyExists', port: port.id, host: patch.host });
  const again = moved || before.silent !== undefined;
  const after = {
    ...before,
    ...patch,
    left: before.left && !moved,
    silent: again ? silentAt(patch.host ?? host) : undefined,
  };
  return withBindings(
    port,
    present.map((binding) => (binding === before || binding.host === host ? after : binding)),
  );
}

/** The port moves. Throws `PortBindingAlreadyActive`, `PortBindingNotFound`. */
export function withActiveBinding(
  port: PortRecord,
  held: BindingRecord | undefined,
  host: string,
  silentAt: SilentAt,
): PortRecord {
  if (bindingAt(port, held, host).active) refuse({ code: 'PortBindingAlreadyActive', port: port.id, host });
  return withBindings(
    port,
    bindingsOf(port, held).map((binding) => {
      if (binding.host !== host) return { ...binding, active: false, left: binding.left || binding.active };
      const again = binding.left || binding.silent !== undefined;
      return { ...binding, active: true, left: false, silent: again ? silentAt(host) : undefined };
    }),
  );
}

/** Throws `PortBindingNotFound`. */
export function withoutBinding(port: PortRecord, held: BindingRecord | undefined, host: string): PortRecord {
  bindingAt(port, held, host);
  return withBindings(
    port,
    bindingsOf(port, held).filter((binding) => binding.host !== host),
  );
}

/** The record without the parts that are no attributes of a port. */
export function withoutBindingNotes(port: PortRecord): Omit<PortRecord, BindingNote> {
  const { inactive_bindings: _, binding_removed: __, silent_host: ___, ...rest } = port;
  return rest;
}

type BindingNote = 'inactive_bindings' | 'binding_removed' | 'silent_host';

/**
 * What a new port, or an update of it, leaves of its other bindings: none at the host where it now is, and none at all
 * once it is no longer a compute service's. A host that it was brought to may be dead; one that was is asked again.
 */
export function withSettledBindings(
  before: PortRecord | null,
  port: PortRecord,
  silentAt: SilentAt,
): PortRecord {
  const { inactive_bindings: waiting = [], binding_removed: removed, silent_host: silent } = port;
  const host = port['binding:host_id'];
  const brought = before?.['binding:host_id'] !== host;
  const silence = host !== '' && (brought || silent !== undefined) ? silentAt(host) : undefined;
  const kept = isComputePort(port) ? waiting.filter((binding) => binding.host !== host) : [];
  const stillRemoved = removed === true && host === '' && isComputePort(port);
  const same = kept.length === waiting.length && stillRemoved === (removed ?? false) && silence === silent;
  // A record whose keys come in another order would be another revision of it.
  if (same) return port;
  return {
    ...withoutBindingNotes(port),
    ...(kept.length === 0 ? {} : { inactive_bindings: kept }),
    ...(stillRemoved ? { binding_removed: true } : {}),
    ...(silence === undefined ? {} : { silent_host: silence }),
  };
}
