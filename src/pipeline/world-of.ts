/** A copy of the facts as a world that policy judges by. Policy keeps indexes by world, so a world must not change. */
import type { World } from '../policy/world.ts';
import type { Facts } from './facts.ts';

/** `host` is this host, the only one whose physical networks it knows; judging connections needs no host. */
export const worldOf = (facts: Facts, host = ''): World => ({
  networks: new Map(facts.networks.entries()),
  subnets: new Map(facts.subnets.entries()),
  ports: new Map(facts.ports.entries()),
  groups: new Map(facts.groups.entries()),
  rules: new Map(facts.rules.entries()),
  addressGroups: new Map(facts.addressGroups.entries()),
  linkLocals: [...facts.linkLocals.entries()].map(([, linkLocal]) => linkLocal),
  owners: [...facts.owners.entries()].map(([, owner]) => owner),
  routers: new Map(facts.routers.entries()),
  vteps: new Map(facts.vteps.entries()),
  bridged: new Map([[host, new Set([...facts.patches.entries()].map(([name]) => name))]]),
});
