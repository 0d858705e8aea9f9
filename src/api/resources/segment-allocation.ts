/**
 * Gives networks their segments: a physical network, a VLAN or a VNI, named by the request or allocated from the
 * operator's ranges. Each is claimed by a mark in the transaction that writes the network, so no two networks have one.
 */
import { candidateNumbers, type NumberRange } from '../../base/hash.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { type NetworkKey, networkKeysWithin } from '../../model/numbers.ts';
import type { AskedSegment } from '../../model/provider.ts';
import type { NetworkRecord } from '../../model/records.ts';
import type { ProviderRecord, SegmentRules } from '../../model/segments.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import { allocate, allocateNetworkKey } from './number-allocation.ts';

/** The members of a network's record that say how it is carried. */
export type Carriage = Pick<NetworkRecord, 'vni' | 'provider'>;

interface Allocator {
  readonly change: Change;
  readonly state: State;
  readonly rules: SegmentRules;
  /** The id of the network. */
  readonly id: string;
}

/** The mark that keeps others from having the segment; null for networks without one of their own. */
export function segmentMark(provider: ProviderRecord | undefined): string | null {
  if (provider?.type === 'flat') return keys.takenFlat(provider.physical_network);
  if (provider?.type !== 'vlan') return null;
  return keys.takenVlan(provider.physical_network, String(provider.segmentation_id));
}

/** Whether the mark was free; it is the network's now. */
function take({ change, state, id }: Pick<Allocator, 'change' | 'state' | 'id'>, mark: string): boolean {
  if (!state.takenSegments.isFree(mark) || !change.claim(mark)) return false;
  change.requireAbsent(mark);
  change.put(mark, id);
  return true;
}

function takeVlan(
  allocator: Pick<Allocator, 'change' | 'state' | 'id'>,
  physical: string,
  vlan: number,
): ProviderRecord {
  if (!take(allocator, keys.takenVlan(physical, String(vlan))))
    refuse({ code: 'VlanIdInUse', physical, vlan });
  return { type: 'vlan', physical_network: physical, segmentation_id: vlan };
}

/** A VLAN of any of the operator's ranges, or of those of one physical network. */
function allocateVlan({ change, state, rules, id }: Allocator, only: string | null): ProviderRecord | null {
  for (const [physical, ranges] of rules.vlanRanges) {
    if (only !== null && only !== physical) continue;
    const markOf = (vlan: number): string => keys.takenVlan(physical, String(vlan));
    const vlan = allocate(change, (mark) => state.takenSegments.isFree(mark), {
      candidates: candidatesOf(id, ranges),
      markOf,
      owner: id,
    });
    if (vlan !== null) return { type: 'vlan', physical_network: physical, segmentation_id: vlan };
  }
  return null;
}

function* candidatesOf(id: string, ranges: readonly NumberRange[]): Generator<number> {
  for (const range of ranges) yield* candidateNumbers(id, range);
}

const vniMark = (key: NetworkKey): string => keys.networkKey(String(key));

/** A request may name a number that a deleted network had a moment ago: it knows what it asks for. */
function takeVni({ change, state, id }: Allocator, vni: number): NetworkKey {
  const isFree = (mark: string): boolean => !state.claimedNumbers.isClaimed(mark);
  const candidates = networkKeysWithin(id, { lowest: vni, highest: vni });
  const taken = allocate(change, isFree, { candidates, markOf: vniMark, owner: id });
  return taken ?? refuse({ code: 'TunnelIdInUse', id: vni });
}

/** Numbers that rest come last. */
function allocateVni({ change, state, rules, id }: Allocator): NetworkKey | null {
  const { claimedNumbers } = state;
  for (const isFree of [
    (mark: string) => claimedNumbers.isFree(mark),
    (mark: string) => !claimedNumbers.isClaimed(mark),
  ])
    for (const range of rules.vniRanges) {
      const candidates = networkKeysWithin(id, range);
      const key = allocate(change, isFree, { candidates, markOf: vniMark, owner: id });
      if (key !== null) return key;
    }
  return null;
}

/** Null where nothing of the kind is left. Throws where the request names what another network has. */
function allocateFor(allocator: Allocator, asked: AskedSegment): Carriage | null {
  const ownKey = (): NetworkKey => allocateNetworkKey(allocator.change, allocator.state, allocator.id);
  switch (asked.type) {
    case 'local':
      return { vni: ownKey() };
    case 'flat':
      if (!take(allocator, keys.takenFlat(asked.physical)))
        refuse({ code: 'FlatNetworkInUse', physical: asked.physical });
      return { vni: ownKey(), provider: { type: 'flat', physical_network: asked.physical } };
    case 'vlan': {
      const { physical, id } = asked;
      const provider =
        physical !== null && id !== null
          ? takeVlan(allocator, physical, id)
          : allocateVlan(allocator, physical);
      return provider === null ? null : { vni: ownKey(), provider };
    }
    default: {
      const vni = asked.id === null ? allocateVni(allocator) : takeVni(allocator, asked.id);
      return vni === null ? null : { vni, provider: { type: asked.type } };
    }
  }
}

/** `asked` is null where the operator's types for tenants decide. Throws `NoNetworkAvailable` where nothing is left. */
export function allocateSegment(allocator: Allocator, asked: AskedSegment | null): Carriage {
  const choices: readonly AskedSegment[] =
    asked === null
      ? allocator.rules.tenantTypes.map(
          (type): AskedSegment => (type === 'vlan' ? { type, physical: null, id: null } : { type, id: null }),
        )
      : [asked];
  for (const choice of choices) {
    const carriage = allocateFor(allocator, choice);
    if (carriage !== null) return carriage;
  }
  return refuse({ code: 'NoNetworkAvailable' });
}

/** The network with another VLAN. Throws `VlanIdInUse`. */
export function moveToVlan(
  change: Change,
  state: State,
  network: NetworkRecord,
  vlan: number,
): NetworkRecord {
  const { id, provider } = network;
  if (provider?.type !== 'vlan') return network;
  const moved = takeVlan({ change, state, id }, provider.physical_network, vlan);
  releaseSegment(change, network);
  return { ...network, provider: moved };
}

/** Removes the mark of a network's segment. */
export function releaseSegment(change: Change, { provider }: NetworkRecord): void {
  const mark = segmentMark(provider);
  if (mark !== null) change.remove(mark);
}
