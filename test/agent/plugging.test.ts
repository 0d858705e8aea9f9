/** From an interface's iface-id to a port that is ACTIVE, and every way back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import { schemaVersion } from '../../src/model/schema-version.ts';
import { deletePort, networkWrites, type PortText, putPort, putRule, ruleRecord } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const one: PortText = { id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1', 'fd00::1'] };
const two: PortText = { id: 'p2', mac: '02:00:00:00:00:02', ips: ['10.0.0.2', 'fd00::2'] };

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  await lab.write(...networkWrites(), putPort(one), putPort(two));
});
afterEach(() => lab.stop());

/** Flows of table 0 for packets of an OpenFlow port, without the one that drops. */
const admitted = async (ofport: number) =>
  (await lab.flows(`table=0,in_port=${ofport}`)).filter((line) => !line.endsWith('actions=drop'));

describe('plug and unplug', () => {
  test('a port is ACTIVE with its flows on the switch, and DOWN without them', async () => {
    await lab.startAgent();
    expect(await lab.binding('p1')).toBe(null);
    await lab.plug('p1', 'tap1', 11);
    await lab.bound('p1', 'ACTIVE');
    expect(await lab.binding('p1')).toEqual({ host: 'here', status: 'ACTIVE' });
    expect(await admitted(11)).toHaveLength(1);
    expect(await lab.binding('p2')).toBe(null);

    await lab.unplug('tap1');
    await lab.bound('p1', 'DOWN');
    expect(await admitted(11)).toEqual([]);
    expect((await lab.binding('p1'))?.host).toBe('here');
  });

  test("the bridge of the ports is known as soon as the agent finds it, and after the agent's end", async () => {
    await lab.startAgent();
    await lab.plug('p1');
    await lab.bound('p1', 'ACTIVE');
    const bridge = async () => JSON.parse((await lab.store.get(keys.bridge('here')))?.value ?? 'null');
    const dummy = { bridge: lab.bridge, datapath_type: lab.switch.datapathType };
    expect(await bridge()).toEqual(dummy);
    await lab.agent.stop();
    expect(await lab.store.get(keys.life('here'))).toBe(null);
    expect(await bridge()).toEqual(dummy);
  });

  test('ACTIVE is not reported before the switch has the flows', async () => {
    await lab.startAgent();
    const early: string[] = [];
    const watched = lab.store.subscribe([keys.binding.prefix], {
      onSnapshot: () => undefined,
      onBatch: ({ events }) => {
        for (const event of events)
          if (event.type === 'put' && lab.agent.status.flowsChanged === before) early.push(event.entry.key);
      },
    });
    const before = lab.agent.status.flowsChanged;
    await lab.plug('p1');
    await lab.bound('p1', 'ACTIVE');
    watched.close();
    expect(early).toEqual([]);
  });

  test('a switch that refuses a flow keeps its port from being ACTIVE', async () => {
    await lab.startAgent();
    await lab.switch.vsctl(
      ...'-- --id=@f create Flow_Table flow_limit=1 overflow_policy=refuse'.split(' '),
      ...`-- set Bridge ${lab.bridge} flow_tables:0=@f`.split(' '),
    );
    await lab.plug('p1');
    await until(() => lab.logged('refused').length > 0);
    expect(await lab.binding('p1')).toBe(null);
    await lab.switch.vsctl('clear', 'Bridge', lab.bridge, 'flow_tables');
    await lab.bound('p1', 'ACTIVE');
  });

  test('a port that is created after it was plugged is bound', async () => {
    await lab.startAgent();
    await lab.plug('late', 'tap-late', 12);
    await lab.sync();
    expect(await admitted(12)).toEqual([]);
    await lab.write(putPort({ id: 'late', mac: '02:00:00:00:00:09' }));
    await lab.bound('late', 'ACTIVE');
    expect(await admitted(12)).toHaveLength(1);
  });

  test('a port that is deleted while plugged loses its flows and stays without a binding', async () => {
    await lab.startAgent();
    await lab.plug('p1', 'tap1', 11);
    await lab.bound('p1', 'ACTIVE');
    await lab.write(...deletePort('p1'));
    await lab.sync();
    expect(await admitted(11)).toEqual([]);
    expect(await lab.binding('p1')).toBe(null);
    expect((await lab.flows()).filter((line) => line.includes('02:00:00:00:00:01'))).toEqual([]);
  });

  test('a port of another host is left alone until it names this one', async () => {
    const asking = (host: string) => putPort({ ...one, changes: { 'binding:host_id': host } });
    await lab.write(asking('there'));
    await lab.startAgent();
    await lab.plug('p1', 'tap1', 11);
    await lab.plug('p2');
    await lab.bound('p2', 'ACTIVE');
    expect(await lab.binding('p1')).toBe(null);
    expect(await admitted(11)).toEqual([]);
    await lab.write(asking('here'));
    await lab.bound('p1', 'ACTIVE');
    await lab.write(asking('there'));
    await lab.bound('p1', 'DOWN');
    expect(await admitted(11)).toEqual([]);
  });

  test('admin_state_up takes the port down and up', async () => {
    await lab.startAgent();
    await lab.plug('p1', 'tap1', 11);
    await lab.bound('p1', 'ACTIVE');
    await lab.write(putPort({ ...one, changes: { admin_state_up: false } }));
    await lab.bound('p1', 'DOWN');
    expect(await admitted(11)).toEqual([]);
    await lab.write(putPort(one));
    await lab.bound('p1', 'ACTIVE');
    expect(await admitted(11)).toHaveLength(1);
  });
});

describe('another interface or another number', () => {
  test('a re-plug on another interface moves the port, whichever number it gets', async () => {
    await lab.startAgent();
    await lab.plug('p1', 'tap-old', 20);
    await lab.bound('p1', 'ACTIVE');
    for (const [name, ofport, old] of [
      ['tap-high', 30, 'tap-old'],
      ['tap-low', 10, 'tap-high'],
    ] as const) {
      await lab.plug('p1', name, ofport);
      await until(async () => (await admitted(ofport)).length === 1, { what: `the port is at ${name}` });
      expect(await admitted(name === 'tap-high' ? 20 : 30)).toEqual([]);
      await lab.unplug(old);
      await lab.sync();
      expect(await admitted(ofport)).toHaveLength(1);
      expect((await lab.binding('p1'))?.status).toBe('ACTIVE');
    }
  });

  test('while both interfaces exist, the loss of the newer one gives the port back to the older', async () => {
    await lab.startAgent();
    await lab.plug('p1', 'tap-old', 20);
    await lab.bound('p1', 'ACTIVE');
    await lab.plug('p1', 'tap-new', 10);
    await until(async () => (await admitted(10)).length === 1);
    await lab.sync();
    expect(lab.logged('takes over a port')).toMatchObject([
      { port: 'p1', interface: 'tap-new', other: 'tap-old' },
    ]);
    await lab.unplug('tap-new');
    await until(async () => (await admitted(20)).length === 1);
    expect((await lab.binding('p1'))?.status).toBe('ACTIVE');
  });

  test('an ofport that another port takes over belongs to that port alone', async () => {
    await lab.startAgent();
    await lab.plug('p1', 'tap1', 11);
    await lab.bound('p1', 'ACTIVE');
    await lab.switch.vsctl(
      ...`-- del-port ${lab.bridge} tap1 -- add-port ${lab.bridge} tap2`.split(' '),
      ...'-- set Interface tap2 type=dummy ofport_request=11 external_ids:iface-id=p2'.split(' '),
    );
    await lab.bound('p2', 'ACTIVE');
    await lab.bound('p1', 'DOWN');
    expect(await lab.ofport('tap2')).toBe(11);
    expect(await admitted(11)).toHaveLength(1);
    const flows = (await lab.flows()).join('\n');
    expect(flows).not.toContain('dl_src=02:00:00:00:00:01');
    expect(flows).toContain('dl_src=02:00:00:00:00:02');
  });

  test('an interface whose iface-id changes is another port from then on', async () => {
    await lab.startAgent();
    await lab.plug('p1', 'tap1', 11);
    await lab.bound('p1', 'ACTIVE');
    await lab.switch.vsctl('set', 'Interface', 'tap1', 'external_ids:iface-id=p2');
    await lab.bound('p2', 'ACTIVE');
    await lab.bound('p1', 'DOWN');
    await lab.switch.vsctl('remove', 'Interface', 'tap1', 'external_ids', 'iface-id');
    await lab.bound('p2', 'DOWN');
    expect(await admitted(11)).toEqual([]);
  });
});

describe('a port that changes while plugged', () => {
  const flowsText = async () => {
    await lab.sync();
    return (await lab.flows()).join('\n');
  };

  test('MAC, addresses, groups and mode follow the store, as from scratch', async () => {
    await lab.write(
      putRule(ruleRecord('r1', 'g', 'egress')),
      putRule(
        ruleRecord('r2', 'other', 'ingress', { protocol: 'tcp', port_range_min: 81, port_range_max: 81 }),
      ),
    );
    await lab.startAgent();
    await lab.plug('p1', 'tap1', 11);
    await lab.plug('p2', 'tap2', 12);
    await lab.bound('p2', 'ACTIVE');

    await lab.write(putPort({ ...one, mac: '02:00:00:00:00:11' }));
    expect(await flowsText()).not.toContain('02:00:00:00:00:01');
    expect(await flowsText()).toContain('02:00:00:00:00:11');

    await lab.write(putPort({ ...one, ips: ['10.0.0.7'] }));
    expect(await flowsText()).not.toMatch(/10\.0\.0\.1\b|fd00::1\b/);
    expect(await flowsText()).toContain('10.0.0.7');

    expect(await flowsText()).not.toMatch(/tp_dst=81\b|tcp_dst=81\b/);
    await lab.write(putPort({ ...one, groups: ['other'] }));
    expect(await flowsText()).toMatch(/tp_dst=81\b|tcp_dst=81\b/);

    await lab.write(putPort({ ...one, changes: { port_security_mode: 'mac-only' } }));
    expect(await flowsText()).not.toMatch(/arp_spa=10\.0\.0\.1\b/);
    await lab.write(putPort({ ...one, groups: [], changes: { port_security_enabled: false } }));
    await lab.sync();
    const off = await lab.flows();
    expect((await lab.binding('p1'))?.status).toBe('ACTIVE');

    await lab.stopAgent();
    await lab.switch.ofctl('del-flows', lab.switch.mgmt(lab.bridge));
    await lab.startAgent();
    await lab.sync();
    expect(await lab.flows()).toEqual(off);
  });
});

test('the host reports that it is live, its zone and how to plug into it, and signs off', async () => {
  await lab.startAgent({ version: '1.2.3', bridgeMappings: { physnet1: 'br-ex' } });
  const life = () => lab.store.get(keys.life('here'));
  const record = async () => JSON.parse((await lab.store.get(keys.host('here')))?.value ?? 'null') as unknown;
  const known = {
    name: 'here',
    bridge: lab.bridge,
    datapath_type: 'dummy',
    started: expect.any(Number) as number,
    version: '1.2.3',
    schema_version: schemaVersion,
    bridge_mappings: { physnet1: 'br-ex' },
  };
  await until(async () => JSON.stringify(await record()).includes('dummy'));
  expect(await record()).toEqual(known);
  expect(await life()).toMatchObject({
    value: expect.stringContaining(` ${process.pid} `) as string,
    lease: expect.any(String) as string,
  });
  await lab.stopAgent();
  expect(await life()).toBe(null);
  expect(await record()).toEqual(known);
  await lab.makeAgent({ availabilityZone: 'east' }).start();
  expect(await record()).toMatchObject({ name: 'here', availability_zone: 'east' });
});

describe('two hosts with one port', () => {
  test('the later one has it, and neither takes it back again', async () => {
    await lab.startAgent();
    await lab.plug('p1', 'tap1', 11);
    await lab.bound('p1', 'ACTIVE');
    const there = { op: 'put', key: keys.binding('n1', 'p1') } as const;
    await lab.write({ ...there, value: JSON.stringify({ host: 'there', status: 'ACTIVE' }) });
    await lab.sync();
    await lab.sync();
    expect(await lab.binding('p1')).toEqual({ host: 'there', status: 'ACTIVE' });
    await lab.write({ ...there, value: JSON.stringify({ host: 'there', status: 'DOWN' }) });
    await until(async () => (await lab.binding('p1'))?.host === 'here');
    await lab.write({ ...there, value: JSON.stringify({ host: 'there', status: 'ACTIVE' }) });
    await lab.unplug('tap1');
    await lab.sync();
    expect(await lab.binding('p1')).toEqual({ host: 'there', status: 'ACTIVE' });
  });
});
