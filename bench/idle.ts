/**
 * The cost of idling: CPU milliseconds a second of the controller and of the switch's two processes, with 20
 * ports, no request and no change. The same of OVN, where it is installed. Two windows: soon after a start, while
 * V8 still gives back the start's memory, and after that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedStore } from '../src/store/embedded.ts';
import type { Switch } from '../test/lib/switch.ts';
import { makeDataDirectory, startController } from './controller.ts';
import { startOvn } from './groups/ovn-side.ts';
import { ovnVersion } from './groups/ovn-stack.ts';
import { plugged } from './groups/portcullis-side.ts';
import { worldWrites, writeAll } from './groups/records.ts';
import { type GroupWorld, groupWorld } from './groups/world.ts';
import type { SectionOptions } from './machine.ts';
import { threadNanoseconds } from './process-usage.ts';
import { emit, type Limit, round } from './report.ts';

const locals = 20;
/** Seconds until the first window: the work of the start is done by then. */
const settling = 8;
/** Seconds between both windows: V8 gives back the start's memory once, 20 to 80 s after it. */
const between = 60;

const switchCpu = (at: Switch): number =>
  (['ovs-vswitchd', 'ovsdb-server'] as const).reduce((sum, daemon) => {
    const pid = at.pidOf(daemon);
    return sum + (pid === null ? 0 : threadNanoseconds(pid));
  }, 0);

async function tell(
  peer: 'portcullis' | 'ovn',
  seconds: number,
  at: Switch,
  own: () => number,
  limits: readonly Limit[],
): Promise<void> {
  await delay(settling * 1000);
  await measure({ peer, phase: 'after the start' }, seconds, at, own, []);
  await delay(between * 1000);
  await measure({ peer, phase: 'steady' }, seconds, at, own, limits);
}

async function measure(
  what: { readonly peer: string; readonly phase: string },
  seconds: number,
  at: Switch,
  own: () => number,
  limits: readonly Limit[],
): Promise<void> {
  const [ownBefore, switchBefore, began] = [own(), switchCpu(at), performance.now()];
  await delay(seconds * 1000);
  const elapsed = (performance.now() - began) / 1000;
  const perSecond = (nanoseconds: number) => round(nanoseconds / 1e6 / elapsed);
  const figures = {
    ...what,
    seconds,
    controller_ms_per_s: perSecond(own() - ownBefore),
    switch_ms_per_s: perSecond(switchCpu(at) - switchBefore),
  };
  emit('idle', locals, figures, limits);
}

async function ours(world: GroupWorld, seconds: number): Promise<void> {
  await using data = await makeDataDirectory();
  const store = await EmbeddedStore.open(data.path);
  await writeAll(store, worldWrites(world));
  await store.close();
  await using at = await plugged(world);
  await using controller = startController(at, data);
  await controller.ready();
  const limits = [{ figure: 'controller_ms_per_s', atMost: 2 }];
  await tell('portcullis', seconds, at, () => threadNanoseconds(controller.pid), limits);
}

export async function benchIdle({ quick }: SectionOptions): Promise<void> {
  const world = groupWorld({ layout: 'sparse', locals, members: 20, rules: 5 });
  const seconds = quick ? 20 : 60;
  await ours(world, seconds);
  if ((await ovnVersion()) === null) return;
  await using side = await startOvn(world);
  await tell('ovn', seconds, side.at, () => side.cpuNanoseconds(), []);
}
