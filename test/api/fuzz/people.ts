/** The callers: several projects with the usual roles, each with a static token, and strangers. */

export interface Person {
  readonly name: string;
  readonly project: string;
  readonly roles: readonly string[];
  readonly token: string;
}

const person = (name: string, project: string, ...roles: string[]): Person => ({
  name,
  project,
  roles,
  token: `token-of-${name}-0123456789`,
});

export const projects = ['red', 'green', 'blue/with%slash'] as const;

export const people: readonly Person[] = [
  person('admin', 'cloud', 'admin'),
  person('service', 'services', 'service'),
  ...projects.flatMap((project, at) => [
    person(`member-${at}`, project, 'member'),
    person(`manager-${at}`, project, 'manager'),
    person(`reader-${at}`, project, 'reader'),
  ]),
  person('roleless', 'red', 'heat_stack_owner'),
];

export const seesAll = (who: Person): boolean =>
  who.roles.some((role) => role === 'admin' || role === 'service');
export const mayWrite = (who: Person): boolean =>
  who.roles.some((role) => role === 'member' || role === 'manager');

export const tokensFile = (): string =>
  JSON.stringify({
    tokens: people.map(({ name, project, roles, token }) => ({
      token,
      project_id: project,
      user: name,
      roles,
    })),
  });
