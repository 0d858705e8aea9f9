/** Where one copy of a packet goes: to a port of this host, to another host, or to the physical network. */
import type { PortId } from '../../../policy/world.ts';
import type { Loads } from '../../actions.ts';
import type { LocalPort } from '../../local-port.ts';
import { after, type EntryAfter } from '../../positions.ts';
import { outside, register } from '../../registers.ts';
import type { RemotePort } from '../tunnels/peers.ts';

/** A receiver whose place is known. */
export interface Placed {
  readonly port: PortId;
  readonly load: Loads<'l2'> & Loads<'moving_receiver'>;
  readonly next: EntryAfter<'forwarding'> | EntryAfter<'ingressRules'> | 'isolation';
}

export interface Receiver {
  readonly port?: PortId;
  readonly load: Loads<'l2'>;
  readonly next: Placed['next'] | 'to_moving';
}

export const isRemotePort = (port: LocalPort | RemotePort): port is RemotePort => 'peer' in port;

/** Of a port of another host, the connection's record names the first that the packet is for there. */
export function receiverOf(port: LocalPort | RemotePort): Placed {
  const load = { [register.destination]: port.key };
  const { id } = port.port;
  if (isRemotePort(port))
    return { port: id, load: { ...load, [register.host]: port.peer.number }, next: after('ingressRules') };
  const open = port.port.mode === 'off' ? after('ingressRules') : after('forwarding');
  return {
    port: id,
    load: { ...load, [register.destinationSet]: port.set },
    next: port.role !== 0 ? 'isolation' : open,
  };
}

/** A port that moves: where it is, the switch asks later. */
export const movingReceiver = ({ port, key }: LocalPort | RemotePort): Receiver => ({
  port: port.id,
  load: { [register.destination]: key },
  next: 'to_moving',
});

/** Nobody's key stands for who gets it there. */
export const outsideReceiver = (isolated: boolean): Receiver => ({
  load: { [register.host]: outside },
  next: isolated ? 'isolation' : after('ingressRules'),
});
