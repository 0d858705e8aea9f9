/**
 * Segments: how a network may be carried (Neutron's types), and what an operator offers of them: VLANs and VNIs to
 * allocate, physical networks, and the MTU that each type leaves. Parses the texts of settings; allocates nothing.
 */
import type { NumberRange } from '../base/hash.ts';
import type { Family } from '../net/cidr.ts';
import { isPhysicalNetwork } from './bridge-mappings.ts';
import type { TunnelType } from './vtep.ts';

export const networkTypes = ['local', 'flat', 'vlan', 'vxlan', 'geneve'] as const;
export type NetworkType = (typeof networkTypes)[number];

/** Nobody can allocate a flat network: its physical network has to be named. */
const allocatedTypes = ['local', 'vlan', 'vxlan', 'geneve'] as const;
export type AllocatedType = (typeof allocatedTypes)[number];

/** How a network's record says that it is carried. A tunnel's segmentation id is the network's VNI. */
export type ProviderRecord =
  | { readonly type: 'flat'; readonly physical_network: string }
  | { readonly type: 'vlan'; readonly physical_network: string; readonly segmentation_id: number }
  | { readonly type: TunnelType };

/** IEEE 802.1Q reserves 0 and 4095. */
export const vlanIds: NumberRange = { lowest: 1, highest: 4094 };
export const vnis: NumberRange = { lowest: 1, highest: 0xff_ffff };

export interface SegmentRules {
  /** For requests that name no type: the first that has a free segment. */
  readonly tenantTypes: readonly AllocatedType[];
  /** The physical networks with VLANs; a VLAN that nobody names comes from these ranges. */
  readonly vlanRanges: ReadonlyMap<string, readonly NumberRange[]>;
  /** The physical networks that may have a flat network; null for all. */
  readonly flatNetworks: ReadonlySet<string> | null;
  readonly vniRanges: readonly NumberRange[];
  /** The largest packet on physical networks that carry less than the links between hypervisors. */
  readonly physicalMtus: ReadonlyMap<string, number>;
  /** Of the tunnels' outer packets. */
  readonly overlayFamily: Family;
}

export const usualSegmentRules: SegmentRules = {
  tenantTypes: ['local'],
  vlanRanges: new Map(),
  flatNetworks: null,
  vniRanges: [vnis],
  physicalMtus: new Map(),
  overlayFamily: 4,
};

const isAllocated = (name: string): name is AllocatedType => allocatedTypes.some((type) => type === name);

const itemsOf = (text: string): readonly string[] =>
  text.trim() === '' ? [] : text.split(',').map((item) => item.trim());

/** Null for a text that is no list of types, each once. */
export function tenantTypesOf(text: string): readonly AllocatedType[] | null {
  const names = itemsOf(text);
  const types = names.filter(isAllocated);
  return types.length > 0 && types.length === names.length && new Set(types).size === types.length
    ? types
    : null;
}

const number = (text: string | undefined): number =>
  /^\d{1,8}$/.test(text ?? '') ? Number(text) : Number.NaN;

function rangeOf(low: string | undefined, high: string | undefined, within: NumberRange): NumberRange | null {
  const range = { lowest: number(low), highest: number(high) };
  const fits =
    range.lowest >= within.lowest && range.lowest <= range.highest && range.highest <= within.highest;
  return fits ? range : null;
}

/** From `physnet1:100:199,physnet2`; null for a text that is none. */
export function vlanRangesOf(text: string): SegmentRules['vlanRanges'] | null {
  const ranges = new Map<string, readonly NumberRange[]>();
  for (const item of itemsOf(text)) {
    const [network = '', low, high, ...more] = item.split(':');
    const range = low === undefined ? undefined : rangeOf(low, high, vlanIds);
    if (!isPhysicalNetwork(network) || range === null || more.length > 0) return null;
    ranges.set(network, [...(ranges.get(network) ?? []), ...(range === undefined ? [] : [range])]);
  }
  return ranges;
}

/** From `1:1000,5000:5999`; null for a text that is none. */
export function vniRangesOf(text: string): readonly NumberRange[] | null {
  const ranges: NumberRange[] = [];
  for (const item of itemsOf(text)) {
    const [low, high, ...more] = item.split(':');
    const range = rangeOf(low, high, vnis);
    if (range === null || more.length > 0) return null;
    ranges.push(range);
  }
  return ranges;
}

/** From `physnet1,physnet2`, or `*` for all; undefined for a text that is none. */
export function flatNetworksOf(text: string): SegmentRules['flatNetworks'] | undefined {
  const names = itemsOf(text);
  if (names.includes('*')) return null;
  return names.every(isPhysicalNetwork) ? new Set(names) : undefined;
}

/** From `physnet1:1500,physnet2:9000`; null for a text that is none. */
export function physicalMtusOf(text: string): SegmentRules['physicalMtus'] | null {
  const mtus = new Map<string, number>();
  for (const item of itemsOf(text)) {
    const [network = '', mtu, ...more] = item.split(':');
    const range = rangeOf(mtu, mtu, { lowest: 68, highest: 65_535 });
    if (!isPhysicalNetwork(network) || range === null || more.length > 0 || mtus.has(network)) return null;
    mtus.set(network, range.lowest);
  }
  return mtus;
}

/** UDP, the tunnel's header, Geneve's option with the sender's key, and the inner Ethernet header. */
const overheads: Readonly<Record<TunnelType, number>> = { geneve: 8 + 8 + 8 + 14, vxlan: 8 + 8 + 14 };
const ipHeaders: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };

/** The largest packet of a network; `mtu` is that of the links between hypervisors. */
export function maxMtuOf(
  provider: ProviderRecord | undefined,
  mtu: number,
  { physicalMtus, overlayFamily }: SegmentRules,
): number {
  if (provider === undefined) return mtu;
  switch (provider.type) {
    case 'flat':
    case 'vlan':
      return Math.min(mtu, physicalMtus.get(provider.physical_network) ?? mtu);
    default:
      return mtu - overheads[provider.type] - ipHeaders[overlayFamily];
  }
}
