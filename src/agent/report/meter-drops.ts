/** What meters dropped: the limits of QoS policies, and those of what a port may make the agent or the switch do. */
import { Fault } from '../../base/errors.ts';
import type { DropCounter } from '../../model/records.ts';
import type { MeterStats, Session } from '../../openflow/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { type SharedMeterKind, sharedMeterOf } from '../../pipeline/shared-meters.ts';
import type { DropReason } from '../../policy/drop-reasons.ts';
import type { Direction, PortId } from '../../policy/world.ts';

const shared = [
  { reason: 'punt-limit', kind: 'probe' },
  { reason: 'answer-limit', kind: 'answer' },
  { reason: 'punt-limit', kind: 'dhcp' },
  { reason: 'punt-limit', kind: 'solicitation' },
  { reason: 'punt-limit', kind: 'router-error' },
] as const satisfies readonly { readonly reason: DropReason; readonly kind: SharedMeterKind }[];

/** Kinds of which ports without port security send none, but in isolated networks, where the switch answers all. */
const guardedOnly: ReadonlySet<SharedMeterKind> = new Set(['probe', 'answer']);

/** The ports here by meter, for each kind of meter that ports may share. */
function usersOf({ relations, facts }: Pipeline, kind: SharedMeterKind) {
  const spread = facts.abilities.get('switch')?.meterSpread ?? 0;
  const users = new Map<number, PortId[]>();
  for (const [id, { key, port, role }] of relations.locals.entries()) {
    const asksNothing = port.mode === 'off' && role === 0 && guardedOnly.has(kind);
    const meter = asksNothing ? null : sharedMeterOf(kind, key, spread);
    if (meter !== null) users.set(meter, [...(users.get(meter) ?? []), id]);
  }
  return users;
}

/** One a meter that the port has alone, zero included. Counts of a QoS limit begin anew when the limit changes. */
export async function portMeterDrops(
  session: Session,
  pipeline: Pipeline,
  port: PortId,
): Promise<DropCounter[]> {
  const budgets = pipeline.relations.qos.granted.get(port)?.budgets ?? [];
  const limits = budgets.map(({ meter, direction, kind }) =>
    counterOf(session, meter, `qos-${kind}`, direction),
  );
  const alone = shared.flatMap(({ reason, kind }) =>
    [...usersOf(pipeline, kind)]
      .filter(([, users]) => users.length === 1 && users[0] === port)
      .map(([meter]) => counterOf(session, meter, reason, 'egress')),
  );
  return (await Promise.all([...limits, ...alone])).filter((counter) => counter !== null);
}

/** What meters dropped that several ports share. */
export async function sharedMeterDrops(session: Session, pipeline: Pipeline): Promise<DropCounter[]> {
  const counters = shared.flatMap(({ reason, kind }) =>
    [...usersOf(pipeline, kind)]
      .filter(([, users]) => users.length > 1)
      .map(([meter]) => counterOf(session, meter, reason, 'egress')),
  );
  return (await Promise.all(counters)).filter((counter) => counter !== null);
}

/** Null for a meter that is not there yet. */
async function counterOf(
  session: Session,
  meter: number,
  reason: DropReason,
  direction: Direction,
): Promise<DropCounter | null> {
  const stats = await statsOf(session, meter);
  if (stats === undefined) return null;
  const [band] = stats.bands;
  return { reason, direction, packets: Number(band?.packets ?? 0), bytes: Number(band?.bytes ?? 0) };
}

async function statsOf(session: Session, meter: number): Promise<MeterStats | undefined> {
  try {
    return (await session.multipart({ kind: 'meter', meter }, 'meter'))[0];
  } catch (error) {
    if (error instanceof Fault && error.name === 'Refused') return undefined;
    throw error;
  }
}
