/**
 * The attack's guests on OVN, with the same groups as Neutron's driver writes them: a port group a security group, an
 * ACL a rule, members by the address sets that go with the port group.
 */
import { type Cidr, formatCidr } from '../../src/net/cidr.ts';
import type { Mac } from '../../src/net/mac.ts';
import type { Rpc } from '../../src/ovsdb/rpc.ts';
import { type Atom, type Operation, type OperationResult, readResults } from '../../src/ovsdb/transaction.ts';
import { ip, mac } from '../../test/lib/frames.ts';
import { startSwitch } from '../../test/lib/switch.ts';
import { bridge } from '../controller.ts';
import { acl, named } from '../groups/ovn-side.ts';
import { OvnStack } from '../groups/ovn-stack.ts';
import { type NastyRule, nastyOf, type Range } from './nasty.ts';
import { type InScene, type Plugged, plug, type Role, roles } from './scene.ts';

/** Seconds for the switch to have all flows. */
const syncTimeout = 60;

interface Address {
  readonly mac: Mac;
  readonly ip: Cidr;
}
const addressOf = (role: Role): Address => ({
  mac: mac(`02:00:00:00:01:0${roles.indexOf(role)}`),
  ip: ip(`10.1.0.${10 + roles.indexOf(role)}`),
});
/** What the port of a role may speak from. */
const spoken = (role: Role, pairs: readonly string[] = []): string =>
  [addressOf(role).mac, formatCidr(addressOf(role).ip), ...pairs].join(' ');

const between = (field: string, { min, max }: Range): string => `${field} >= ${min} && ${field} <= ${max}`;

/** `peer`: the field of the peer's address. */
function matchOf(rule: NastyRule, peer: string): string {
  switch (rule.kind) {
    case 'ports':
      return `ip4 && ${between(`${rule.protocol}.dst`, rule.ports)}`;
    case 'icmp':
      return `icmp4.type == ${rule.type}${rule.code === null ? '' : ` && icmp4.code == ${rule.code}`}`;
    case 'own-group':
      return `${peer} == $nasty_ip4`;
    case 'address-group':
      return `${between(`${rule.protocol}.dst`, rule.ports)} && ${peer} == $wide`;
    case 'prefix':
      return `${between(`${rule.protocol}.dst`, rule.ports)} && ${peer} == ${rule.prefix}`;
  }
}

type Way = 'out' | 'in';
const ways = {
  out: { direction: 'from-lport', port: 'inport', peer: 'ip4.dst' },
  in: { direction: 'to-lport', port: 'outport', peer: 'ip4.src' },
} as const;

interface Group {
  readonly name: string;
  readonly members: readonly Role[];
  readonly priority: number;
  readonly action: string;
  readonly matches: (way: Way) => readonly string[];
}

function groupOperations({ name, members, priority, action, matches }: Group): Operation[] {
  const acls = (['out', 'in'] as const).flatMap((way) =>
    matches(way).map((match, at) => ({
      name: `${name}_${way}_${at}`,
      direction: ways[way].direction,
      match: `${ways[way].port} == @${name} && ${match}`,
    })),
  );
  return [
    ...acls.map((each) => acl(each.name, priority, each.direction, each.match, action)),
    {
      op: 'insert',
      table: 'Port_Group',
      row: {
        name,
        ports: ['set', members.map(named)],
        acls: ['set', acls.map((each) => named(each.name))],
      },
    },
  ];
}

const nasty = nastyOf(addressOf('attacker').ip, addressOf('victim').ip);
const nastyRoles: readonly Role[] = ['attacker', 'victim'];

const world: readonly Operation[] = [
  ...roles.map((role): Operation => {
    const row = { name: role, addresses: spoken(role), port_security: spoken(role) };
    return { op: 'insert', table: 'Logical_Switch_Port', 'uuid-name': role, row };
  }),
  { op: 'insert', table: 'Logical_Switch', row: { name: 'net', ports: ['set', roles.map(named)] } },
  { op: 'insert', table: 'Address_Set', row: { name: 'wide', addresses: ['set', nasty.addressGroup] } },
  ...groupOperations({
    name: 'neutron_pg_drop',
    members: roles,
    priority: 1001,
    action: 'drop',
    matches: () => ['ip'],
  }),
  ...groupOperations({
    name: 'usual',
    members: roles,
    priority: 1002,
    action: 'allow-related',
    matches: (way) => (way === 'out' ? ['ip4', 'ip6'] : ['ip4.src == $usual_ip4', 'ip6.src == $usual_ip6']),
  }),
];

async function transact(nb: Rpc, operations: readonly Operation[]): Promise<readonly OperationResult[]> {
  return readResults(await nb.call('transact', ['OVN_Northbound', ...operations]), operations);
}

/** The ports of these ids leave the usual group for the nasty one. */
async function writeNasty(nb: Rpc, uuids: readonly string[]): Promise<void> {
  const ports = ['set', uuids.map((uuid): Atom => ['uuid', uuid])] as const;
  await transact(nb, [
    ...groupOperations({
      name: 'nasty',
      members: [],
      priority: 1002,
      action: 'allow-related',
      matches: (way) => nasty.rules.map((rule) => matchOf(rule, ways[way].peer)),
    }),
    ...(['usual', 'nasty'] as const).map(
      (name): Operation => ({
        op: 'mutate',
        table: 'Port_Group',
        where: [['name', '==', name]],
        mutations: [['ports', name === 'usual' ? 'delete' : 'insert', ports]],
      }),
    ),
    {
      op: 'update',
      table: 'Logical_Switch_Port',
      where: [['name', '==', 'attacker']],
      row: { port_security: spoken('attacker', nasty.pairs) },
    },
  ]);
}

export const inOvn: InScene = async (run) => {
  await using stack = new OvnStack(await startSwitch());
  const { at } = stack;
  await at.addBridge(bridge);
  const plugRole = (role: Role): Promise<Plugged> => plug(at, role, addressOf(role).mac, addressOf(role).ip);
  await using attacker = await plugRole('attacker');
  await using victim = await plugRole('victim');
  await using server = await plugRole('server');
  await using client = await plugRole('client');
  await stack.startDatabases();
  const nb = await stack.connect('nb');
  const made = await transact(nb, world);
  const uuidOf = (role: Role): string => made[roles.indexOf(role)]?.uuid ?? '';
  stack.startController();
  await stack.synced(syncTimeout);
  await run({
    peer: 'ovn',
    at,
    guests: { attacker, victim, server, client },
    makeNasty: async () => {
      await writeNasty(nb, nastyRoles.map(uuidOf));
      await stack.synced(syncTimeout);
    },
  });
};
