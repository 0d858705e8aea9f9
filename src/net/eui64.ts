/** Addresses that hosts derive from their MAC. */
import { type Cidr, cidr } from './cidr.ts';
import { type Mac, macToBits } from './mac.ts';

/** The address that a host with this MAC gives itself on a /64 (RFC 4291 appendix A). */
export function eui64Address(prefix: Cidr, mac: Mac): Cidr {
  const bits = macToBits(mac);
  const high = (bits >> 24n) ^ 0x020000n;
  return cidr(6, prefix.bits | (high << 40n) | (0xfffen << 24n) | (bits & 0xffffffn));
}
