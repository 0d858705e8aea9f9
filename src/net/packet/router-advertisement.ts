/** The options of router advertisements: prefixes and MTU (RFC 4861 4.6), DNS servers and search domains (RFC 8106 5). */
import { Writer } from '../../base/bytes.ts';
import type { Cidr } from '../cidr.ts';
import type { NdOption } from './icmpv6.ts';

/** RFC 4861 4.2. */
export const advertisementFlags = { managed: 0x80, otherConfig: 0x40 } as const;
/** RFC 4861 4.6.2. */
const prefixFlags = { onLink: 0x80, autonomous: 0x40 } as const;

const optionTypes = { prefix: 3, mtu: 5, dnsServers: 25, domains: 31 } as const;

/** Lifetimes in seconds. The prefix is on the link; by `autonomous`, hosts make addresses of it. */
export const prefixOption = (
  { bits, length }: Cidr,
  autonomous: boolean,
  { valid, preferred }: { readonly valid: number; readonly preferred: number },
): NdOption => ({
  type: optionTypes.prefix,
  body: new Writer(30)
    .u8(length)
    .u8(prefixFlags.onLink | (autonomous ? prefixFlags.autonomous : 0))
    .u32(valid)
    .u32(preferred)
    .u32(0)
    .uint(bits, 16)
    .done(),
});

export const mtuOption = (mtu: number): NdOption => ({
  type: optionTypes.mtu,
  body: new Writer(6).u16(0).u32(mtu).done(),
});

export function dnsServersOption(servers: readonly Cidr[], lifetime: number): NdOption {
  const writer = new Writer(64).u16(0).u32(lifetime);
  for (const { bits } of servers) writer.uint(bits, 16);
  return { type: optionTypes.dnsServers, body: writer.done() };
}

/** `domains` as RFC 1035 3.1 has them, without compression. */
export const domainsOption = (domains: Buffer, lifetime: number): NdOption => ({
  type: optionTypes.domains,
  body: new Writer(64).u16(0).u32(lifetime).bytes(domains).done(),
});
