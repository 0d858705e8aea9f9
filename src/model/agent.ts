/** Neutron's agents: a view of hosts and of whether they live, with notes of administrators. */
import type { AttributeTable } from './attribute.ts';
import { zoneOf } from './availability-zone.ts';
import { orNull, text, toBoolean } from './checks.ts';
import type { Verbs } from './policy.ts';
import type { AgentNote, BridgeRecord, HostRecord } from './records.ts';
import { integerSchema, type Schema, stringSchema, uuidSchema } from './schema.ts';

const shown = { post: 'refused', put: false } as const;
const found = { ...shown, filter: 'text', sort: true } as const;

export const agentVerbs: Verbs = {
  create: ['admin'],
  read: ['admin'],
  update: ['admin'],
  delete: ['admin'],
};

/** UTC, with a space where others put a T. */
const time: Schema = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d$' };

export const agentAttributes = {
  id: { ...found, type: uuidSchema, about: 'Its identity, which a host of this name always has.' },
  agent_type: { ...found, about: 'What it does: `Open vSwitch agent`.' },
  binary: { ...found, about: 'The program, by the name that clients of Neutron know.' },
  topic: { ...found, about: 'Nothing: there is no message bus.' },
  host: { ...found, about: 'The host that it runs on.' },
  availability_zone: { ...found, about: 'The zone that the host is in.' },
  admin_state_up: {
    ...shown,
    put: true,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    about: 'A note of administrators; it changes nothing.',
  },
  created_at: { ...shown, type: time, about: 'When it started.' },
  started_at: { ...shown, type: time, about: 'When it started.' },
  heartbeat_timestamp: {
    ...shown,
    type: time,
    about: 'When the server last knew it alive, by its own clock.',
  },
  alive: { ...shown, filter: 'boolean', sort: true, about: 'Whether it lives.' },
  configurations: {
    ...shown,
    type: {
      type: 'object',
      properties: {
        integration_bridge: stringSchema,
        datapath_type: stringSchema,
        bridge_mappings: { type: 'object', additionalProperties: stringSchema },
        tunneling_ip: stringSchema,
        tunnel_types: { type: 'array', items: stringSchema },
        devices: integerSchema,
      },
    },
    about: 'The bridges that it keeps, its tunnel endpoint, and how many ports it holds (`devices`).',
  },
  resource_versions: { ...shown, type: { type: 'object' }, about: 'Empty.' },
  description: {
    ...shown,
    put: true,
    validate: orNull(text(255)),
    filter: 'text',
    about: 'A note of administrators.',
  },
} as const satisfies AttributeTable;

/** A host with the notes of administrators. The id follows from the host's name, so it is always the same. */
export interface NeutronAgent {
  readonly id: string;
  /** Hosts are nobody's. */
  readonly project_id: '';
  readonly host: HostRecord;
  readonly note: AgentNote;
}

export const blankNote: AgentNote = { admin_state_up: true, description: null };

/** As Neutron prints times of agents: UTC, to the second. */
const timeText = (time: number): string => new Date(time).toISOString().slice(0, 19).replace('T', ' ');

interface Life {
  readonly alive: boolean;
  /** When it was last seen alive. */
  readonly seen: number;
}

/** `bound` is the number of ports that the host holds. */
export function showAgent(
  { id, host, note }: NeutronAgent,
  bound: number,
  { alive, seen }: Life,
  bridge?: BridgeRecord,
): Record<string, unknown> {
  const started = timeText(host.started ?? seen);
  return {
    id,
    agent_type: 'Open vSwitch agent',
    binary: 'neutron-openvswitch-agent',
    topic: 'N/A',
    host: host.name,
    availability_zone: zoneOf(host),
    admin_state_up: note.admin_state_up,
    created_at: started,
    started_at: started,
    heartbeat_timestamp: timeText(seen),
    alive,
    configurations: {
      integration_bridge: host.bridge ?? 'br-int',
      ...(host.datapath_type === undefined ? {} : { datapath_type: host.datapath_type }),
      ...(bridge?.tunnel_ip === undefined ? {} : { tunneling_ip: bridge.tunnel_ip }),
      tunnel_types: bridge?.tunnel_types ?? [],
      bridge_mappings: host.bridge_mappings ?? {},
      devices: bound,
    },
    resource_versions: {},
    description: note.description,
  };
}
