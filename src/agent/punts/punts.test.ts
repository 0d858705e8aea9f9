import { pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { preferredNetworkKey, preferredPortKey } from '../../model/numbers.ts';
import type { PacketIn } from '../../openflow/index.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import { writePuntData } from '../../pipeline/punt-data.ts';
import type { Zone } from '../../pipeline/zone.ts';
import type { NetworkId } from '../../policy/world.ts';
import { MemoryStore } from '../../store/memory.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import type { PuntHandler, PuntOutcome } from './handler.ts';
import { Punts } from './punts.ts';

const network = 'n1' as NetworkId;
const port = portFrom({ id: 'p', network, mac: '02:00:00:00:00:01' });
const userdata = writePuntData({
  kind: 'link-local',
  networkKey: preferredNetworkKey(network),
  key: preferredPortKey(port.id),
});
const packet = (changes: Partial<PacketIn> = {}): PacketIn => ({
  type: 'packet_in',
  table: 0,
  cookie: 0n,
  reason: 0,
  userdata,
  metadata: { in_port: 7 },
  data: Buffer.from('frame'),
  ...changes,
});

const recordAt = (key: string): PuntOutcome => ({
  kind: 'recorded',
  put: { key, value: '{}' },
  replaces: null,
  conditions: [],
  deletes: [],
});

let store: MemoryStore;
let pipeline: Pipeline;
let handled: number;
let lines: string[];
beforeEach(() => {
  store = new MemoryStore();
  lines = [];
  handled = 0;
  pipeline = new Pipeline();
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network }));
  facts.networkKeys.set(network, preferredNetworkKey(network));
  facts.zones.set(network, 1 as Zone);
  facts.ports.set(port.id, port);
  facts.portKeys.set(port.id, preferredPortKey(port.id));
  facts.ofports.set(port.id, 1);
  pipeline.run();
});

function puntsWith(handle: PuntHandler['handle'], maxWaitingPerPort = 3): Punts {
  const counted: PuntHandler['handle'] = (punted, view) => {
    handled++;
    return handle(punted, view);
  };
  return new Punts({
    store,
    links: {} as SwitchLinks,
    pipeline,
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    onChange: () => undefined,
    handlers: {
      'link-local': { maxWaitingPerPort, handle: counted },
      claim: { maxWaitingPerPort, handle: counted },
      dhcp4: { maxWaitingPerPort, handle: counted },
      dhcp6: { maxWaitingPerPort, handle: counted },
      'router-solicitation': { maxWaitingPerPort, handle: counted },
      'router-error': { maxWaitingPerPort, handle: counted },
      moved: { maxWaitingPerPort, handle: counted },
    },
  });
}

test('a recorded packet waits for the next round, and for another one when that fails', async () => {
  const punts = puntsWith(() => recordAt('a'));
  await punts.onPacketIn(packet());
  const onward = punts.takeOnward();
  expect(onward).toEqual([{ inPort: 7, data: Buffer.from('frame') }]);
  expect(punts.takeOnward()).toEqual([]);
  punts.restoreOnward(onward);
  expect(punts.takeOnward()).toEqual(onward);
});

test('what cannot be recorded, because another writer was faster, goes nowhere', async () => {
  await store.txn([], [{ op: 'put', key: 'a', value: 'theirs' }]);
  const punts = puntsWith(() => recordAt('a'));
  await punts.onPacketIn(packet());
  expect(punts.takeOnward()).toEqual([]);
  expect((await store.get('a'))?.value).toBe('theirs');
});

test('at most so many packets of a port wait; the others are dropped', async () => {
  const punts = puntsWith(() => ({ kind: 'ignored' }), 3);
  await Promise.all(Array.from({ length: 10 }, () => punts.onPacketIn(packet())));
  expect(handled).toBe(3);
  await punts.onPacketIn(packet());
  expect(handled).toBe(4);
});

test('however many packets of a port wait, those of another are handled', async () => {
  const other = portFrom({ id: 'q', network, mac: '02:00:00:00:00:02' });
  pipeline.facts.ports.set(other.id, other);
  pipeline.facts.portKeys.set(other.id, preferredPortKey(other.id));
  pipeline.facts.ofports.set(other.id, 2);
  pipeline.run();
  const senders: string[] = [];
  const punts = puntsWith(({ local }) => {
    senders.push(local.port.id);
    return { kind: 'ignored' };
  }, 3);
  const otherData = writePuntData({
    kind: 'link-local',
    networkKey: preferredNetworkKey(network),
    key: preferredPortKey(other.id),
  });
  const flood = Array.from({ length: 10 }, () => packet());
  await Promise.all([...flood, packet({ userdata: otherData })].map((one) => punts.onPacketIn(one)));
  expect(senders).toEqual(['p', 'p', 'p', 'q']);
});

test('a handler that fails stops no other packet', async () => {
  const punts = puntsWith(() => {
    if (handled === 1) throw new Error('first');
    return recordAt('a');
  });
  await punts.onPacketIn(packet());
  await punts.onPacketIn(packet());
  expect(punts.takeOnward()).toHaveLength(1);
});

test('packets without userdata, of another version or of a port that is not here reach no handler', async () => {
  const punts = puntsWith(() => recordAt('a'));
  const other = writePuntData({
    kind: 'link-local',
    networkKey: preferredNetworkKey(network),
    key: preferredPortKey('elsewhere'),
  });
  const older = Uint8Array.from(userdata, (byte, at) => (at === 1 ? byte + 1 : byte));
  const { userdata: _, ...without } = packet();
  const strange = [{ userdata: older }, { userdata: other }, { metadata: {} }].map(packet);
  for (const one of [without, ...strange]) await punts.onPacketIn(one);
  expect(handled).toBe(0);
});

test('refused packets are counted by port, but not all of them are logged', async () => {
  const punts = puntsWith(() => ({ kind: 'refused', address: 'fe80::1', owner: 'q' }));
  for (let sent = 0; sent < 30; sent++) await punts.onPacketIn(packet());
  expect(punts.refusals(port.id)).toEqual({ packets: 30, bytes: 150 });
  expect(lines.filter((line) => line.includes('claims an address'))).toHaveLength(10);
});

test('a port that has left this host is forgotten when another is refused', async () => {
  const punts = puntsWith(() => ({ kind: 'refused', address: 'fe80::1', owner: 'q' }));
  const others = Array.from({ length: 5 }, (_, at) =>
    portFrom({ id: `r${at}`, network, mac: `02:00:00:00:01:0${at}` }),
  );
  for (const each of others) {
    pipeline.facts.ports.set(each.id, each);
    pipeline.facts.portKeys.set(each.id, preferredPortKey(each.id));
    pipeline.facts.ofports.set(each.id, 2);
    pipeline.run();
    const key = preferredPortKey(each.id);
    const named = writePuntData({ kind: 'link-local', networkKey: preferredNetworkKey(network), key });
    await punts.onPacketIn(packet({ userdata: named }));
    expect(punts.refusals(each.id).packets).toBe(1);
    expect(punts.refusedPorts).toBe(1);
    pipeline.facts.ofports.delete(each.id);
    pipeline.run();
  }
});

test('nothing is handled after the stop', async () => {
  const punts = puntsWith(() => recordAt('a'));
  punts.stop();
  await punts.onPacketIn(packet());
  expect(handled).toBe(0);
});
