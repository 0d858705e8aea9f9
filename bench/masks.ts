/**
 * The effect of one guest's packets on the switch's megaflows: the masks that they cause, the decisions that they cost,
 * and what is left to a TCP stream of two other guests. It runs with usual groups, and with the worst that a tenant may
 * write, on Portcullis and on OVN.
 *
 * # Idea
 * The attack has a fixed rate: a guest that sends without a pause takes the processor from all others. What sending costs
 * by itself is not the switch's fault, so the attack is compared with frames of the same sender at the same rate that
 * one megaflow drops. `repeated` frames are in the cache, so they cost masks. Each of the `new` ones may cost a decision.
 * `floor` sends the new ones to a bridge with hand-written flows instead.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatCidr } from '../src/net/cidr.ts';
import { readMegaflowMasks } from '../src/ovsdb/index.ts';
import { type Attack, attackFrames, attacks } from '../test/lib/attack.ts';
import { net, tagged, udpFrame } from '../test/lib/frames.ts';
import { isRoot } from '../test/lib/netns.ts';
import type { Switch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { makeDataDirectory } from './controller.ts';
import { ovnVersion } from './groups/ovn-stack.ts';
import { flowCount } from './groups/portcullis-side.ts';
import type { SectionOptions } from './machine.ts';
import { Floor } from './masks/floor.ts';
import { widePair } from './masks/nasty.ts';
import { NeighbourStream } from './masks/neighbour.ts';
import { inOvn } from './masks/ovn-scene.ts';
import { PacedSender, writeFrames } from './masks/paced-sender.ts';
import { inPortcullis } from './masks/portcullis-scene.ts';
import type { Scene } from './masks/scene.ts';
import { alternate, kept } from './masks/turns.ts';
import { emit, median, progress, round } from './report.ts';

/** Frames that are sent once to count masks and decisions. */
const countedFrames = 3000;
/** More than a measurement sends, so that each frame is new to the switch. */
const newFrames = 20_000;
/** So few that each comes again before the switch has forgotten its megaflow (10 s), even while turns lie between. */
const repeatedFrames = 1000;
/** Frames a second. */
const rate = 1000;
const groups = ['usual', 'nasty'] as const;
type Groups = (typeof groups)[number];

/** Files of frames, by number. */
const file = { counted: 0, dropped: 1, repeated: 2, new: 3 } as const;

const figureOf = (text: string, name: string): number =>
  Number(new RegExp(`${name}: ([\\d.]+)`).exec(text)?.[1] ?? Number.NaN);

/** Masks, megaflows and decisions of the attack's first frames, on an empty cache. */
async function count(at: Switch, sender: PacedSender, outer: string) {
  await at.appctl('revalidator/purge');
  await at.appctl('dpif-netdev/pmd-stats-clear');
  await sender.sendOnce(file.counted);
  const dump = await at.appctl('dpctl/dump-flows', '-m', '--names');
  const stats = await at.appctl('dpif-netdev/pmd-stats-show');
  const { megaflows, masks, masksOfPort } = readMegaflowMasks(dump);
  return {
    masks_port: masksOfPort.get(outer) ?? 0,
    masks_datapath: masks,
    megaflows,
    decisions_per_frame: round(figureOf(stats, 'miss with success upcall') / countedFrames),
    tables_per_packet: round(figureOf(stats, 'avg. subtable lookups per megaflow hit')),
  };
}

interface Part {
  readonly scene: Scene;
  readonly floor: Floor | null;
  readonly directory: string;
  readonly rounds: number;
}

const sides = ['quiet', 'dropped', 'repeated', 'new', 'floor'] as const;
type Side = (typeof sides)[number];

async function measure(
  { scene, floor, directory, rounds }: Part,
  name: Groups,
  attack: Attack,
): Promise<void> {
  const { at, peer, guests } = scene;
  const { attacker, victim, server, client } = guests;
  const vswitchd = at.pidOf('ovs-vswitchd');
  if (vswitchd === null) throw new Error('ovs-vswitchd does not run');
  const frames = attackFrames(countedFrames + newFrames, attack, {
    mac: attacker.mac,
    to: victim.mac,
    sources: name === 'nasty' ? [net(widePair), attacker.ip] : [attacker.ip],
    destinations: [victim.ip],
  });
  const plain = udpFrame({ from: attacker.mac, to: victim.mac, src: attacker.ip, dst: victim.ip }, 1, 2);
  const contents = {
    counted: frames.slice(0, countedFrames),
    dropped: [tagged(plain)],
    repeated: frames.slice(0, repeatedFrames),
    new: frames.slice(countedFrames),
  };
  const names = ['counted', 'dropped', 'repeated', 'new'] as const;
  const files = names.map((each) => join(directory, each));
  for (const [at, each] of names.entries()) await writeFrames(files[at] ?? '', contents[each]);

  await using sender = await PacedSender.start(attacker.guest, rate, files);
  const which = { peer, groups: name, attack, frames_per_s: rate };
  const counted = await count(at, sender, attacker.guest.outer);
  const limited = peer === 'portcullis';
  emit(
    'masks.megaflows',
    countedFrames,
    { ...which, ...counted },
    limited ? [{ figure: 'masks_port', atMost: 32 }] : [],
  );
  await using floorSender = floor && (await PacedSender.start(floor.attacker, rate, files));
  await using stream = await NeighbourStream.start(
    client.guest,
    server.guest,
    formatCidr(server.ip),
    vswitchd,
  );
  const present = floorSender === null ? sides.filter((side) => side !== 'floor') : sides;
  const taken = await alternate<Side>(stream, present, rounds, (side) => {
    if (side === 'quiet' || side === 'floor') sender.rest();
    else sender.send(file[side]);
    if (side === 'floor') floorSender?.send(file.new);
    else floorSender?.rest();
  });
  emit(
    'masks.stream',
    rounds,
    {
      ...which,
      stream_mbit_per_s: round((median(taken.quiet.map((one) => one.bytesPerSecond)) * 8) / 1e6),
      ...kept(taken, 'kept', 'repeated', 'dropped'),
      ...kept(taken, 'kept_new', 'new', 'dropped'),
      ...(floorSender === null
        ? {}
        : {
            ...kept(taken, 'kept_new_on_floor', 'floor', 'dropped'),
            ...kept(taken, 'kept_new_of_floor', 'new', 'floor'),
          }),
      ...kept(taken, 'kept_of_quiet', 'repeated', 'quiet'),
    },
    limited
      ? ['throughput_kept', 'per_cpu_kept', 'throughput_kept_new', 'per_cpu_kept_new'].map((figure) => ({
          figure,
          atLeast: 0.95,
        }))
      : [],
  );
}

/** An attack may end ovs-vswitchd: 3.1.0 has assertions that OVN's flows break. That is a finding too. */
async function measureOrRestart(part: Part, name: Groups, attack: Attack): Promise<void> {
  const { at, peer } = part.scene;
  const flows = await flowCount(at);
  try {
    await measure(part, name, attack);
  } catch (error) {
    if (at.pidOf('ovs-vswitchd') !== null) throw error;
    const log = await readFile(join(at.dir, 'ovs-vswitchd.log'), 'utf8');
    const [assertion = 'unknown'] = /(?<=\|EMER\|).*/.exec(log) ?? [];
    emit('masks.switch_ended', null, { peer, groups: name, attack, assertion });
    await at.restartVswitchd();
    const restored = async () => (await flowCount(at)) >= flows;
    await until(restored, { timeout: 60_000, what: 'the controller fills the switch' });
  }
}

async function attackScene(scene: Scene, floor: Floor | null, quick: boolean): Promise<void> {
  await using data = await makeDataDirectory();
  const part: Part = { scene, floor, directory: data.path, rounds: quick ? 3 : 10 };
  for (const name of groups) {
    if (name === 'nasty') {
      await scene.makeNasty();
      await floor?.makeNasty(scene.guests.attacker);
    }
    for (const attack of attacks) {
      progress(`masks: ${scene.peer}, ${name} groups, attack ${attack}`);
      await measureOrRestart(part, name, attack);
    }
  }
}

export async function benchMasks({ quick }: SectionOptions): Promise<void> {
  if (!isRoot) {
    progress('masks: skipped, network namespaces need root');
    return;
  }
  const version = await ovnVersion();
  emit('masks.peer', null, { ovn: version ?? 'not installed' });
  await inPortcullis(async (scene) => {
    await using floor = await Floor.start(scene.at, scene.guests);
    await attackScene(scene, floor, quick);
  });
  if (version !== null) await inOvn((scene) => attackScene(scene, null, quick));
}
