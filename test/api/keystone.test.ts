/** Callers validated by a real Keystone: who is known, for how long, and the outcome of requests while it is away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Keystone, type KeystoneOptions } from '../../src/api/identity/keystone.ts';
import { type Api, createApi } from '../../src/api/server.ts';
import type { Store } from '../../src/store/contract.ts';
import { openStore } from '../../src/store/index.ts';
import { until } from '../lib/wait.ts';
import { KeystonePeople, type Person, type Scope } from './keystone-people.ts';
import { KeystoneServer, keystoneInstalled } from './keystone-server.ts';

const question = 'GET /v3/auth/tokens';
const login = 'POST /v3/auth/tokens';
const serviceName = 'нейтрон "service"';

let keystone: KeystoneServer;
let people: KeystonePeople;
let project: string;
let alice: Person;
let account: Omit<KeystoneOptions, 'trust'>;
let checker: Person;

let store: Store;
let apis: Api[];

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly networks: readonly Record<string, unknown>[];
}

/** One more server; `trust` in seconds. */
async function serve(options: Partial<KeystoneOptions> = {}): Promise<Api> {
  const log = pino({ level: 'silent' });
  const authenticator = new Keystone({ ...account, trust: 30, ...options }, log);
  const api = createApi({ store, log, listen: { host: '127.0.0.1', port: 0 }, authenticator });
  apis.push(api);
  await api.listen();
  return api;
}

async function ask(
  api: Api,
  token: string,
  method = 'GET',
  body?: unknown,
  service?: string,
): Promise<Answer> {
  const response = await fetch(`${api.address}/v2.0/networks`, {
    method,
    headers: {
      'x-auth-token': token,
      'content-type': 'application/json',
      ...(service === undefined ? {} : { 'x-service-token': service }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as {
    NeutronError?: { type: string };
    networks?: Answer['networks'];
    network?: Record<string, unknown>;
  };
  return {
    status: response.status,
    type: answer.NeutronError?.type ?? '',
    networks: answer.networks ?? (answer.network === undefined ? [] : [answer.network]),
  };
}

const statusOf = async (api: Api, token: string): Promise<number> => (await ask(api, token)).status;
const inProject = (): Scope => ({ project: { id: project } });
const tokenOfAlice = (): Promise<string> => people.login(alice, inProject());

describe.skipIf(!keystoneInstalled)(
  'a real Keystone (skipped where python3-keystone is not installed)',
  () => {
    beforeAll(async () => {
      keystone = await KeystoneServer.open();
      people = await KeystonePeople.of(keystone);
      const services = await people.project('служба');
      checker = await people.user(serviceName, services, ['admin', 'service']);
      account = {
        url: keystone.url,
        username: serviceName,
        password: checker.password,
        project: 'служба',
        userDomain: 'Default',
        projectDomain: 'Default',
      };
      project = await people.project('Größe 雪');
      alice = await people.user('ålice', project, ['member']);
    });
    afterAll(() => keystone?.close());
    beforeEach(async () => {
      store = await openStore({ kind: 'memory' });
      apis = [];
    });
    afterEach(async () => {
      await Promise.all(apis.map((api) => api.close()));
      await store.close();
    });

    describe('a token', () => {
      it('makes its project and roles the caller, whatever letters their names are written in', async () => {
        const api = await serve();
        const token = await tokenOfAlice();
        const made = await ask(api, token, 'POST', { network: { name: 'hers' } });
        expect(made).toMatchObject({ status: 201, networks: [{ project_id: project }] });
        const elsewhere = await people.project('elsewhere');
        const bob = await people.user('bob', elsewhere, ['member']);
        const ofBob = await people.login(bob, { project: { id: elsewhere } });
        expect((await ask(api, ofBob)).networks).toEqual([]);
        expect((await ask(api, people.administrator)).networks).toHaveLength(1);
        // The same person in two projects is two callers.
        await people.grant(`projects/${elsewhere}`, alice.id, 'reader');
        const beside = await people.login(alice, { project: { id: elsewhere } });
        expect((await ask(api, beside)).networks).toEqual([]);
        expect((await ask(api, beside, 'POST', { network: {} })).type).toBe('PolicyNotAuthorized');
      });

      it('of a role without meaning here shows nothing', async () => {
        const api = await serve();
        const other = await people.user('other', project, ['größter rôle']);
        const token = await people.login(other, inProject());
        await ask(api, await tokenOfAlice(), 'POST', { network: {} });
        expect(await ask(api, token)).toMatchObject({ status: 200, networks: [] });
        expect((await ask(api, token, 'POST', { network: {} })).type).toBe('PolicyNotAuthorized');
      });

      it('for a domain, the system or nothing is refused, an administrator’s too', async () => {
        const api = await serve();
        const domain = await people.domain('Außenstelle');
        const wide = await people.user('wide', project, ['admin']);
        await people.grant(`domains/${domain}`, wide.id, 'admin');
        await people.grant('system', wide.id, 'admin');
        const scopes: Scope[] = [{ domain: { id: domain } }, { system: { all: true } }, 'unscoped'];
        for (const scope of scopes) {
          const token = await people.login(wide, scope);
          expect(await ask(api, token), JSON.stringify(scope)).toMatchObject({
            status: 403,
            type: 'InvalidScope',
          });
        }
        expect(await statusOf(api, await people.login(wide, inProject()))).toBe(200);
      });

      it('that is none, or was cut or changed, is refused', async () => {
        const api = await serve();
        const token = await tokenOfAlice();
        const last = token.endsWith('A') ? 'B' : 'A';
        const middle = token[90] === 'x' ? 'y' : 'x';
        for (const bad of [
          'none',
          token.slice(0, -8),
          `${token.slice(0, 90)}${middle}${token.slice(91)}`,
          `${token}${last}`,
          checker.id,
        ])
          expect(await statusOf(api, bad), bad).toBe(401);
        expect(await statusOf(api, token)).toBe(200);
      });
    });

    describe("Keystone's word", () => {
      it('is asked for once a token and interval, by 32 clients at once', async () => {
        const api = await serve({ trust: 300 });
        const tokens = [await tokenOfAlice(), await tokenOfAlice(), people.administrator];
        const before = { questions: await keystone.asked(question), logins: await keystone.asked(login) };
        const clients = Array.from({ length: 32 }, async (_, client) => {
          for (let round = 0; round < 20; round++)
            expect(await statusOf(api, tokens[(client + round) % tokens.length] ?? '')).toBe(200);
        });
        await Promise.all(clients);
        expect((await keystone.asked(question)) - before.questions).toBe(tokens.length);
        expect((await keystone.asked(login)) - before.logins).toBe(1);
      });

      const endings: readonly [string, (token: string) => Promise<unknown>, () => Promise<unknown>][] = [
        ['a token is revoked', (token) => people.revoke(token), async () => undefined],
        [
          'its role is taken away',
          () => people.withdraw(`projects/${project}`, alice.id, 'member'),
          () => people.grant(`projects/${project}`, alice.id, 'member'),
        ],
        [
          'its user is disabled',
          () => people.call('PATCH', `users/${alice.id}`, { user: { enabled: false } }),
          () => people.call('PATCH', `users/${alice.id}`, { user: { enabled: true } }),
        ],
        [
          'its project is disabled',
          () => people.call('PATCH', `projects/${project}`, { project: { enabled: false } }),
          () => people.call('PATCH', `projects/${project}`, { project: { enabled: true } }),
        ],
      ];
      it.each(endings)('is forgotten within the interval when %s', async (_, end, mend) => {
        const trust = 1;
        const api = await serve({ trust });
        const token = await tokenOfAlice();
        expect(await statusOf(api, token)).toBe(200);
        try {
          await end(token);
          const gone = Date.now() + trust * 1000;
          await until(() => Date.now() > gone, { what: 'the interval is over' });
          expect(await statusOf(api, token)).toBe(401);
        } finally {
          await mend();
        }
        expect(await statusOf(api, await tokenOfAlice())).toBe(200);
      });

      it('is validated each time when the trust is 0', async () => {
        const api = await serve({ trust: 0 });
        const token = await tokenOfAlice();
        expect(await statusOf(api, token)).toBe(200);
        await people.revoke(token);
        expect(await statusOf(api, token)).toBe(401);
      });
    });

    describe('the account that checks tokens', () => {
      it('with a wrong password, in the wrong project or without rights lets nobody in', async () => {
        const token = await tokenOfAlice();
        const nobody = await people.user('nobody', project, ['reader']);
        for (const wrong of [
          { password: 'wrong' },
          { project: 'nowhere' },
          { username: 'nobody-at-all' },
          { userDomain: 'nowhere' },
          { username: 'nobody', password: nobody.password, project: 'Größe 雪' },
        ]) {
          const api = await serve(wrong);
          expect(await ask(api, token), JSON.stringify(wrong)).toMatchObject({
            status: 503,
            type: 'ServiceUnavailable',
          });
          expect(await statusOf(api, 'none'), JSON.stringify(wrong)).not.toBe(200);
        }
      });

      it('gets on by itself when it is locked out and let in again', async () => {
        const api = await serve({ trust: 0 });
        const token = await tokenOfAlice();
        expect(await statusOf(api, token)).toBe(200);
        const set = (password: string) => people.call('PATCH', `users/${checker.id}`, { user: { password } });
        await set('another');
        expect(await statusOf(api, token)).toBe(503);
        await set(checker.password);
        // Keystone takes tokens of the second in which the password was changed for older ones.
        await until(async () => (await statusOf(api, token)) === 200, { what: 'the account may ask again' });
      });
    });

    describe('while Keystone cannot be asked', () => {
      afterEach(async () => {
        keystone.thaw();
        await keystone.start();
      });

      it('away: known callers are served until the interval ends, others are refused; then all is as before', async () => {
        const trust = 2;
        const api = await serve({ trust });
        const [known, fresh] = [await tokenOfAlice(), await tokenOfAlice()];
        const asked = Date.now();
        expect(await statusOf(api, known)).toBe(200);
        await keystone.stop();
        for (const token of [fresh, 'none'])
          expect(await ask(api, token)).toMatchObject({ status: 503, type: 'ServiceUnavailable' });
        const served = await statusOf(api, known);
        // Unless the machine was too slow to be asked in time.
        if (Date.now() < asked + trust * 1000) expect(served).toBe(200);
        await until(async () => (await statusOf(api, known)) === 503, { what: 'the interval is over' });
        expect((await fetch(`${api.address}/healthz`)).status).toBe(200);
        await keystone.start();
        for (const token of [known, fresh]) expect(await statusOf(api, token)).toBe(200);
        expect(await statusOf(api, 'none')).toBe(401);
      });

      it('silent: the same, after its timeout', async () => {
        const api = await serve({ timeout: 500 });
        const token = await tokenOfAlice();
        keystone.freeze();
        const replies = await Promise.all([token, token, 'none'].map((each) => statusOf(api, each)));
        expect(replies).toEqual([503, 503, 503]);
        keystone.thaw();
        await until(async () => (await statusOf(api, token)) === 200, { what: 'Keystone answers again' });
        expect(await statusOf(api, 'none')).toBe(401);
      });
    });

    describe('the end of a token', () => {
      const life = 4;
      beforeAll(async () => {
        await keystone.stop();
        await keystone.configure(life);
        await keystone.start();
      });

      it('is its end here too, however long the interval; the account that checks gets new ones', async () => {
        const api = await serve({ trust: 300 });
        const token = await tokenOfAlice();
        const logins = await keystone.asked(login);
        expect(await statusOf(api, token)).toBe(200);
        await sleep((life + 1) * 1000);
        expect(await statusOf(api, token)).toBe(401);
        expect(await statusOf(api, await tokenOfAlice())).toBe(200);
        // The account's two and Alice's second.
        expect((await keystone.asked(login)) - logins).toBe(3);
      });

      it('is accepted after its end while a service sends its own token', async () => {
        const apis = [await serve({ trust: 0 }), await serve({ trust: 300 })];
        await people.enter();
        const services = await people.project('services');
        const nova = await people.user('nova', services, ['service']);
        const [hers, revoked] = [await tokenOfAlice(), await tokenOfAlice()];
        await people.revoke(revoked);
        await sleep((life + 1) * 1000);
        const backed = async (api: Api, token: string, service: string) =>
          (await ask(api, token, 'GET', undefined, service)).status;
        const vouchers: string[] = [];
        for (const api of apis) {
          const service = await people.login(nova, { project: { id: services } });
          vouchers.push(service);
          expect(await statusOf(api, hers)).toBe(401);
          const made = await ask(api, hers, 'POST', { network: {} }, service);
          expect(made).toMatchObject({ status: 201, networks: [{ project_id: project }] });
          expect(await backed(api, hers, service)).toBe(200);
          // What was revoked stays so, and only services can vouch; alone it is as good as before.
          expect(await backed(api, revoked, service)).toBe(401);
          expect(await backed(api, 'none', service)).toBe(401);
          for (const no of ['none', await tokenOfAlice(), hers])
            expect(await backed(api, hers, no)).toBe(401);
          expect(await statusOf(api, hers)).toBe(401);
        }
        await sleep((life + 1) * 1000);
        for (const [at, api] of apis.entries()) expect(await backed(api, hers, vouchers[at] ?? '')).toBe(401);
      });
    });
  },
);
