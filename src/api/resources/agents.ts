/** `/v2.0/agents`: hosts as Neutron shows them. Agents register themselves; administrators describe and delete them. */
import { createHash } from 'node:crypto';
import { agentAttributes, agentVerbs, blankNote, type NeutronAgent, showAgent } from '../../model/agent.ts';
import { badRequest } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { type Filters, wantedOf } from '../http/filters.ts';
import type { Capabilities, Context, Resource } from '../http/resource.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';

/** A UUID that a host's name always has (RFC 9562 5.8). */
function idOf(host: string): string {
  const hex = createHash('sha256').update(host).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

export class Agents implements Resource<NeutronAgent, typeof agentAttributes> {
  readonly name = 'agent';
  readonly collection = 'agents';
  readonly path = 'agents';
  readonly table = agentAttributes;
  readonly verbs = agentVerbs;
  readonly capabilities: Capabilities<NeutronAgent, typeof agentAttributes> = {
    update: (_change, { record }, patch) => ({ ...record, note: { ...record.note, ...patch } }),
    computed: { host: ({ host }) => host.name },
  };
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<NeutronAgent> | undefined {
    for (const host of this.#context.view.state.hosts.keys()) if (idOf(host) === id) return this.#rowOf(host);
    return undefined;
  }

  candidates(filters: Filters): Iterable<Row<NeutronAgent>> {
    const { hosts } = this.#context.view.state;
    const names = wantedOf(filters, 'host') ?? [...hosts.keys()];
    return [...new Set(names)].flatMap((name) => this.#rowOf(name) ?? []);
  }

  missing(id: string) {
    return { code: 'AgentNotFound', id } as const;
  }

  show(agent: NeutronAgent): Record<string, unknown> {
    let bound = 0;
    const { state } = this.#context.view;
    const { name } = agent.host;
    for (const { host } of state.bindings.values()) if (host === name) bound += 1;
    const life = { alive: state.isLive(name), seen: state.lastSeen.of(name) };
    return showAgent(agent, bound, life, state.bridges.get(name));
  }

  create(): never {
    return badRequest('Agents come by themselves');
  }

  write(change: Change, _before: Row<NeutronAgent>, after: NeutronAgent): void {
    change.put(keys.agentNote(after.host.name), after.note);
  }

  /** A live agent registers again at once. */
  remove(change: Change, row: Row<NeutronAgent>): void {
    change.remove(row.key);
    change.remove(keys.agentNote(row.record.host.name));
    change.remove(keys.bridge(row.record.host.name));
  }

  /** Made at each call, because it shows when the host was last seen. */
  #rowOf(name: string): Row<NeutronAgent> | undefined {
    const { hosts, hostRevisions, agentNotes } = this.#context.view.state;
    const host = hosts.get(name);
    const modRevision = hostRevisions.get(name);
    if (host === undefined || modRevision === undefined) return undefined;
    const note = agentNotes.get(name) ?? blankNote;
    const record: NeutronAgent = { id: idOf(name), project_id: '', host, note };
    return { key: keys.host(name), record, modRevision, shown: null, shownOtherwise: null };
  }
}
