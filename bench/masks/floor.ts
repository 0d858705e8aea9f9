/**
 * A bridge with the fewest hand-written flows that guard the sender's addresses and track connections. The same frames
 * there cost what no pipeline can save.
 */
import { formatCidr } from '../../src/net/cidr.ts';
import { type Guest, startGuest } from '../../test/lib/netns.ts';
import type { Switch } from '../../test/lib/switch.ts';
import { floorBridge } from '../controller.ts';
import { widePair } from './nasty.ts';
import type { Plugged, Side } from './side.ts';

const zone = 1;
const whole = (field: string): string => `move:${field}->${field}`;

export class Floor implements AsyncDisposable {
  /** Its guests have the same addresses as those of the side, so that the victim answers alike. */
  readonly attacker: Guest;
  readonly #victim: Guest;
  readonly #at: Switch;

  private constructor(at: Switch, attacker: Guest, victim: Guest) {
    this.#at = at;
    this.attacker = attacker;
    this.#victim = victim;
  }

  static async start(at: Switch, { attacker, victim }: Side['guests']): Promise<Floor> {
    await at.addBridge(floorBridge);
    const twin = ({ mac, ip }: Plugged) => startGuest({ mac, addresses: [`${formatCidr(ip)}/16`] });
    const floor = new Floor(at, await twin(attacker), await twin(victim));
    for (const guest of [floor.attacker, floor.#victim]) await guest.plug(at, floorBridge);
    await floor.#guard(floor.attacker, attacker, formatCidr(attacker.ip));
    await floor.#guard(floor.#victim, victim, formatCidr(victim.ip));
    for (const [from, to] of [
      [floor.attacker, floor.#victim],
      [floor.#victim, floor.attacker],
    ] as const)
      await floor.#add([
        `table=1,priority=20,ip,ct_state=+trk+est,in_port=${from.outer},actions=output:${to.outer}`,
        `table=1,priority=10,ip,ct_state=+trk+new,in_port=${from.outer},actions=ct(commit,zone=${zone}),output:${to.outer}`,
        `table=1,priority=10,arp,in_port=${from.outer},actions=output:${to.outer}`,
      ]);
    return floor;
  }

  /**
   * Lets the attacker send from the nasty pairs. Rules with prefixes and ports of every length need addresses and ports.
   * These are un-wildcarded whole, as Portcullis does: few masks, and a decision for each value.
   */
  async makeNasty(attacker: Plugged): Promise<void> {
    await this.#guard(this.attacker, attacker, widePair, [whole('NXM_OF_IP_SRC[]')]);
    const commit = [whole('NXM_OF_IP_DST[]'), `ct(commit,zone=${zone})`, `output:${this.#victim.outer}`];
    const begins = `table=1,ct_state=+trk+new,in_port=${this.attacker.outer}`;
    await this.#add([
      `${begins},priority=11,ip,actions=${commit.join()}`,
      ...(['tcp', 'udp', 'sctp'] as const).map((protocol) => {
        const field = `${protocol === 'sctp' ? 'OXM' : 'NXM'}_OF_${protocol.toUpperCase()}_DST[10..15]`;
        return `${begins},priority=12,${protocol},actions=${[whole(field), ...commit].join()}`;
      }),
    ]);
  }

  #guard({ outer }: Guest, { mac }: Plugged, source: string, first: readonly string[] = []): Promise<void> {
    const from = `in_port=${outer},dl_src=${mac}`;
    return this.#add([
      `table=0,priority=20,ip,${from},nw_src=${source},actions=${[...first, `ct(table=1,zone=${zone})`].join()}`,
      `table=0,priority=20,arp,${from},arp_sha=${mac},arp_spa=${source},actions=goto_table:1`,
    ]);
  }

  async #add(flows: readonly string[]): Promise<void> {
    for (const flow of flows) await this.#at.ofctl('--names', 'add-flow', floorBridge, flow);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.attacker.stop();
    await this.#victim.stop();
  }
}
