/** An answer brings back a connection that the former host has reported and that rules allow, and no other. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ip, mac, tcpFrame } from '../../../test/lib/frames.ts';
import { networkFrom, portFrom, type RuleText, ruleFrom } from '../../../test/proofs/worlds.ts';
import { preferredNetworkKey, preferredPortKey } from '../../model/numbers.ts';
import { tcpFlags } from '../../net/packet/transport.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { Zone } from '../../pipeline/zone.ts';
import type { LeftConnection } from '../../policy/moves.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { PuntOutcome } from './handler.ts';
import { movedConnections } from './moved-connections.ts';

const network = 'n1' as NetworkId;
const id = 'p' as PortId;
const key = preferredPortKey(id);
const peer = 4711;
const { ack, syn, rst } = tcpFlags;
const own = ip('10.0.0.11');
const other = ip('10.0.0.12');

let pipeline: Pipeline;

function setRules(...rules: readonly Omit<RuleText, 'group'>[]): void {
  const { facts } = pipeline;
  for (const [rule] of facts.rules.entries()) facts.rules.delete(rule);
  for (const [at, rule] of rules.entries()) {
    const made = ruleFrom({ group: 'g', ...rule }, at);
    facts.rules.set(made.id, made);
  }
}
const tcp = (direction: 'ingress' | 'egress', port: number): Omit<RuleText, 'group'> => ({
  direction,
  l4: { kind: 'ports', protocol: 6, min: port, max: port },
});

/** The port has asked 12:7001 by port 40000, and 12 has asked it by port 50000. */
const asked: LeftConnection = {
  src: own,
  dst: other,
  srcPort: 40_000,
  dstPort: 7001,
  originators: [key],
  responders: [peer],
};
const wasAsked: LeftConnection = {
  src: other,
  dst: own,
  srcPort: 50_000,
  dstPort: 7000,
  originators: [peer],
  responders: [key],
};

beforeEach(() => {
  pipeline = new Pipeline({ host: 'there' });
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network }));
  facts.networkKeys.set(network, preferredNetworkKey(network));
  facts.zones.set(network, 1 as Zone);
  const port = portFrom({
    id,
    network,
    mac: '02:00:00:00:00:01',
    ips: ['10.0.0.11'],
    groups: ['g'],
    host: 'here',
  });
  facts.ports.set(id, { ...port, arrival: { host: 'there', number: 5 } });
  facts.portKeys.set(id, key);
  facts.ofports.set(id, 1);
  facts.leftConnections.set(id, { host: 'here', number: 5, connections: [asked, wasAsked] });
  setRules(tcp('egress', 7001), tcp('ingress', 7000));
  pipeline.run();
});

const macs = { from: mac('02:00:00:00:00:02'), to: mac('02:00:00:00:00:01') };
const answerToPort = (flags: number = ack, dstPort = 40_000, srcPort = 7001): Buffer =>
  tcpFrame({ ...macs, src: other, dst: own }, srcPort, dstPort, flags, { seq: 77, ack: 88 });
const answerOfPort = (dst = other): Buffer =>
  tcpFrame({ ...macs, src: own, dst }, 7000, 50_000, ack, { seq: 77, ack: 88 });

function handle(data: Buffer): PuntOutcome {
  pipeline.run();
  const local = pipeline.relations.locals.get(id);
  if (local === undefined) throw new Error('the port is not here');
  return movedConnections.handle({ data, local, fields: {} }, pipeline);
}

test('an answer to the port, and one of the port, bring their connections back with their records', () => {
  expect(handle(answerToPort())).toEqual({
    kind: 'connection-moved',
    connection: asked,
    label: (BigInt(peer) << 32n) | BigInt(key),
    answer: { seq: 77, ack: 88, isForPort: true, peer },
  });
  expect(handle(answerOfPort())).toMatchObject({
    connection: wasAsked,
    label: (BigInt(key) << 32n) | BigInt(peer),
    answer: { isForPort: false, peer },
  });
});

test('so they do once the port has its place here by its record', () => {
  const { facts } = pipeline;
  const port = facts.ports.get(id);
  if (port === undefined) throw new Error('no port');
  const { arrival: _, ...settled } = port;
  facts.ports.set(id, { ...settled, host: 'there' });
  expect(handle(answerToPort()).kind).toBe('connection-moved');
});

describe('nothing comes back', () => {
  const ignored = (data: Buffer) => expect(handle(data)).toEqual({ kind: 'ignored' });

  test('that was not reported, by whatever segment', () => {
    ignored(answerToPort(ack, 40_001));
    ignored(answerToPort(ack, 40_000, 7002));
    ignored(answerOfPort(ip('10.0.0.13')));
    ignored(answerToPort(syn));
    ignored(answerToPort(syn | ack));
    ignored(answerToPort(rst | ack));
    ignored(Buffer.from('no frame'));
  });

  test('that the rules have forbidden since', () => {
    setRules(tcp('egress', 7002), tcp('ingress', 7003));
    ignored(answerToPort());
    ignored(answerOfPort());
  });

  test('that the rules admit anyway', () => {
    setRules(tcp('egress', 7001), { direction: 'ingress' });
    ignored(answerToPort());
  });

  test('that another move has reported, or that never named the port', () => {
    const { facts } = pipeline;
    facts.leftConnections.set(id, { host: 'here', number: 6, connections: [asked] });
    ignored(answerToPort());
    facts.leftConnections.set(id, { host: 'here', number: 5, connections: [{ ...asked, originators: [9] }] });
    ignored(answerToPort());
  });
});
