/**
 * `provider:*` of networks: how a network is carried. Here each host's own switch carries it, which Neutron calls `local`.
 * Other types are refused as by a Neutron without a driver for them.
 */
import type { Check } from './attribute.ts';
import { text, toInteger } from './checks.ts';
import { invalidInput } from './faults.ts';
import type { Schema } from './schema.ts';

export const networkType = 'provider:network_type';
export const physicalNetwork = 'provider:physical_network';
export const segmentationId = 'provider:segmentation_id';

const onlyType = 'local';

/** What administrators see of every network. */
export const providerOfNetwork = {
  [networkType]: onlyType,
  [physicalNetwork]: null,
  [segmentationId]: null,
} as const;

const rights = { create: ['admin'], update: ['admin'], read: ['admin'] } as const;
const row = { post: 'allowed', put: true, rights } as const;
const nullable = (type: 'string' | 'integer'): Schema => ({ type: [type, 'null'] });
const nameUpTo =
  (max: number): Check<string | null> =>
  (value) =>
    value === null ? null : text(max)(value);

function toNumber(value: unknown): number | null {
  return value === null ? null : toInteger(value);
}

export const providerAttributes = {
  [networkType]: {
    ...row,
    validate: nameUpTo(32),
    type: { type: 'string', maxLength: 32 },
    filter: 'text',
    about: 'How the network is carried: `local`, by the switch of each host alone.',
  },
  [physicalNetwork]: {
    ...row,
    validate: nameUpTo(64),
    type: nullable('string'),
    filter: 'text',
    about: 'The wire that carries the network: none.',
  },
  [segmentationId]: {
    ...row,
    convert: toNumber,
    type: nullable('integer'),
    filter: 'integer',
    about: 'Its number on the wire or in the tunnel: none.',
  },
} as const;

export interface ProviderDraft {
  readonly [networkType]?: string | null;
  readonly [physicalNetwork]?: string | null;
  readonly [segmentationId]?: number | null;
}

/** Throws `InvalidInput` when a new network asks to be carried otherwise. */
export function checkProvider(draft: ProviderDraft): void {
  const type = draft[networkType] ?? null;
  const [physical, segment] = [draft[physicalNetwork] ?? null, draft[segmentationId] ?? null];
  if (type === null) {
    if (physical !== null || segment !== null) invalidInput('network_type required');
    return;
  }
  if (type !== onlyType) invalidInput(`network_type value '${type}' not supported`);
  if (physical !== null && physical !== '')
    invalidInput(`physical_network prohibited for ${type} provider network`);
  if (segment !== null && segment !== 0)
    invalidInput(`segmentation_id prohibited for ${type} provider network`);
}

/** Throws `InvalidInput` when an update asks for a change of how the network is carried. */
export function checkProviderUpdate(draft: ProviderDraft): void {
  const same = (Object.keys(providerOfNetwork) as (keyof ProviderDraft)[]).every(
    (name) => draft[name] === undefined || draft[name] === null || draft[name] === providerOfNetwork[name],
  );
  if (!same) invalidInput('Only VLAN type networks can be updated');
}

/** The draft without what is the same for all networks. */
export function withoutProvider<D extends ProviderDraft>(draft: D): Omit<D, keyof ProviderDraft> {
  const { [networkType]: _type, [physicalNetwork]: _physical, [segmentationId]: _segment, ...rest } = draft;
  return rest;
}
