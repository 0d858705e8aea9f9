/** Callers for tests: everybody's token is their name. Must not be used outside tests. */

import { type Authenticator, refuseIdentity, tokenOf } from '../identity/authenticator.ts';
import { type Caller, newCaller } from '../identity/caller.ts';
import type { Api } from '../server.ts';
import { clientOf, type TestClient } from './api-under-test.ts';

const person = (user: string, project: string, ...roles: string[]): Caller =>
  newCaller({ user, project, roles });

/** Three projects: of a cloud's things, of somebody else, and of somebody with whom they are shared. */
export const people = {
  admin: person('admin', 'cloud', 'admin'),
  service: person('service', 'services', 'service'),
  manager: person('manager', 'own', 'manager'),
  owner: person('owner', 'own', 'member'),
  reader: person('reader', 'own', 'reader'),
  roleless: person('roleless', 'own', 'creator'),
  stranger: person('stranger', 'foreign', 'member'),
  guest: person('guest', 'shared', 'member'),
  guestReader: person('guestReader', 'shared', 'reader'),
} as const;

export type Person = keyof typeof people;

export const byName: Authenticator = {
  open: false,
  callerOf(headers) {
    const name = tokenOf(headers, 'name');
    return Object.hasOwn(people, name)
      ? people[name as Person]
      : refuseIdentity({ code: 'Unauthorized', challenge: 'name' }, 'nobody of that name');
  },
  close() {},
};

export const as = (api: Api, name: Person): TestClient => clientOf(api, { 'x-auth-token': name });
