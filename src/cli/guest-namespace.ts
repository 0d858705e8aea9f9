/**
 * The guest: a network namespace with one Ethernet device, `eth0`, whose other end is for a bridge. Knows
 * nothing about the bridge or the API.
 */
import { writeFile } from 'node:fs/promises';
import { succeeds, tool } from './tool.ts';

export interface Addressing {
  /** With prefix length. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
}

export async function namespaceExists(name: string): Promise<boolean> {
  return (await tool('ip', 'netns', 'list')).split('\n').some((line) => line.split(' ')[0] === name);
}

/** Makes the namespace and the veth pair, both ends down; `mtu` in bytes. */
export async function makeGuest(namespace: string, device: string, mac: string, mtu: number): Promise<void> {
  const size = String(mtu);
  await tool('ip', 'netns', 'add', namespace);
  await tool(
    'ip',
    'link',
    'add',
    device,
    'mtu',
    size,
    'type',
    'veth',
    'peer',
    'eth0',
    'address',
    mac,
    'mtu',
    size,
    'netns',
    namespace,
  );
  await noOffload(device);
  await noOffload('eth0', namespace);
  // The host's own stack also receives on the outer end: it must neither send nor answer there.
  await tool('ip', 'link', 'set', device, 'arp', 'off', 'multicast', 'off');
  await writeFile(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`, '1').catch(() => undefined);
  await tool('ip', 'link', 'set', device, 'up');
}

/** A checksum left to hardware that does not exist would reach the other guest unfilled. */
async function noOffload(device: string, namespace?: string): Promise<void> {
  const command = [
    'ethtool',
    '-K',
    device,
    ...['tx', 'rx', 'tso', 'gso', 'gro'].flatMap((what) => [what, 'off']),
  ];
  if (namespace === undefined) await tool('ethtool', ...command.slice(1));
  else await tool('ip', 'netns', 'exec', namespace, ...command);
}

/**
 * Brings loopback and `eth0` up, then configures `addressing`. The kernel checks addresses for duplicates as
 * usual.
 */
export async function startGuest(namespace: string, addressing: Addressing): Promise<void> {
  await tool('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
  await tool('ip', '-n', namespace, 'link', 'set', 'eth0', 'up');
  for (const address of addressing.addresses) {
    await tool('ip', '-n', namespace, 'address', 'add', address, 'dev', 'eth0');
  }
  for (const gateway of addressing.gateways) {
    const family = gateway.includes(':') ? '-6' : '-4';
    await tool(
      'ip',
      '-n',
      namespace,
      family,
      'route',
      'add',
      'default',
      'via',
      gateway,
      'dev',
      'eth0',
      'onlink',
    );
  }
}

export interface Remains {
  /** Processes that still run in the namespace; it lives on without a name until they end. */
  readonly processes: readonly string[];
}

/** Removes the parts of the guest that exist. */
export async function removeGuest(namespace: string, device: string): Promise<Remains> {
  await succeeds('ip', 'link', 'delete', device);
  if (!(await namespaceExists(namespace))) return { processes: [] };
  const processes = (await tool('ip', 'netns', 'pids', namespace)).split('\n').filter((pid) => pid !== '');
  await tool('ip', 'netns', 'delete', namespace);
  return { processes };
}
