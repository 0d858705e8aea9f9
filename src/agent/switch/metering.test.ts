import { type Logger, pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { setKeys, zone } from '../../../test/lib/keys.ts';
import { networkFrom } from '../../../test/proofs/worlds.ts';
import type { PortKey } from '../../model/numbers.ts';
import { parseMac } from '../../net/mac.ts';
import { Session } from '../../openflow/index.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import { maxMeterSpread, sharedMeterKinds, sharedMeterOf } from '../../pipeline/shared-meters.ts';
import { tables } from '../../pipeline/tables.ts';
import type { NetworkId, Port, PortId, QosPolicyId } from '../../policy/world.ts';
import { Metering } from './metering.ts';

const network = 'n' as NetworkId;
const policy = 'q' as QosPolicyId;
const limit = { rate: 1000, burst: 800 };

function portNamed(id: string): Port {
  const mac = parseMac('02:00:00:00:00:01');
  if (mac === null) throw new Error('not a MAC');
  return {
    id: id as PortId,
    network,
    adminUp: true,
    mac,
    fixedIps: [],
    pairs: [],
    mode: 'strict',
    dhcpServer: false,
    cloudOwned: false,
    role: { kind: 'promiscuous' },
    groups: [],
    qosPolicy: policy,
    host: null,
  };
}

function pipelineWith(meterSpread: number): Pipeline {
  const pipeline = new Pipeline({ abilities: { answersNd: true, meterSpread } });
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network }));
  facts.zones.set(network, zone(1));
  facts.qosPolicies.set(policy, {
    id: policy,
    egress: { bandwidth: limit, packets: limit },
    ingress: { bandwidth: limit, packets: null },
    dscp: 5,
  });
  for (const [n, id] of ['a', 'b'].entries()) {
    facts.ports.set(id as PortId, portNamed(id));
    facts.ofports.set(id as PortId, n + 1);
  }
  setKeys(facts, [network], ['a', 'b'].map(portNamed));
  pipeline.run();
  return pipeline;
}

const actionsOf = (pipeline: Pipeline) =>
  [...pipeline.desired.keys()].flatMap((key) => pipeline.desired.get(key)?.actions ?? []);

let session: Session;
let lines: { readonly level: number; readonly msg: string }[];
let log: Logger;
beforeEach(() => {
  lines = [];
  log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) });
  // Nobody listens there: whatever is asked of this switch fails.
  session = Session.connect({ target: 'unix:/nonexistent/br.mgmt' });
});
afterEach(() => session.close());

test('a switch without meters is asked for none, and everything but limits is as ever', async () => {
  const pipeline = pipelineWith(0);
  expect(actionsOf(pipeline).filter(({ type }) => type === 'meter')).toHaveLength(10);
  const metering = new Metering(log);
  metering.onConnected({ meters: 0, spread: 0 });
  expect(lines.map(({ level }) => level)).toEqual([50]);
  await metering.prepare(session, pipeline);
  await metering.prune(session);
  const actions = actionsOf(pipeline);
  expect(actions.filter(({ type }) => type === 'meter' || type === 'controller')).toEqual([]);
  expect(actions.filter((action) => action.type === 'set_field' && action.field === 'ip_dscp')).toHaveLength(
    4,
  );
  expect(lines.map(({ msg }) => msg)[1]).toContain('not enforced');
  await metering.prepare(session, pipeline);
  expect(lines).toHaveLength(2);
});

test('ports are listened to only where a meter bounds that', () => {
  const listening = (pipeline: Pipeline) =>
    actionsOf(pipeline).filter((action) => action.type === 'controller').length;
  expect(listening(pipelineWith(0))).toBe(0);
  // Each of two ports for its probes, and for packets that routers end.
  expect(listening(pipelineWith(7))).toBe(4);
});

test('limits have meters apart from each other’s and from all others', () => {
  const pipeline = pipelineWith(1);
  const meters = [...pipeline.relations.qos.granted.entries()].flatMap(([, { budgets }]) =>
    budgets.map(({ meter }) => meter),
  );
  expect(new Set(meters).size).toBe(6);
  for (const meter of meters)
    for (const kind of sharedMeterKinds)
      expect(meter).toBeGreaterThan(sharedMeterOf(kind, 0xffff_ffff as PortKey, maxMeterSpread) ?? Infinity);
  const again = pipelineWith(1);
  expect(
    [...again.relations.qos.granted.entries()].flatMap(([, { budgets }]) =>
      budgets.map(({ meter }) => meter),
    ),
  ).toEqual(meters);
});

test('a flow names one meter at most, and a receiver’s works on a copy', () => {
  const pipeline = pipelineWith(1);
  for (const key of pipeline.desired.keys()) {
    const flow = pipeline.desired.get(key);
    const meters = flow?.actions.filter(({ type }) => type === 'meter') ?? [];
    expect(meters.length).toBeLessThanOrEqual(1);
    if (meters.length > 0) expect(flow?.table).not.toBe(tables.ingress_qos.id);
  }
});

test('the numbers of meters go back with the policy', () => {
  const pipeline = pipelineWith(1);
  expect(pipeline.ids.meters.size).toBe(6);
  pipeline.facts.qosPolicies.delete(policy);
  pipeline.run();
  expect(pipeline.ids.meters.size).toBe(0);
});
