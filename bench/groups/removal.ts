/**
 * A group is removed from thousands of members in three ways: in one transaction, in one transaction a member
 * as fast as the database takes them, and (Portcullis only) port by port over HTTP. The figure is the
 * switch's delay behind the last acknowledgement.
 */

import { startSwitch } from '../../test/lib/switch.ts';
import { bridge, makeDataDirectory, startController } from '../controller.ts';
import { type FlowWatch, watchFlows } from '../flow-watch.ts';
import { HttpConnection } from '../http-connection.ts';
import { cpuSeconds } from '../process-usage.ts';
import { emit, median, round } from '../report.ts';
import { createNetwork, createPorts } from '../world.ts';
import type { Side } from './side.ts';
import type { GroupPort, GroupWorld } from './world.ts';

/** Milliseconds without a change after which the last flow counts as the last. */
const quiet = { portcullis: 300, ovn: 1500 } as const;

interface Removal {
  /** Milliseconds from the first request to the last acknowledgement, from there to the last flow, and in total. */
  readonly asked: number;
  readonly lag: number;
  readonly total: number;
  readonly flows: number;
  readonly cpu: number;
}

async function timed(
  watch: FlowWatch,
  rest: number,
  cpu: () => number,
  ask: () => Promise<unknown>,
): Promise<Removal> {
  const before = watch.events;
  const cpuBefore = cpu();
  const begin = performance.now();
  await ask();
  const acknowledged = performance.now();
  await watch.settled(before, rest, 60_000);
  return {
    asked: acknowledged - begin,
    lag: Math.max(0, watch.lastAt - acknowledged),
    total: watch.lastAt - begin,
    flows: watch.events - before,
    cpu: cpu() - cpuBefore,
  };
}

const waysOf = (side: Side) => ({
  'one transaction': (members: readonly GroupPort[], belong: boolean) => side.setMembers(members, belong),
  'one by one': (members: readonly GroupPort[], belong: boolean) =>
    Promise.all(members.map((member) => side.setMembers([member], belong))),
});

function tell(peer: string, how: string, members: number, removals: readonly Removal[]): number {
  const of = (figure: (removal: Removal) => number) => median(removals.map(figure));
  const lag = of((removal) => removal.lag);
  emit(
    'groups.removal',
    members,
    {
      peer,
      how,
      repetitions: removals.length,
      acknowledged_to_switch_ms: round(lag),
      first_request_to_switch_ms: round(of(({ total }) => total)),
      requests_ms: round(of(({ asked }) => asked)),
      flows_changed: of(({ flows }) => flows),
      cpu_s: round(of(({ cpu }) => cpu)),
    },
    peer === 'portcullis' ? [{ figure: 'acknowledged_to_switch_ms', atMost: 1000 }] : [],
  );
  return of(({ total }) => total);
}

/** Milliseconds from the first request to the last flow, by the way of writing. */
export async function tellRemoval(
  side: Side,
  { members }: GroupWorld,
  turns: number,
): Promise<ReadonlyMap<string, number>> {
  const totals = new Map<string, number>();
  await using watch = await watchFlows(side.at);
  for (const [how, ask] of Object.entries(waysOf(side))) {
    const removals: Removal[] = [];
    for (let turn = 0; turn < turns; turn++) {
      removals.push(
        await timed(
          watch,
          quiet[side.peer],
          () => side.cpu(),
          () => ask(members, false),
        ),
      );
      await timed(
        watch,
        quiet[side.peer],
        () => side.cpu(),
        () => ask(members, true),
      );
    }
    totals.set(how, tell(side.peer, how, members.length, removals));
  }
  return totals;
}

/** The same over the API, by concurrent clients. */
export async function tellApiRemoval(members: number, local: number, clients: number): Promise<void> {
  await using at = await startSwitch({ dummy: true });
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const api = await HttpConnection.open(endpoint);
  const network = await createNetwork(api, 1);
  const group = async (name: string): Promise<string> =>
    (
      await api.json<{ security_group: { id: string } }>('POST', '/v2.0/security-groups', {
        security_group: { name },
      })
    ).security_group.id;
  const [servers, clientsGroup] = [await group('servers'), await group('clients')];
  const rules = Array.from({ length: 5 }, (_, n) => ({
    security_group_id: servers,
    direction: 'ingress',
    ethertype: 'IPv4',
    protocol: 'tcp',
    port_range_min: 1000 + n,
    port_range_max: 1000 + n,
    remote_group_id: clientsGroup,
  }));
  await api.json('POST', '/v2.0/security-group-rules', { security_group_rules: rules });
  const locals = await createPorts(api, network, local, () => ({ security_groups: [servers] }));
  await at.addDummyPorts(
    bridge,
    locals.map(({ id }, n) => ({ name: `p${n}`, externalIds: { 'iface-id': id } })),
  );
  const ports = await createPorts(api, network, members, () => ({
    security_groups: [clientsGroup],
    'binding:host_id': 'elsewhere',
  }));
  await api.json('GET', '/v1/sync?timeout=60');

  const connections = await Promise.all(Array.from({ length: clients }, () => HttpConnection.open(endpoint)));
  const waiting = ports.map(({ id }) => id);
  const clear = async (connection: HttpConnection): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop())
      await connection.json('PUT', `/v2.0/ports/${id}`, { port: { security_groups: [] } });
  };
  const cpu = () => cpuSeconds(controller.pid);
  {
    await using watch = await watchFlows(at);
    const removal = await timed(watch, quiet.portcullis, cpu, () => Promise.all(connections.map(clear)));
    tell('portcullis', `API, ${clients} clients`, members, [removal]);
  }
  for (const connection of [api, ...connections]) connection.close();
}
