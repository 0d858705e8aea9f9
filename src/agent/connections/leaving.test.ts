/** A host reports the TCP connections of a port that is about to leave it, and of no other. */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../test/lib/wait.ts';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { keys } from '../../model/keys.ts';
import { preferredNetworkKey, preferredPortKey } from '../../model/numbers.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { Zone } from '../../pipeline/zone.ts';
import type { NetworkId } from '../../policy/world.ts';
import { MemoryStore } from '../../store/memory.ts';
import { LeavingConnections } from './leaving.ts';

const network = 'n1' as NetworkId;
const port = portFrom({ id: 'p', network, mac: '02:00:00:00:00:01', ips: ['10.0.0.11'], host: 'here' });
const key = preferredPortKey('p');

let pipeline: Pipeline;
let store: MemoryStore;
let table: string;
let leaving: LeavingConnections;

const line = (protocol: string, sport: number, originator: number): string =>
  `${protocol},orig=(src=10.0.0.11,dst=10.0.0.12,sport=${sport},dport=80),` +
  `reply=(src=10.0.0.12,dst=10.0.0.11,sport=80,dport=${sport}),zone=1,labels=0x${((9n << 32n) | BigInt(originator)).toString(16)}`;

beforeEach(async () => {
  pipeline = new Pipeline({ host: 'here' });
  store = new MemoryStore();
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network }));
  facts.networkKeys.set(network, preferredNetworkKey(network));
  facts.zones.set(network, 1 as Zone);
  facts.ports.set(port.id, port);
  facts.portKeys.set(port.id, key);
  facts.ofports.set(port.id, 1);
  await store.txn([], [{ op: 'put', key: keys.port(network, port.id), value: '{}' }]);
  table = [line('tcp', 40_000, key), line('tcp', 40_001, 7), line('udp', 40_002, key)].join('\n');
  const connections = async (): Promise<string> => table;
  leaving = new LeavingConnections({
    store,
    host: 'here',
    pipeline,
    log: pino({ level: 'silent' }),
    connections,
  });
});
afterEach(async () => {
  leaving.stop();
  await store.close();
});

const reported = async (): Promise<unknown> => {
  const entry = await store.get(keys.leaving('here', network, port.id));
  return entry === null ? null : JSON.parse(entry.value);
};
const settle = (): void => {
  pipeline.run();
  leaving.update();
};

test('nothing while the port stays, its connections once it is to leave, and later ones too', async () => {
  settle();
  expect(await reported()).toBeNull();
  pipeline.facts.ports.set(port.id, { ...port, arrival: { host: 'there', number: 5 } });
  settle();
  const first = {
    src: '10.0.0.11',
    dst: '10.0.0.12',
    src_port: 40_000,
    dst_port: 80,
    originators: [key],
    responders: [9],
  };
  await until(async () => (await reported()) !== null, { what: 'the connections are reported' });
  expect(await reported()).toEqual({ number: 5, connections: [first] });
  table = `${table}\n${line('tcp', 40_003, key)}`;
  const two = { number: 5, connections: [first, { ...first, src_port: 40_003 }] };
  await until(async () => JSON.stringify(await reported()) === JSON.stringify(two), {
    what: 'a later connection is reported',
  });
});
