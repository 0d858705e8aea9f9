/**
 * What the attack needs of a controller: four guests on a switch, of which one attacks another, and the groups that
 * these two have. The client and the server keep the default group.
 */
import { type Cidr, formatCidr } from '../../src/net/cidr.ts';
import type { Mac } from '../../src/net/mac.ts';
import { type Guest, startGuest } from '../../test/lib/netns.ts';
import type { Switch } from '../../test/lib/switch.ts';
import { bridge } from '../controller.ts';

export const roles = ['attacker', 'victim', 'server', 'client'] as const;
export type Role = (typeof roles)[number];

export interface Plugged extends AsyncDisposable {
  readonly guest: Guest;
  readonly mac: Mac;
  readonly ip: Cidr;
}

export interface Scene {
  readonly peer: 'portcullis' | 'ovn';
  readonly at: Switch;
  readonly guests: Readonly<Record<Role, Plugged>>;
  /** Gives attacker and victim the worst that a tenant may write; resolves when the switch has it. */
  makeNasty(): Promise<void>;
}

/** Runs something with the scene, which then ends with everything that it made. */
export type InScene = (run: (scene: Scene) => Promise<void>) => Promise<void>;

/** The guest of a port that the controller knows by `iface`. */
export async function plug(at: Switch, iface: string, mac: Mac, ip: Cidr): Promise<Plugged> {
  const guest = await startGuest({ mac: mac, addresses: [`${formatCidr(ip)}/16`] });
  try {
    await guest.plug(at, bridge, { 'iface-id': iface });
  } catch (error) {
    await guest.stop();
    throw error;
  }
  return { guest, mac, ip, [Symbol.asyncDispose]: () => guest.stop() };
}
