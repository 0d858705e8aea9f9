/**
 * The events that a compute service needs about a port. Pure: two states of a port in, events out.
 */
import { holderOf, isComputePort, statusOf } from '../../model/port-binding.ts';
import type { BindingRecord, PortRecord, ToldRecord } from '../../model/records.ts';

/** As `POST /os-server-external-events` takes it. */
export interface NovaEvent {
  readonly name: 'network-vif-plugged' | 'network-vif-unplugged' | 'network-vif-deleted' | 'network-changed';
  readonly server_uuid: string;
  /** The port's id. */
  readonly tag: string;
  readonly status?: 'completed';
}

/** The state of a server's port, as far as events depend on it. */
export type PortState = ToldRecord;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The attributes of a record that states follow from. */
export type PortFacts = Pick<
  PortRecord,
  'device_id' | 'device_owner' | 'revision_number' | 'binding:host_id'
>;

/** Null for a port that belongs to no server: nobody waits for its events. */
export function stateOf(port: PortFacts, held: BindingRecord | undefined): PortState | null {
  const { device_id: server, revision_number: revision } = port;
  if (!isComputePort(port) || !uuid.test(server)) return null;
  const status = statusOf(port, held);
  return { server, status, host: status === 'ACTIVE' ? holderOf(port, held) : '', revision };
}

/** Whether it is the state of a port without any event so far. */
const untold = { status: 'DOWN', host: '', revision: 1 } as const;

export const isUntold = ({ status, revision }: PortState): boolean =>
  status === untold.status && revision === untold.revision;

/** The events of a port's change from one state to another. `gone`: the port itself has been deleted. */
export function eventsBetween(
  port: string,
  before: PortState | null,
  after: PortState | null,
  gone: boolean,
): readonly NovaEvent[] {
  if (after === null) {
    return gone && before !== null
      ? [{ name: 'network-vif-deleted', server_uuid: before.server, tag: port }]
      : [];
  }
  const known = before?.server === after.server ? before : untold;
  const about = { server_uuid: after.server, tag: port };
  const events: NovaEvent[] = [];
  if (after.status === 'ACTIVE' && (known.status !== 'ACTIVE' || known.host !== after.host))
    events.push({ name: 'network-vif-plugged', status: 'completed', ...about });
  if (after.status === 'DOWN' && known.status === 'ACTIVE')
    events.push({ name: 'network-vif-unplugged', status: 'completed', ...about });
  if (known.revision !== after.revision) events.push({ name: 'network-changed', ...about });
  return events;
}
