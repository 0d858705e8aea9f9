/** The agent stops, is killed, and starts again: the switch is not touched, and traffic is not affected. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Write } from '../../src/store/contract.ts';
import { openStore } from '../../src/store/index.ts';
import { type Background, describeRoot, type Guest, startGuest } from '../lib/netns.ts';
import { defaultRules, networkWrites, putPort, putRule, ruleRecord, withPortMarks } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

/** Ports of every kind: their flows must not depend on the order of derivation. */
const world: readonly Write[] = [
  ...networkWrites('n1', 0),
  ...networkWrites('n2', 1),
  ...defaultRules('g').map(putRule),
  putRule(ruleRecord('w1', 'web', 'ingress', { protocol: 'tcp', port_range_min: 80, port_range_max: 90 })),
  putRule(ruleRecord('w2', 'web', 'ingress', { protocol: 'tcp', port_range_min: 80, port_range_max: 90 })),
  putRule(ruleRecord('w3', 'web', 'ingress', { protocol: 'icmp', remote_ip_prefix: '10.0.0.0/25' })),
  putRule(ruleRecord('w4', 'web', 'egress', { remote_group_id: 'g' })),
  putRule(ruleRecord('w5', 'web', 'ingress', { remote_group_id: 'web' })),
  putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1', 'fd00::1'] }),
  putPort({ id: 'p2', mac: '02:00:00:00:00:02', ips: ['10.0.0.2', 'fd00::2'] }),
  putPort({ id: 'p3', mac: '02:00:00:00:00:03', ips: ['10.0.0.3'], groups: ['web', 'g'] }),
  putPort({
    id: 'p4',
    mac: '02:00:00:00:00:04',
    ips: ['10.0.0.4'],
    groups: ['g', 'web'],
    changes: {
      allowed_address_pairs: [
        { ip_address: '10.0.0.10', mac_address: '02:00:00:00:00:04' },
        { ip_address: '10.0.0.64/26', mac_address: '02:00:5e:00:01:01' },
      ],
    },
  }),
  putPort({
    id: 'p5',
    mac: '02:00:00:00:00:05',
    ips: ['10.0.0.5'],
    groups: ['web'],
    changes: {
      allowed_address_pairs: [
        { ip_address: '10.0.0.10', mac_address: '02:00:00:00:00:05' },
        { ip_address: '10.0.0.64/26', mac_address: '02:00:5e:00:01:01' },
      ],
    },
  }),
  putPort({ id: 'p6', mac: '02:00:00:00:00:06', groups: [], changes: { port_security_enabled: false } }),
  putPort({ id: 'p7', mac: '02:00:00:00:00:07', changes: { port_security_mode: 'mac-only' } }),
  putPort({ id: 'p8', mac: '02:00:00:00:00:08', changes: { admin_state_up: false } }),
  putPort({ id: 'q1', network: 'n2', mac: '02:00:00:00:00:01', ips: ['10.0.1.1'] }),
  putPort({ id: 'far', mac: '02:00:00:00:00:ee', ips: ['10.0.0.200'], groups: ['g', 'web'] }),
];

describe('an agent that starts on a switch that is full', () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await startLab({ dummy: true });
    await lab.write(...world);
    await lab.startAgent();
    const ids = ['p5', 'p1', 'p8', 'p3', 'q1', 'p2', 'p7', 'p4', 'p6'];
    await lab.switch.addDummyPorts(
      lab.bridge,
      ids.map((id) => ({ name: `tap-${id}`, externalIds: { 'iface-id': id } })),
    );
    for (const id of ids) if (id !== 'p8') await lab.bound(id, 'ACTIVE', id === 'q1' ? 'n2' : 'n1');
    await lab.sync();
  });
  afterEach(() => lab.stop());

  test('changes nothing there, in whatever order it received the world before', async () => {
    // Removed ports must leave no trace in any order.
    await lab.write(putPort({ id: 'p4', mac: '02:00:00:00:00:04', ips: ['10.0.0.44'], groups: ['web'] }));
    await lab.sync();
    await lab.write(...world);
    await lab.sync();
    const before = await lab.flows();
    await lab.stopAgent();
    expect(await lab.flows()).toEqual(before);
    for (let i = 0; i < 3; i++) {
      await lab.startAgent();
      await lab.sync();
      expect(lab.agent.status.flowsChanged).toBe(0);
      expect(lab.agent.status.installedFlows).toBe(before.length);
      expect(await lab.flows()).toEqual(before);
      await lab.stopAgent();
    }
  });

  test('removes undesired flows, restores missing ones, and changes nothing else', async () => {
    const before = await lab.flows();
    await lab.stopAgent();
    const at = lab.switch.mgmt(lab.bridge);
    await lab.switch.ofctl('add-flow', at, 'table=0,priority=7,in_port=99,actions=drop');
    await lab.switch.ofctl('--strict', 'del-flows', at, 'table=51,priority=0');
    await lab.startAgent();
    await lab.sync();
    expect(lab.agent.status.flowsChanged).toBe(2);
    expect(await lab.flows()).toEqual(before);
  });

  test('waits while plugged ports have no numbers, as of release 0.1, and leaves the flows as they are', async () => {
    const before = await lab.flows();
    await lab.stopAgent();
    for (const unnumbered of [/^(networks|ports)\//, /^ports\//, /^networks\//]) {
      await lab.write(
        ...world.map((write) => {
          if (write.op !== 'put' || !unnumbered.test(write.key)) return write;
          const { vni: _vni, key: _key, ...rest } = JSON.parse(write.value) as Record<string, unknown>;
          return { ...write, value: JSON.stringify(rest) };
        }),
      );
      lab.lines.splice(0);
      await lab.makeAgent().start();
      await until(() => lab.logged('waits for a server to number').length > 0, { what: 'the agent waits' });
      expect(await lab.flows()).toEqual(before);
      await lab.write(...world);
      await lab.sync();
      expect(lab.logged('waits for a server to number')).toHaveLength(1);
      expect(lab.logged('cannot read a record')).toEqual([]);
      expect(lab.agent.status.flowsChanged).toBe(0);
      expect(await lab.flows()).toEqual(before);
      await lab.stopAgent();
    }
  });

  test('marks ports that were unplugged while it was away', async () => {
    await lab.stopAgent();
    await lab.unplug('tap-p1');
    expect((await lab.binding('p1'))?.status).toBe('ACTIVE');
    await lab.startAgent();
    await lab.bound('p1', 'DOWN');
    expect((await lab.binding('p2'))?.status).toBe('ACTIVE');
  });
});

const program = ['--import', 'tsx', fileURLToPath(new URL('agent-process.ts', import.meta.url))];

class AgentProcess {
  readonly #child: ChildProcess;
  #output = '';

  constructor(lab: Lab, dataDir: string) {
    const { dbTarget, dir } = lab.switch;
    const args = [...program, dataDir, dbTarget, lab.switch.mgmt(lab.bridge), dir, lab.bridge];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  async applied(): Promise<{ flowsChanged: number; installedFlows: number }> {
    await until(() => this.#output.includes('\n'), { timeout: 30_000, what: 'the agent has applied' });
    const said = /^applied (.*)$/m.exec(this.#output)?.[1];
    if (said === undefined) throw new Error(this.#output);
    return JSON.parse(said) as { flowsChanged: number; installedFlows: number };
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exit;
  }
}

/** Echoes UDP, and TCP line by line; says `ready`. */
const server = `
  const udp = require('dgram').createSocket('udp4');
  udp.on('message', (data, from) => udp.send(data, from.port, from.address));
  udp.bind(5000, () => require('net').createServer((s) => s.on('error', () => 0).pipe(s))
    .listen(5001, () => console.log('ready')));`;

/**
 * Sends 1000 datagrams a second, echoes on one long connection every 5 ms, and begins a connection every 20 ms.
 * A line on standard input ends that. Then it waits for open exchanges and prints the losses.
 */
const client = `
  const [peer] = process.argv.slice(1);
  const net = require('net');
  const sum = { sent: 0, received: 0, echoes: 0, echoed: 0, opened: 0, opens: 0, errors: [] };
  const udp = require('dgram').createSocket('udp4');
  udp.on('message', () => sum.received++);
  const long = net.connect(5001, peer);
  long.setNoDelay(true);
  long.on('error', (e) => sum.errors.push(e.message)).on('data', (d) => (sum.echoed += d.length));
  const begun = process.hrtime.bigint();
  const timers = [
    setInterval(() => {
      const due = Number((process.hrtime.bigint() - begun) / 1000000n);
      while (sum.sent < due) { sum.sent++; udp.send('x', 5000, peer); }
    }, 1),
    setInterval(() => { sum.echoes++; long.write('x'); }, 5),
    setInterval(() => {
      sum.opens++;
      const s = net.connect(5001, peer, () => s.write('x'));
      s.setTimeout(900, () => s.destroy(new Error('slow')));
      s.on('data', () => { sum.opened++; s.end(); }).on('error', (e) => sum.errors.push(e.message));
    }, 20),
  ];
  setTimeout(() => console.log('running ' + sum.received), 300);
  process.stdin.once('data', () => {
    timers.forEach(clearInterval);
    setTimeout(() => { console.log('sum ' + JSON.stringify(sum)); process.exit(); }, 1500);
  });`;

interface Sum {
  readonly sent: number;
  readonly received: number;
  readonly echoes: number;
  readonly echoed: number;
  readonly opens: number;
  readonly opened: number;
  readonly errors: readonly string[];
}

describeRoot('traffic of guests', () => {
  let lab: Lab;
  let dataDir: string;
  let agent: AgentProcess;
  const guests: Guest[] = [];

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'portcullis-agent-'));
    const store = await openStore({ kind: 'embedded', dir: dataDir });
    await store.txn([], withPortMarks(world));
    await store.close();
    lab = await startLab();
    agent = new AgentProcess(lab, dataDir);
    await agent.applied();
    for (const n of [1, 2]) {
      const guest = await startGuest({ mac: `02:00:00:00:00:0${n}`, addresses: [`10.0.0.${n}/24`] });
      guests.push(guest);
      await guest.plug(lab.switch, lab.bridge, { 'iface-id': `p${n}` });
    }
    const echo = guests[1]?.start(process.execPath, '-e', server);
    await until(() => echo?.output.includes('ready') === true, { what: 'the server listens' });
    await until(async () => (await guests[0]?.runAnyway('ping', ['-c1', '-W1', '10.0.0.2']))?.code === 0);
  });
  afterAll(async () => {
    await agent.end('SIGKILL');
    await Promise.all(guests.map((guest) => guest.stop()));
    await lab.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function startTraffic(): Promise<Background> {
    const traffic = guests[0]?.start(process.execPath, '-e', client, '10.0.0.2');
    if (traffic === undefined) throw new Error('no guest');
    await until(() => /running [1-9]/.test(traffic.output), { what: 'traffic flows' });
    return traffic;
  }

  async function endTraffic(traffic: Background): Promise<Sum> {
    traffic.write('end\n');
    const [, text = '{}'] = /sum (.*)/.exec(await traffic.ended()) ?? [];
    return JSON.parse(text) as Sum;
  }

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'loses nothing, and new connections are made, over %s of the agent, its absence and its start',
    async (signal) => {
      const traffic = await startTraffic();
      const installed = (await lab.flows()).length;
      await agent.end(signal);
      const ping = await guests[0]?.run('ping', '-c', '5', '-i', '0.1', '10.0.0.2');
      expect(ping).toContain(' 0% packet loss');
      agent = new AgentProcess(lab, dataDir);
      expect(await agent.applied()).toEqual({ flowsChanged: 0, installedFlows: installed });
      const sum = await endTraffic(traffic);
      expect(sum.errors).toEqual([]);
      expect(sum.sent).toBeGreaterThan(500);
      expect(sum.received).toBe(sum.sent);
      expect(sum.echoed).toBe(sum.echoes);
      expect(sum.opened).toBe(sum.opens);
    },
  );

  test.each(['graceful', 'kill'] as const)(
    'recovers by itself after ovs-vswitchd ended (%s) and started again',
    async (how) => {
      await lab.switch.restartVswitchd(how);
      const ping = () => guests[0]?.runAnyway('ping', ['-c', '1', '-W', '1', '10.0.0.2']);
      await until(async () => (await ping())?.code === 0, {
        timeout: 20_000,
        what: 'guests reach each other',
      });
      const foreign = ['-I', '10.0.0.99', '-c', '1', '-W', '1', '10.0.0.2'];
      await guests[0]?.run('ip', 'addr', 'replace', '10.0.0.99/24', 'dev', 'eth0');
      expect((await guests[0]?.runAnyway('ping', foreign))?.code).toBe(1);
    },
  );
});
