/**
 * The attack's guests on OVN. Groups are what Neutron's driver makes of them: a port group for each security group, an ACL
 * for each rule. Members are in the address sets of the port groups.
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
import { type Plugged, plug, type Role, roles, type WithSide } from './side.ts';

/** Seconds until the switch has all flows. */
const syncTimeout = 60;

interface Address {
  readonly mac: Mac;
  readonly ip: Cidr;
}
const addressOf = (role: Role): Address => ({
  mac: mac(`02:00:00:00:01:0${roles.indexOf(role)}`),
  ip: ip(`10.1.0.${10 + roles.indexOf(role)}`),
});
/** The MAC and addresses of a port, as OVN's columns want them. */
const addressesOf = (role: Role, pairs: readonly string[] = []): string =>
  [addressOf(role).mac, formatCidr(addressOf(role).ip), ...pairs].join(' ');

const between = (field: string, { min, max }: Range): string => `${field} >= ${min} && ${field} <= ${max}`;

/** `peer` is the field with the peer's address. */
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

type Direction = 'out' | 'in';
const directions = {
  out: { direction: 'from-lport', port: 'inport', peer: 'ip4.dst' },
  in: { direction: 'to-lport', port: 'outport', peer: 'ip4.src' },
} as const;

interface Group {
  readonly name: string;
  readonly members: readonly Role[];
  readonly priority: number;
  readonly action: string;
  readonly matches: (direction: Direction) => readonly string[];
}

function groupOperations({ name, members, priority, action, matches }: Group): Operation[] {
  const acls = (['out', 'in'] as const).flatMap((direction) =>
    matches(direction).map((match, at) => ({
      name: `${name}_${direction}_${at}`,
      direction: directions[direction].direction,
      match: `${directions[direction].port} == @${name} && ${match}`,
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
    const row = { name: role, addresses: addressesOf(role), port_security: addressesOf(role) };
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
    matches: (direction) =>
      direction === 'out' ? ['ip4', 'ip6'] : ['ip4.src == $usual_ip4', 'ip6.src == $usual_ip6'],
  }),
];

async function transact(nb: Rpc, operations: readonly Operation[]): Promise<readonly OperationResult[]> {
  return readResults(await nb.call('transact', ['OVN_Northbound', ...operations]), operations);
}

/** Moves ports from the usual group to the nasty one. */
async function writeNasty(nb: Rpc, uuids: readonly string[]): Promise<void> {
  const ports = ['set', uuids.map((uuid): Atom => ['uuid', uuid])] as const;
  await transact(nb, [
    ...groupOperations({
      name: 'nasty',
      members: [],
      priority: 1002,
      action: 'allow-related',
      matches: (direction) => nasty.rules.map((rule) => matchOf(rule, directions[direction].peer)),
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
      row: { port_security: addressesOf('attacker', nasty.pairs) },
    },
  ]);
}

export const withOvn: WithSide = async (use) => {
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
  await use({
    peer: 'ovn',
    at,
    guests: { attacker, victim, server, client },
    makeNasty: async () => {
      await writeNasty(nb, nastyRoles.map(uuidOf));
      await stack.synced(syncTimeout);
    },
  });
};
