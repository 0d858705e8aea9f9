/**
 * Addresses that no host can have as its own. IPv4: "this network", loopback, multicast and broadcast. IPv6:
 * the unspecified address, loopback, IPv4-mapped addresses (never on a wire, RFC 6890) and multicast.
 */
import { bug } from '../base/errors.ts';
import { type Cidr, contains, parseCidr } from './cidr.ts';

export const unusablePrefixes: readonly Cidr[] = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/4',
  '255.255.255.255',
  '::/127',
  '::ffff:0:0/96',
  'ff00::/8',
].map((text) => parseCidr(text) ?? bug(`not a prefix: ${text}`));

/** Whether no address of the prefix can be a host's. */
export const isUnusable = (prefix: Cidr): boolean =>
  unusablePrefixes.some((unusable) => contains(unusable, prefix));
