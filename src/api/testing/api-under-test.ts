/**
 * An API on a throw-away store for tests, with short words for the requests they make. Many servers may share one
 * store. Must not be used outside tests.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect } from 'vitest';
import type { Store } from '../../store/contract.ts';
import { openStore } from '../../store/index.ts';
import { shapeOf } from '../openapi/routes.ts';
import { type Api, type ApiOptions, createApi } from '../server.ts';
import { Contract } from './contract.ts';

export type StoreKind = 'memory' | 'embedded';
export type Json = Record<string, unknown>;

export interface TestReply {
  readonly status: number;
  /** Empty when the answer has no body. */
  readonly body: Json;
}

export interface TestClient {
  readonly api: Api;
  call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<TestReply>;
  /** POSTs one resource; the answer must be 201. */
  make(path: string, attributes: Json): Promise<Json>;
  /** PUTs; the answer must be 200. */
  change(path: string, id: unknown, attributes: Json): Promise<Json>;
  show(path: string, id: unknown): Promise<Json>;
  list(path: string, query?: string): Promise<Json[]>;
  remove(path: string, id: unknown): Promise<void>;
}

const singular: Record<string, string> = {
  networks: 'network',
  subnets: 'subnet',
  ports: 'port',
  'security-groups': 'security_group',
  'security-group-rules': 'security_group_rule',
  'default-security-group-rules': 'default_security_group_rule',
  'security-groups-default-statefulness': 'security_groups_default_statefulness',
  agents: 'agent',
  'network-ip-availabilities': 'network_ip_availability',
  subnetpools: 'subnetpool',
  'address-scopes': 'address_scope',
  availability_zones: 'availability_zone',
  'address-groups': 'address_group',
  routers: 'router',
  'rbac-policies': 'rbac_policy',
  policies: 'policy',
  bandwidth_limit_rules: 'bandwidth_limit_rule',
  dscp_marking_rules: 'dscp_marking_rule',
  packet_rate_limit_rules: 'packet_rate_limit_rule',
};

/** What a path ends with: `bandwidth_limit_rules` of `qos/policies/…/bandwidth_limit_rules`. */
const lastPart = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const nameOf = (path: string): string => singular[lastPart(path)] ?? path;
export const collectionOf = (path: string): string => lastPart(path).replaceAll('-', '_');

const contracts = new Map<string, Contract>();

/** The promises that the server makes in its document. */
export async function contractOf(api: Api): Promise<Contract> {
  const shape = shapeOf(api.app);
  const held = contracts.get(shape);
  if (held !== undefined) return held;
  const { body } = await api.app.inject({ url: '/openapi.json', headers: { host: '127.0.0.1:9696' } });
  const contract = new Contract(body);
  contracts.set(shape, contract);
  return contract;
}

/** `always` are headers of every request. */
export function clientOf(api: Api, always: Readonly<Record<string, string>> = {}): TestClient {
  let contract: Contract | null = null;
  const call: TestClient['call'] = async (method, url, body, headers = {}) => {
    contract ??= await contractOf(api);
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await api.app.inject({
      method,
      url,
      headers: { host: '127.0.0.1:9696', ...json, ...always, ...headers },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const answer = response.body === '' ? undefined : (JSON.parse(response.body) as Json);
    const problem = contract.problemOf({ method, url, status: response.statusCode, body: answer });
    if (problem !== null) expect.fail(`the answer is not as /openapi.json says: ${problem}`);
    return { status: response.statusCode, body: answer ?? {} };
  };
  const one = async (expected: number, path: string, reply: Promise<TestReply>): Promise<Json> => {
    const { status, body } = await reply;
    expect(body, JSON.stringify(body)).toHaveProperty(nameOf(path));
    expect(status).toBe(expected);
    return body[nameOf(path)] as Json;
  };
  return {
    api,
    call,
    make: (path, attributes) => one(201, path, call('POST', `/v2.0/${path}`, { [nameOf(path)]: attributes })),
    change: (path, id, attributes) =>
      one(200, path, call('PUT', `/v2.0/${path}/${String(id)}`, { [nameOf(path)]: attributes })),
    show: (path, id) => one(200, path, call('GET', `/v2.0/${path}/${String(id)}`)),
    async list(path, query = '') {
      const { status, body } = await call('GET', `/v2.0/${path}${query === '' ? '' : `?${query}`}`);
      expect(status, JSON.stringify(body)).toBe(200);
      return body[collectionOf(path)] as Json[];
    },
    async remove(path, id) {
      const { status, body } = await call('DELETE', `/v2.0/${path}/${String(id)}`);
      expect(status, JSON.stringify(body)).toBe(204);
    },
  };
}

/** Checks Neutron's error shape; returns the message. */
export function expectRefusal(reply: TestReply, status: number, type: string): string {
  const error = reply.body['NeutronError'] as { type: string; message: string; detail: string } | undefined;
  expect({ status: reply.status, type: error?.type }, JSON.stringify(reply.body)).toEqual({ status, type });
  expect(error?.detail).toBe('');
  return error?.message ?? '';
}

/** Checks the shape in which Keystone's filter before Neutron refuses strangers. */
export function expectStranger(reply: TestReply): void {
  const message = 'The request you have made requires authentication.';
  expect(reply).toEqual({ status: 401, body: { error: { code: 401, title: 'Unauthorized', message } } });
}

export interface UnderTest {
  readonly store: Store;
  /** One more server on the same store. */
  server(options?: Partial<ApiOptions>): Promise<TestClient>;
  /** Everything in the store but heartbeats, to see that a refused request changed nothing. */
  content(): Promise<readonly (readonly [string, string])[]>;
  close(): Promise<void>;
}

export async function openUnderTest(kind: StoreKind): Promise<UnderTest> {
  const dir = kind === 'embedded' ? await mkdtemp(join(tmpdir(), 'portcullis-api-')) : null;
  const store = await openStore(dir === null ? { kind: 'memory' } : { kind: 'embedded', dir });
  const servers: Api[] = [];
  return {
    store,
    async server(options = {}) {
      const log = pino({ level: 'silent' });
      const api = createApi({ store, log, listen: { host: '127.0.0.1', port: 0 }, ...options });
      servers.push(api);
      await api.ready();
      return clientOf(api);
    },
    async content() {
      const { entries } = await store.snapshot(['']);
      return entries.map((entry) => [entry.key, entry.value] as const);
    },
    async close() {
      await Promise.all(servers.map((api) => api.close()));
      await store.close();
      if (dir !== null) await rm(dir, { recursive: true, force: true });
    },
  };
}
