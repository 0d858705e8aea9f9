/**
 * Allowed address pairs: what a list of them may hold and how it is stored. The text of an address stays as it was
 * sent, since clients compare pairs as text; only the MAC is normalised.
 */
import { type Cidr, cidr, overlaps, parseCidr } from '../net/cidr.ts';
import { isMulticastMac, parseMac } from '../net/mac.ts';
import { isUnusable } from '../net/unusable-addresses.ts';
import { ipAddress, ipSubnet, isObject, macAddress } from './checks.ts';
import { badRequest, invalidInput, refuse } from './faults.ts';
import { pythonText } from './python-text.ts';
import type { AddressPair } from './records.ts';
import { arrayOf, objectOf, type Schema } from './schema.ts';

export const maxAddressPairs = 10;

/** A pair as sent; its MAC is the port's when absent. */
export interface PairDraft {
  readonly ip_address: string;
  readonly mac_address?: string;
}

/** A list of pairs in a request. */
export const pairsSchema: Schema = arrayOf(
  objectOf(
    { ip_address: { type: 'string', format: 'ip-or-cidr' }, mac_address: { type: ['string', 'null'] } },
    ['mac_address'],
  ),
);

const multicast: Record<4 | 6, Cidr> = { 4: cidr(4, 0xe0000000n, 4), 6: cidr(6, 0xffn << 120n, 8) };

function checkAddress(value: unknown): string {
  const reason = typeof value === 'string' && value.includes('/') ? ipSubnet(value) : ipAddress(value);
  const prefix = typeof value === 'string' ? parseCidr(value) : null;
  if (reason !== null || prefix === null) return badRequest(`${reason}`);
  // "Any address" is legal although it holds the multicast range (alias aap-reject-multicast).
  if (prefix.length > 0 && overlaps(multicast[prefix.family], prefix)) {
    invalidInput(`Multicast address ${String(value)} is not allowed in allowed_address_pairs`);
  }
  if (isUnusable(prefix)) {
    invalidInput(
      `No port can have an address of ${String(value)}: loopback, unspecified, broadcast and IPv4-mapped addresses are not allowed in allowed_address_pairs`,
    );
  }
  return String(value);
}

function checkMac(value: unknown): string {
  const reason = macAddress(value);
  const mac = typeof value === 'string' ? parseMac(value) : null;
  if (reason !== null || mac === null) return badRequest(`${reason}`);
  if (isMulticastMac(mac)) invalidInput(`Multicast MAC ${mac} is not allowed in allowed_address_pairs`);
  return mac;
}

/** Checks the list by itself; null clears. */
export function toPairDrafts(value: unknown): readonly PairDraft[] {
  if (value === null) return [];
  if (!Array.isArray(value)) return badRequest('Allowed address pairs must be a list.');
  if (value.length > maxAddressPairs) refuse({ code: 'AllowedAddressPairExhausted', quota: maxAddressPairs });
  const drafts = value.map((item: unknown): PairDraft => {
    if (!isObject(item)) {
      return badRequest(
        `Invalid input for allowed_address_pairs. Reason: '${pythonText(item)}' is not a dictionary.`,
      );
    }
    if (!Object.hasOwn(item, 'ip_address')) refuse({ code: 'AllowedAddressPairsMissingIP' });
    const unknown = Object.keys(item).filter((key) => key !== 'ip_address' && key !== 'mac_address');
    if (unknown.length > 0) badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
    const ip = checkAddress(item['ip_address']);
    // A client that copies a pair without MAC may send null for it.
    const mac = item['mac_address'] ?? null;
    return mac === null ? { ip_address: ip } : { ip_address: ip, mac_address: checkMac(mac) };
  });
  refuseTwins(drafts.map((draft) => ({ mac_address: '', ...draft })));
  return drafts;
}

/** Two spellings of one prefix are one pair. */
function identity(pair: AddressPair): string {
  const prefix = parseCidr(pair.ip_address);
  return `${pair.mac_address} ${prefix === null ? pair.ip_address : `${prefix.family} ${prefix.bits}/${prefix.length}`}`;
}

function refuseTwins(pairs: readonly AddressPair[]): void {
  const seen = new Set<string>();
  for (const pair of pairs) {
    const key = identity(pair);
    if (seen.has(key)) {
      refuse({ code: 'DuplicateAddressPairInRequest', mac: pair.mac_address, ip: pair.ip_address });
    }
    seen.add(key);
  }
}

/** The pairs of a port with this MAC; refuses those that become equal by it. */
export function resolvePairs(drafts: readonly PairDraft[], mac: string): readonly AddressPair[] {
  const pairs = drafts.map((draft) => ({
    ip_address: draft.ip_address,
    mac_address: draft.mac_address ?? mac,
  }));
  refuseTwins(pairs);
  return pairs;
}

/** The body of the actions that add and remove pairs. */
export const pairsBody: Schema = objectOf({ allowed_address_pairs: pairsSchema });

/** The pairs that a body of these actions names, checked by themselves. */
export function pairsOfBody(body: unknown): readonly PairDraft[] {
  const name = 'allowed_address_pairs';
  if (!isObject(body) || !Object.hasOwn(body, name))
    return badRequest(`Failed to parse request. Required attribute '${name}' not specified`);
  const unknown = Object.keys(body).filter((key) => key !== name);
  if (unknown.length > 0) badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
  return toPairDrafts(body[name]);
}

/** A pair that is there already stays as it is spelled. Refuses more than a port may have. */
export function withPairs(
  held: readonly AddressPair[],
  drafts: readonly PairDraft[],
  mac: string,
): readonly AddressPair[] {
  const known = new Set(held.map(identity));
  const all = [...held, ...resolvePairs(drafts, mac).filter((pair) => !known.has(identity(pair)))];
  if (all.length > maxAddressPairs) refuse({ code: 'AllowedAddressPairExhausted', quota: maxAddressPairs });
  return all;
}

/** A pair that is not there needs no removal. */
export function withoutPairs(
  held: readonly AddressPair[],
  drafts: readonly PairDraft[],
  mac: string,
): readonly AddressPair[] {
  const gone = new Set(resolvePairs(drafts, mac).map(identity));
  return held.filter((pair) => !gone.has(identity(pair)));
}
