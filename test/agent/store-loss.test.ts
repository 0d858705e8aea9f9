/** A store that is away, loses its history, or has invalid records: the switch stays as it is. */
import { afterEach, describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/errors.ts';
import { keys } from '../../src/model/keys.ts';
import type {
  Condition,
  Store,
  StoreFault,
  Subscriber,
  Subscription,
  Write,
} from '../../src/store/contract.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

/** A store behind a link that can be cut, as for an agent whose store is on another machine. */
class Line implements Store {
  readonly #store: Store;
  readonly #lines = new Set<LineSubscription>();
  #cut = false;

  constructor(store: Store) {
    this.#store = store;
  }

  get limits() {
    return this.#store.limits;
  }

  cut(): void {
    this.#cut = true;
    for (const line of this.#lines) line.cut(this.#fault());
  }

  mend(): void {
    this.#cut = false;
    for (const line of this.#lines) line.mend(this.#store);
  }

  #fault(): Fault<StoreFault> {
    return new Fault<StoreFault>({ code: 'StoreUnavailable' }, 'the line is cut');
  }

  #far(): Store {
    if (this.#cut) throw this.#fault();
    return this.#store;
  }

  async revision() {
    return this.#far().revision();
  }
  async get(key: string) {
    return this.#far().get(key);
  }
  async snapshot(prefixes: readonly string[]) {
    return this.#far().snapshot(prefixes);
  }
  async txn(conditions: readonly Condition[], writes: readonly Write[]) {
    return this.#far().txn(conditions, writes);
  }
  async lease(ttl: number) {
    return this.#far().lease(ttl);
  }
  subscribe(prefixes: readonly string[], reader: Subscriber): Subscription {
    const line = new LineSubscription(this.#store, prefixes, reader, () => this.#lines.delete(line));
    this.#lines.add(line);
    if (this.#cut) line.cut(this.#fault());
    return line;
  }
  async close() {
    return undefined;
  }
}

/** Reports each failed attempt while the line is cut; lists again when it is mended. */
class LineSubscription implements Subscription {
  readonly #prefixes: string[];
  readonly #reader: Subscriber;
  readonly #onClose: () => void;
  #near: Subscription;
  #attempts: NodeJS.Timeout | undefined;

  constructor(store: Store, prefixes: readonly string[], reader: Subscriber, onClose: () => void) {
    this.#prefixes = [...prefixes];
    this.#reader = reader;
    this.#onClose = onClose;
    this.#near = store.subscribe(prefixes, reader);
  }

  get revision() {
    return this.#near.revision;
  }

  cut(fault: Fault<StoreFault>): void {
    this.#near.close();
    this.#attempts = setInterval(() => this.#reader.onTrouble?.(fault), 20);
  }

  mend(store: Store): void {
    clearInterval(this.#attempts);
    this.#near = store.subscribe(this.#prefixes, this.#reader);
  }

  add(prefixes: readonly string[]): void {
    this.#prefixes.push(...prefixes);
    this.#near.add(prefixes);
  }
  remove(prefixes: readonly string[]): void {
    this.#near.remove(prefixes);
  }
  caughtUp() {
    return this.#near.caughtUp();
  }
  close(): void {
    clearInterval(this.#attempts);
    this.#near.close();
    this.#onClose();
  }
}

let lab: Lab;
let line: Line;
afterEach(() => lab.stop());

async function start(): Promise<void> {
  lab = await startLab({
    dummy: true,
    agentStore: (store) => {
      line = new Line(store);
      return line;
    },
  });
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    ...[1, 2, 3].map((n) => putPort({ id: `p${n}`, mac: `02:00:00:00:00:0${n}`, ips: [`10.0.0.${n}`] })),
  );
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.plug('p2', 'tap2', 12);
  await lab.bound('p1', 'ACTIVE');
  await lab.bound('p2', 'ACTIVE');
  await lab.sync();
}

describe('a store that is away', () => {
  test('leaves the switch as it is, serves unplugs, and lists again to get missed changes', async () => {
    await start();
    const before = await lab.flows();
    const { flowsChanged } = lab.agent.status;
    line.cut();
    await lab.write(
      { op: 'delete', key: keys.port('n1', 'p3') },
      putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.9'] }),
    );
    await until(() => lab.logged('lost the store').length >= 3);
    expect(lab.agent.status.flowsChanged).toBe(flowsChanged);
    expect(await lab.flows()).toEqual(before);

    await lab.unplug('tap2');
    await until(async () => (await lab.flows('table=0,in_port=12')).length === 0);
    expect((await lab.binding('p2'))?.status).toBe('ACTIVE');

    line.mend();
    await lab.bound('p2', 'DOWN');
    await lab.sync();
    const after = (await lab.flows()).join('\n');
    expect(after).toContain('10.0.0.9');
    expect(after).not.toContain('10.0.0.1 ');
  });

  test('a question that was asked meanwhile is answered afterwards', async () => {
    await start();
    line.cut();
    const target = await lab.setTarget();
    line.mend();
    await until(() => lab.reached(target));
  });

  test('a port that is plugged meanwhile is reported when the store is back', async () => {
    await start();
    line.cut();
    await lab.plug('p3', 'tap3', 13);
    await until(async () => (await lab.flows('table=0,in_port=13')).length === 1);
    expect(await lab.binding('p3')).toBe(null);
    line.mend();
    await lab.bound('p3', 'ACTIVE');
  });
});

describe('records that cannot be read', () => {
  test('stop nothing but themselves', async () => {
    await start();
    await lab.plug('p3', 'tap3', 13);
    await lab.bound('p3', 'ACTIVE');
    await lab.unplug('tap3');
    await lab.bound('p3', 'DOWN');
    await lab.sync();
    const before = await lab.flows();
    const rubbish = ['{', 'null', '[]', '{}', '{"mac_address":7}', '"text"'];
    const places = [
      (n: number) => keys.network(`x${n}`),
      (n: number) => keys.subnet('n1', `x${n}`),
      (n: number) => keys.port('n1', `x${n}`),
      (n: number) => keys.rule('g', `x${n}`),
      (n: number) => keys.binding('n1', `x${n}`),
      (n: number) => keys.linkLocal('n1', `x${n}`),
    ];
    await lab.write(
      ...rubbish.flatMap((value, n) => places.map((place): Write => ({ op: 'put', key: place(n), value }))),
    );
    for (const n of rubbish.keys()) await lab.plug(`x${n}`, `tap-x${n}`, 40 + n);
    await lab.plug('p3', 'tap3', 13);
    await lab.bound('p3', 'ACTIVE');
    await lab.unplug('tap3');
    await lab.bound('p3', 'DOWN');
    await lab.sync();
    expect(await lab.flows()).toEqual(before);
    expect(lab.agent.status.failures).toBe(0);
  });

  test('an invalid record counts as deleted', async () => {
    await start();
    await lab.write({ op: 'put', key: keys.port('n1', 'p1'), value: '{"half":' });
    await until(async () => (await lab.flows('table=0,in_port=11')).length === 0);
    await lab.write(putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] }));
    await until(async () => (await lab.flows('table=0,in_port=11')).length === 1);
  });
});
