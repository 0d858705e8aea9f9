/**
 * The system under test: two servers on one store, all callers' tokens, and a host that binds ports from time
 * to time.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { TokenFile } from '../../../src/api/identity/tokens.ts';
import { type Api, createApi } from '../../../src/api/server.ts';
import { death } from '../../../src/api/testing/hosts.ts';
import { violationsOf } from '../../../src/model/invariants/check.ts';
import { keys } from '../../../src/model/keys.ts';
import { usualQuotas } from '../../../src/model/quota.ts';
import { usualSegmentRules } from '../../../src/model/segments.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openStore } from '../../../src/store/index.ts';
import { type Route, routesOf } from './document.ts';
import { FarStore } from './far-store.ts';
import { Known } from './known.ts';
import { Mirror } from './mirror.ts';
import type { Answer } from './oracle.ts';
import { tokensFile } from './people.ts';
import type { Random } from './random.ts';
import type { Request } from './request.ts';
import { type Subject, subjectsOf } from './subjects.ts';

const silent = pino({ level: 'silent' });
const host = 'host-1';

export class Cloud {
  readonly store: Store;
  readonly subjects: readonly Subject[];
  readonly mirror: Mirror;
  readonly known: Known;
  readonly servers: readonly Api[];
  /** The routes in the API's own document. */
  readonly routes: readonly Route[];
  readonly #dir: string;

  private constructor(store: Store, mirror: Mirror, servers: readonly Api[], document: unknown, dir: string) {
    this.store = store;
    this.mirror = mirror;
    this.servers = servers;
    this.#dir = dir;
    this.routes = routesOf(document);
    this.subjects = subjectsOf(store);
    const kinds = [...this.subjects.map(({ name }) => name), 'qos_rule'];
    // Agents have their hosts' names as ids, which no record has.
    this.known = new Known(kinds, (id) => mirror.byId(id) !== undefined || /^.{14}8/.test(id));
  }

  /** `far`: each server is at some distance from the store. */
  static async open(far?: Random): Promise<Cloud> {
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-fuzz-'));
    const store = await openStore({ kind: 'memory' });
    const mirror = await Mirror.of(store);
    const file = join(dir, 'tokens.yaml');
    await writeFile(file, tokensFile());
    const servers = [0, 1].map(() =>
      createApi({
        // Few VLANs, so that requests meet.
        segments: {
          ...usualSegmentRules,
          tenantTypes: ['vlan', 'local'],
          vlanRanges: new Map([['physnet1', [{ lowest: 1, highest: 3 }]]]),
        },
        store: far === undefined ? store : new FarStore(store, far),
        log: silent,
        listen: { host: '127.0.0.1', port: 0 },
        authenticator: new TokenFile(file, silent),
        // Under limits, what a project makes comes one after the other: far servers are to meet elsewhere.
        ...(far === undefined ? { quotas: { ...usualQuotas, security_group: 40, rbac_policy: 40 } } : {}),
      }),
    );
    for (const api of servers) await api.ready();
    await mirror.catchUp();
    mirror.takeChanges();
    const told = await servers[0]?.app.inject({ url: '/openapi.json', headers: { host: '127.0.0.1' } });
    return new Cloud(store, mirror, servers, JSON.parse(told?.body ?? ''), dir);
  }

  async send({ who, method, url, headers, body }: Request, server = 0): Promise<Answer> {
    const token = who === null ? {} : { 'x-auth-token': who.token };
    const response = await this.servers[server % this.servers.length]?.app.inject({
      method,
      url,
      headers: { host: '127.0.0.1', ...token, ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    if (response === undefined) throw new Error('there are no servers');
    await this.mirror.catchUp();
    return { status: response.statusCode, text: response.body };
  }

  /** Keeps the ids in an answer. */
  learn(answer: Answer): void {
    if (answer.status >= 300 || !answer.text.startsWith('{"')) return;
    const body = JSON.parse(answer.text) as Readonly<Record<string, unknown>>;
    for (const { name, collection } of this.subjects)
      for (const one of [body[name], body[collection]].flat()) this.#learnOne(name, one);
    for (const [key, value] of Object.entries(body))
      if (/^(bandwidth_limit|dscp_marking|packet_rate_limit)_rules?$/.test(key))
        for (const one of [value].flat()) this.#learnOne('qos_rule', one);
  }

  #learnOne(kind: string, one: unknown): void {
    if (typeof one !== 'object' || one === null) return;
    const { id, project_id: project } = one as Readonly<Record<string, unknown>>;
    if (typeof id === 'string') this.known.learn(kind, id, typeof project === 'string' ? project : '');
  }

  /** One thing of each kind for a while; what hangs on another hangs on the one in focus. */
  focus(random: Random): void {
    this.known.focus(random);
    const subnet = this.known.focused('subnet');
    const [, network] = (subnet === undefined ? undefined : this.mirror.byId(subnet))?.key.split('/') ?? [];
    this.known.focused('network', network);
    const port = this.mirror.under(`ports/${network}/`)[0]?.key.split('/')[2];
    this.known.focused('port', port);
  }

  /** What an agent writes of a port that it holds. */
  async bindSome(random: Random): Promise<void> {
    const record = { name: host, bridge: 'br-int' };
    const bridge = { bridge: 'br-int', datapath_type: random.pick(['netdev', 'system']) };
    await this.store.txn(
      [],
      [
        { op: 'put', key: keys.host(host), value: JSON.stringify(record) },
        random.pick([{ op: 'put', key: keys.life(host), value: '' } as const, death(host)]),
        { op: 'put', key: keys.bridge(host), value: JSON.stringify(bridge) },
      ],
    );
    const ports = this.mirror.under('ports/').map(({ key }) => key);
    const [, network = '', port = ''] = random.pick(['', ...ports]).split('/');
    const binding = { host, status: random.pick(['ACTIVE', 'DOWN']) };
    const address = `fe80::${random.below(1000).toString(16)}`;
    await this.store.txn(
      [
        { key: keys.port(network, port), is: 'present' },
        { key: keys.linkLocal(network, address), is: 'absent' },
      ],
      [
        { op: 'put', key: keys.binding(network, port), value: JSON.stringify(binding) },
        {
          op: 'put',
          key: keys.linkLocal(network, address),
          value: JSON.stringify({ port, mac: 'fa:16:3e:00:00:01' }),
        },
      ],
    );
    await this.mirror.catchUp();
    this.mirror.takeChanges();
  }

  /** Violations of the store's invariants. */
  async violations(): Promise<readonly string[]> {
    const { entries } = await this.store.snapshot(['']);
    return violationsOf(entries).map(({ key, problem }) => `${key}: ${problem}`);
  }

  async close(): Promise<void> {
    for (const api of this.servers) await api.close();
    this.mirror.close();
    await this.store.close();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
