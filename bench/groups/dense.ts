/** Members with consecutive addresses: how many flows their addresses take on the switch. */
import { tables } from '../../src/pipeline/tables.ts';
import { bridge } from '../controller.ts';
import { emit } from '../report.ts';
import type { Side } from './side.ts';
import type { GroupWorld } from './world.ts';

/** Flows of the tables that match a peer's address. */
async function addressFlows(side: Side, field: 'nw_src' | 'ipv6_src'): Promise<number> {
  const known = [tables.ingress_peer, tables.ingress_addresses];
  const dumps = await Promise.all(
    known.map(({ id }) => side.at.ofctl('--no-names', 'dump-flows', bridge, `table=${id}`)),
  );
  return dumps.flatMap((dump) => dump.split('\n')).filter((line) => line.includes(`${field}=`)).length;
}

export async function tellDense(side: Side, world: GroupWorld): Promise<void> {
  emit(
    'groups.dense',
    world.members.length,
    {
      peer: side.peer,
      remote: world.remote,
      address_flows_ipv4: await addressFlows(side, 'nw_src'),
      address_flows_ipv6: await addressFlows(side, 'ipv6_src'),
    },
    [
      { figure: 'address_flows_ipv4', atMost: 64 },
      { figure: 'address_flows_ipv6', atMost: 64 },
    ],
  );
}
