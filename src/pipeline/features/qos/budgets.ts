/**
 * Which limits and marks hold for each port of this host, as relations: its own policy's, else its network's.
 * Every limit has a meter of its own, numbered by a hash of whose it is, so that it is the same after a restart.
 * What the switch cannot measure is left out of `granted`, which the flows are made of.
 */
import type { Dataflow, Relation } from '../../../base/dataflow.ts';
import type { Direction, Limit, PortId } from '../../../policy/world.ts';
import { IdSpace } from '../../ids.ts';
import type { KeyedPort, LocalPort } from '../../local-port.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { QosFacts } from './facts.ts';

/** Meters below are for other uses; those above cannot be (OpenFlow 1.5.1 §7.3.4.1, OFPM_MAX). */
const qosMeters = { lowest: 0x1_0000, highest: 0xffff_0000 } as const;

export type BudgetKind = 'bandwidth' | 'packets';

/** A limit that a port's packets in one direction share. */
export interface Budget {
  readonly meter: number;
  readonly direction: Direction;
  readonly kind: BudgetKind;
  /** Kilobits or packets, a second and at once. */
  readonly limit: Limit;
}

export interface PortQos extends KeyedPort {
  readonly budgets: readonly Budget[];
  readonly dscp: number | null;
}

export interface QosRelations {
  readonly qos: {
    /** What policies ask for. */
    readonly asked: Relation<PortId, PortQos>;
    /** The same without what the switch has no meter for. */
    readonly granted: Relation<PortId, PortQos>;
  };
}

export interface QosIds {
  readonly meters: IdSpace;
}

export const newQosIds = (): QosIds => ({ meters: new IdSpace(qosMeters) });

const directions: readonly Direction[] = ['egress', 'ingress'];
const kinds: readonly BudgetKind[] = ['bandwidth', 'packets'];
const places = directions.flatMap((direction) => kinds.map((kind) => ({ direction, kind })));

const meterName = (port: PortId, { direction, kind }: (typeof places)[number]): string =>
  `${port}|${direction}|${kind}`;

/**
 * What no bucket may be smaller than: a packet that does not fit into a full bucket never passes. In kilobits, a
 * frame of 9000 bytes with its header.
 */
const leastBurst = { bandwidth: 73, packets: 1 } as const;
const most = 0xffff_ffff;

function bucketOf(kind: BudgetKind, { rate, burst }: Limit): Limit {
  return { rate: Math.min(rate, most), burst: Math.min(Math.max(burst, leastBurst[kind]), most) };
}

const sameBudgets = (a: readonly Budget[], b: readonly Budget[]): boolean =>
  a.length === b.length &&
  a.every(({ meter, limit }, i) => {
    const other = b[i];
    return (
      other !== undefined &&
      meter === other.meter &&
      limit.rate === other.limit.rate &&
      limit.burst === other.limit.burst
    );
  });

/** A meter's number says port, direction and kind. */
const equal = (a: PortQos, b: PortQos): boolean =>
  a.key === b.key && a.networkKey === b.networkKey && a.dscp === b.dscp && sameBudgets(a.budgets, b.budgets);

export function declareQos(
  graph: Dataflow,
  facts: ClassifyFacts & QosFacts,
  locals: Relation<PortId, LocalPort>,
  meters: IdSpace,
): QosRelations {
  const asked = graph.map<PortId, LocalPort, PortQos>(
    'qos-asked',
    locals,
    (id, { port, up, key, networkKey }, read) => {
      // The cloud's own ports (routers, DHCP) serve the whole network: only a policy of their own binds them.
      const inherited = port.cloudOwned ? null : (read(facts.networks, port.network)?.qosPolicy ?? null);
      const named = port.qosPolicy ?? inherited;
      const policy = named === null ? undefined : read(facts.qosPolicies, named);
      if (policy === undefined || !up) return undefined;
      const budgets = places.flatMap((place): Budget[] => {
        const limit = policy[place.direction][place.kind];
        if (limit === null) return [];
        return [{ meter: meters.of(meterName(id, place)), ...place, limit: bucketOf(place.kind, limit) }];
      });
      return { key, networkKey, budgets, dscp: policy.dscp };
    },
    { equal },
  );
  const granted = graph.map<PortId, PortQos, PortQos>(
    'qos-granted',
    asked,
    (_, qos, read) => ({
      ...qos,
      budgets: qos.budgets.filter(({ meter }) => read(facts.withheldMeters, meter) === undefined),
    }),
    { equal },
  );
  return { qos: { asked, granted } };
}

/** Gives the numbers of a port's meters back, once nothing asks for them. */
export function releaseMeters(port: PortId, meters: IdSpace): void {
  for (const place of places) meters.release(meterName(port, place));
}
