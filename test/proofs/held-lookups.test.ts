/**
 * Packets that a lookup of release 0.1 holds while this release's flows arrive: they go on at that release's tables, with
 * its registers. A flow of the test looks up packets as that release did.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Action } from '../../src/openflow/index.ts';
import type { LocalPort } from '../../src/pipeline/local-port.ts';
import type { PortId } from '../../src/policy/world.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';
import { worldFrom } from './worlds.ts';

const bridge = 'br0';
const [a, b] = ['a' as PortId, 'b' as PortId];
const macs = { a: mac('02:00:00:00:00:0a'), b: mac('02:00:00:00:00:0b') };
const addresses = { 4: ['10.0.0.1', '10.0.0.2'], 6: ['2001:db8::1', '2001:db8::2'] } as const;
const world = worldFrom({
  ports: [
    { id: a, mac: macs.a, ips: [addresses[4][0], addresses[6][0]], groups: ['out'] },
    { id: b, mac: macs.b, ips: [addresses[4][1], addresses[6][1]], groups: ['in'] },
  ],
  rules: ([4, 6] as const).flatMap((family) => [
    { group: 'out', direction: 'egress', family },
    { group: 'in', direction: 'ingress', family },
  ]),
});

let at: Switch;
let installed: InstalledWorld;
beforeAll(async () => {
  at = await startSwitch({ dummy: true });
  await at.addBridge(bridge);
  await at.addDummyPorts(bridge, [
    { name: 'dummy1', ofport: 1 },
    { name: 'dummy2', ofport: 2 },
  ]);
  installed = new InstalledWorld(at.mgmt(bridge));
  await installed.install(
    world,
    new Map([
      [a, 1],
      [b, 2],
    ]),
  );
});
afterAll(async () => {
  await installed?.close();
  await at?.stop();
});

function local(id: PortId): LocalPort {
  const found = installed.pipeline.relations.locals.get(id);
  if (found === undefined) throw new Error(`${id} is not here`);
  return found;
}

const load = (field: 'reg0' | 'reg1' | 'reg2' | 'reg3' | 'reg4', value: number): Action => ({
  type: 'set_field',
  field,
  value,
});
const sender = (): Action[] => [
  load('reg0', local(a).key),
  load('reg1', local(a).zone),
  load('reg2', local(a).set),
];
const receiver = (): Action[] => [load('reg3', local(b).key), load('reg4', local(b).set)];
const lookup = (table: number): Action => ({ type: 'ct', zone: local(a).zone, table });
/** Writes who admitted the connection, as release 0.1 did for a datagram in pieces. */
const commit = (table: number): Action => ({
  type: 'ct',
  commit: true,
  zone: local(a).zone,
  table,
  exec: (['reg0', 'reg3'] as const).map((field, half) => ({
    type: 'move',
    from: { field, offset: 0, bits: 32 },
    to: { field: 'ct_label', offset: 32 * half, bits: 32 },
  })),
});

/** By the names and numbers of that release's tables. */
const held: readonly (readonly [string, () => Action[]])[] = [
  ['egress_state, 11', () => [...sender(), lookup(11)]],
  ['l2, 35', () => [...sender(), lookup(35)]],
  ['ingress_state, 42', () => [...sender(), ...receiver(), lookup(42)]],
  ['committed, 50', () => [...sender(), ...receiver(), commit(50)]],
];

test.each(
  held.flatMap(([table, actions], nth) =>
    ([4, 6] as const).map((family) => ({ table, actions, nth, family })),
  ),
)(
  'a packet behind a lookup that leads to $table is delivered (IPv$family)',
  async ({ actions, nth, family }) => {
    const [src, dst] = addresses[family].map(ip);
    if (src === undefined || dst === undefined) throw new Error('addresses are missing');
    // A connection of its own.
    const frame = udpFrame({ from: macs.a, to: macs.b, src, dst }, 1000 + nth, 2000);
    const seen = at.capture('dummy2');
    seen.take();
    installed.session.packetOut({ inPort: 1, data: frame, actions: actions() });
    await installed.session.barrier();
    const received: Buffer[] = [];
    await until(
      () => {
        received.push(...seen.take());
        return received.length > 0;
      },
      { what: 'the packet', timeout: 3000 },
    );
    expect(received).toEqual([frame]);
  },
);
