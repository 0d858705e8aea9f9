/** What holds of routers and of the ports that they hold. */

import { overlaps, parseCidr, parseIp } from '../../net/cidr.ts';
import type { PortRecord, SubnetRecord } from '../records.ts';
import type { RouterRecord } from '../router.ts';
import { type Invariant, twins } from './invariant.ts';
import type { Image } from './kind.ts';
import { networks, ports, routers, subnets } from './kinds.ts';

const heldBy = ({ gateway, interfaces }: RouterRecord): readonly string[] =>
  gateway === null ? interfaces : [...interfaces, gateway];

function* holdProblems(router: RouterRecord, id: string, image: Image): Iterable<string> {
  const port = image.byId(ports, id);
  if (port === undefined) {
    yield `its port ${id} does not exist`;
    return;
  }
  const leadsOut = id === router.gateway;
  const owner = leadsOut ? 'network:router_gateway' : 'network:router_interface';
  if (port.device_id !== router.id || port.device_owner !== owner) yield `its port ${id} is another device's`;
  if (leadsOut && image.byId(networks, port.network_id)?.['router:external'] !== true)
    yield `its gateway is on network ${port.network_id}, which is not external`;
}

const subnetsOf = (port: PortRecord | undefined, image: Image): readonly SubnetRecord[] =>
  (port?.fixed_ips ?? []).flatMap((ip) => image.byId(subnets, ip.subnet_id) ?? []);

/** Of its interfaces alone: what an external network gets later is the operator's to know. */
function* overlapProblems(router: RouterRecord, image: Image): Iterable<string> {
  const near = router.interfaces.flatMap((id) => {
    const own = new Set(subnetsOf(image.byId(ports, id), image));
    return [...own].map((subnet) => ({ id, prefix: parseCidr(subnet.cidr) }));
  });
  for (const [at, one] of near.entries()) {
    for (const other of near.slice(0, at)) {
      if (one.id === other.id || one.prefix === null || other.prefix === null) continue;
      if (overlaps(one.prefix, other.prefix)) yield `its ports ${other.id} and ${one.id} overlap`;
    }
  }
}

export const routerInvariant: Invariant<RouterRecord> = {
  kind: routers,
  *problems({ record }, image) {
    for (const id of heldBy(record)) yield* holdProblems(record, id, image);
    yield* overlapProblems(record, image);
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
};
