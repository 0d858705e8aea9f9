/**
 * The personas of the tests, and Neutron's rules in their own words. Written after Neutron's policy defaults,
 * without any of the server's code.
 */

/** What Keystone lets a role imply. */
const implied: Readonly<Record<string, readonly string[]>> = {
  admin: ['admin', 'manager', 'member', 'reader'],
  manager: ['manager', 'member', 'reader'],
  member: ['member', 'reader'],
};

const person = (project: string, ...roles: string[]) => ({
  project,
  roles: roles.flatMap((role) => implied[role] ?? [role]),
});

/**
 * `own` has the things, `net` the network that it shares with `own` and `guest`; `foreign` has to do with neither.
 */
export const personas = {
  admin: person('cloud', 'admin'),
  service: person('services', 'service'),
  'own manager': person('own', 'manager'),
  'own member': person('own', 'member'),
  'own reader': person('own', 'reader'),
  'own roleless': person('own', 'creator'),
  'net manager': person('net', 'manager'),
  'net member': person('net', 'member'),
  'net reader': person('net', 'reader'),
  'guest member': person('guest', 'member'),
  'guest reader': person('guest', 'reader'),
  'foreign member': person('foreign', 'member'),
  'foreign reader': person('foreign', 'reader'),
} as const;

export type PersonaName = keyof typeof personas;
export const personaNames = Object.keys(personas) as PersonaName[];

export const tokenOf = (name: PersonaName): string => `${name.replace(' ', '-')}-0123456789abcdef`;

/** A file for `auth: tokens`. */
export const tokenFile = (): string =>
  JSON.stringify({
    tokens: personaNames.map((name) => ({
      token: tokenOf(name),
      project_id: personas[name].project,
      user: name,
      roles: personas[name].roles,
    })),
  });

/** What is true of a thing. */
export interface Facts {
  readonly project: string;
  /** The project of the network, group or policy on which it hangs. */
  readonly above?: string;
  /** Projects with which it, or what it hangs on, is shared. */
  readonly shared?: readonly string[];
  readonly external?: boolean;
}

/**
 * Words of which one must hold: `admin` and `service` are roles anywhere; `anybody` is a reader anywhere. `member` is a role
 * in the thing's project. `above member` is one in its parent's project, `sharing member` one where it is shared.
 */
export type Words = readonly (
  | 'admin'
  | 'service'
  | 'anybody'
  | 'manager'
  | 'member'
  | 'reader'
  | 'above manager'
  | 'above member'
  | 'above reader'
  | 'sharing member'
  | 'shared'
  | 'external'
)[];

export function holds(words: Words, name: PersonaName, facts: Facts): boolean {
  const { project, roles } = personas[name];
  const shared = facts.shared?.includes(project) ?? false;
  const has = (role: string): boolean => (roles as readonly string[]).includes(role);
  return words.some((word) => {
    if (word === 'admin' || word === 'service') return has(word);
    if (word === 'anybody') return has('reader');
    if (word === 'shared') return shared;
    if (word === 'external') return facts.external === true;
    const [first, last] = word.split(' ');
    if (first === 'sharing') return shared && has(last ?? '');
    if (first === 'above') return facts.above === project && has(last ?? '');
    return facts.project === project && has(word);
  });
}
