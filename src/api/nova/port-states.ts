/**
 * The states of servers' ports, kept up to date with the store. Reports each change with the state before. Of other ports
 * it remembers the binding only, because they may become a server's.
 */
import { isObject } from '../../model/checks.ts';
import { keys } from '../../model/keys.ts';
import type { BindingRecord } from '../../model/records.ts';
import type { Batch, Snapshot, StoreEvent } from '../../store/contract.ts';
import { type PortFacts, type PortState, stateOf } from './events.ts';

export type OnPortChange = (
  port: string,
  before: PortState | null,
  after: PortState | null,
  gone: boolean,
) => void;

interface Known {
  /** Null while it is no server's. */
  readonly facts: PortFacts | null;
  readonly held: BindingRecord | null;
}

const nothing: Known = { facts: null, held: null };

export class PortStates {
  readonly #onChange: OnPortChange;
  readonly #known = new Map<string, Known>();
  readonly #states = new Map<string, PortState>();

  constructor(onChange: OnPortChange) {
    this.#onChange = onChange;
  }

  /** As if that had been the last state that was seen. */
  assume(port: string, state: PortState): void {
    this.#states.set(port, state);
  }

  /** All ports of the store. Changes since the last state are reported as if they came one by one. */
  reset({ entries }: Snapshot): void {
    this.#known.clear();
    for (const entry of entries) this.#learn({ type: 'put', entry });
    const present = new Set(entries.flatMap(({ key }) => keys.port.parse(key)?.id ?? []));
    for (const port of new Set([...this.#known.keys(), ...this.#states.keys()]))
      this.#settle(port, !present.has(port));
  }

  apply({ events }: Batch): void {
    const touched = new Map<string, boolean>();
    for (const event of events) {
      const port = this.#learn(event);
      if (port === null) continue;
      const key = event.type === 'put' ? event.entry.key : event.key;
      const gone = event.type === 'delete' && keys.port.parse(key) !== null;
      touched.set(port, gone || (touched.get(port) ?? false));
    }
    for (const [port, gone] of touched) this.#settle(port, gone);
  }

  /** The port that the event is of, if it is of one. */
  #learn(event: StoreEvent): string | null {
    const key = event.type === 'put' ? event.entry.key : event.key;
    const ofPort = keys.port.parse(key);
    const port = (ofPort ?? keys.binding.parse(key))?.id;
    if (port === undefined) return null;
    const value = event.type === 'put' ? parsed(event.entry.value) : null;
    const before = this.#known.get(port) ?? nothing;
    const known = ofPort !== null ? { ...before, facts: factsOf(value) } : { ...before, held: heldOf(value) };
    if (known.facts === null && known.held === null) this.#known.delete(port);
    else this.#known.set(port, known);
    return port;
  }

  #settle(port: string, gone: boolean): void {
    const { facts, held } = this.#known.get(port) ?? nothing;
    const before = this.#states.get(port) ?? null;
    const after = facts === null ? null : stateOf(facts, held ?? undefined);
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    if (after === null) this.#states.delete(port);
    else this.#states.set(port, after);
    this.#onChange(port, before, after, gone);
  }
}

/** The attributes that states follow from. Whole records would take as much memory again as the server's view. */
function factsOf(record: unknown): PortFacts | null {
  if (!isObject(record)) return null;
  const { device_id, device_owner, revision_number, 'binding:host_id': host } = record;
  const texts = [device_id, device_owner, host];
  if (texts.some((text) => typeof text !== 'string') || typeof revision_number !== 'number') return null;
  const facts = { device_id, device_owner, revision_number, 'binding:host_id': host } as PortFacts;
  return stateOf(facts, undefined) === null ? null : facts;
}

function heldOf(record: unknown): BindingRecord | null {
  if (!isObject(record)) return null;
  const { host, status } = record;
  return typeof host === 'string' && (status === 'ACTIVE' || status === 'DOWN') ? { host, status } : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
