/**
 * Isolated networks: the attributes of networks, ports and subnets, and what a request means for a port's role. `isolated` and
 * Neutron's `pvlan` switch on one mechanism. With `pvlan`, ports are promiscuous unless they say, and need port security.
 */
import type { AttributeTable, Check } from './attribute.ts';
import { macAddress, oneOf, orNull, toBoolean, toMac } from './checks.ts';
import { invalidInput, refuse } from './faults.ts';
import { isTrustedOwner } from './port-owner.ts';
import { pythonText } from './python-text.ts';
import type { NetworkRecord, PortRecord, PortRole } from './records.ts';
import { withSchema } from './schema.ts';

const boolean = { post: 'allowed', put: true, convert: toBoolean, filter: 'boolean', sort: true } as const;
const ofAdministrators = { create: ['admin'], update: ['admin'] } as const;
/** A role decides whom a port may reach, so the network's owner gives it. */
const networkOwner = ['admin', 'service', 'parent-member'] as const;
const ofNetworkOwner = { create: networkOwner, update: networkOwner } as const;

export const networkIsolationAttributes = {
  isolated: {
    ...boolean,
    about: 'Whether the roles of its ports decide who may reach whom; `pvlan` shows the same.',
  },
  pvlan: {
    ...boolean,
    about: "Neutron's word for `isolated`: ports are promiscuous unless they say, and need port security.",
  },
  isolated_hairpin: {
    ...boolean,
    fallback: false,
    about:
      'Whether routers send packets back into it, where it is isolated; security groups still judge them.',
  },
  physical_promiscuous: {
    ...boolean,
    fallback: false,
    rights: ofAdministrators,
    about:
      'Whether unknown MACs on its physical network count as promiscuous, where it is isolated; else only gateways do.',
  },
} as const satisfies AttributeTable;

const roleKinds = ['promiscuous', 'isolated', 'community'] as const;
const namePattern = '^[a-zA-Z_.][a-zA-Z_.0-9]{0,231}$';
const communityName: Check<string> = withSchema({ type: 'string', pattern: namePattern }, (value) =>
  typeof value === 'string' && new RegExp(namePattern).test(value)
    ? null
    : `'${pythonText(value)}' is not a valid input`,
);

export const portIsolationAttributes = {
  pvlan_type: {
    post: 'allowed',
    put: true,
    validate: orNull(oneOf(roleKinds)),
    filter: 'text',
    rights: ofNetworkOwner,
    about: 'Its role in an isolated network; null elsewhere.',
  },
  pvlan_community: {
    post: 'allowed',
    put: true,
    validate: orNull(communityName),
    filter: 'text',
    rights: ofNetworkOwner,
    about: 'Its community, where its role is `community`.',
  },
} as const satisfies AttributeTable;

const unicastSchema = { type: 'string', pattern: '^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$' } as const;
const unicast: Check<string> = withSchema(unicastSchema, (value) => {
  const reason = macAddress(value);
  if (reason !== null) return reason;
  return Number.parseInt(String(value).slice(0, 2), 16) % 2 === 1
    ? `'${pythonText(value)}' is a multicast address`
    : null;
});

export const gatewayMacAttribute = {
  post: 'allowed',
  put: true,
  fallback: null,
  convert: toMac,
  validate: orNull(unicast),
  about: 'The MAC of a gateway that is no port of this cloud; isolated networks answer with it.',
} as const;

interface AskedIsolation {
  readonly isolated?: boolean | undefined;
  readonly pvlan?: boolean | undefined;
  readonly isolated_hairpin?: boolean | undefined;
  readonly physical_promiscuous?: boolean | undefined;
}

type NetworkIsolation = Pick<NetworkRecord, 'isolated' | 'pvlan' | 'hairpin' | 'trusts_physical'>;

export const isIsolated = ({ isolated }: NetworkIsolation): boolean => isolated === true;

/** What a request makes of a network; what it does not name stays. Absent is false. */
export function isolationOf(
  network: NetworkIsolation & Pick<NetworkRecord, 'id' | 'port_security_enabled'>,
  asked: AskedIsolation,
): NetworkIsolation {
  const { isolated, pvlan } = asked;
  if (isolated !== undefined && pvlan !== undefined && isolated !== pvlan)
    invalidInput('isolated and pvlan mean the same and do not match');
  const on = pvlan ?? isolated ?? isIsolated(network);
  const byNeutron = on && (pvlan ?? network.pvlan ?? false);
  if (pvlan === true && !network.port_security_enabled)
    refuse({ code: 'PVLANNetworkPortSecurityDisabled', network: network.id });
  return {
    ...(on ? { isolated: true } : {}),
    ...(byNeutron ? { pvlan: true } : {}),
    ...((asked.isolated_hairpin ?? network.hairpin) ? { hairpin: true } : {}),
    ...((asked.physical_promiscuous ?? network.trusts_physical) ? { trusts_physical: true } : {}),
  };
}

export const shownNetworkIsolation = (network: NetworkIsolation) => ({
  isolated: isIsolated(network),
  pvlan: isIsolated(network),
  isolated_hairpin: network.hairpin ?? false,
  physical_promiscuous: network.trusts_physical ?? false,
});

/** A network without what a request names anew. */
export function withoutIsolation<N extends NetworkIsolation>({
  isolated: _isolated,
  pvlan: _pvlan,
  hairpin: _hairpin,
  trusts_physical: _trusts,
  ...rest
}: N): Omit<N, keyof NetworkIsolation> {
  return rest;
}

const promiscuous: PortRole = { kind: 'promiscuous' };
const usualRole = (owner: string, { pvlan }: NetworkIsolation): PortRole =>
  isTrustedOwner(owner) || pvlan === true ? promiscuous : { kind: 'isolated' };

interface AskedRole {
  readonly pvlan_type?: PortRole['kind'] | null | undefined;
  readonly pvlan_community?: string | null | undefined;
}

type Guarded = Pick<PortRecord, 'id' | 'device_owner' | 'port_security_enabled'>;

/** The role of a new or changed port; `before` is the one that it has. Undefined where the network is not isolated. */
export function roleOf(
  network: NetworkRecord,
  port: Guarded,
  before: PortRole | undefined,
  asked: AskedRole,
): PortRole | undefined {
  const { pvlan_type: type = before?.kind, pvlan_community: community } = asked;
  if (!isIsolated(network)) {
    if ((asked.pvlan_type ?? null) !== null || (community ?? null) !== null)
      refuse({ code: 'PVLANNotEnabledOnNetwork', network: network.id });
    return before;
  }
  const isService = isTrustedOwner(port.device_owner);
  if (network.pvlan === true && !isService && !(port.port_security_enabled && network.port_security_enabled))
    refuse({ code: 'PVLANPortSecurityDisabled', port: port.id });
  const usual = usualRole(port.device_owner, network);
  const kind = type ?? usual.kind;
  if (isService && !port.port_security_enabled && kind !== 'promiscuous') {
    if ((asked.pvlan_type ?? null) !== null)
      refuse({ code: 'PVLANUnsupportedType', port: port.id, type: kind });
    return promiscuous;
  }
  if (kind !== 'community') {
    if ((community ?? null) !== null) refuse({ code: 'PVLANCannotSetCommunityName', port: port.id });
    return { kind };
  }
  const name = community ?? (before?.kind === 'community' ? before.name : null);
  if (name === null) return refuse({ code: 'PVLANCommunityNameRequired', port: port.id });
  return { kind, name };
}

/** Without a role of its own, a port is isolated; so it is in the switch too. */
export function shownRole(network: NetworkRecord | undefined, { role, device_owner: owner }: PortRecord) {
  if (network === undefined || !isIsolated(network)) return { pvlan_type: null, pvlan_community: null };
  const shown = role ?? (isTrustedOwner(owner) ? promiscuous : { kind: 'isolated' });
  return { pvlan_type: shown.kind, pvlan_community: shown.kind === 'community' ? shown.name : null };
}
