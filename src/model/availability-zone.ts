/**
 * Availability zones: names that operators give to groups of hosts. A zone exists while one of its hosts does. Hints of
 * networks have no effect: a network is served on every host that has a port of it.
 */
import type { AttributeTable, Check } from './attribute.ts';
import { isLonger, listOf, text } from './checks.ts';
import { refuse } from './faults.ts';
import type { Verbs } from './policy.ts';
import type { AgentNote, HostRecord } from './records.ts';
import { arrayOf, stringSchema, withSchema } from './schema.ts';

/** The zone of hosts that name none, as in Nova and Neutron. */
export const defaultZone = 'nova';

export const zoneOf = (host: HostRecord): string => host.availability_zone ?? defaultZone;

/** Everybody may know them; nobody makes them here. */
export const availabilityZoneVerbs: Verbs = {
  create: [],
  read: ['admin', 'service', 'anybody'],
  update: [],
  delete: [],
};

const found = { post: 'refused', put: false, filter: 'text', sort: true } as const;

export const availabilityZoneAttributes = {
  name: { ...found, about: 'What hosts call the zone that they are in.' },
  resource: { ...found, about: 'What is served there: `network`.' },
  state: {
    ...found,
    about: '`available` while a host of it lives and is not switched off; else `unavailable`.',
  },
} as const satisfies AttributeTable;

/** A zone as something that is shown. */
export interface AvailabilityZone {
  /** For pages of lists; never shown. */
  readonly id: string;
  readonly project_id: '';
  readonly shared: true;
  readonly name: string;
  readonly resource: 'network';
  readonly state: 'available' | 'unavailable';
}

/** The zones of the hosts, by name. */
export function zonesOf(
  hosts: Iterable<HostRecord>,
  noteOf: (host: string) => AgentNote | undefined,
  isLive: (host: HostRecord) => boolean,
): readonly AvailabilityZone[] {
  const open = new Map<string, boolean>();
  for (const host of hosts) {
    const lives = isLive(host) && noteOf(host.name)?.admin_state_up !== false;
    open.set(zoneOf(host), lives || open.get(zoneOf(host)) === true);
  }
  return [...open.keys()].sort().map((name) => ({
    id: name,
    project_id: '',
    shared: true,
    name,
    resource: 'network',
    state: open.get(name) === true ? 'available' : 'unavailable',
  }));
}

/** All hints of a network together are held to this many characters, as JSON. */
const hintsLength = 255;

const strings = listOf(text(hintsLength));
const hintList: Check<readonly string[]> = withSchema(
  { ...arrayOf(stringSchema), uniqueItems: true },
  (value: unknown): string | null => {
    const reason = strings(value);
    const long = isLonger(JSON.stringify(value), hintsLength);
    return reason ?? (long ? 'Too many availability_zone_hints specified' : null);
  },
);

/** What networks show of zones. */
export const networkZoneAttributes = {
  availability_zone_hints: {
    post: 'allowed',
    put: false,
    fallback: [],
    validate: hintList,
    sort: true,
    about:
      'Zones that whoever made it had in mind; they change nothing, since every host serves its own ports.',
  },
  availability_zones: {
    post: 'refused',
    put: false,
    type: arrayOf(stringSchema),
    about: 'The zones of the hosts that hold ports of it.',
  },
} as const satisfies AttributeTable;

/** Throws `AvailabilityZoneNotFound` for the first hint at a zone that no host is in. */
export function checkHints(hints: readonly string[], hosts: Iterable<HostRecord>): void {
  if (hints.length === 0) return;
  const zones = new Set([...hosts].map(zoneOf));
  const missing = hints.find((hint) => !zones.has(hint));
  if (missing !== undefined) refuse({ code: 'AvailabilityZoneNotFound', zone: missing });
}
