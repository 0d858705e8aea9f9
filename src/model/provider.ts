/**
 * `provider:*` of networks: how a network is carried (Neutron's extension `provider`). What a request may ask for, what of
 * it an update may change, and what administrators see. The API allocates segments.
 */
import type { Check } from './attribute.ts';
import { isPhysicalNetwork } from './bridge-mappings.ts';
import { text, toInteger } from './checks.ts';
import { invalidInput } from './faults.ts';
import type { NetworkRecord } from './records.ts';
import type { Schema } from './schema.ts';
import { type NetworkType, networkTypes, type SegmentRules, vlanIds, vnis } from './segments.ts';

export const networkType = 'provider:network_type';
export const physicalNetwork = 'provider:physical_network';
export const segmentationId = 'provider:segmentation_id';

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
    about: 'How the network is carried: `local`, `flat`, `vlan`, `vxlan` or `geneve`.',
  },
  [physicalNetwork]: {
    ...row,
    validate: nameUpTo(64),
    type: nullable('string'),
    filter: 'text',
    about: 'The physical network that carries a `flat` or `vlan` network.',
  },
  [segmentationId]: {
    ...row,
    convert: toNumber,
    type: nullable('integer'),
    filter: 'integer',
    about: 'The VLAN of a `vlan` network; the VNI of a `vxlan` or `geneve` network.',
  },
} as const;

export interface ProviderDraft {
  readonly [networkType]?: string | null;
  readonly [physicalNetwork]?: string | null;
  readonly [segmentationId]?: number | null;
}

/** What a request asks for. A VLAN's physical network, and numbers, may be left to the server. */
export type AskedSegment =
  | { readonly type: 'local' }
  | { readonly type: 'flat'; readonly physical: string }
  | { readonly type: 'vlan'; readonly physical: string | null; readonly id: number | null }
  | { readonly type: 'vxlan' | 'geneve'; readonly id: number | null };

const isNetworkType = (name: string): name is NetworkType => networkTypes.some((type) => type === name);

function checkRange(id: number | null, { lowest, highest }: typeof vlanIds): void {
  if (id !== null && (id < lowest || id > highest))
    invalidInput(`segmentation_id out of range (${lowest} through ${highest})`);
}

function askedFlat(physical: string | null, id: number | null, rules: SegmentRules): AskedSegment {
  if (physical === null) return invalidInput('physical_network required for flat provider network');
  if (rules.flatNetworks?.size === 0) invalidInput('Flat provider networks are disabled');
  if (!isPhysicalNetwork(physical) || rules.flatNetworks?.has(physical) === false)
    invalidInput(`physical_network '${physical}' unknown for flat provider network`);
  if (id !== null && id !== 0) invalidInput('segmentation_id prohibited for flat provider network');
  return { type: 'flat', physical };
}

function askedVlan(physical: string | null, id: number | null, rules: SegmentRules): AskedSegment {
  if (physical === null) {
    if (id !== null) invalidInput('segmentation_id requires physical_network for VLAN provider network');
  } else if (!rules.vlanRanges.has(physical))
    invalidInput(`physical_network '${physical}' unknown for VLAN provider network`);
  checkRange(id, vlanIds);
  return { type: 'vlan', physical, id };
}

/** Null where the request leaves the type to the server. Throws `InvalidInput`. */
export function askedSegment(draft: ProviderDraft, rules: SegmentRules): AskedSegment | null {
  const type = draft[networkType] ?? null;
  const id = draft[segmentationId] ?? null;
  const physical = draft[physicalNetwork] || null;
  if (type === null) {
    if (physical !== null || id !== null) invalidInput('network_type required');
    return null;
  }
  if (!isNetworkType(type)) return invalidInput(`network_type value '${type}' not supported`);
  switch (type) {
    case 'local':
      if (physical !== null) invalidInput('physical_network prohibited for local provider network');
      if (id !== null && id !== 0) invalidInput('segmentation_id prohibited for local provider network');
      return { type };
    case 'flat':
      return askedFlat(physical, id, rules);
    case 'vlan':
      return askedVlan(physical, id, rules);
    default:
      if (physical !== null) invalidInput(`provider:physical_network specified for ${type} network`);
      checkRange(id, vnis);
      return { type, id };
  }
}

/** What administrators see. */
export function shownProvider({ provider, vni }: Pick<NetworkRecord, 'provider' | 'vni'>) {
  const shown = (type: NetworkType, physical: string | null, id: number | null) => ({
    [networkType]: type,
    [physicalNetwork]: physical,
    [segmentationId]: id,
  });
  if (provider === undefined) return shown('local', null, null);
  switch (provider.type) {
    case 'flat':
      return shown('flat', provider.physical_network, null);
    case 'vlan':
      return shown('vlan', provider.physical_network, provider.segmentation_id);
    default:
      return shown(provider.type, null, vni);
  }
}

/** The new VLAN, which is all that an update may change; null for none. Throws `InvalidInput`. */
export function askedVlanChange(network: NetworkRecord, draft: ProviderDraft): number | null {
  const shown = shownProvider(network);
  const differs = (name: keyof ProviderDraft): boolean =>
    draft[name] !== undefined && draft[name] !== null && draft[name] !== shown[name];
  if (!differs(networkType) && !differs(physicalNetwork) && !differs(segmentationId)) return null;
  if (shown[networkType] !== 'vlan') invalidInput('Only VLAN type networks can be updated');
  if (differs(networkType) || differs(physicalNetwork))
    invalidInput('Only the segmentation_id of VLAN networks can be updated');
  const id = draft[segmentationId] ?? null;
  checkRange(id, vlanIds);
  return id;
}

/** The draft without these attributes, which a record has in another form. */
export function withoutProvider<D extends ProviderDraft>(draft: D): Omit<D, keyof ProviderDraft> {
  const { [networkType]: _type, [physicalNetwork]: _physical, [segmentationId]: _segment, ...rest } = draft;
  return rest;
}
