/** Connections to the switch that break at any moment, above all during a change: the result is the same. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { tables } from '../../src/pipeline/tables.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

/** A proxy between two peers. It can close the connection, or stop it after some bytes of the first peer's. */
class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #allowance = Number.POSITIVE_INFINITY;
  cuts = 0;

  constructor(to: string) {
    this.#server = createServer((near) => {
      const far = connect(to);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      far.pipe(near);
      near.on('data', (chunk: Buffer) => {
        const part = chunk.subarray(0, this.#allowance);
        this.#allowance -= part.length;
        far.write(part);
        if (part.length < chunk.length) this.drop();
      });
    });
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(path, resolve));
  }

  dropAfter(bytes: number): void {
    this.#allowance = bytes;
  }

  drop(): void {
    this.cuts++;
    this.#allowance = Number.POSITIVE_INFINITY;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function throughRelays(use: (lab: Lab, openflow: Relay, ovsdb: Relay) => Promise<void>): Promise<void> {
  await using lab = await startLab({ dummy: true });
  await lab.switch.addBridge(lab.bridge);
  const paths = { openflow: `${lab.switch.dir}/relay.mgmt`, ovsdb: `${lab.switch.dir}/relay-db.sock` };
  const openflow = new Relay(lab.switch.mgmt(lab.bridge).slice('unix:'.length));
  const ovsdb = new Relay(lab.switch.dbTarget.slice('unix:'.length));
  await openflow.listen(paths.openflow);
  await ovsdb.listen(paths.ovsdb);
  try {
    await lab.write(...networkWrites(), ...defaultRules('g').map(putRule));
    await lab.startAgent({ openflow: `unix:${paths.openflow}`, ovsdb: `unix:${paths.ovsdb}` });
    await use(lab, openflow, ovsdb);
    await lab.sync();
    const survived = await lab.flows();
    await lab.stopAgent();
    await lab.startAgent();
    await lab.sync();
    expect(lab.agent.status.flowsChanged).toBe(0);
    expect(await lab.flows()).toEqual(survived);
  } finally {
    openflow.close();
    ovsdb.close();
  }
}

const port = (n: number, last: number) =>
  putPort({ id: `p${n}`, mac: `02:00:00:00:00:0${n}`, ips: [`10.0.0.${last}`, `fd00::${last}`] });

test('OpenFlow that breaks after any number of bytes of a change', async () => {
  await throughRelays(async (lab, openflow) => {
    for (const n of [1, 2, 3]) {
      await lab.write(port(n, n));
      await lab.plug(`p${n}`);
    }
    for (const n of [1, 2, 3]) await lab.bound(`p${n}`, 'ACTIVE');
    for (let i = 0; i < 40; i++) {
      const { cuts } = openflow;
      const { flowsChanged } = lab.agent.status;
      openflow.dropAfter(i * 150);
      await lab.write(port(1 + (i % 3), 10 + i));
      await until(() => openflow.cuts > cuts || lab.agent.status.flowsChanged > flowsChanged);
    }
    openflow.dropAfter(Number.POSITIVE_INFINITY);
    expect(openflow.cuts).toBeGreaterThan(10);
    await lab.sync();
    const text = (await lab.flows(`table=${tables.guard_arp.id}`)).join('\n');
    for (const last of [47, 48, 49]) expect(text).toContain(`arp_spa=10.0.0.${last},`);
  });
});

test('OpenFlow that breaks during cutting: no forbidden connection is left, no other is cut', async () => {
  await throughRelays(async (lab, openflow) => {
    for (const n of [1, 2, 3]) {
      await lab.write(port(n, n));
      await lab.plug(`p${n}`);
    }
    for (const n of [1, 2, 3]) await lab.bound(`p${n}`, 'ACTIVE');
    const link = (to: number) => ({
      from: mac('02:00:00:00:00:01'),
      to: mac(`02:00:00:00:00:0${to}`),
      src: ip('10.0.0.1'),
      dst: ip(`10.0.0.${to}`),
    });
    const ports = Array.from({ length: 40 }, (_, at) => 4000 + at);
    const live = async (to: number) =>
      (await lab.switch.control.dumpConntrack())
        .split('\n')
        .filter((line) => line.includes(`,dst=10.0.0.${to},`)).length;
    let interrupted = 0;
    for (let i = 0; i < 12; i++) {
      await lab.write(port(2, 2));
      await lab.sync();
      for (const to of [2, 3]) {
        await lab.switch.inject(
          'p1',
          ports.map((from) => udpFrame(link(to), from, 53)),
        );
      }
      expect(await live(2)).toBe(ports.length);
      const { cuts } = openflow;
      openflow.dropAfter(500 + i * 500);
      await lab.write(
        putPort({ id: 'p2', mac: '02:00:00:00:00:02', ips: ['10.0.0.2', 'fd00::2'], groups: [] }),
      );
      await lab.sync();
      if (openflow.cuts > cuts) interrupted++;
      openflow.dropAfter(Number.POSITIVE_INFINITY);
      expect([await live(2), await live(3)]).toEqual([0, ports.length]);
    }
    expect(interrupted).toBeGreaterThan(3);
  });
});

test('OVSDB that breaks while ports come and go', async () => {
  await throughRelays(async (lab, _, ovsdb) => {
    await lab.write(...[1, 2, 3].map((n) => port(n, n)));
    for (let i = 0; i < 6; i++) {
      const id = `p${1 + (i % 3)}`;
      await lab.plug(id);
      ovsdb.drop();
      await lab.bound(id, 'ACTIVE');
      ovsdb.drop();
      await lab.unplug(id);
      await lab.bound(id, 'DOWN');
    }
    expect(ovsdb.cuts).toBe(12);
    await lab.plug('p1');
    await lab.bound('p1', 'ACTIVE');
  });
});
