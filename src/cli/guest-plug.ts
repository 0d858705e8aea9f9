/**
 * Guests in Open vSwitch's database: the namespace and port of each interface. The record is written before
 * anything is made and removed after everything is gone. A half-made guest can thus always be found.
 */
import { tool } from './tool.ts';

export interface Plug {
  /** The outer end of the veth pair, a port of the bridge. */
  readonly device: string;
  readonly namespace: string;
  readonly portId: string;
  readonly portName: string;
}

const keyOf = {
  namespace: 'portcullis-guest',
  portId: 'portcullis-port',
  portName: 'portcullis-port-name',
} as const;

/** An interface name has 15 characters: the id's first 11 hexadecimal digits tell ports apart. */
export function deviceFor(portId: string): string {
  return `pg${portId.replaceAll('-', '').slice(0, 11)}`;
}

export class GuestPlugs {
  readonly #ovsdb: string;
  readonly #bridge: string;

  constructor(ovsdb: string, bridge: string) {
    this.#ovsdb = ovsdb;
    this.#bridge = bridge;
  }

  #vsctl(...args: readonly string[]): Promise<string> {
    return tool('ovs-vsctl', `--db=${this.#ovsdb}`, '--timeout=10', ...args);
  }

  async list(): Promise<Plug[]> {
    const output = await this.#vsctl('--format=json', '--columns=name,external_ids', 'list', 'Interface');
    return decodePlugs(output);
  }

  /**
   * The switch does not have the port yet: it looks for the device, finds none, and adds the port once the
   * device exists.
   */
  async record(plug: Plug): Promise<void> {
    await this.#vsctl(
      '--no-wait',
      'add-port',
      this.#bridge,
      plug.device,
      '--',
      'set',
      'Interface',
      plug.device,
      ...Object.entries(keyOf).map(([member, key]) => externalId(key, plug[member as keyof typeof keyOf])),
    );
  }

  /** The key by which an agent finds the port. */
  async announce(plug: Plug, mac: string): Promise<void> {
    await this.#vsctl(
      'set',
      'Interface',
      plug.device,
      externalId('iface-id', plug.portId),
      externalId('attached-mac', mac),
      externalId('iface-status', 'active'),
    );
  }

  async forget(device: string): Promise<void> {
    await this.#vsctl('--if-exists', 'del-port', device);
  }
}

/** Quoted, because names may hold anything that Neutron allows. */
function externalId(key: string, value: string): string {
  return `external_ids:${key}=${JSON.stringify(value)}`;
}

interface Listing {
  readonly data: readonly (readonly [
    name: string,
    ids: readonly ['map', readonly (readonly [string, string])[]],
  ])[];
}

export function decodePlugs(output: string): Plug[] {
  const { data } = JSON.parse(output) as Listing;
  return data.flatMap(([device, [, pairs]]) => {
    const ids = new Map(pairs);
    const namespace = ids.get(keyOf.namespace);
    const portId = ids.get(keyOf.portId);
    if (namespace === undefined || portId === undefined) return [];
    return [{ device, namespace, portId, portName: ids.get(keyOf.portName) ?? '' }];
  });
}
