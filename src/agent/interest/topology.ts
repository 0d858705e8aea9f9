/**
 * The store's records as the pipeline's facts: reads keys and JSON, sets inputs, nothing else.
 * A record that cannot be read counts as absent and is reported, so that it stops no other record.
 * Invariant: only a record under a followed prefix can be absent (`lookup.ts`).
 */

import type { Input, Key } from '../../base/dataflow.ts';
import { reasonOf } from '../../base/errors.ts';
import { KeyDispatch, type KeyHandler, on } from '../../model/key-dispatch.ts';
import type { AnyParts, Kind } from '../../model/key-kind.ts';
import { keys } from '../../model/keys.ts';
import { isNetworkKey, isPortKey } from '../../model/numbers.ts';
import type { BindingRecord, PortRecord } from '../../model/records.ts';
import { isRouterPort } from '../../model/router.ts';
import type { Facts } from '../../pipeline/facts.ts';
import { dhcpSubnetOf } from '../../pipeline/features/dhcp/facts.ts';
import {
  addressGroupOf,
  groupOf,
  leftConnectionsOf,
  networkOf,
  portOf,
  qosPolicyOf,
  recordedLinkLocalOf,
  recordedOwnerOf,
  routerOf,
  ruleOf,
  subnetOf,
  vtepOf,
} from '../../policy/records.ts';
import type {
  AddressGroupId,
  GroupId,
  Network,
  NetworkId,
  Port,
  PortId,
  QosPolicyId,
  Router,
  RouterId,
  Rule,
  RuleId,
  SubnetId,
} from '../../policy/world.ts';
import type { Batch, Entry, Snapshot } from '../../store/contract.ts';
import { PrefixSet } from '../../store/prefixes.ts';
import { Deletions } from './deletions.ts';
import { type Lookup, lookupOf } from './lookup.ts';
import type { Known } from './needs.ts';

interface PortParts {
  readonly record?: PortRecord;
  readonly binding?: BindingRecord;
}

export class Topology implements Known {
  readonly #facts: Facts;
  readonly #unreadable: (key: string, reason: string) => void;
  /** What each key said, to skip what has not changed and to find what a re-list no longer holds. */
  readonly #seen = new Map<string, string>();
  readonly #ports = new Map<string, PortParts>();
  /** The network of each port whose mark is followed. */
  readonly #marks = new Map<PortId, NetworkId>();
  /** The address group of each rule that names one, by the rule's group. */
  readonly #addressGroups = new Map<GroupId, Map<RuleId, AddressGroupId>>();
  /** The routers that ports of a network belong to, with those ports. */
  readonly #routers = new Map<NetworkId, Map<PortId, RouterId>>();
  readonly #dispatch: KeyDispatch;
  readonly #followed = new PrefixSet();
  /** Rules and ports. */
  readonly #deletions = new Deletions();
  #isForgetting = false;

  constructor(facts: Facts, unreadable: (key: string, reason: string) => void) {
    this.#facts = facts;
    this.#unreadable = unreadable;
    this.#dispatch = new KeyDispatch([
      on(keys.network, ({ parts, record }) => {
        const id = parts.id as NetworkId;
        setNumber(facts.networkKeys, id, record?.vni, isNetworkKey);
        setFact(facts.networks, id, record, networkOf);
      }),
      on(keys.bridge, ({ parts: { host }, record }) => {
        // Most hosts of a small cloud have no tunnels.
        const vtep = record === null ? undefined : vtepOf(record);
        if (vtep === null) throw new Unreadable();
        if (vtep === undefined) facts.vteps.delete(host);
        else facts.vteps.set(host, vtep);
      }),
      on(keys.subnet, ({ parts, record }) => {
        const id = parts.id as SubnetId;
        setFact(facts.dhcpSubnets, id, record, dhcpSubnetOf);
        setFact(facts.subnets, id, record, subnetOf);
      }),
      factOf(keys.router, facts.routers, ({ id }) => id as RouterId, routerOf),
      factOf(keys.group, facts.groups, ({ id }) => id as GroupId, groupOf),
      factOf(keys.addressGroup, facts.addressGroups, ({ id }) => id as AddressGroupId, addressGroupOf),
      factOf(keys.qosPolicy, facts.qosPolicies, ({ id }) => id as QosPolicyId, qosPolicyOf),
      on(keys.rule, ({ parts: { group, id }, record }) => {
        this.#noteDeletion(id, record === null);
        setFact(facts.rules, id as RuleId, record, ruleOf);
        this.#noteAddressGroup(group as GroupId, id as RuleId);
      }),
      factOf(
        keys.linkLocal,
        facts.linkLocals,
        ({ network, address }) => `${network}|${address}`,
        (record, { network, address }) => recordedLinkLocalOf(network, address, record),
      ),
      factOf(
        keys.owner,
        facts.owners,
        ({ network, address }) => `${network}|${address}`,
        (record, { network, address }) => recordedOwnerOf(network, address, record),
      ),
      on(keys.port, ({ parts, record }) => {
        this.#noteDeletion(parts.id, record === null);
        this.#noteRouter(parts.network as NetworkId, parts.id as PortId, record);
        this.#setPort(parts.id, 'record', record);
      }),
      on(keys.binding, ({ parts, record }) => this.#setPort(parts.id, 'binding', record)),
      factOf(
        keys.leaving,
        facts.leftConnections,
        ({ id }) => id as PortId,
        (record, { host }) => leftConnectionsOf(host, record),
      ),
      on(keys.portNetwork, ({ parts: { port }, record }) => {
        if (record === null) this.#marks.delete(port as PortId);
        else this.#marks.set(port as PortId, record as NetworkId);
      }),
    ]);
  }

  /** The prefixes under which everything is that it could be made of. */
  get prefixes(): readonly string[] {
    return this.#dispatch.prefixes;
  }

  /** `entries` are all keys under `prefixes`, which are followed from now on. Keys under others stay as they are. */
  reset({ entries }: Snapshot, prefixes: readonly string[] = this.prefixes): void {
    // Nothing is known under a prefix that was not followed before.
    const again = new PrefixSet(prefixes.filter((prefix) => this.#followed.has(prefix)));
    this.#followed.add(prefixes);
    const present = new Set<string>();
    for (const { key, value } of inOrderOfAge(entries)) {
      if (this.#put(key, value)) present.add(key);
    }
    if (again.all.length > 0)
      for (const key of this.#seen.keys()) if (!present.has(key) && again.covers(key)) this.#delete(key);
  }

  /** Knows nothing any more under these prefixes, unless others that are followed cover them. */
  forget(prefixes: readonly string[]): void {
    const forgotten = new PrefixSet(prefixes);
    this.#followed.delete(prefixes);
    this.#isForgetting = true;
    for (const key of this.#seen.keys())
      if (forgotten.covers(key) && !this.#followed.covers(key)) this.#delete(key);
    this.#isForgetting = false;
  }

  /** False when nothing here changed. */
  apply({ events }: Batch): boolean {
    const changed = events.map((event) =>
      event.type === 'delete' ? this.#delete(event.key) : this.#put(event.entry.key, event.entry.value),
    );
    return changed.includes(true);
  }

  /** Whether all keys under a prefix are known. */
  follows(prefix: string): boolean {
    return this.#followed.covers(prefix);
  }

  network(id: NetworkId): Network | undefined {
    return this.#facts.networks.get(id);
  }

  port(id: PortId): Port | undefined {
    return this.#facts.ports.get(id);
  }

  markedNetwork(id: PortId): NetworkId | undefined {
    return this.#marks.get(id);
  }

  addressGroupsOf(group: GroupId): Iterable<AddressGroupId> {
    return new Set(this.#addressGroups.get(group)?.values());
  }

  routersOf(network: NetworkId): Iterable<RouterId> {
    return new Set(this.#routers.get(network)?.values());
  }

  router(id: RouterId): Router | undefined {
    return this.#facts.routers.get(id);
  }

  formerHost(id: PortId): string | undefined {
    return this.#facts.leftConnections.get(id)?.host;
  }

  lookUpNetwork(id: NetworkId): Lookup<Network> {
    return lookupOf(this.network(id), this.follows(keys.network(id)));
  }

  /** A port that was never known is absent when its mark is, or when its network has no such port. */
  lookUpPort(id: PortId): Lookup<Port> {
    const network = this.#marks.get(id);
    const place = network === undefined ? keys.portNetwork(id) : keys.port.under(network);
    const isFollowed = this.follows(place) || this.follows(keys.port.prefix);
    return lookupOf(this.port(id), isFollowed || this.#deletions.has(id));
  }

  lookUpRule(id: RuleId): Lookup<Rule> {
    return lookupOf(this.#facts.rules.get(id), this.follows(keys.rule.prefix) || this.#deletions.has(id));
  }

  /** Whether a port or its network is a record of release 0.1 that no server has given a number yet. */
  awaitsNumbers(id: PortId): boolean {
    const { ports, portKeys, networks, networkKeys } = this.#facts;
    const network = ports.get(id)?.network;
    if (network === undefined) return false;
    const isNumbered = networks.get(network) === undefined || networkKeys.get(network) !== undefined;
    return portKeys.get(id) === undefined || !isNumbered;
  }

  /** The network of a port that the store knows. */
  networkOf(port: PortId): NetworkId | undefined {
    return this.#ports.get(port)?.record?.network_id as NetworkId | undefined;
  }

  *bindings(): Generator<readonly [PortId, NetworkId, BindingRecord]> {
    for (const [port, { record, binding }] of this.#ports)
      if (record !== undefined && binding !== undefined)
        yield [port as PortId, record.network_id as NetworkId, binding];
  }

  bindingOf(port: PortId): BindingRecord | undefined {
    return this.#ports.get(port)?.binding;
  }

  /** The host that a caller asked for; empty for any. */
  requestedHost(port: PortId): string {
    return this.#ports.get(port)?.record?.['binding:host_id'] ?? '';
  }

  /** False for keys that say nothing here. */
  #put(key: string, value: string): boolean {
    if (this.#seen.get(key) === value) return true;
    try {
      if (!this.#dispatch.take(key, value)) return false;
    } catch (error) {
      this.#dispatch.take(key, null);
      this.#unreadable(key, reasonOf(error));
    }
    this.#seen.set(key, value);
    return true;
  }

  #delete(key: string): boolean {
    return this.#seen.delete(key) && this.#dispatch.take(key, null);
  }

  #noteDeletion(id: string, isGone: boolean): void {
    if (!isGone) this.#deletions.delete(id);
    else if (!this.#isForgetting) this.#deletions.add(id);
  }

  #noteAddressGroup(group: GroupId, rule: RuleId): void {
    const remote = this.#facts.rules.get(rule)?.remote;
    const named = this.#addressGroups.get(group) ?? new Map<RuleId, AddressGroupId>();
    if (remote?.kind === 'addresses') named.set(rule, remote.group);
    else named.delete(rule);
    if (named.size > 0) this.#addressGroups.set(group, named);
    else this.#addressGroups.delete(group);
  }

  #noteRouter(network: NetworkId, port: PortId, record: PortRecord | null): void {
    const ports = this.#routers.get(network) ?? new Map<PortId, RouterId>();
    if (record !== null && isRouterPort(record)) ports.set(port, record.device_id as RouterId);
    else ports.delete(port);
    if (ports.size > 0) this.#routers.set(network, ports);
    else this.#routers.delete(network);
  }

  #setPort<Part extends keyof PortParts>(id: string, part: Part, record: PortParts[Part] | null): void {
    const { [part]: _, ...others } = this.#ports.get(id) ?? {};
    const parts: PortParts = record === null ? others : { ...others, [part]: record };
    if (Object.keys(parts).length === 0) this.#ports.delete(id);
    else this.#ports.set(id, parts);
    const { record: port = null } = parts;
    const options = port?.extra_dhcp_opts ?? [];
    if (options.length === 0) this.#facts.dhcpOptions.delete(id as PortId);
    else this.#facts.dhcpOptions.set(id as PortId, options);
    setNumber(this.#facts.portKeys, id as PortId, port?.key, isPortKey);
    setFact(this.#facts.ports, id as PortId, port, (written) => portOf(written, parts.binding));
  }
}

class Unreadable extends Error {}

function factOf<R, P extends AnyParts, K extends Key, V>(
  kind: Kind<R, P>,
  input: Input<K, V>,
  idOf: (parts: P) => K,
  read: (record: R, parts: P) => V | null,
): KeyHandler {
  return on(kind, ({ parts, record }) => setFact(input, idOf(parts), record, (r) => read(r, parts)));
}

/** Throws for a record that cannot be read. */
function setFact<R, K extends Key, V>(
  input: Input<K, V>,
  id: K,
  record: R | null,
  read: (record: R) => V | null,
): void {
  if (record === null) return input.delete(id);
  const value = read(record);
  if (value === null) throw new Unreadable();
  input.set(id, value);
}

/** A record without a number is readable: a server will give it one. Throws for what is no number. */
function setNumber<K extends Key, N>(
  input: Input<K, N>,
  id: K,
  number: unknown,
  isNumber: (value: unknown) => value is N,
): void {
  if (number === undefined) return input.delete(id);
  if (!isNumber(number)) throw new Unreadable();
  input.set(id, number);
}

/** Of a port's link-locals the oldest go first, so facts must learn of them in the order they were made. */
function inOrderOfAge(entries: readonly Entry[]): Entry[] {
  const aged = entries.filter(({ key }) => key.startsWith(keys.linkLocal.prefix));
  aged.sort((a, b) => a.createRevision - b.createRevision);
  return [...entries.filter(({ key }) => !key.startsWith(keys.linkLocal.prefix)), ...aged];
}
