/** Bridges, daemons and connections that go away and come back, and peers that are not a switch. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] }),
    putPort({ id: 'p2', mac: '02:00:00:00:00:02', ips: ['10.0.0.2'] }),
  );
});
afterEach(() => lab.stop());

async function plugged(): Promise<readonly string[]> {
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.plug('p2', 'tap2', 12);
  await lab.bound('p1', 'ACTIVE');
  await lab.bound('p2', 'ACTIVE');
  await lab.sync();
  return lab.flows();
}

const sameAs = (before: readonly string[]) =>
  until(async () => JSON.stringify(await lab.flows()) === JSON.stringify(before), {
    what: 'the switch has all flows again',
  });

describe('the bridge', () => {
  test('is created when absent, secure from its first moment', async () => {
    await lab.startAgent();
    expect(await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'fail_mode')).toContain('secure');
    expect((await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'datapath_type')).trim()).toBe('dummy');
  });

  test('that exists keeps its datapath, and the log names the other type', async () => {
    await lab.switch.addBridge(lab.bridge);
    await lab.startAgent({ datapathType: 'system' });
    expect((await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'datapath_type')).trim()).toBe('dummy');
    expect(lab.logged('the bridge keeps its datapath type')).toMatchObject([
      { level: 40, bridge: lab.bridge, datapath: 'dummy', wanted: 'system' },
    ]);
  });

  test('comes back when it was deleted, and accepts ports again', async () => {
    await plugged();
    await lab.switch.vsctl('del-br', lab.bridge);
    await until(async () => (await lab.switch.vsctl('list-br')).includes(lab.bridge), {
      what: 'the bridge is made again',
    });
    await lab.bound('p1', 'DOWN');
    await lab.plug('p1', 'tap1', 31);
    await lab.bound('p1', 'ACTIVE');
    await lab.sync();
    expect(await lab.flows('table=0,in_port=31')).toHaveLength(1);
    expect(await lab.binding('p2')).toEqual({ host: 'here', status: 'DOWN' });
  });

  test('that another program deletes and creates again is made secure and filled', async () => {
    const before = await plugged();
    const old = await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'datapath_id');
    await lab.switch.vsctl('del-br', lab.bridge);
    await lab.switch.vsctl(
      ...`-- add-br ${lab.bridge} -- set Bridge ${lab.bridge} datapath_type=dummy`.split(' '),
      `other-config:datapath-id=00000000000000ff`,
    );
    await lab.plug('p1', 'tap1', 11);
    await lab.plug('p2', 'tap2', 12);
    await sameAs(before);
    expect(await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'datapath_id')).not.toBe(old);
    await until(async () =>
      (await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'fail_mode')).includes('secure'),
    );
    await lab.bound('p1', 'ACTIVE');
    await lab.bound('p2', 'ACTIVE');
  });

  test('recreated in one transaction, while its session never ends, keeps its zone', async () => {
    const before = await plugged();
    await lab.switch.vsctl(
      ...`-- del-br ${lab.bridge} -- add-br ${lab.bridge}`.split(' '),
      ...`-- set Bridge ${lab.bridge} datapath_type=dummy fail_mode=secure`.split(' '),
    );
    await lab.plug('p1', 'tap1', 11);
    await lab.plug('p2', 'tap2', 12);
    await sameAs(before);
    await lab.bound('p2', 'ACTIVE');
  });
});

describe('daemons', () => {
  for (const how of ['graceful', 'kill'] as const) {
    test(`ovs-vswitchd ended (${how}) and started again has its flows without anyone's help`, async () => {
      const before = await plugged();
      await lab.switch.restartVswitchd(how);
      await sameAs(before);
      await lab.sync();
      expect((await lab.binding('p1'))?.status).toBe('ACTIVE');
    });

    test(`ovsdb-server ended (${how}) and started again is followed again`, async () => {
      const before = await plugged();
      await lab.switch.restartDatabase(how);
      await lab.unplug('tap2');
      await lab.bound('p2', 'DOWN');
      await lab.plug('p2', 'tap2', 12);
      await lab.bound('p2', 'ACTIVE');
      await sameAs(before);
    });
  }

  test('without its database the switch takes no changes; it has them once the database is back', async () => {
    await plugged();
    await lab.switch.stopDaemon('ovsdb-server');
    await lab.write(putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.77'] }));
    const target = await lab.setTarget();
    await delay(300);
    expect(await lab.reached(target)).toBe(null);
    await lab.switch.startDatabase();
    await until(() => lab.reached(target));
    expect((await lab.flows()).join('\n')).toContain('10.0.0.77');
  });

  test('what changed while the switch was away is there when it is back', async () => {
    await plugged();
    await lab.switch.stopDaemon('ovs-vswitchd');
    await lab.write(putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.78'] }));
    await lab.switch.startVswitchd();
    await until(async () => (await lab.flows()).join('\n').includes('10.0.0.78'));
  });
});

/** Listens in place of a peer and sends what `speak` returns. */
async function listen(path: string, speak: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    speak(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

const hello15 = Buffer.from('0600000800000001', 'hex');
const nonsense: Readonly<Record<string, (socket: Socket) => void>> = {
  'random bytes': (socket) => void socket.write(randomBytes(4096)),
  'an HTTP server': (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  'one that hangs up': (socket) => void socket.destroy(),
  'a hello and then rubbish': (socket) => void socket.write(Buffer.concat([hello15, randomBytes(512)])),
  'JSON that is no answer': (socket) =>
    void socket.write(
      '{"id":0,"result":[[]],"error":null}{"method":"update3","params":[1,2],"id":null}[]nul',
    ),
  'deep JSON': (socket) => void socket.write('['.repeat(200_000)),
};

describe('peers that are no switch', () => {
  for (const [name, speak] of Object.entries(nonsense)) {
    test(`${name} on both sockets: the agent lives, does not spin, and finds the real switch later`, async () => {
      const before = await plugged();
      const paths = { ovsdb: `${lab.switch.dir}/fake-db.sock`, openflow: `${lab.switch.dir}/fake.mgmt` };
      let connections = 0;
      const counted = (socket: Socket) => {
        connections++;
        speak(socket);
      };
      const servers = [await listen(paths.ovsdb, counted), await listen(paths.openflow, counted)];
      await lab.stopAgent();
      const agent = lab.makeAgent({ ovsdb: `unix:${paths.ovsdb}`, openflow: `unix:${paths.openflow}` });
      await agent.start();
      await until(() => connections >= 2);
      await delay(300);
      expect(connections).toBeLessThan(100);
      for (const server of servers) server.close();
      await lab.stopAgent();
      expect(await lab.flows()).toEqual(before);
      await lab.startAgent();
      await lab.sync();
      expect(await lab.flows()).toEqual(before);
    });
  }
});
