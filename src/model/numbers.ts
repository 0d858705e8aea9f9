/**
 * Numbers that mean the same on every host: a network's key, which is its VNI, and a port's key in its network. The
 * server allocates both in the transaction that creates the record, and claims each by a mark in the store. Invariant:
 * no two records name one number. Conntrack zones are not such numbers: each host has its own.
 */
import { candidateNumbers, type NumberRange, preferredNumber } from '../base/hash.ts';

declare const networkKeyBrand: unique symbol;
declare const portKeyBrand: unique symbol;
/** A VNI of 24 bits, unique in the cloud. */
export type NetworkKey = number & { readonly [networkKeyBrand]: true };
/** Stands for a port in registers and connection records. Unique in its network only. */
export type PortKey = number & { readonly [portKeyBrand]: true };

/** VXLAN and Geneve have 24 bits (RFC 7348, RFC 8926). 0 means none. */
const networkKeys: NumberRange = { lowest: 1, highest: 0xff_ffff };
/** A place of a connection record has 32 bits. 0 means nobody. */
const portKeys: NumberRange = { lowest: 1, highest: 0xffff_fffe };

/** The keys that a network may have, the best first. */
export const networkKeysFor = (network: string): Generator<NetworkKey> =>
  networkKeysWithin(network, networkKeys);

/** Those of a range of VNIs. */
export function* networkKeysWithin(network: string, range: NumberRange): Generator<NetworkKey> {
  for (const key of candidateNumbers(network, range)) if (isNetworkKey(key)) yield key;
}

/**
 * The keys that a port may have, the best first. Up to release 0.1 a host gave the port the first that was free there:
 * connection records on running switches name it.
 */
export function* portKeysFor(port: string): Generator<PortKey> {
  for (const key of candidateNumbers(port, portKeys)) yield key as PortKey;
}

export const preferredNetworkKey = (network: string): NetworkKey =>
  preferredNumber(network, networkKeys) as NetworkKey;
export const preferredPortKey = (port: string): PortKey => preferredNumber(port, portKeys) as PortKey;

const isWithin = (value: unknown, { lowest, highest }: NumberRange): boolean =>
  Number.isInteger(value) && Number(value) >= lowest && Number(value) <= highest;

export const isNetworkKey = (value: unknown): value is NetworkKey => isWithin(value, networkKeys);
export const isPortKey = (value: unknown): value is PortKey => isWithin(value, portKeys);
