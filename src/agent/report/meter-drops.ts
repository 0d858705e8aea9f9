/** What the limits of a port's QoS policy stopped, read from the meters that measure them. */
import { Fault } from '../../base/errors.ts';
import type { DropCounter } from '../../model/records.ts';
import type { MeterStats, Session } from '../../openflow/index.ts';
import type { Pipeline } from '../../pipeline/pipeline.ts';
import type { PortId } from '../../policy/world.ts';

/** One a limit that is enforced, zero included. Counts begin anew when a limit changes. */
export async function meterDrops(
  session: Session,
  { relations }: Pipeline,
  port: PortId,
): Promise<DropCounter[]> {
  const budgets = relations.qos.granted.get(port)?.budgets ?? [];
  return Promise.all(
    budgets.map(async ({ meter, direction, kind }) => {
      const band = (await statsOf(session, meter))?.bands[0];
      return {
        reason: `qos-${kind}`,
        direction,
        packets: Number(band?.packets ?? 0),
        bytes: Number(band?.bytes ?? 0),
      };
    }),
  );
}

/** Undefined for a meter that is not there yet. */
async function statsOf(session: Session, meter: number): Promise<MeterStats | undefined> {
  try {
    return (await session.multipart({ kind: 'meter', meter }, 'meter'))[0];
  } catch (error) {
    if (error instanceof Fault && error.name === 'Refused') return undefined;
    throw error;
  }
}
