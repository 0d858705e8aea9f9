/**
 * What was dropped and why, read from the switch's own counters: every drop is a flow whose cookie names its reason, or
 * at a meter. Only what the agent itself refused is counted by the agent. A drop is counted at its port; one that
 * belongs to no port is counted for the host.
 */
import type { DropCounter } from '../../model/records.ts';
import { macToBits } from '../../net/mac.ts';
import type { FlowStats, Session } from '../../openflow/index.ts';
import { hostDropCookies } from '../../pipeline/desired.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { sentBy, sentTo } from '../../pipeline/local-port.ts';
import { register } from '../../pipeline/registers.ts';
import type { PortId } from '../../policy/world.ts';
import type { Refusals } from '../punts/punts.ts';
import { portMeterDrops, sharedMeterDrops } from './meter-drops.ts';

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
  return summed([
    ...flowDrops(flows, pipeline, port),
    ...(await portMeterDrops(session, pipeline, port)),
    { reason: 'link-local-taken', direction: 'egress', ...refused },
  ]);
}

/** Drops on this host that belong to no port, every reason that can occur, zero included. */
export async function hostDrops(session: Session, pipeline: Pipeline): Promise<DropCounter[]> {
  const flows = await session.dumpFlows(hostDropCookies);
  return summed([...flowDrops(flows, pipeline, undefined), ...(await sharedMeterDrops(session, pipeline))]);
}

function flowDrops(flows: readonly FlowStats[], pipeline: Pipeline, port: PortId | undefined): DropCounter[] {
  return flows.flatMap(({ cookie, packets, bytes }): DropCounter[] => {
    const why = pipeline.desired.provenanceOf(cookie);
    if (why?.drop === undefined || why.port !== port) return [];
    const { reason, drop: direction, protocol } = why;
    const counts = { packets: Number(packets), bytes: Number(bytes) };
    return [{ reason, direction, ...(protocol === undefined ? {} : { protocol }), ...counts }];
  });
}

const placeOf = ({ direction, reason, protocol = '' }: DropCounter): string =>
  `${direction}|${reason}|${protocol}`;

/** One counter for each direction, reason and protocol, in a fixed order. */
function summed(counters: readonly DropCounter[]): DropCounter[] {
  const sums = new Map<string, DropCounter>();
  for (const counter of counters) {
    const sum = sums.get(placeOf(counter));
    const packets = counter.packets + (sum?.packets ?? 0);
    sums.set(placeOf(counter), { ...counter, packets, bytes: counter.bytes + (sum?.bytes ?? 0) });
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, counter]) => counter);
}
