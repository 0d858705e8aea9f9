/**
 * One attack of one guest: the masks, megaflows and decisions that its frames cause, and the rest of a stream between two
 * other guests.
 *
 * # Idea
 * The attack has a fixed rate, because a guest that sends without a pause takes the processor from all others. Sending
 * itself has a cost that no flows can save. So the attack is compared with one frame, sent at the same rate, that one
 * megaflow drops. `repeated` frames are in the cache: they show the cost of masks. Each `new` one may need a decision.
 * `floor` sends the new ones to a bridge with hand-written flows.
 */
import { join } from 'node:path';
import { formatCidr } from '../../src/net/cidr.ts';
import { readMegaflowMasks } from '../../src/ovsdb/index.ts';
import { type Attack, attackFrames } from '../../test/lib/attack.ts';
import { net, tagged, udpFrame } from '../../test/lib/frames.ts';
import type { Switch } from '../../test/lib/switch.ts';
import { emit, type Limit, median, round } from '../report.ts';
import type { Floor } from './floor.ts';
import { widePair } from './nasty.ts';
import { NeighbourStream } from './neighbour.ts';
import { PacedSender, writeFrames } from './paced-sender.ts';
import type { Side } from './side.ts';
import { alternate, kept } from './turns.ts';

/** Sent once, to count masks and decisions. */
const countedFrames = 3000;
/** More than a measurement sends, so that each frame is new to the switch. */
const newFrames = 20_000;
/** So few that each comes again before the switch forgets its megaflow (10 s), although turns lie between. */
const repeatedFrames = 1000;
/** Frames a second. */
const rate = 1000;

/** Positions in the list of files that a sender gets. */
const file = { counted: 0, dropped: 1, repeated: 2, new: 3 } as const;

export interface Setup {
  readonly side: Side;
  readonly floor: Floor | null;
  readonly groups: 'usual' | 'nasty';
  /** For the files of frames. */
  readonly directory: string;
  readonly rounds: number;
}

/** Writes the frames of an attack; returns the files in the order of `file`. */
async function writeFiles({ side, groups, directory }: Setup, attack: Attack): Promise<readonly string[]> {
  const { attacker, victim } = side.guests;
  const frames = attackFrames(countedFrames + newFrames, attack, {
    mac: attacker.mac,
    to: victim.mac,
    sources: groups === 'nasty' ? [net(widePair), attacker.ip] : [attacker.ip],
    destinations: [victim.ip],
  });
  const plain = udpFrame({ from: attacker.mac, to: victim.mac, src: attacker.ip, dst: victim.ip }, 1, 2);
  const contents: Readonly<Record<keyof typeof file, readonly Buffer[]>> = {
    counted: frames.slice(0, countedFrames),
    dropped: [tagged(plain)],
    repeated: frames.slice(0, repeatedFrames),
    new: frames.slice(countedFrames),
  };
  return Promise.all(
    (['counted', 'dropped', 'repeated', 'new'] as const).map(async (name) => {
      const path = join(directory, name);
      await writeFrames(path, contents[name]);
      return path;
    }),
  );
}

const figureOf = (text: string, name: string): number =>
  Number(new RegExp(`${name}: ([\\d.]+)`).exec(text)?.[1] ?? Number.NaN);

/** Masks, megaflows and decisions of the attack's first frames, on an empty cache. */
async function count(at: Switch, sender: PacedSender, attackerPort: string) {
  await at.appctl('revalidator/purge');
  await at.appctl('dpif-netdev/pmd-stats-clear');
  await sender.sendOnce(file.counted);
  const dump = await at.appctl('dpctl/dump-flows', '-m', '--names');
  const stats = await at.appctl('dpif-netdev/pmd-stats-show');
  const { megaflows, masks, masksOfPort } = readMegaflowMasks(dump);
  return {
    masks_port: masksOfPort.get(attackerPort) ?? 0,
    masks_datapath: masks,
    megaflows,
    decisions_per_frame: round(figureOf(stats, 'miss with success upcall') / countedFrames),
    subtables_per_packet: round(figureOf(stats, 'avg. subtable lookups per megaflow hit')),
  };
}

const situations = ['quiet', 'dropped', 'repeated', 'new', 'floor'] as const;
type Situation = (typeof situations)[number];

const countLimits: readonly Limit[] = [{ figure: 'masks_port', atMost: 32 }];
const streamLimits: readonly Limit[] = [
  'throughput_kept',
  'per_cpu_kept',
  'throughput_kept_new',
  'per_cpu_kept_new',
].map((figure) => ({ figure, atLeast: 0.95 }));

export async function measureAttack(setup: Setup, attack: Attack): Promise<void> {
  const { side, floor, groups, rounds } = setup;
  const { at, peer } = side;
  const { attacker, server, client } = side.guests;
  const vswitchd = at.pidOf('ovs-vswitchd');
  if (vswitchd === null) throw new Error('ovs-vswitchd does not run');
  const files = await writeFiles(setup, attack);
  const limited = peer === 'portcullis';
  const labels = { peer, groups, attack, frames_per_s: rate };

  await using sender = await PacedSender.start(attacker.guest, rate, files);
  const counted = await count(at, sender, attacker.guest.outer);
  emit('masks.megaflows', countedFrames, { ...labels, ...counted }, limited ? countLimits : []);

  await using floorSender = floor && (await PacedSender.start(floor.attacker, rate, files));
  const address = formatCidr(server.ip);
  await using stream = await NeighbourStream.start(client.guest, server.guest, address, vswitchd);
  const present = situations.filter((situation) => situation !== 'floor' || floorSender !== null);
  const samples = await alternate<Situation>(stream, present, rounds, (situation) => {
    if (situation === 'quiet' || situation === 'floor') sender.rest();
    else sender.send(file[situation]);
    if (situation === 'floor') floorSender?.send(file.new);
    else floorSender?.rest();
  });
  const figures = {
    stream_mbit_per_s: round((median(samples.quiet.map((one) => one.bytesPerSecond)) * 8) / 1e6),
    ...kept(samples, 'kept', 'repeated', 'dropped'),
    ...kept(samples, 'kept_new', 'new', 'dropped'),
    ...(floorSender === null
      ? {}
      : {
          ...kept(samples, 'kept_new_on_floor', 'floor', 'dropped'),
          ...kept(samples, 'kept_new_of_floor', 'new', 'floor'),
        }),
    ...kept(samples, 'kept_of_quiet', 'repeated', 'quiet'),
  };
  emit('masks.stream', rounds, { ...labels, ...figures }, limited ? streamLimits : []);
}
