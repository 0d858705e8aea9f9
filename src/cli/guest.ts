/**
 * `portcullis guest`: a guest without a hypervisor. Joins the API's port, a namespace and the bridge. Open
 * vSwitch's database is its only memory.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Fault, reasonOf } from '../base/errors.ts';
import type { Client, NetworkView, PortView, SubnetView } from './client.ts';
import { isClientFault } from './client.ts';
import type { Addressing, Remains } from './guest-namespace.ts';
import { makeGuest, namespaceExists, removeGuest, startGuest } from './guest-namespace.ts';
import type { GuestPlugs, Plug } from './guest-plug.ts';
import { deviceFor } from './guest-plug.ts';

export type GuestFault =
  | { readonly code: 'NotRoot' }
  | { readonly code: 'GuestExists'; readonly namespace: string }
  | { readonly code: 'BadNamespaceName'; readonly name: string }
  | { readonly code: 'StillDown'; readonly port: string }
  | { readonly code: 'Interrupted' }
  | { readonly code: 'HalfMade'; readonly namespace: string };

export interface GuestTools {
  readonly client: Client;
  readonly plugs: GuestPlugs;
}

export interface AddOptions {
  readonly name?: string | undefined;
  readonly addresses: boolean;
  /** Seconds to wait for the port to be ACTIVE. */
  readonly timeout: number;
}

export interface GuestRow {
  readonly namespace: string;
  readonly device: string;
  readonly port_id: string;
  readonly port: string;
  readonly mac_address: string | null;
  readonly addresses: readonly string[];
  /** Null when the API did not answer, `DELETED` when it has no such port. */
  readonly status: string | null;
}

export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Fault<GuestFault>(
    { code: 'NotRoot' },
    'guests are network namespaces plugged into the switch: this needs root (try sudo)',
  );
}

export async function addressingOf(client: Client, port: PortView): Promise<Addressing> {
  const addresses: string[] = [];
  const gateways: string[] = [];
  const own = new Set(port.fixed_ips.map(({ ip_address }) => ip_address));
  for (const { subnet_id, ip_address } of port.fixed_ips) {
    const { subnet } = await client.get<{ subnet: SubnetView }>(`/v2.0/subnets/${subnet_id}`);
    addresses.push(`${ip_address}/${subnet.cidr.split('/')[1]}`);
    const gateway = subnet.gateway_ip;
    const family = (address: string) => address.includes(':');
    // The gateway itself has no route through the gateway.
    if (gateway === null || own.has(gateway)) continue;
    // A guest has one default route a family: the first subnet's.
    if (!gateways.some((known) => family(known) === family(gateway))) gateways.push(gateway);
  }
  return { addresses, gateways };
}

/**
 * Resolves once the guest is up and its port ACTIVE. Throws `GuestExists` before it makes anything. Throws
 * `StillDown` and leaves the guest in place. Any other failure leaves nothing behind.
 */
export async function addGuest(
  { client, plugs }: GuestTools,
  reference: string,
  options: AddOptions,
): Promise<Plug> {
  requireRoot();
  const port = await client.port(reference);
  const namespace = options.name ?? (port.name === '' ? port.id : port.name);
  if (
    !/^[^/\s]{1,200}$/.test(namespace) ||
    namespace.startsWith('-') ||
    namespace === '.' ||
    namespace === '..'
  ) {
    throw new Fault<GuestFault>(
      { code: 'BadNamespaceName', name: namespace },
      `${JSON.stringify(namespace)} cannot name a network namespace: choose one with --name`,
    );
  }
  const plug: Plug = { device: deviceFor(port.id), namespace, portId: port.id, portName: port.name };
  const present = (await plugs.list()).find((other) => other.device === plug.device);
  if (present !== undefined) {
    throw new Fault<GuestFault>(
      { code: 'GuestExists', namespace: present.namespace },
      `port ${reference} has a guest already, in namespace ${present.namespace}; portcullis guest del removes it`,
    );
  }
  if (await namespaceExists(namespace)) {
    throw new Fault<GuestFault>(
      { code: 'GuestExists', namespace },
      `a network namespace ${namespace} exists already: choose another with --name`,
    );
  }
  const addressing = options.addresses ? await addressingOf(client, port) : { addresses: [], gateways: [] };
  const { network } = await client.get<{ network: NetworkView }>(`/v2.0/networks/${port.network_id}`);

  const interruption = interruptible();
  let active: boolean;
  try {
    await plugs.record(plug);
    await makeGuest(namespace, plug.device, port.mac_address, network.mtu);
    await plugs.announce(plug, port.mac_address);
    active = await becomesActive(client, port, options.timeout, interruption.signal);
    // Not earlier: the guest's first packets check its addresses for duplicates and should reach the network.
    await startGuest(namespace, addressing);
    interruption.signal.throwIfAborted();
  } catch (error) {
    await takeBack(plugs, plug, error);
    throw error;
  } finally {
    interruption.over();
  }
  if (!active && port.admin_state_up) {
    throw new Fault<GuestFault>(
      { code: 'StillDown', port: port.id },
      `the guest is plugged in, but port ${reference} is not ACTIVE after ${options.timeout} s`,
    );
  }
  return plug;
}

/** A signal ends the wait, not the process: the command first undoes what it began. */
function interruptible(): { readonly signal: AbortSignal; over(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(new Fault<GuestFault>({ code: 'Interrupted' }, 'interrupted'));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, abort);
  return {
    signal: controller.signal,
    over: () => {
      for (const name of signals) process.off(name, abort);
    },
  };
}

/** Each step runs by itself: a failed step must not stop the other. Throws `HalfMade` when something is left. */
async function takeBack(plugs: GuestPlugs, { namespace, device }: Plug, cause: unknown): Promise<void> {
  const failures: unknown[] = [];
  const noteFailure = (error: unknown): void => void failures.push(error);
  await removeGuest(namespace, device).catch(noteFailure);
  await plugs.forget(device).catch(noteFailure);
  if (failures.length === 0) return;
  throw new Fault<GuestFault>(
    { code: 'HalfMade', namespace },
    `${reasonOf(cause)}; what was made is still there (${failures.map(reasonOf).join('; ')}): portcullis guest del removes it`,
    cause,
  );
}

async function becomesActive(
  client: Client,
  port: PortView,
  timeout: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (!port.admin_state_up) return false;
  const end = performance.now() + timeout * 1000;
  for (;;) {
    signal.throwIfAborted();
    const { port: now } = await client.get<{ port: PortView }>(`/v2.0/ports/${port.id}`);
    if (now.status === 'ACTIVE') return true;
    if (performance.now() >= end) return false;
    await delay(50);
  }
}

/** Removes the guest of a port (id or name) or of a namespace; null when there is none. */
export async function deleteGuest(
  { client, plugs }: GuestTools,
  reference: string,
): Promise<(Plug & Remains) | null> {
  requireRoot();
  const present = await plugs.list();
  const named = present.filter(({ portId, portName, namespace }) =>
    [portId, portName, namespace].includes(reference),
  );
  // The record is enough: a guest can be removed when its port or the API is gone. A renamed port has to be
  // looked up.
  const plug =
    named.length === 1 ? named[0] : await byPort(client, named.length > 0 ? named : present, reference);
  if (plug === undefined) return null;
  const remains = await removeGuest(plug.namespace, plug.device);
  await plugs.forget(plug.device);
  return { ...plug, ...remains };
}

async function byPort(
  client: Client,
  present: readonly Plug[],
  reference: string,
): Promise<Plug | undefined> {
  if (present.length === 0) return undefined;
  try {
    const port = await client.port(reference);
    return present.find(({ portId }) => portId === port.id);
  } catch (error) {
    if (isClientFault(error, 'NoSuchPort')) return undefined;
    throw error;
  }
}

export async function listGuests({ client, plugs }: GuestTools): Promise<GuestRow[]> {
  const rows: GuestRow[] = [];
  for (const { namespace, device, portId, portName } of await plugs.list()) {
    const port = await portNow(client, portId);
    const row = { namespace, device, port_id: portId };
    if (port === null || port === 'DELETED') {
      rows.push({ ...row, port: portName, mac_address: null, addresses: [], status: port });
    } else {
      const addresses = port.fixed_ips.map(({ ip_address }) => ip_address);
      rows.push({ ...row, port: port.name, mac_address: port.mac_address, addresses, status: port.status });
    }
  }
  return rows.sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
}

async function portNow(client: Client, id: string): Promise<PortView | 'DELETED' | null> {
  try {
    return (await client.get<{ port: PortView }>(`/v2.0/ports/${id}`)).port;
  } catch (error) {
    if (isClientFault(error, 'Refused') && error.data.status === 404) return 'DELETED';
    if (isClientFault(error, 'Unreachable')) return null;
    throw error;
  }
}
