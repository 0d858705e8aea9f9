/**
 * OVN's side of the group figures. The same world stands in OVN's northbound database as Neutron's driver
 * writes it: a port group a security group, an ACL a rule, members by the port group's address sets. Remote
 * ports are bound to another chassis.
 */
import type { Rpc } from '../../src/ovsdb/rpc.ts';
import { type Atom, type Operation, type OperationResult, readResults } from '../../src/ovsdb/transaction.ts';
import { until } from '../../test/lib/wait.ts';
import { bridge } from '../controller.ts';
import { OvnStack } from './ovn-stack.ts';
import { flowCount, plugged } from './portcullis-side.ts';
import type { Side } from './side.ts';
import type { GroupPort, GroupRule, GroupWorld } from './world.ts';

const names = { nb: 'OVN_Northbound', sb: 'OVN_Southbound' } as const;
/** Seconds for the first flows of a large world. */
const syncTimeout = 120;

export const named = (name: string): Atom => ['named-uuid', name];
const unnamed: readonly ['set', readonly Atom[]] = ['set', []];

export const acl = (
  name: string,
  priority: number,
  direction: string,
  match: string,
  action: string,
): Operation => ({
  op: 'insert',
  table: 'ACL',
  'uuid-name': name,
  row: { priority, direction, match, action },
});

const ruleMatch = ({ family, port }: GroupRule): string =>
  `outport == @servers && ip${family} && ip${family}.src == $clients_ip${family} && tcp && tcp.dst == ${port}`;

export class OvnSide implements Side {
  readonly peer = 'ovn';
  readonly #stack: OvnStack;
  readonly #nb: Rpc;
  readonly #ports = new Map<string, string>();
  #clients = '';

  constructor(stack: OvnStack, nb: Rpc) {
    this.#stack = stack;
    this.#nb = nb;
  }

  get at() {
    return this.#stack.at;
  }

  async #transact(
    database: 'nb' | 'sb',
    rpc: Rpc,
    operations: readonly Operation[],
  ): Promise<readonly OperationResult[]> {
    return readResults(await rpc.call('transact', [names[database], ...operations]), operations);
  }

  async fill({ locals, members, rules }: GroupWorld): Promise<void> {
    const ports = [...locals, ...members];
    const all = ports.map((_, n) => named(`p${n}`));
    const group = (name: string, members: readonly Atom[], acls: readonly string[]): Operation => ({
      op: 'insert',
      table: 'Port_Group',
      row: { name, ports: ['set', members], acls: ['set', acls.map(named)] },
    });
    const out = ([4, 6] as const).map((family) => `inport == @servers && ip${family}`);
    const operations: Operation[] = [
      ...ports.map(
        ({ id, mac, ipv4, ipv6 }, n): Operation => ({
          op: 'insert',
          table: 'Logical_Switch_Port',
          'uuid-name': `p${n}`,
          row: {
            name: id,
            addresses: `${mac} ${ipv4} ${ipv6}`,
            port_security: `${mac} ${ipv4} ${ipv6}`,
          },
        }),
      ),
      { op: 'insert', table: 'Logical_Switch', row: { name: 'net', ports: ['set', all] } },
      acl('in_drop', 1001, 'to-lport', 'outport == @neutron_pg_drop && ip', 'drop'),
      acl('out_drop', 1001, 'from-lport', 'inport == @neutron_pg_drop && ip', 'drop'),
      ...out.map((match, n) => acl(`out${n}`, 1002, 'from-lport', match, 'allow-related')),
      ...rules.map((rule, n) => acl(`rule${n}`, 1002, 'to-lport', ruleMatch(rule), 'allow-related')),
      group('neutron_pg_drop', all, ['in_drop', 'out_drop']),
      group('servers', all.slice(0, locals.length), [
        ...out.map((_, n) => `out${n}`),
        ...rules.map((_, n) => `rule${n}`),
      ]),
      group('clients', all.slice(locals.length), []),
    ];
    const results = await this.#transact('nb', this.#nb, operations);
    for (const [n, { id }] of ports.entries()) this.#ports.set(id, results[n]?.uuid ?? '');
    this.#clients = results.at(-1)?.uuid ?? '';
  }

  /** Binds the ports that are not plugged here to another chassis, after the plugged ones have been claimed. */
  async bindRemote(locals: number): Promise<void> {
    const sb = await this.#stack.connect('sb');
    const bound: Operation = {
      op: 'select',
      table: 'Port_Binding',
      where: [['chassis', '!=', unnamed]],
      columns: ['logical_port'],
    };
    await until(async () => ((await this.#transact('sb', sb, [bound]))[0]?.rows?.length ?? 0) === locals, {
      timeout: syncTimeout * 1000,
      interval: 200,
      what: 'ovn-controller claims the local ports',
    });
    await this.#transact('sb', sb, [
      {
        op: 'insert',
        table: 'Encap',
        'uuid-name': 'encap',
        row: { type: 'geneve', ip: '127.0.0.2', chassis_name: 'elsewhere' },
      },
      {
        op: 'insert',
        table: 'Chassis',
        'uuid-name': 'chassis',
        row: { name: 'elsewhere', hostname: 'elsewhere', encaps: named('encap') },
      },
      {
        op: 'update',
        table: 'Port_Binding',
        where: [['chassis', '==', unnamed]],
        row: { chassis: named('chassis'), up: true },
      },
    ]);
  }

  async setMembers(members: readonly GroupPort[], belong: boolean): Promise<void> {
    const ports = members.map(({ id }): Atom => ['uuid', this.#ports.get(id) ?? '']);
    await this.#transact('nb', this.#nb, [
      {
        op: 'mutate',
        table: 'Port_Group',
        where: [['_uuid', '==', ['uuid', this.#clients]]],
        mutations: [['ports', belong ? 'insert' : 'delete', ['set', ports]]],
      },
    ]);
  }

  flows(): Promise<number> {
    return flowCount(this.at);
  }

  cpu(): number {
    return this.#stack.cpu();
  }

  cpuNanoseconds(): number {
    return this.#stack.cpuNanoseconds();
  }

  /** Milliseconds from the controller's start, on an empty switch, until it reports that all flows are there. */
  async coldStart(timeout: number): Promise<{ readonly milliseconds: number; readonly cpu: number }> {
    await this.#stack.killController();
    await this.at.ofctl('del-flows', bridge);
    const cpu = this.#stack.cpu();
    const begin = performance.now();
    this.#stack.startController();
    await this.#stack.synced(timeout);
    return { milliseconds: performance.now() - begin, cpu: this.#stack.cpu() - cpu };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** Resolves when OVN's flows for the world are in the switch. */
export async function startOvn(world: GroupWorld): Promise<OvnSide> {
  const stack = new OvnStack(await plugged(world));
  try {
    await stack.startDatabases();
    const side = new OvnSide(stack, await stack.connect('nb'));
    await side.fill(world);
    await stack.synced(syncTimeout, 'sb');
    stack.startController();
    await side.bindRemote(world.locals.length);
    await stack.synced(syncTimeout);
    return side;
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}
