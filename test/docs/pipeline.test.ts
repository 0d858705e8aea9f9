/**
 * docs/pipeline.md shows flows as a real switch lists them for a small world. Each block names its table.
 * This test installs the world, lists the flows and compares. PORTCULLIS_UPDATE_DOCS=1 rewrites the blocks.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { tableNames, tables } from '../../src/pipeline/tables.ts';
import type { NetworkId, PortId, QosPolicy, QosPolicyId, World } from '../../src/policy/world.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import { startSwitch } from '../lib/switch.ts';
import { host, openGroup, worldFrom } from '../proofs/worlds.ts';

const file = 'docs/pipeline.md';
const limit = { rate: 10_000, burst: 8000 };
const gold: QosPolicy = {
  id: 'gold' as QosPolicyId,
  egress: { bandwidth: limit, packets: limit },
  ingress: { bandwidth: limit, packets: limit },
  dscp: 46,
};

const base = worldFrom({
  connectedHosts: [host, 'elsewhere'],
  subnets: ['10.0.0.0/24', 'fd00::/64'],
  subnetsOf: { lan: ['10.1.0.0/24'] },
  ports: [
    {
      id: 'web',
      mac: '02:00:00:00:00:01',
      ips: ['10.0.0.11', 'fd00::11'],
      pairs: [['10.0.0.100']],
      groups: ['default'],
    },
    { id: 'app', mac: '02:00:00:00:00:02', ips: ['10.0.0.12'], mode: 'mac-only', groups: ['default'] },
    { id: 'lab', mac: '02:00:00:00:00:05', ips: ['10.0.0.15'], groups: ['open'] },
    { id: 'router', mac: '02:00:00:00:00:03', ips: ['10.0.0.1'], mode: 'off' },
    {
      id: 'far',
      mac: '02:00:00:00:00:04',
      ips: ['10.0.0.14'],
      pairs: [['10.0.0.100']],
      groups: ['default'],
      host: 'elsewhere',
    },
    { id: 'db', network: 'lan', mac: '02:00:00:00:00:14', ips: ['10.1.0.20'], host: 'elsewhere' },
    { id: 'edge-net', mac: '02:00:00:00:00:0e', ips: ['10.0.0.254'], mode: 'off', service: true, host: null },
    {
      id: 'edge-lan',
      network: 'lan',
      mac: '02:00:00:00:00:1e',
      ips: ['10.1.0.1'],
      mode: 'off',
      service: true,
      host: null,
    },
    { id: 'uplink', network: 'vlan', mac: '02:00:00:00:00:06', ips: ['10.9.0.5'], mode: 'off' },
  ],
  dhcp: true,
  mtus: { lan: 1400 },
  routers: { edge: { ports: ['edge-net', 'edge-lan'], routes: [['172.16.0.0/12', '10.1.0.20']] } },
  addressGroups: { offices: ['198.51.100.0/24', '198.51.100.64/26', '203.0.113.9'] },
  rules: [
    { group: 'default', direction: 'egress', family: 4 },
    { group: 'default', direction: 'egress', family: 6 },
    { group: 'default', direction: 'ingress', family: 4, remote: '@default' },
    {
      group: 'default',
      direction: 'ingress',
      family: 4,
      l4: { kind: 'ports', protocol: 6, min: 80, max: 83 },
      remote: '192.0.2.0/24',
    },
    {
      group: 'default',
      direction: 'ingress',
      family: 4,
      l4: { kind: 'protocol', protocol: 17 },
      remote: '#offices',
    },
    ...openGroup('open'),
  ],
});
const vlan = 'vlan' as NetworkId;
const world: World = {
  ...base,
  networks: new Map(
    [...base.networks].map(([id, network]) => [
      id,
      id === vlan ? { ...network, isolated: true, physical: { network: 'physnet1', vlan: 7 } } : network,
    ]),
  ),
  ports: new Map(
    [...base.ports].map(([id, port]) => {
      if (id === 'web') return [id, { ...port, qosPolicy: gold.id }];
      return [id, id === 'lab' ? { ...port, arrival: { host: 'elsewhere', number: 5 } } : port];
    }),
  ),
};
const plugged = new Map([
  ['web', 1],
  ['app', 2],
  ['router', 3],
  ['lab', 4],
  ['uplink', 5],
] as [PortId, number][]);

/** The switch's own listing, with the names of register constants. */
async function listing(): Promise<Map<string, string[]>> {
  await using at = await startSwitch({ dummy: true });
  await at.addBridge('br0');
  await at.addDummyPorts(
    'br0',
    [...plugged].map(([name, ofport]) => ({ name, ofport })),
  );
  const tunnel = ['type=geneve', 'ofport_request=9', 'options:remote_ip=flow', 'options:key=flow'];
  await at.vsctl('add-port', 'br0', 'pc-geneve', '--', 'set', 'Interface', 'pc-geneve', ...tunnel);
  const patch = ['type=patch', 'ofport_request=10', 'options:peer=br-ex--br0'];
  await at.vsctl('add-port', 'br0', 'br0--br-ex', '--', 'set', 'Interface', 'br0--br-ex', ...patch);
  const installed = new InstalledWorld(at.mgmt('br0'), 'fail', { host });
  try {
    installed.pipeline.facts.qosPolicies.set(gold.id, gold);
    await installed.install(world, plugged, new Map([['geneve', 9]]), new Map([['physnet1', 10]]));
    await installed.session.setTableNames(tableNames);
    const { ids } = installed.pipeline;
    const names = new Map<string, string>();
    for (const [id, { key, networkKey, port }] of installed.pipeline.relations.locals.entries()) {
      names.set(`0x${key.toString(16)}`, `‹${id}›`);
      names.set(`0x${networkKey.toString(16)}`, port.network === vlan ? '‹vlan›' : '‹net›');
    }
    for (const [
      id,
      { key, networkKey, number, router },
    ] of installed.pipeline.relations.routerPorts.entries()) {
      names.set(`0x${key.toString(16)}`, `‹${id}›`);
      if (id === 'edge-lan') names.set(`0x${networkKey.toString(16)}`, '‹lan›');
      names.set(`0x${number.toString(16)}`, `‹${router}›`);
    }
    for (const [id, { key, peer }] of installed.pipeline.relations.remotes.entries()) {
      names.set(`0x${key.toString(16)}`, `‹${id}›`);
      names.set(`0x${peer.number.toString(16)}`, `‹${peer.name}›`);
    }
    for (const group of ['default', 'open']) names.set(`0x${ids.sets.of(group).toString(16)}`, `‹${group}›`);
    names.set(`0x${ids.addressClasses.of('offices').toString(16)}`, '‹offices›');
    for (const [id, { budgets }] of installed.pipeline.relations.qos.granted.entries())
      for (const { meter, direction, kind } of budgets)
        names.set(String(meter), `‹${id} ${direction} ${kind}›`);
    for (const rule of world.rules.values()) names.set(String(ids.rules.of(rule.id)), `‹${rule.id}›`);
    const byTable = new Map<string, string[]>();
    for (const line of (await at.ofctl('--names', '--no-stats', 'dump-flows', at.mgmt('br0'))).split('\n')) {
      // Whether a flow's counters are watched is the agent's concern.
      const match = /table="?(\w+)"?, (?:(?:send_flow_rem|reset_counts) )*(.*)$/.exec(line.trim());
      if (match === null) continue;
      const [, table = '', rest = ''] = match;
      const text = rest.replaceAll(/0x[0-9a-f]{5,}|\b\d{6,}\b/g, (value) => names.get(value) ?? value);
      byTable.set(table, [...(byTable.get(table) ?? []), text.replaceAll('"', '')]);
    }
    return byTable;
  } finally {
    await installed.close();
  }
}

test('the flows in docs/pipeline.md are those of the switch', async () => {
  const flows = await listing();
  const text = await readFile(file, 'utf8');
  const shown = new Set<string>();
  const current = text.replaceAll(
    /^```(\w+)( for (\w+))?\n[^`]*^```$/gm,
    (_, table: string, only: string, port: string) => {
      shown.add(table);
      const lines = (flows.get(table) ?? []).filter((line) => {
        if (only === undefined) return true;
        const others = [...plugged.keys()].filter((name) => name !== port);
        return !others.some((name) => line.includes(`‹${name}›`) || line.includes(`in_port=${name} `));
      });
      return `\`\`\`${table}${only ?? ''}\n${lines.join('\n')}\n\`\`\``;
    },
  );
  expect([...shown].sort()).toEqual(Object.keys(tables).sort());
  if (process.env.PORTCULLIS_UPDATE_DOCS !== undefined) await writeFile(file, current);
  expect(current).toBe(await readFile(file, 'utf8'));
});
