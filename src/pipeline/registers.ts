/**
 * The registers of a packet and their bits. Registers hold constants only, never copies of header fields.
 */
import type { FieldName } from '../openflow/index.ts';

/** OpenFlow's metadata is one more register, of 64 bits. */
export type RegisterField = Extract<FieldName, `reg${number}` | 'metadata'>;

export const register = {
  /** Key of the port that sent the packet: unique in its network only. */
  source: 'reg0',
  /** Conntrack zone of the network on this host. */
  zone: 'reg1',
  /** Key of the network, the same on every host. */
  network: 'reg11',
  /** Id of the set of security groups of the sender. */
  sourceSet: 'reg2',
  /** Key of the port that is to get the packet. */
  destination: 'reg3',
  destinationSet: 'reg4',
  /** Scratch: class of the peer's address, the set of security groups named by rules here that it belongs to. */
  peer: 'reg5',
  /** Scratch: the same for address groups, which mean the same in every network. */
  addresses: 'reg8',
  /** Bits of `flag`. */
  flags: 'reg6',
  /** Of a copy for one of several holders of a MAC: bit 0 is set, and the bits above it are the copy's number. */
  copy: 'reg7',
  /** 1: UDP for a port where DHCP servers or clients listen. */
  dhcp: 'reg9',
  /** Which fields the rules of the set need to match, as bits of `need`. */
  needs: 'reg10',
  /** Number of the other host: of the receiver's, or, in the tunnel tables, of the sender's. 0 is this host; see `outside`. */
  host: 'reg14',
  /** Number of the router that the packet is in, or was in last. 0 for none. */
  router: 'reg15',
  /** Scratch. 1: no prefix pair gives the address that the packet is from; that it claims as a target. */
  sourceReserved: 'reg12',
  targetReserved: 'reg13',
  /** Scratch of routers, behind the guards: why the packet ends there, as a number of `routingFaults`. */
  fault: 'reg12',
  /** Low half: the interface that a local port sent the packet by. High half: the sender's role in an isolated network. */
  origin: 'metadata',
} as const satisfies Readonly<Record<string, RegisterField>>;

/** Registers with the key of a port. */
export type PortField = typeof register.source | typeof register.destination;

export const flag = {
  /** The sender is not on the connection's record. Once its rules have let the packet out, it is put there. */
  senderIsNew: 1,
  /** The sender's addresses are not guarded, so nothing follows from what it claims. */
  unguarded: 2,
  /** The sender's packets are not tracked on their way out. Each receiver that tracks looks them up itself. */
  untracked: 4,
  /** The receiver is not on the connection's record. */
  receiverIsNew: 8,
  /** The packet came in fragments. A kernel datapath shows it as one whole packet behind the lookup. */
  piece: 16,
  /** The packet came through a tunnel or from a physical network, so it goes to neither. */
  tunnelled: 32,
  /** The register of the receiver has the port that announced the MAC last, which the switch itself has learned. */
  learned: 64,
  /** Of an announcement: another one for the MAC was learned a moment ago. */
  held: 128,
  /** The sender is about to move between hosts: it is asked whether it is on this one yet, or still. */
  moving: 256,
} as const;

/** Replaces all flags but those that the rest of the packet's way must still see. */
export const onlyFlags = (value: number) => ({ value, mask: (0xffff_ffff & ~flag.moving) >>> 0 });

/** The bits above the flags: the number of the arrival that the switch has learned of sender or receiver. 0 for none. */
export const arrivalBits = { offset: 16, bits: 16, mask: 0xffff_0000 } as const;

/** Matches, and loads, the number of an arrival. */
export const ofArrival = (number: number) => ({
  value: (number << arrivalBits.offset) >>> 0,
  mask: arrivalBits.mask,
});

/** In `register.host`: the packet leaves for the physical network. No host has this number (features/tunnels/peers.ts). */
export const outside = 0xffff_ffff;

/** The fields that rules may need beside the protocol. */
export const need = {
  /** The highest bits of transport ports; types and codes. */
  l4: 1,
  /** The peer's address. */
  peer: 2,
  /** All bits of the transport port, because a rule begins or ends in its block (see needs.ts). */
  port: 4,
} as const;
