/**
 * Link-local addresses that guests make up for themselves (RFC 7217, RFC 8981). A guest's duplicate-address
 * probe for one reaches the agent instead of the network. If the address is nobody's it is recorded, first come
 * first served, and the probe then goes its way; otherwise it is dropped, which is what its holder would have made
 * of it. A record is no grant: the pipeline asks again whose the address is whenever the model changes.
 * A dead agent delays only addresses never seen before.
 */
import type { Logger } from 'pino';
import { Sequencer } from '../../base/async.ts';
import { reasonOf } from '../../base/errors.ts';
import { keys } from '../../model/keys.ts';
import type { LinkLocalRecord } from '../../model/records.ts';
import { type Cidr, contains, formatCidr, linkLocalPrefix } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { parseNeighbour } from '../../net/packet/icmpv6.ts';
import type { PacketIn } from '../../openflow/index.ts';
import type { Facts } from '../../pipeline/facts.ts';
import { otherOwner } from '../../pipeline/link-locals.ts';
import type { LocalPort } from '../../pipeline/local-port.ts';
import type { Relations } from '../../pipeline/relations.ts';
import type { LinkLocal, PortId } from '../../policy/world.ts';
import type { Store } from '../../store/contract.ts';

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
  /** Each claim counts what the claim before it recorded. */
  readonly #claims = new Sequencer();

  constructor(options: LinkLocalsOptions) {
    this.#options = options;
  }

  /** Whether the probe was for an address that the port may have: then it is recorded when this resolves. */
  claim(packet: PacketIn): Promise<boolean> {
    return this.#claims.run(() => this.#claim(packet));
  }

  async #claim(packet: PacketIn): Promise<boolean> {
    const { relations, log } = this.#options;
    const port = Buffer.from(packet.userdata ?? []).toString() as PortId;
    const local = relations.locals.get(port);
    const probe = readProbe(packet);
    if (local === undefined || probe === null || !local.macs.includes(probe.mac)) return false;
    const address = formatCidr(probe.target);
    const owner = this.#otherOwner(local, probe.target);
    if (owner !== null) {
      log.warn({ port, address, owner }, 'a port claims a link-local address that is not its own');
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
    if (known?.port === port.id && known.mac === mac) return false;
    // A record is replaced when its port has another MAC now, or when it is granted to nobody any more.
    const entry = known === undefined ? null : await store.get(key);
    if (entry !== null && !isRecordOf(known, entry.value)) return false;
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

  /** Whose the address is rather than the port's: by name, or by a record that holds. */
  #otherOwner({ port }: LocalPort, target: Cidr): string | null {
    const { linkLocals } = this.#options.relations;
    const granted = linkLocals.granted.get(`${port.network}|${formatCidr(target)}`);
    if (granted !== undefined && granted.port !== port.id) return granted.port;
    return otherOwner(linkLocals, (relation, key) => relation.get(key), port.id, port.network, target);
  }
}

/** Whether the store says what the facts say: else somebody was faster. */
function isRecordOf(known: LinkLocal | undefined, value: string): boolean {
  const record = JSON.parse(value) as LinkLocalRecord;
  return record.port === known?.port && record.mac === known.mac;
}

function readProbe(packet: PacketIn): { readonly mac: Mac; readonly target: Cidr } | null {
  const frame = parseFrame(Buffer.from(packet.data));
  if (frame?.ip?.upper?.kind !== 'icmp') return null;
  const target = parseNeighbour(frame.ip.upper)?.target;
  return target !== undefined && contains(linkLocalPrefix, target)
    ? { mac: frame.ethernet.src, target }
    : null;
}
