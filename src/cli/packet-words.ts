/**
 * A packet in a few words, as operators write it: `tcp 192.0.2.5:443 src=10.0.0.9`. Returns the `packet` of
 * `POST /v1/explain`; the API checks its values.
 */
import { isIP } from 'node:net';
import { Fault } from '../base/errors.ts';

export type PacketWordsFault = { readonly code: 'BadPacket' };

export type Packet = Record<string, string | number | readonly string[]>;

export const packetHelp = `
FRAME says what the port sends:
  tcp 192.0.2.5:443            the first packet of a TCP connection
  tcp 192.0.2.5:443 flags=ack  any other; flags: fin, syn, rst, psh, ack, urg
  udp [2001:db8::5]:53         likewise udp and sctp
  icmp 10.0.0.7                an echo request; type=, code= and id= say otherwise
  arp 10.0.0.1                 asks for the address; op=reply answers
  nd 2001:db8::1               a neighbour solicitation
  112 224.0.0.18               any IP protocol, by number or name

Words that any packet takes (what is absent is taken from the port, its network and its gateway):
  src=ADDRESS[:PORT]  dst=ADDRESS[:PORT]  sport=PORT  dport=PORT
  src-mac=MAC  dst-mac=MAC  ttl=NUMBER  vlan=NUMBER

  portcullis explain web tcp 192.0.2.5:443
  portcullis explain web udp dst=10.0.0.7:53 src=10.0.0.99
  portcullis explain web --hex 'ffffffffffff 020000000001 0806 ...'
`;

const refuse = (text: string): never => {
  throw new Fault<PacketWordsFault>({ code: 'BadPacket' }, `${text} (try portcullis explain --help)`);
};

function numberOf(word: string, value: string): number {
  return /^\d{1,5}$/.test(value) ? Number(value) : refuse(`${word}=${value} is not a number`);
}

/** An address, with a port behind it or not: `10.0.0.1`, `10.0.0.1:53`, `2001:db8::1`, `[2001:db8::1]:53`. */
function endOf(text: string): { readonly address: string; readonly port: number | null } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = isIP(text) === 6 ? text : (bracketed ?? plain ?? '');
  if (isIP(address) === 0) return refuse(`${text} is not ADDRESS or ADDRESS:PORT`);
  return { address, port: port === undefined ? null : Number(port) };
}

const numbers: ReadonlyMap<string, string> = new Map([
  ['sport', 'source_port'],
  ['dport', 'destination_port'],
  ['type', 'icmp_type'],
  ['code', 'icmp_code'],
  ['id', 'icmp_id'],
  ['ttl', 'hop_limit'],
  ['vlan', 'vlan'],
]);
const texts: ReadonlyMap<string, string> = new Map([
  ['src-mac', 'source_mac'],
  ['dst-mac', 'destination_mac'],
  ['op', 'operation'],
]);

function setField(packet: Packet, field: string, value: Packet[string]): void {
  if (packet[field] !== undefined) refuse(`${field} is given twice`);
  packet[field] = value;
}

function setEnd(packet: Packet, side: 'source' | 'destination', text: string): void {
  const { address, port } = endOf(text);
  setField(packet, `${side}_ip`, address);
  if (port !== null) setField(packet, `${side}_port`, port);
}

function setWord(packet: Packet, word: string, value: string): void {
  const number = numbers.get(word);
  const text = texts.get(word);
  if (word === 'src') setEnd(packet, 'source', value);
  else if (word === 'dst') setEnd(packet, 'destination', value);
  else if (word === 'flags') setField(packet, 'tcp_flags', value.split(','));
  else if (number !== undefined) setField(packet, number, numberOf(word, value));
  else if (text !== undefined) setField(packet, text, value);
  else refuse(`no word ${word}= is known`);
}

/** Throws `BadPacket`. */
export function readPacketWords([protocol, ...words]: readonly string[]): Packet {
  if (protocol === undefined) return refuse('say what the port sends, such as tcp 192.0.2.5:443');
  if (protocol.includes('=')) return refuse(`the first word must be a protocol, not ${protocol}`);
  const packet: Packet = { protocol };
  for (const word of words) {
    const at = word.indexOf('=');
    if (at >= 0) setWord(packet, word.slice(0, at), word.slice(at + 1));
    else if (packet['destination_ip'] === undefined) setEnd(packet, 'destination', word);
    else refuse(`${word} is one word too many`);
  }
  return packet['destination_ip'] === undefined ? refuse('say where the packet goes') : packet;
}
