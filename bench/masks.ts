/**
 * The effect of one guest's packets on the switch's megaflows and on its neighbours. It runs with usual groups and with
 * the worst that a tenant may write, on Portcullis and, where it is installed, on OVN.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attacks } from '../test/lib/attack.ts';
import { isRoot } from '../test/lib/netns.ts';
import type { Switch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { makeDataDirectory } from './controller.ts';
import { ovnVersion } from './groups/ovn-stack.ts';
import { flowCount } from './groups/portcullis-side.ts';
import type { SectionOptions } from './machine.ts';
import { measureAttack } from './masks/attack.ts';
import { Floor } from './masks/floor.ts';
import { withOvn } from './masks/ovn-side.ts';
import { withPortcullis } from './masks/portcullis-side.ts';
import type { Side } from './masks/side.ts';
import { emit, progress } from './report.ts';

/** A crashed process may still write its core. */
const crashTimeout = 5000;
const refillTimeout = 60_000;

async function hasCrashed(at: Switch): Promise<boolean> {
  const what = 'ovs-vswitchd ends';
  return until(() => at.pidOf('ovs-vswitchd') === null, { timeout: crashTimeout, what }).then(
    () => true,
    () => false,
  );
}

/** The assertion that ended ovs-vswitchd. */
async function lastAssertion(at: Switch): Promise<string> {
  const log = await readFile(join(at.dir, 'ovs-vswitchd.log'), 'utf8');
  return log.match(/(?<=\|EMER\|).*/g)?.at(-1) ?? 'unknown';
}

/** Measures all attacks. OVN's flows crash Open vSwitch 3.1.0 in some: then the switch is restarted for the next one. */
async function measureSide(side: Side, floor: Floor | null, quick: boolean): Promise<void> {
  const { at, peer, guests } = side;
  await using data = await makeDataDirectory();
  for (const groups of ['usual', 'nasty'] as const) {
    if (groups === 'nasty') {
      await side.makeNasty();
      await floor?.makeNasty(guests.attacker);
    }
    const flows = await flowCount(at);
    const setup = { side, floor, groups, directory: data.path, rounds: quick ? 3 : 10 };
    for (const attack of attacks) {
      progress(`masks: ${peer}, ${groups} groups, attack ${attack}`);
      try {
        await measureAttack(setup, attack);
      } catch (error) {
        if (!(await hasCrashed(at))) throw error;
        emit('masks.switch_crashed', null, { peer, groups, attack, assertion: await lastAssertion(at) });
        await at.restartVswitchd();
        await until(async () => (await flowCount(at)) >= flows, {
          timeout: refillTimeout,
          what: `${peer} fills the switch again`,
        });
      }
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
  await withPortcullis(async (side) => {
    await using floor = await Floor.start(side.at, side.guests);
    await measureSide(side, floor, quick);
  });
  if (version !== null) await withOvn((side) => measureSide(side, null, quick));
}
