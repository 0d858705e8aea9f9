/** Hits of rules, counted exactly by the real switch and recorded by the agent. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import type { HitCount, HitRecord, HitWatchRecord } from '../../src/model/records.ts';
import { tcpFlags } from '../../src/net/packet/transport.ts';
import type { Write } from '../../src/store/contract.ts';
import { ip, mac, type Network, tcpFrame, udpFrame } from '../lib/frames.ts';
import { deletePort, networkWrites, putPort, putRule, ruleRecord } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const macOf = (n: number) => `02:00:00:00:00:0${n}`;
const addressOf = (n: number) => `10.0.0.${n}`;
const port = (n: number, groups: readonly string[] = ['g']): Write =>
  putPort({ id: `p${n}`, mac: macOf(n), ips: [addressOf(n)], groups });
const service = (id: string, protocol: string, at: number, group = 'g'): Write =>
  putRule(ruleRecord(id, group, 'ingress', { protocol, port_range_min: at, port_range_max: at }));
/** An hour, in which the agent reads only on request. */
const never = 3_600_000;

let lab: Lab;
let lastPort = 1000;
beforeEach(async () => {
  lab = await startLab({ dummy: true, agent: { hitsInterval: never } });
  await lab.write(
    ...networkWrites(),
    putRule(ruleRecord('out', 'g', 'egress')),
    service('web', 'tcp', 80),
    service('dns', 'udp', 53),
    ...[1, 2, 3].map((n) => port(n)),
  );
  await lab.startAgent();
  for (const n of [1, 2, 3]) await lab.plug(`p${n}`, `tap${n}`, 10 + n);
  for (const n of [1, 2, 3]) await lab.bound(`p${n}`, 'ACTIVE');
  await lab.sync();
});
afterEach(() => lab.stop());

const between = (from: number, to: number): Network => ({
  from: mac(macOf(from)),
  to: mac(macOf(to)),
  src: ip(addressOf(from)),
  dst: ip(addressOf(to)),
});

/** First packets of so many new connections, each with its own source port. */
async function begin(kind: 'tcp' | 'udp', from: number, to: number, many: number): Promise<void> {
  const link = between(from, to);
  const frames = Array.from({ length: many }, () => {
    lastPort++;
    return kind === 'tcp' ? tcpFrame(link, lastPort, 80, tcpFlags.syn) : udpFrame(link, lastPort, 53);
  });
  await lab.switch.inject(`tap${from}`, frames);
}

/** Requests a reading and returns the record of a rule. */
async function hits(rule: string): Promise<HitRecord | null> {
  const asked = await lab.ask({ kind: 'hits' });
  await until(() => lab.answer(asked), { what: 'the agent answers' });
  const entry = await lab.store.get(keys.hits(lab.host, rule));
  return entry === null ? null : (JSON.parse(entry.value) as HitRecord);
}

async function counts(rule: string): Promise<Record<string, number>> {
  const ports = Object.entries<HitCount>((await hits(rule))?.ports ?? {});
  return Object.fromEntries(ports.map(([id, { connections }]) => [id, connections]));
}

async function watch(): Promise<HitWatchRecord> {
  const entry = await lab.store.get(keys.hitWatch(lab.host));
  return JSON.parse(entry?.value ?? 'null') as HitWatchRecord;
}

test('connections, packets, bytes and times of each rule and port, and none for rules without hits', async () => {
  const began = Date.now();
  expect(await hits('web')).toBe(null);
  await begin('tcp', 1, 2, 5);
  await begin('tcp', 1, 3, 3);
  await begin('udp', 2, 3, 4);
  const record = await hits('web');
  const length = tcpFrame(between(1, 2), 1, 80, tcpFlags.syn).length;
  expect(record?.ports['p2']).toMatchObject({ packets: 5, connections: 5, bytes: 5 * length });
  expect(record?.ports['p3']).toMatchObject({ packets: 3, connections: 3 });
  expect(await counts('dns')).toEqual({ p3: 4 });
  expect(await counts('out')).toEqual({ p1: 8, p2: 4 });
  const { first, last } = record?.ports['p2'] ?? {};
  for (const time of [first, last]) {
    expect(time).toBeGreaterThan(began - 1000);
    expect(time).toBeLessThanOrEqual(Date.now());
  }
});

test("a repetition of a connection's first packet is a hit, but no new connection", async () => {
  const syn = tcpFrame(between(1, 2), ++lastPort, 80, tcpFlags.syn);
  await lab.switch.inject('tap1', [syn, syn, syn]);
  expect((await hits('web'))?.ports['p2']).toMatchObject({ packets: 3, connections: 1 });
});

test('nothing is lost when verdict flows end and come back between readings', async () => {
  for (let round = 1; round <= 3; round++) {
    await begin('tcp', 1, 2, 10);
    await lab.write(port(2, ['other']));
    await lab.sync();
    await lab.write(port(2));
    await lab.sync();
    await begin('tcp', 1, 2, 1);
    expect(await counts('web')).toEqual({ p2: 11 * round });
  }
  expect((await watch()).reset).toBe(null);
});

test('without tracking every packet is a hit, and none begins a connection', async () => {
  const group = { ...ruleRecord('s', 's', 'ingress'), name: 's', stateful: false, is_default: false };
  await lab.write(
    { op: 'put', key: keys.group('s'), value: JSON.stringify(group) },
    service('plain', 'udp', 53, 's'),
    port(2, ['s']),
  );
  await lab.sync();
  const frame = udpFrame(between(1, 2), 4000, 53);
  await lab.switch.inject('tap1', [frame, frame, frame]);
  expect((await hits('plain'))?.ports['p2']).toMatchObject({ packets: 3, connections: 0 });
});

test('a group with very many rules changes to counting for all ports at once, and back', async () => {
  await begin('tcp', 1, 2, 4);
  const more = Array.from({ length: 700 }, (_, at) => service(`more-${at}`, 'tcp', 2000 + at));
  await lab.write(...more);
  await lab.sync();
  await begin('tcp', 1, 2, 5);
  await begin('tcp', 1, 3, 6);
  expect(await counts('web')).toEqual({ p2: 4, '': 11 });
  await lab.write(...more.map(({ key }): Write => ({ op: 'delete', key })));
  await lab.sync();
  await begin('tcp', 1, 2, 2);
  expect(await counts('web')).toEqual({ p2: 6, '': 11 });
  expect((await watch()).reset).toBe(null);
});

test('no packet is lost or counted twice while flows end under traffic', async () => {
  const more = Array.from({ length: 700 }, (_, at) => service(`more-${at}`, 'tcp', 2000 + at));
  let sent = 0;
  const enough = new AbortController();
  const traffic = (async () => {
    for (; !enough.signal.aborted; sent += 20) await begin('udp', 1, 2, 20);
  })();
  for (let round = 0; round < 4; round++) {
    await lab.write(...more);
    await lab.sync();
    await lab.write(...more.map(({ key }): Write => ({ op: 'delete', key })));
    await lab.sync();
  }
  enough.abort();
  await traffic;
  const told = Object.values(await counts('dns')).reduce((sum, count) => sum + count, 0);
  expect(told).toBe(sent);
  expect(sent).toBeGreaterThan(100);
  expect((await watch()).reset).toBe(null);
});

test('an unplugged port keeps its counts; a deleted one leaves them to the rule', async () => {
  await begin('tcp', 1, 2, 6);
  await lab.unplug('tap2');
  await lab.bound('p2', 'DOWN');
  expect(await counts('web')).toEqual({ p2: 6 });
  await begin('tcp', 1, 3, 2);
  await lab.write(...deletePort('p3'));
  await lab.sync();
  expect(await counts('web')).toEqual({ p2: 6, '': 2 });
  expect((await watch()).reset).toBe(null);
});

test('a flow that changes from one rule to another counts for each its own packets', async () => {
  await begin('udp', 1, 2, 7);
  // Of two equal rules the one with the first id has the flow.
  await lab.write(putRule(ruleRecord('a-twin', 'g', 'egress')));
  await lab.sync();
  await begin('udp', 1, 2, 2);
  expect(await counts('out')).toEqual({ p1: 7 });
  expect(await counts('a-twin')).toEqual({ p1: 2 });
  await lab.write({ op: 'delete', key: keys.rule('g', 'a-twin') });
  await lab.sync();
  await begin('udp', 1, 2, 3);
  expect(await counts('out')).toEqual({ p1: 10 });
  expect(await hits('a-twin')).toBe(null);
  expect((await watch()).reset).toBe(null);
});

test('the agent stops in order and starts again: uncounted packets are counted', async () => {
  await begin('tcp', 1, 2, 4);
  const { since } = await watch();
  await lab.stopAgent();
  await begin('tcp', 1, 2, 5);
  await lab.startAgent();
  await begin('tcp', 1, 2, 6);
  expect(await counts('web')).toEqual({ p2: 15 });
  expect(await watch()).toEqual({ since, reset: null });
});

test('a rule’s port leaves while the agent is away: what was counted before stays, and what came meanwhile', async () => {
  await begin('tcp', 1, 2, 4);
  await lab.stopAgent();
  await begin('tcp', 1, 2, 5);
  await lab.write(port(2, ['other']));
  await lab.startAgent();
  await lab.sync();
  expect(await counts('web')).toEqual({ p2: 9 });
  expect((await watch()).reset).toBe(null);
});

test.each(['while the agent runs', 'while the agent is away'])('the switch restarts %s', async (when) => {
  await begin('tcp', 1, 2, 4);
  expect(await counts('web')).toEqual({ p2: 4 });
  const away = when === 'while the agent is away';
  if (away) await lab.stopAgent();
  await lab.switch.restartVswitchd('kill');
  if (away) await lab.startAgent();
  await lab.sync();
  await begin('tcp', 1, 2, 5);
  expect(await counts('web')).toEqual({ p2: 9 });
  const { since, reset } = await watch();
  expect(reset).toBeGreaterThanOrEqual(since);
});

test('looks happen by themselves too', async () => {
  await lab.stopAgent();
  await lab.startAgent({ hitsInterval: 20 });
  await begin('udp', 1, 2, 3);
  await until(async () => {
    const entry = await lab.store.get(keys.hits(lab.host, 'dns'));
    return entry !== null && (JSON.parse(entry.value) as HitRecord).ports['p2']?.connections === 3;
  });
});

test('many requests at once cost one or two readings, and each is answered', async () => {
  await begin('tcp', 1, 2, 4);
  const asked = await Promise.all(Array.from({ length: 20 }, () => lab.ask({ kind: 'hits' })));
  for (const id of asked) expect(await until(() => lab.answer(id))).toEqual({});
  expect(await counts('web')).toEqual({ p2: 4 });
});
