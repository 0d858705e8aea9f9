/**
 * Security groups at scale: members of a large remote group, dense members, thousands of rules on an empty
 * switch, the removal of a group, and connections that become forbidden. The same run measures the same
 * worlds on OVN, where it is installed.
 */
import { reasonOf } from '../src/base/errors.ts';
import { tellCold, tellOvnCold } from './groups/cold.ts';
import { tellCutting } from './groups/cutting.ts';
import { tellDense } from './groups/dense.ts';
import { tellMemberCompile, tellMembers } from './groups/members.ts';
import { startOvn } from './groups/ovn-side.ts';
import { ovnVersion } from './groups/ovn-stack.ts';
import { startPortcullis } from './groups/portcullis-side.ts';
import { tellApiRemoval, tellRemoval } from './groups/removal.ts';
import { type GroupWorld, groupWorld, type Layout } from './groups/world.ts';
import type { SectionOptions } from './machine.ts';
import { emit, progress, round } from './report.ts';

const locals = 20;

interface Part {
  readonly quick: boolean;
  readonly ovn: boolean;
}

async function members({ quick, ovn }: Part): Promise<void> {
  const count = quick ? 1000 : 10_000;
  const turns = quick ? 5 : 50;
  const ours = new Map<string, number>();
  const worldOf = (layout: Layout, rules: number): GroupWorld =>
    groupWorld({ layout, locals, members: count, rules });
  for (const layout of ['sparse', 'dense'] satisfies Layout[]) {
    for (const rules of [5, 50]) {
      progress(`groups: ${count} ${layout} members, ${rules} rules`);
      const world = worldOf(layout, rules);
      tellMemberCompile(world, layout, quick ? 50 : 300);
      await using side = await startPortcullis(world);
      ours.set(`${layout}/${rules}`, await tellMembers(side, world, layout, turns));
    }
    const ratio = (ours.get(`${layout}/50`) ?? Number.NaN) / (ours.get(`${layout}/5`) ?? Number.NaN);
    emit('groups.members_50_rules_to_5', count, { layout, store_to_switch_p50_ratio: round(ratio) }, [
      { figure: 'store_to_switch_p50_ratio', atMost: 1.5 },
    ]);
  }
  if (!ovn) return;
  progress(`groups: ${count} members in OVN`);
  const world = worldOf('sparse', 5);
  await using side = await startOvn(world);
  const theirs = await tellMembers(side, world, 'sparse', quick ? 3 : 10);
  emit('groups.members_ovn_to_portcullis', count, {
    store_to_switch_p50_ratio: round(theirs / (ours.get('sparse/5') ?? Number.NaN)),
  });
}

async function dense({ quick }: Part): Promise<void> {
  const count = quick ? 512 : 4096;
  progress(`groups: ${count} dense members`);
  for (const remote of ['group', 'addresses'] as const) {
    const world = groupWorld({ layout: 'dense', locals, members: count, rules: 5, remote });
    await using side = await startPortcullis(world);
    await tellDense(side, world);
  }
}

async function compile({ quick, ovn }: Part): Promise<void> {
  const world = (rules: number, remote: GroupWorld['remote']): GroupWorld =>
    groupWorld({ layout: 'sparse', locals, members: 450, rules, remote, families: 'ipv4' });
  const turns = quick ? 1 : 3;
  for (const remote of ['group', 'addresses'] as const) {
    progress(`groups: 3500 rules, ${remote}`);
    await tellCold(world(3500, remote), turns);
  }
  if (!ovn) return;
  // OVN has rules times addresses as flows: all the rules would take minutes, and gigabytes.
  const fewer = quick ? 50 : 350;
  progress(`groups: ${fewer} rules, also in OVN`);
  const ours = await tellCold(world(fewer, 'group'), turns);
  const theirs = await tellOvnCold(world(fewer, 'group'), turns);
  emit('groups.compile_ovn_to_portcullis', fewer, { agent_to_switch_ratio: round(theirs / ours) });
}

async function removal({ quick, ovn }: Part): Promise<void> {
  const count = quick ? 200 : 2000;
  const world = groupWorld({ layout: 'sparse', locals, members: count, rules: 5 });
  progress(`groups: ${count} members leave`);
  const ours = await (async () => {
    await using side = await startPortcullis(world);
    return await tellRemoval(side, world, quick ? 1 : 3);
  })();
  await tellApiRemoval(count, locals, 32);
  if (!ovn) return;
  progress(`groups: ${count} members leave in OVN`);
  await using side = await startOvn(world);
  for (const [how, total] of await tellRemoval(side, world, quick ? 1 : 3))
    emit('groups.removal_ovn_to_portcullis', count, {
      how,
      first_request_to_switch_ratio: round(total / (ours.get(how) ?? Number.NaN)),
    });
}

const cutting = ({ quick }: Part): Promise<void> => tellCutting(quick ? 500 : 5000, quick ? 1 : 3);

export async function benchGroups({ quick }: SectionOptions): Promise<void> {
  const version = await ovnVersion();
  emit('groups.peer', null, { ovn: version ?? 'not installed' });
  for (const part of [members, dense, compile, removal, cutting]) {
    const begin = performance.now();
    try {
      await part({ quick, ovn: version !== null });
    } catch (error) {
      // A part that fails does not stop the others.
      progress(`groups: ${part.name}: ${error instanceof Error ? error.stack : reasonOf(error)}`);
      process.exitCode = 1;
    }
    progress(`groups: ${part.name} took ${round((performance.now() - begin) / 1000)} s`);
  }
}
