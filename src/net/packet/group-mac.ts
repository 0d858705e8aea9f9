/** The Ethernet destination of IP multicast and broadcast (RFC 1112, RFC 2464). */
import { type Cidr, contains, parseCidr } from '../cidr.ts';
import { broadcastMac, type Mac, macFromBits } from '../mac.ts';

const multicast4 = parseCidr('224.0.0.0/4');
const multicast6 = parseCidr('ff00::/8');

/** Null for a unicast address, whose MAC a neighbour has. */
export function groupMacOf(address: Cidr): Mac | null {
  const { family, bits } = address;
  if (family === 4 && bits === 0xffffffffn) return broadcastMac;
  if (multicast4 !== null && contains(multicast4, address))
    return macFromBits(0x01005e000000n | (bits & 0x7fffffn));
  if (multicast6 !== null && contains(multicast6, address))
    return macFromBits((0x3333n << 32n) | (bits & 0xffffffffn));
  return null;
}
