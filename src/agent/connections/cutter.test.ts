import { pino } from 'pino';
import { expect, test } from 'vitest';
import { setKeys, zone } from '../../../test/lib/keys.ts';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { keys } from '../../model/keys.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId } from '../../policy/world.ts';
import { Cutter, type CutterOptions } from './cutter.ts';

type Asked = { flushes: number; errors: number; zones: number[] };

/** A session whose switch does what `asked` shows, and a cutter that reads the switch's connections from a list. */
function cutterOf(
  pipeline: Pipeline,
  dumps: readonly string[],
  changes: Partial<CutterOptions> = {},
): { cutter: Cutter; asked: Asked; lines: string[] } {
  const asked: Asked = { flushes: 0, errors: 0, zones: [] };
  const lines: string[] = [];
  const session = {
    barrier: async () => undefined,
    packetOut: () => void (asked.errors += 1),
    flushConntrack: async (...filters: readonly unknown[]) => void (asked.flushes += filters.length),
    flushZone: async (zone: number) => void asked.zones.push(zone),
  };
  const rest = [...dumps];
  const cutter = new Cutter({
    pipeline,
    follows: () => true,
    session: () => session,
    log: pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) }),
    connections: async () => rest.shift() ?? '',
    onKernel: () => false,
    revalidated: async () => undefined,
    ...changes,
  });
  return { cutter, asked, lines };
}

function pipelineOf(...networks: readonly string[]): Pipeline {
  const pipeline = new Pipeline();
  for (const [at, network] of networks.entries())
    pipeline.facts.zones.set(network as NetworkId, zone(at + 1));
  pipeline.tightening.take();
  pipeline.tightening.mark(networks as NetworkId[]);
  return pipeline;
}

/** A connection that nobody known has admitted, which is forbidden. */
const orphan = (name: string, zone: number, ports = 'sport=0,dport=0') =>
  `${name},orig=(src=10.0.0.1,dst=10.0.0.2,${ports}),reply=(src=10.0.0.2,dst=10.0.0.1,${ports}),zone=${zone},labels=0x7`;

test('what becomes suspect while connections are being judged is judged together', async () => {
  const pipeline = new Pipeline();
  const networks = ['n1', 'n2', 'n3'] as NetworkId[];
  for (const [at, network] of networks.entries()) pipeline.facts.zones.set(network, zone(at + 1));
  const read: (number | undefined)[][] = [];
  const cutter = new Cutter({
    pipeline,
    follows: () => true,
    // There is nothing to be cut, so nothing else is said to the switch.
    session: () => ({
      barrier: async () => undefined,
      packetOut: () => undefined,
      flushConntrack: async () => undefined,
      flushZone: async () => undefined,
    }),
    log: pino({ level: 'silent' }),
    connections: async (zone) => {
      read.at(-1)?.push(zone);
      return '';
    },
    onKernel: () => false,
    revalidated: async () => void read.push([]),
  });
  pipeline.tightening.take();
  const works = networks.flatMap((network) => {
    pipeline.tightening.mark([network]);
    const one = cutter.cut();
    pipeline.tightening.mark([network]);
    return [one, cutter.cut()];
  });
  expect(await Promise.all(works)).toEqual(works.map(() => true));
  expect(read).toEqual([[1, 2, 3]]);
  pipeline.tightening.mark(networks.slice(1));
  await cutter.cut();
  expect(read).toEqual([
    [1, 2, 3],
    [2, 3],
  ]);
});

test('it is counted once a second reading shows that it is gone', async () => {
  const { cutter, asked, lines } = cutterOf(pipelineOf('n1'), [orphan('udp', 1, 'sport=5,dport=53'), '']);
  await cutter.cut();
  expect(asked).toEqual({ flushes: 1, errors: 0, zones: [] });
  expect(cutter.counts.connections).toBe(1);
  expect(lines).toEqual([]);
});

test('what is still there is severed once more, then with all of its network', async () => {
  const line = orphan('47', 1);
  const { cutter, asked, lines } = cutterOf(pipelineOf('n1'), [line, line, line, '']);
  await cutter.cut();
  expect(asked).toEqual({ flushes: 2, errors: 0, zones: [1] });
  expect(cutter.counts.connections).toBe(1);
  expect(lines.join()).toContain('did not go, so all of the network were cut');
});

test.each([
  ['stays', orphan('47', 1), /keeps forbidden connections/],
  ['cannot be read any more', 'rubbish,zone=1', /does not tell which/],
])('nothing is counted while it %s, and it is tried again', async (_, later, reason) => {
  const pipeline = pipelineOf('n1');
  const { cutter } = cutterOf(pipeline, [orphan('47', 1), later, later, later]);
  await expect(cutter.cut()).rejects.toThrow(reason);
  expect(cutter.counts.connections).toBe(0);
  expect([...pipeline.tightening.take()]).toEqual(['n1']);
});

test('another connection between the same ends is not taken for the one that was cut', async () => {
  const line = orphan('47', 1);
  const { cutter, asked } = cutterOf(pipelineOf('n1'), [line, line.replace('labels=0x7', 'labels=0x8')]);
  await cutter.cut();
  expect(asked).toEqual({ flushes: 1, errors: 0, zones: [] });
});

test('on a kernel what no flush can name is refuted by an error, and the rest flushed', async () => {
  const dump = ['47', '99', 'sctp', 'dccp', 'udplite', 'tcp', 'udp'].map((name) =>
    orphan(name, 1, 'sport=5,dport=6'),
  );
  const { cutter, asked } = cutterOf(pipelineOf('n1'), [dump.join('\n'), ''], { onKernel: () => true });
  await cutter.cut();
  expect(asked).toEqual({ flushes: 2, errors: 5, zones: [] });
  expect(cutter.counts.connections).toBe(7);
});

test("the host's own connections and other zones are left alone, whatever is in them", async () => {
  const own = orphan('tcp', 1, 'sport=5,dport=6');
  const foreign = [own.replace(',zone=1', ''), orphan('udp', 9), 'rubbish', 'rubbish,zone=9'];
  const { cutter, asked, lines } = cutterOf(pipelineOf('n1', 'n2', 'n3', 'n4'), [
    [own, ...foreign].join('\n'),
    '',
  ]);
  await cutter.cut();
  expect(asked).toEqual({ flushes: 1, errors: 0, zones: [] });
  expect(cutter.counts.connections).toBe(1);
  expect(lines).toEqual([]);
});

test('what went from many networks is looked for in one more reading', async () => {
  const networks = ['n1', 'n2', 'n3', 'n4', 'n5'];
  const dumps = [networks.map((_, at) => orphan('udp', at + 1, 'sport=5,dport=53')).join('\n'), ''];
  let readings = 0;
  const { cutter, asked } = cutterOf(pipelineOf(...networks), [], {
    connections: async () => dumps[readings++] ?? '',
  });
  await cutter.cut();
  expect(readings).toBe(2);
  expect(asked.flushes).toBe(5);
  expect(cutter.counts.connections).toBe(5);
});

function setNetwork(pipeline: Pipeline, id: NetworkId): void {
  pipeline.facts.networks.set(id, networkFrom({ id }));
}

test('of a network that is not followed nothing is cut, and it is judged later', async () => {
  const pipeline = pipelineOf('n1');
  const { cutter, asked } = cutterOf(pipeline, [orphan('udp', 1, 'sport=5,dport=53')], {
    follows: () => false,
  });
  await cutter.cut();
  expect(asked).toEqual({ flushes: 0, errors: 0, zones: [] });
  expect([...pipeline.tightening.take()]).toEqual(['n1']);
});

test('a connection of a port that is not followed is left alone', async () => {
  const pipeline = pipelineOf('n1');
  const network = 'n1' as NetworkId;
  setNetwork(pipeline, network);
  const dump = orphan('udp', 1, 'sport=5,dport=53');
  const followsNetworks = (prefix: string) => prefix.startsWith(keys.network.prefix);
  const { cutter, asked } = cutterOf(pipeline, [dump], { follows: followsNetworks });
  await cutter.cut();
  expect(asked).toEqual({ flushes: 0, errors: 0, zones: [] });
  pipeline.tightening.mark([network]);
  const { cutter: sighted, asked: flushed } = cutterOf(pipeline, [dump, '']);
  await sighted.cut();
  expect(flushed.flushes).toBe(1);
});

/** Keys of the port that admitted as originator, and of the one that did as responder. */
const admitted = (originator: number, responder: number): string =>
  orphan('udp', 1, 'sport=5,dport=53').replace(
    'labels=0x7',
    `labels=0x${((BigInt(responder) << 32n) | BigInt(originator)).toString(16)}`,
  );

test('a followed port that forbids a connection ends it, whoever is at its other end', async () => {
  const pipeline = pipelineOf('n1');
  const network = 'n1' as NetworkId;
  setNetwork(pipeline, network);
  const port = portFrom({ id: 'p', network, mac: '02:00:00:00:00:01', ips: [] });
  pipeline.facts.ports.set(port.id, port);
  pipeline.facts.ofports.set(port.id, 1);
  setKeys(pipeline.facts, [network], [port]);
  pipeline.run();
  const key = pipeline.relations.locals.get(port.id)?.key ?? 0;
  const followsNetworks = (prefix: string) => prefix.startsWith(keys.network.prefix);
  const { cutter, asked } = cutterOf(pipeline, [admitted(7, key), ''], { follows: followsNetworks });
  pipeline.tightening.mark([network]);
  await cutter.cut();
  expect(asked.flushes).toBe(1);
});
