/**
 * The interface of both controllers for the attack: four guests on a switch. The attacker sends to the victim. The server
 * and the client stay in the default group.
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

export interface Side {
  readonly peer: 'portcullis' | 'ovn';
  readonly at: Switch;
  readonly guests: Readonly<Record<Role, Plugged>>;
  /** Gives the attacker and the victim the groups and pairs of nasty.ts. Resolves when the switch has their flows. */
  makeNasty(): Promise<void>;
}

/** Makes a side, runs `use` with it, and removes everything afterwards. */
export type WithSide = (use: (side: Side) => Promise<void>) => Promise<void>;

/** Starts a guest and plugs it as the interface `iface`. */
export async function plug(at: Switch, iface: string, mac: Mac, ip: Cidr): Promise<Plugged> {
  const guest = await startGuest({ mac, addresses: [`${formatCidr(ip)}/16`] });
  try {
    await guest.plug(at, bridge, { 'iface-id': iface });
  } catch (error) {
    await guest.stop();
    throw error;
  }
  return { guest, mac, ip, [Symbol.asyncDispose]: () => guest.stop() };
}
