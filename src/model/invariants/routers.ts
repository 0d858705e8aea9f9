/** What holds of routers and of the ports that they hold. */

import { overlaps, parseCidr, parseIp } from '../../net/cidr.ts';
import { keys } from '../keys.ts';
import type { PortRecord, SubnetRecord } from '../records.ts';
import type { RouterRecord } from '../router.ts';
import { type Invariant, invariantOf, twins } from './invariant.ts';
import type { SortedSnapshot } from './snapshot.ts';

const heldBy = ({ gateway, interfaces }: RouterRecord): readonly string[] =>
  gateway === null ? interfaces : [...interfaces, gateway];

function* holdProblems(router: RouterRecord, id: string, snapshot: SortedSnapshot): Iterable<string> {
  const port = snapshot.byId(keys.port, id);
  if (port === undefined) {
    yield `its port ${id} does not exist`;
    return;
  }
  const leadsOut = id === router.gateway;
  const owner = leadsOut ? 'network:router_gateway' : 'network:router_interface';
  if (port.device_id !== router.id || port.device_owner !== owner) yield `its port ${id} is another device's`;
  if (leadsOut && snapshot.byId(keys.network, port.network_id)?.['router:external'] !== true)
    yield `its gateway is on network ${port.network_id}, which is not external`;
}

const subnetsOf = (port: PortRecord | undefined, snapshot: SortedSnapshot): readonly SubnetRecord[] =>
  (port?.fixed_ips ?? []).flatMap((ip) => snapshot.byId(keys.subnet, ip.subnet_id) ?? []);

/** Of its interfaces alone: what an external network gets later is the operator's to know. */
function* overlapProblems(router: RouterRecord, snapshot: SortedSnapshot): Iterable<string> {
  const near = router.interfaces.flatMap((id) => {
    const own = new Set(subnetsOf(snapshot.byId(keys.port, id), snapshot));
    return [...own].map((subnet) => ({ id, prefix: parseCidr(subnet.cidr) }));
  });
  for (const [at, one] of near.entries()) {
    for (const other of near.slice(0, at)) {
      if (one.id === other.id || one.prefix === null || other.prefix === null) continue;
      if (overlaps(one.prefix, other.prefix)) yield `its ports ${other.id} and ${one.id} overlap`;
    }
  }
}

const routerInvariant = invariantOf(keys.router, {
  *problems({ record }, snapshot) {
    for (const id of heldBy(record)) yield* holdProblems(record, id, snapshot);
    yield* overlapProblems(record, snapshot);
    const texts = record.routes.map(({ destination, nexthop }) => `${destination} ${nexthop}`);
    if (texts.toSorted().join('\n') !== texts.join('\n') || new Set(texts).size !== texts.length)
      yield 'its routes are not in order';
    for (const { destination, nexthop } of record.routes)
      if (parseCidr(destination) === null || parseIp(nexthop) === null)
        yield `${destination} by ${nexthop} is no route`;
  },
  *together(all) {
    yield* twins(all, heldBy, (port, other) => `${other} has port ${port} too`);
  },
});

export const routerInvariants: readonly Invariant[] = [routerInvariant];
