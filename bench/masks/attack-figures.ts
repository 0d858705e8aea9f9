/**
 * One attack of one guest: the masks that it causes, the tables that a packet of the guest then visits, the CPU time
 * that it takes, and the throughput left to two other guests. The attack has a fixed rate: a guest that sends without
 * a pause takes the processor from all others. Beside it runs a plain guest, which sends one packet at the same rate:
 * what it costs its neighbours, any guest may cost them.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readMegaflowMasks } from '../../src/ovsdb/index.ts';
import { type Attack, type Attacker, attackFrames } from '../../test/lib/attack.ts';
import type { Guest } from '../../test/lib/netns.ts';
import type { Switch } from '../../test/lib/switch.ts';
import { until } from '../../test/lib/wait.ts';
import { threadNanoseconds } from '../process-usage.ts';
import { emit, type Limit, median, quantile, round } from '../report.ts';

const sendProgram = fileURLToPath(new URL('../send-frames.py', import.meta.url));
const frameCount = 3000;
/** Frames a second. */
const rate = 1000;
/** A wide window loses packets, because the buffers of the switch's packet sockets overflow. */
const window = ['-w', '96K'];

export interface MaskWorld {
  readonly peer: 'portcullis' | 'ovn';
  readonly groups: 'usual' | 'nasty';
  /** Where frames are written. */
  readonly directory: string;
  readonly at: Switch;
  readonly attacker: Guest;
  readonly frames: Attacker;
  readonly server: Guest;
  readonly client: Guest;
  readonly serverAddress: string;
}

export async function throughput(
  { server, client, serverAddress }: MaskWorld,
  seconds: number,
): Promise<number> {
  const listening = server.start('iperf3', '-s', '-1', '--forceflush');
  await until(() => listening.output.includes('listening'), { what: 'iperf3 listens' });
  const text = await client.run('iperf3', '-c', serverAddress, '-t', String(seconds), ...window, '-J');
  await listening.stop();
  return (JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received
    .bits_per_second;
}

async function visitedTables(at: Switch): Promise<number> {
  const text = await at.appctl('dpif-netdev/pmd-stats-show');
  return Number(/avg\. subtable lookups per megaflow hit: ([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
}

async function writeFrames(file: string, frames: readonly Buffer[]): Promise<void> {
  const parts = frames.flatMap((frame) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(frame.length);
    return [length, frame];
  });
  await writeFile(file, Buffer.concat(parts));
}

/** CPU milliseconds a second of ovs-vswitchd while one guest sends the frames of a file once and all others rest. */
async function switchCost({ at, attacker }: MaskWorld, file: string): Promise<number> {
  const pid = at.pidOf('ovs-vswitchd');
  if (pid === null) throw new Error('ovs-vswitchd does not run');
  const [before, began] = [threadNanoseconds(pid), performance.now()];
  await attacker.start('python3', sendProgram, file, 'eth0', String(rate), '0').ended();
  return (threadNanoseconds(pid) - before) / 1e6 / ((performance.now() - began) / 1000);
}

const limits: readonly Limit[] = [
  { figure: 'masks_port', atMost: 32 },
  { figure: 'neighbour_throughput_ratio', atLeast: 0.95 },
];

const sides = ['quiet', 'plain', 'attacked'] as const;
type Side = (typeof sides)[number];

export async function measureAttack(world: MaskWorld, attack: Attack, quick: boolean): Promise<void> {
  const { at, attacker, directory, peer, groups } = world;
  const files = { attacked: join(directory, 'frames'), plain: join(directory, 'plain-frames') };
  await writeFrames(files.attacked, attackFrames(frameCount, attack, world.frames));
  // What any guest may do: one packet again and again, at the same rate.
  const [plain] = attackFrames(1, 'ports', { ...world.frames, sources: world.frames.sources.slice(-1) });
  if (plain === undefined) throw new Error('no frame was made');
  await writeFrames(files.plain, Array<Buffer>(frameCount).fill(plain));
  const plainCost = await switchCost(world, files.plain);
  await at.appctl('revalidator/purge');
  await at.appctl('dpif-netdev/pmd-stats-clear');
  const attackCost = await switchCost(world, files.attacked);
  const { megaflows, masks, masksOfPort } = readMegaflowMasks(
    await at.appctl('dpctl/dump-flows', '-m', '--names'),
  );
  const tables = await visitedTables(at);

  const turns = quick ? 2 : 9;
  const seconds = quick ? 1 : 2;
  const of = async (side: Side): Promise<number> => {
    if (side === 'quiet') return throughput(world, seconds);
    const file = files[side];
    const sending = attacker.start('python3', sendProgram, file, 'eth0', String(rate), String(seconds + 1));
    await until(() => sending.output.includes('sending'), { what: 'the guest begins to send' });
    const rateLeft = await throughput(world, seconds);
    await sending.ended();
    return rateLeft;
  };
  const toQuiet: number[] = [];
  const toPlain: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    // In changing order, so that other load on the machine falls on all.
    const rates: Record<Side, number> = { quiet: 0, plain: 0, attacked: 0 };
    for (const step of sides.keys()) {
      const side = sides[(turn + (turn % 2 === 0 ? step : sides.length - step)) % sides.length] ?? 'quiet';
      rates[side] = await of(side);
    }
    toQuiet.push(rates.attacked / rates.quiet);
    toPlain.push(rates.attacked / rates.plain);
  }
  emit(
    'masks.attack',
    frameCount,
    {
      peer,
      groups,
      attack,
      frames_per_s: rate,
      masks_port: masksOfPort.get(attacker.outer) ?? 0,
      masks_datapath: masks,
      megaflows,
      tables_per_packet: round(tables),
      switch_ms_per_s: round(attackCost),
      switch_ms_per_s_plain: round(plainCost),
      neighbour_throughput_ratio: round(median(toQuiet)),
      neighbour_throughput_ratio_quartile_1: round(quantile(toQuiet, 0.25)),
      neighbour_throughput_ratio_quartile_3: round(quantile(toQuiet, 0.75)),
      neighbour_throughput_ratio_to_plain: round(median(toPlain)),
    },
    peer === 'portcullis' ? limits : [],
  );
}
