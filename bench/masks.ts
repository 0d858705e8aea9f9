/**
 * The effect of one guest's packets on the switch's megaflows and on its neighbours. It runs with usual groups, and with
 * the worst that a tenant may write; with usual groups beside OVN, where it is installed.
 */
import { existsSync } from 'node:fs';
import { type Cidr, formatCidr } from '../src/net/cidr.ts';
import { type Attacker, attacks } from '../test/lib/attack.ts';
import { ip, mac, net } from '../test/lib/frames.ts';
import { type Guest, isRoot, startGuest } from '../test/lib/netns.ts';
import { type Switch, startSwitch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { bridge, makeDataDirectory, startController } from './controller.ts';
import { ovnVersion } from './groups/ovn-stack.ts';
import { HttpConnection } from './http-connection.ts';
import type { SectionOptions } from './machine.ts';
import { type MaskWorld, measureAttack, throughput } from './masks/attack-figures.ts';
import { nastyGroup, nastyPairs } from './masks/nasty-group.ts';
import { withOvnWorld } from './masks/ovn-world.ts';
import { emit, progress } from './report.ts';
import { createNetwork, createPorts, type Port } from './world.ts';

const groups = ['usual', 'nasty'] as const;

const address = (port: Port): Cidr => ip(port.fixed_ips[0]?.ip_address ?? '');

/** A guest at a port, plugged in. */
async function plugged(at: Switch, port: Port): Promise<Guest> {
  const addresses = [`${formatCidr(address(port))}/16`];
  const guest = await startGuest({ mac: port.mac_address, addresses });
  await guest.plug(at, bridge, { 'iface-id': port.id });
  return guest;
}

/** OVN's world is made anew for each attack, for one that ends ovs-vswitchd would leave none for the next. */
async function measureOvn(quick: boolean): Promise<void> {
  await using data = await makeDataDirectory();
  for (const attack of attacks) {
    progress(`masks: ovn, usual groups, attack ${attack}`);
    await withOvnWorld(data.path, async (world) => {
      const pid = world.at.pidOf('ovs-vswitchd');
      try {
        await throughput(world, 1);
        await measureAttack(world, attack, quick);
      } catch (error) {
        if (pid !== null && existsSync(`/proc/${pid}`)) throw error;
        emit('masks.attack', null, { peer: 'ovn', groups: 'usual', attack, switch_ended: 1 }, []);
      }
    });
  }
}

export async function benchMasks({ quick }: SectionOptions): Promise<void> {
  if (!isRoot) {
    progress('masks: skipped, network namespaces need root');
    return;
  }
  await measureOurs(quick);
  if ((await ovnVersion()) === null) return;
  await measureOvn(quick);
}

async function measureOurs(quick: boolean): Promise<void> {
  await using at = await startSwitch();
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const api = await HttpConnection.open(endpoint);
  const network = await createNetwork(api, 1);
  const [attackerPort, victimPort, serverPort, clientPort] = await createPorts(api, network, 4, () => ({}));
  if (
    attackerPort === undefined ||
    victimPort === undefined ||
    serverPort === undefined ||
    clientPort === undefined
  )
    throw new Error('no ports were made');
  await using attacker = await plugged(at, attackerPort);
  await using _victim = await plugged(at, victimPort);
  await using server = await plugged(at, serverPort);
  await using client = await plugged(at, clientPort);
  await until(
    async () => (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length === 4,
    { what: 'all ports are ACTIVE' },
  );
  api.close();
  const own = address(attackerPort);
  const victim = address(victimPort);
  for (const name of groups) {
    // One for each: the server closes idle ones while the attacks go on.
    const api = await HttpConnection.open(endpoint);
    if (name === 'nasty') {
      const group = await nastyGroup(api, [own, victim]);
      const allowed_address_pairs = nastyPairs(own).map((ip_address) => ({ ip_address }));
      await api.json('PUT', `/v2.0/ports/${attackerPort.id}`, {
        port: { security_groups: [group], allowed_address_pairs },
      });
      await api.json('PUT', `/v2.0/ports/${victimPort.id}`, { port: { security_groups: [group] } });
    }
    await api.json('GET', '/v1/sync?timeout=60');
    api.close();
    const frames: Attacker = {
      mac: mac(attackerPort.mac_address),
      to: mac(victimPort.mac_address),
      sources: name === 'nasty' ? [net('10.0.0.0/8'), own] : [own],
      destinations: [victim],
    };
    const serverAddress = serverPort.fixed_ips[0]?.ip_address ?? '';
    const world: MaskWorld = {
      peer: 'portcullis',
      groups: name,
      directory: data.path,
      at,
      attacker,
      frames,
      server,
      client,
      serverAddress,
    };
    await throughput(world, 1);
    for (const attack of attacks) {
      progress(`masks: ${name} groups, attack ${attack}`);
      await measureAttack(world, attack, quick);
    }
  }
}
