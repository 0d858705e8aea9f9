/**
 * A connection that several ports admitted is taken from ports that are no longer allowed, and goes on for
 * the others.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import { preferredPortKey } from '../../src/model/numbers.ts';
import { protocols, tcpFlags } from '../../src/net/packet/transport.ts';
import { parseConntrack } from '../../src/ovsdb/index.ts';
import { keysOf } from '../../src/pipeline/record.ts';
import type { Write } from '../../src/store/contract.ts';
import { echoFrame, ip, ipFrame, mac, sctpFrame, tcpFrame, udpFrame } from '../lib/frames.ts';
import { networkWrites, putPort, putRule, ruleRecord } from '../lib/records.ts';
import { type Lab, startLab } from './lab.ts';

const sharedMac = '02:00:00:00:00:77';
const families = [
  { ethertype: 'IPv4', client: '10.0.0.1', vip: '10.0.0.77' },
  { ethertype: 'IPv6', client: 'fd00::1', vip: 'fd00::77' },
] as const;
const holders = [2, 3, 4] as const;
const { syn, ack } = tcpFlags;

const ruleId = (n: number, ethertype: string) => `in-${n}-${ethertype}`;
const rulesOf = (n: number): Write[] =>
  families.map(({ ethertype }) =>
    putRule(ruleRecord(ruleId(n, ethertype), `holder-${n}`, 'ingress', { ethertype })),
  );
const pairs = {
  allowed_address_pairs: families.map(({ vip }) => ({ ip_address: vip, mac_address: sharedMac })),
};

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  await lab.write(
    ...networkWrites(),
    putPort({
      id: 'p1',
      mac: '02:00:00:00:00:01',
      ips: families.map(({ client }) => client),
      groups: ['out'],
    }),
    ...families.map(({ ethertype }) =>
      putRule(ruleRecord(`out-${ethertype}`, 'out', 'egress', { ethertype, protocol: null })),
    ),
    ...holders.flatMap((n) => [
      putPort({ id: `p${n}`, mac: `02:00:00:00:00:0${n}`, ips: [], groups: [`holder-${n}`], changes: pairs }),
      ...rulesOf(n),
    ]),
  );
  await lab.startAgent();
  for (const n of [1, ...holders]) await lab.plug(`p${n}`, `tap${n}`, 10 + n);
  for (const n of [1, ...holders]) await lab.bound(`p${n}`, 'ACTIVE');
  await lab.sync();
});
afterEach(() => lab.stop());

type Layer = Parameters<typeof udpFrame>[0];
/** For each protocol: a request, an answer, and a later answer. */
function talks(there: Layer, back: Layer): Record<string, readonly [Buffer, Buffer, Buffer]> {
  const same = (question: Buffer, answer: Buffer) => [question, answer, answer] as const;
  return {
    tcp: [
      tcpFrame(there, 4000, 80, syn),
      tcpFrame(back, 80, 4000, syn | ack, { seq: 5000, ack: 1001 }),
      tcpFrame(back, 80, 4000, ack, { seq: 5001, ack: 1001 }),
    ],
    udp: same(udpFrame(there, 4000, 80), udpFrame(back, 80, 4000)),
    echo: same(echoFrame(there, 'request'), echoFrame(back, 'reply')),
    sctp: same(sctpFrame(there, 4000, 80), sctpFrame(back, 80, 4000)),
    gre: same(ipFrame(there, protocols.gre, Buffer.alloc(8)), ipFrame(back, protocols.gre, Buffer.alloc(8))),
  };
}

/** The ports on each connection's record, by protocol and family. */
async function records(): Promise<Readonly<Record<string, unknown>>> {
  const { entries, unreadable } = parseConntrack(await lab.switch.control.dumpConntrack());
  expect(unreadable).toEqual([]);
  return Object.fromEntries(
    entries.map((entry) => [`${entry.protocol} ${entry.original.src.family}`, keysOf(entry)]),
  );
}
const everywhere = (each: unknown): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    [6, 17, 132, 47]
      .flatMap((protocol) => [
        [`${protocol} 4`, each],
        [`${protocol} 6`, each],
      ])
      .concat([
        ['1 4', each],
        ['58 6', each],
      ]),
  );
const record = (...responders: readonly number[]) => ({
  originators: [preferredPortKey('p1')],
  responders: responders.map((n) => preferredPortKey(`p${n}`)),
});

async function without(n: number): Promise<unknown> {
  await lab.write(
    ...families.map(
      ({ ethertype }): Write => ({ op: 'delete', key: keys.rule(`holder-${n}`, ruleId(n, ethertype)) }),
    ),
  );
  return lab.sync();
}

test('of several holders of a MAC', async () => {
  const said = families.flatMap(({ client, vip }) => {
    const there = { from: mac('02:00:00:00:00:01'), to: mac(sharedMac), src: ip(client), dst: ip(vip) };
    const back = { from: there.to, to: there.from, src: there.dst, dst: there.src };
    return Object.values(talks(there, back));
  });
  for (const [question, answer] of said) {
    await lab.switch.inject('tap1', [question]);
    await lab.switch.inject('tap3', [answer]);
  }
  expect(await records()).toEqual(everywhere(record(2, 3, 4)));
  expect(await without(2)).toMatchObject({ cut: 0 });
  expect(await records()).toEqual(everywhere(record(3, 4)));
  expect(await without(4)).toMatchObject({ cut: 0 });
  expect(await records()).toEqual(everywhere(record(3)));
  expect(lab.logged('no longer allowed were cut').at(-1)).toMatchObject({ cut: 0, narrowed: said.length });

  const heard = lab.switch.capture('tap1');
  heard.take();
  for (const [, , answer] of said) {
    await lab.switch.inject('tap2', [answer]);
    expect(heard.take()).toEqual([]);
    await lab.switch.inject('tap3', [answer]);
    expect(heard.take()).toEqual([answer]);
  }
  expect(await without(3)).toMatchObject({ cut: said.length });
  expect(await records()).toEqual({});
});

test('a port that answers for another although its rules drop the requests is on the record again at once, and affects no other', async () => {
  const address = '10.0.0.88';
  const macOf = (n: number) => mac(`02:00:00:00:00:0${n}`);
  const askerMac = macOf(1);
  const held = { allowed_address_pairs: [{ ip_address: address, mac_address: '02:00:00:00:00:06' }] };
  await lab.write(
    putPort({ id: 'p5', mac: '02:00:00:00:00:05', ips: [address], groups: ['holder-2'] }),
    putPort({ id: 'p6', mac: '02:00:00:00:00:06', ips: ['10.0.0.6'], groups: ['out'], changes: held }),
  );
  for (const n of [5, 6]) await lab.plug(`p${n}`, `tap${n}`, 10 + n);
  for (const n of [5, 6]) await lab.bound(`p${n}`, 'ACTIVE');
  await lab.sync();

  const ends = { src: ip('10.0.0.1'), dst: ip(address) };
  const question = udpFrame({ from: askerMac, to: macOf(5), ...ends }, 4000, 80);
  const answer = udpFrame({ from: macOf(6), to: askerMac, src: ends.dst, dst: ends.src }, 80, 4000);
  const bystander = { from: askerMac, to: mac(sharedMac), src: ends.src, dst: ip('10.0.0.77') };
  await lab.switch.inject('tap1', [udpFrame(bystander, 5000, 80)]);
  const over = new AbortController();
  const talk = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await lab.switch.control.receive('tap1', [question]);
      await lab.switch.control.receive('tap6', [answer]);
    }
  };
  const talking = talk();
  try {
    expect(await without(4)).toMatchObject({ cut: 0 });
  } finally {
    over.abort();
    await talking;
  }
  expect(lab.logged('so all of the network were cut')).toEqual([]);
  const { entries } = parseConntrack(await lab.switch.control.dumpConntrack());
  const left = entries.map((entry) => keysOf(entry).responders);
  expect(left).toContainEqual([2, 3].map((n) => preferredPortKey(`p${n}`)));
});
