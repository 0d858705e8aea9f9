/**
 * Link-local addresses that guests make up for themselves (RFC 7217, RFC 8981). A guest's duplicate-address
 * probe for one reaches the agent instead of the network. If nobody in the network is known to hold the address
 * it is recorded, first come first served, and the probe then goes its way; otherwise it is dropped, which is
 * what its holder would have made of it. A dead agent delays only addresses never seen before.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../base/errors.ts';
import { keys } from '../model/keys.ts';
import type { LinkLocalRecord } from '../model/records.ts';
import { type Cidr, contains, formatCidr, linkLocalOf, linkLocalPrefix } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { parseFrame } from '../net/packet/frame.ts';
import { parseNeighbour } from '../net/packet/icmpv6.ts';
import type { PacketIn } from '../openflow/index.ts';
import type { Facts } from '../pipeline/facts.ts';
import { type LocalPort, macsOf } from '../pipeline/local-port.ts';
import type { Relations } from '../pipeline/relations.ts';
import type { LinkLocal, PortId } from '../policy/world.ts';
import type { Store } from '../store/contract.ts';

/** A guest needs one a MAC; some make a new one at each start. Beyond this the oldest go first. */
const mostPerPort = 8;

export interface LinkLocalsOptions {
  readonly store: Store;
  readonly facts: Facts;
  readonly relations: Relations;
  readonly log: Logger;
}

export interface Refusals {
  readonly packets: number;
  readonly bytes: number;
}

export class LinkLocals {
  readonly #options: LinkLocalsOptions;
  readonly #refusals = new Map<PortId, Refusals>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LinkLocalsOptions) {
    this.#options = options;
  }

  /** Whether the probe was for an address that the port may have: then it is recorded when this resolves. */
  claim(packet: PacketIn): Promise<boolean> {
    // One after another, so that each counts what the one before recorded.
    const turn = this.#last.then(() => this.#claim(packet));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #claim(packet: PacketIn): Promise<boolean> {
    const { relations, log } = this.#options;
    const port = Buffer.from(packet.userdata ?? []).toString() as PortId;
    const local = relations.locals.get(port);
    const probe = readProbe(packet);
    if (local === undefined || probe === null || !local.macs.includes(probe.mac)) return false;
    const address = formatCidr(probe.target);
    if (this.#heldByOther(local, probe.target)) {
      log.warn({ port, address }, 'a link-local address is claimed that another port holds');
      const { packets, bytes } = this.refusals(port);
      this.#refusals.set(port, { packets: packets + 1, bytes: bytes + packet.data.length });
      return false;
    }
    try {
      return await this.#record(local, address, probe.mac);
    } catch (error) {
      log.error({ error: reasonOf(error) }, 'a link-local address could not be recorded');
      return false;
    }
  }

  /** Probes of a port that ended here, since this agent started. */
  refusals(port: PortId): Refusals {
    return this.#refusals.get(port) ?? { packets: 0, bytes: 0 };
  }

  async #record({ port }: LocalPort, address: string, mac: Mac): Promise<boolean> {
    const { store, facts } = this.#options;
    const key = keys.linkLocal(port.network, address);
    const known = facts.linkLocals.get(`${port.network}|${address}`);
    if (known?.mac === mac) return false;
    // Only a change of MAC within the port replaces a record.
    const entry = known === undefined ? null : await store.get(key);
    if (entry !== null && (JSON.parse(entry.value) as LinkLocalRecord).port !== port.id) return false;
    const oldest = this.#recordsOf(port.id)
      .slice(0, -(mostPerPort - 1))
      .map((item) => keys.linkLocal(port.network, formatCidr(item.address)))
      .filter((old) => old !== key);
    const record: LinkLocalRecord = { port: port.id, mac };
    const { ok } = await store.txn(
      [
        entry === null ? { key, is: 'absent' } : { key, is: 'unchanged', modRevision: entry.modRevision },
        { key: keys.port(port.network, port.id), is: 'present' },
      ],
      [
        { op: 'put', key, value: JSON.stringify(record) },
        ...oldest.map((old) => ({ op: 'delete', key: old }) as const),
      ],
    );
    return ok;
  }

  #recordsOf(port: PortId): LinkLocal[] {
    return [...this.#options.facts.linkLocals.entries()]
      .map(([, item]) => item)
      .filter((item) => item.port === port);
  }

  /** Recorded, or the EUI-64 form of a MAC that another port of the network may use. */
  #heldByOther({ port }: LocalPort, target: Cidr): boolean {
    const { facts } = this.#options;
    const recorded = facts.linkLocals.get(`${port.network}|${formatCidr(target)}`);
    if (recorded !== undefined) return recorded.port !== port.id;
    return [...facts.ports.entries()].some(
      ([id, other]) =>
        id !== port.id &&
        other.network === port.network &&
        macsOf(other).some((mac) => linkLocalOf(mac).bits === target.bits),
    );
  }
}

function readProbe(packet: PacketIn): { readonly mac: Mac; readonly target: Cidr } | null {
  const frame = parseFrame(Buffer.from(packet.data));
  if (frame?.ip?.upper?.kind !== 'icmp') return null;
  const target = parseNeighbour(frame.ip.upper)?.target;
  return target !== undefined && contains(linkLocalPrefix, target)
    ? { mac: frame.ethernet.src, target }
    : null;
}
