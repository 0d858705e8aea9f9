/**
 * What was dropped at a port and why, read from the switch's own flow counters: every drop is a flow whose
 * cookie names its reason, or at a meter. Only what the agent itself refused is counted by the agent.
 */
import type { DropCounter } from '../../model/records.ts';
import { macToBits } from '../../net/mac.ts';
import type { Session } from '../../openflow/index.ts';
import { sentBy, sentTo } from '../../pipeline/local-port.ts';
import type { Pipeline } from '../../pipeline/pipeline.ts';
import { register } from '../../pipeline/registers.ts';
import type { PortId } from '../../policy/world.ts';
import type { Refusals } from '../punts/punts.ts';
import { meterDrops } from './meter-drops.ts';

/** Drops of a port on this host, every reason that can occur there, zero included; null when it is not here. */
export async function portDrops(
  session: Session,
  pipeline: Pipeline,
  port: PortId,
  refused: Refusals,
): Promise<DropCounter[] | null> {
  const local = pipeline.relations.locals.get(port);
  if (local === undefined) return null;
  const flows = [
    ...(await session.dumpFlows({ match: sentBy(local) })),
    ...(await session.dumpFlows({ match: sentTo(local) })),
    ...(await session.dumpFlows({ match: { in_port: local.ofport } })),
  ];
  const network = { [register.network]: local.networkKey };
  for (const mac of local.macs)
    flows.push(...(await session.dumpFlows({ match: { ...network, eth_dst: macToBits(mac) } })));
  const sums = new Map<string, DropCounter>();
  for (const { cookie, packets, bytes } of flows) {
    const why = pipeline.desired.provenanceOf(cookie);
    if (why?.drop === undefined || why.port !== port) continue;
    const key = `${why.drop}|${why.reason}|${why.protocol ?? ''}`;
    const sum = sums.get(key);
    sums.set(key, {
      reason: why.reason,
      direction: why.drop,
      ...(why.protocol === undefined ? {} : { protocol: why.protocol }),
      packets: (sum?.packets ?? 0) + Number(packets),
      bytes: (sum?.bytes ?? 0) + Number(bytes),
    });
  }
  for (const drop of await meterDrops(session, pipeline, port))
    sums.set(`${drop.direction}|${drop.reason}`, drop);
  sums.set('agent', { reason: 'link-local-taken', direction: 'egress', ...refused });
  return [...sums.values()].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

const placeOf = ({ direction, reason, protocol = '' }: DropCounter): string =>
  `${direction}|${reason}|${protocol}`;
