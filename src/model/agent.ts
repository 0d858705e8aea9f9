/** Agents, as Neutron calls what runs on each host: a view of a host's signs of life, with notes of administrators. */
import type { AttributeTable } from './attribute.ts';
import { orNull, text, toBoolean } from './checks.ts';
import type { Verbs } from './policy.ts';
import type { AgentNote, HostRecord } from './records.ts';

const shown = { post: 'refused', put: false } as const;
const found = { ...shown, filter: 'text', sort: true } as const;

export const agentVerbs: Verbs = {
  create: ['admin'],
  read: ['admin'],
  update: ['admin'],
  delete: ['admin'],
};

export const agentAttributes = {
  id: found,
  agent_type: found,
  binary: found,
  topic: found,
  host: found,
  admin_state_up: { ...shown, put: true, convert: toBoolean, filter: 'boolean', sort: true },
  created_at: shown,
  started_at: shown,
  heartbeat_timestamp: shown,
  alive: { ...shown, filter: 'boolean', sort: true },
  configurations: shown,
  resource_versions: shown,
  description: { ...shown, put: true, validate: orNull(text(255)), filter: 'text' },
} as const satisfies AttributeTable;

/** A host and what administrators noted of it. The id is the host's own, whenever it comes and goes. */
export interface Agent {
  readonly id: string;
  /** Hosts are nobody's. */
  readonly project_id: '';
  readonly host: HostRecord;
  readonly note: AgentNote;
}

export const blankNote: AgentNote = { admin_state_up: true, description: null };

/** As Neutron prints times of agents: UTC, to the second. */
const timeText = (time: number): string => new Date(time).toISOString().slice(0, 19).replace('T', ' ');

/** `bound` is the number of ports that the host holds, `now` the time of the question. */
export function showAgent({ id, host, note }: Agent, bound: number, now: number): Record<string, unknown> {
  const started = timeText(host.started ?? host.heartbeat);
  return {
    id,
    agent_type: 'Open vSwitch agent',
    binary: 'neutron-openvswitch-agent',
    topic: 'N/A',
    host: host.name,
    admin_state_up: note.admin_state_up,
    created_at: started,
    started_at: started,
    heartbeat_timestamp: timeText(host.heartbeat),
    alive: now - host.heartbeat < host.ttl,
    configurations: {
      integration_bridge: host.bridge ?? 'br-int',
      datapath_type: host.datapath_type ?? 'system',
      devices: bound,
    },
    resource_versions: {},
    description: note.description,
  };
}
