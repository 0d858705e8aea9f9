/** OVN's side of the masks figures: guests of one group that lets its members in, as Neutron's driver writes them. */
import { run } from '../../test/lib/command.ts';
import { ip, mac } from '../../test/lib/frames.ts';
import { type Guest, startGuest } from '../../test/lib/netns.ts';
import { startSwitch } from '../../test/lib/switch.ts';
import { until } from '../../test/lib/wait.ts';
import { bridge } from '../controller.ts';
import { OvnStack } from '../groups/ovn-stack.ts';
import type { MaskWorld } from './attack-figures.ts';

const roles = ['attacker', 'victim', 'server', 'client'] as const;
type Role = (typeof roles)[number];
const identityOf = (role: Role) => {
  const n = roles.indexOf(role) + 1;
  return { mac: `fa:16:3e:00:00:0${n}`, address: `10.0.0.${n}` };
};
/** Seconds for OVN's first flows. */
const syncTimeout = 60;

/** Logical switch, ports and access lists, in the words of `ovn-nbctl`. */
const northbound: readonly (readonly string[])[] = [
  ['ls-add', 'net'],
  ...roles.flatMap((role) => {
    const { mac, address } = identityOf(role);
    return [
      ['lsp-add', 'net', role],
      ['lsp-set-addresses', role, `${mac} ${address}`],
      ['lsp-set-port-security', role, `${mac} ${address}`],
    ];
  }),
  ['pg-add', 'neutron_pg_drop', ...roles],
  ['acl-add', 'neutron_pg_drop', 'to-lport', '1001', 'outport == @neutron_pg_drop && ip', 'drop'],
  ['acl-add', 'neutron_pg_drop', 'from-lport', '1001', 'inport == @neutron_pg_drop && ip', 'drop'],
  ['pg-add', 'usual', ...roles],
  ['acl-add', 'usual', 'from-lport', '1002', 'inport == @usual && ip4', 'allow-related'],
  [
    'acl-add',
    'usual',
    'to-lport',
    '1002',
    'outport == @usual && ip4 && ip4.src == $usual_ip4',
    'allow-related',
  ],
];

/** Calls `use` with guests that OVN serves; ends all afterwards. */
export async function withOvnWorld(
  directory: string,
  use: (world: MaskWorld) => Promise<void>,
): Promise<void> {
  await using stack = new OvnStack(await startSwitch());
  const { at } = stack;
  await at.addBridge(bridge);
  await stack.startDatabases();
  for (const words of northbound) await run('ovn-nbctl', [`--db=unix:${at.dir}/nb.sock`, ...words]);
  stack.startController();
  const plugged = async (role: Role): Promise<Guest> => {
    const { mac, address } = identityOf(role);
    const guest = await startGuest({ mac, addresses: [`${address}/24`] });
    await guest.plug(at, bridge, { 'iface-id': role });
    return guest;
  };
  await using attacker = await plugged('attacker');
  await using _victim = await plugged('victim');
  await using server = await plugged('server');
  await using client = await plugged('client');
  await stack.synced(syncTimeout);
  const serverAddress = identityOf('server').address;
  const reach = async () =>
    (await client.runAnyway('ping', ['-c', '1', '-W', '1', serverAddress])).code === 0;
  await until(reach, { timeout: syncTimeout * 1000, what: 'OVN connects the guests' });
  const [own, victim] = [identityOf('attacker'), identityOf('victim')];
  const frames = {
    mac: mac(own.mac),
    to: mac(victim.mac),
    sources: [ip(own.address)],
    destinations: [ip(victim.address)],
  };
  await use({ peer: 'ovn', groups: 'usual', directory, at, attacker, frames, server, client, serverAddress });
}
