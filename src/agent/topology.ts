/**
 * The store's records as the pipeline's facts: reads keys and JSON, sets inputs, nothing else.
 * A record that cannot be read is left out and reported; it must not stop what the others say.
 */
import type { Input, Key } from '../base/dataflow.ts';
import { prefixes } from '../model/keys.ts';
import type {
  AddressGroupRecord,
  BindingRecord,
  LinkLocalRecord,
  NetworkRecord,
  PortRecord,
  QosPolicyRecord,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
  SubnetRecord,
} from '../model/records.ts';
import type { Facts } from '../pipeline/facts.ts';
import {
  addressGroupOf,
  groupOf,
  linkLocalOf,
  networkOf,
  portOf,
  qosPolicyOf,
  ruleOf,
  subnetOf,
} from '../policy/records.ts';
import type {
  AddressGroupId,
  GroupId,
  NetworkId,
  PortId,
  QosPolicyId,
  RuleId,
  SubnetId,
} from '../policy/world.ts';
import type { Batch, Entry, Snapshot } from '../store/contract.ts';

/** The prefixes that the topology is made of. */
export const topologyPrefixes: readonly string[] = [
  prefixes.networks,
  prefixes.subnets,
  prefixes.ports,
  prefixes.groups,
  prefixes.rules,
  prefixes.addressGroups,
  prefixes.qosPolicies,
  prefixes.bindings,
  prefixes.linkLocals,
];

interface PortParts {
  readonly record?: PortRecord;
  readonly binding?: BindingRecord;
}

export class Topology {
  readonly #facts: Facts;
  readonly #unreadable: (key: string) => void;
  /** What each key said, to skip what has not changed and to find what a re-list no longer holds. */
  readonly #seen = new Map<string, string>();
  readonly #ports = new Map<string, PortParts>();

  constructor(facts: Facts, unreadable: (key: string) => void) {
    this.#facts = facts;
    this.#unreadable = unreadable;
  }

  reset({ entries }: Snapshot): void {
    const present = new Set<string>();
    for (const { key, value } of inOrderOfAge(entries)) {
      if (!topologyPrefixes.some((prefix) => key.startsWith(prefix))) continue;
      present.add(key);
      this.#put(key, value);
    }
    for (const key of this.#seen.keys()) if (!present.has(key)) this.#delete(key);
  }

  apply({ events }: Batch): void {
    for (const event of events) {
      if (event.type === 'delete') this.#delete(event.key);
      else this.#put(event.entry.key, event.entry.value);
    }
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

  #put(key: string, value: string): void {
    if (this.#seen.get(key) === value) return;
    this.#seen.set(key, value);
    this.#take(key, parse(value));
  }

  #delete(key: string): void {
    if (this.#seen.delete(key)) this.#take(key, undefined);
  }

  #take(key: string, record: unknown): void {
    const facts = this.#facts;
    const [kind = '', scope = '', name = ''] = key.split('/');
    switch (`${kind}/`) {
      case prefixes.networks:
        return this.#set(key, facts.networks, scope as NetworkId, record, (r) =>
          networkOf(r as NetworkRecord),
        );
      case prefixes.subnets:
        return this.#set(key, facts.subnets, name as SubnetId, record, (r) => subnetOf(r as SubnetRecord));
      case prefixes.groups:
        return this.#set(key, facts.groups, scope as GroupId, record, (r) =>
          groupOf(r as SecurityGroupRecord),
        );
      case prefixes.addressGroups:
        return this.#set(key, facts.addressGroups, scope as AddressGroupId, record, (r) =>
          addressGroupOf(r as AddressGroupRecord),
        );
      case prefixes.qosPolicies:
        return this.#set(key, facts.qosPolicies, scope as QosPolicyId, record, (r) =>
          qosPolicyOf(r as QosPolicyRecord),
        );
      case prefixes.rules:
        return this.#set(key, facts.rules, name as RuleId, record, (r) =>
          ruleOf(r as SecurityGroupRuleRecord),
        );
      case prefixes.ports:
        return this.#setPort(key, name, 'record', record);
      case prefixes.bindings:
        return this.#setPort(key, name, 'binding', record);
      case prefixes.linkLocals: {
        const read = (r: unknown) => linkLocalOf(scope, name, r as LinkLocalRecord);
        return this.#set(key, facts.linkLocals, `${scope}|${name}`, record, read);
      }
    }
  }

  #setPort(key: string, id: string, part: keyof PortParts, record: unknown): void {
    const { [part]: _, ...others } = this.#ports.get(id) ?? {};
    const parts: PortParts = record === undefined ? others : { ...others, [part]: record };
    if (Object.keys(parts).length === 0) this.#ports.delete(id);
    else this.#ports.set(id, parts);
    this.#set(key, this.#facts.ports, id as PortId, parts.record, (r) =>
      portOf(r as PortRecord, parts.binding),
    );
  }

  #set<K extends Key, V>(
    key: string,
    input: Input<K, V>,
    id: K,
    record: unknown,
    read: (record: unknown) => V | null,
  ): void {
    const value = record === undefined ? null : attempt(() => read(record));
    if (value !== null) return input.set(id, value);
    input.delete(id);
    if (record !== undefined) this.#unreadable(key);
  }
}

/** Of a port's link-locals the oldest go first, so facts must learn of them in the order they were made. */
function inOrderOfAge(entries: readonly Entry[]): Entry[] {
  const aged = entries.filter(({ key }) => key.startsWith(prefixes.linkLocals));
  aged.sort((a, b) => a.createRevision - b.createRevision);
  return [...entries.filter(({ key }) => !key.startsWith(prefixes.linkLocals)), ...aged];
}

/** Whatever a foreign writer put into the store reads as nothing rather than as a fault. */
function attempt<V>(read: () => V | null): V | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function parse(text: string): unknown {
  return attempt(() => JSON.parse(text) as unknown) ?? null;
}
