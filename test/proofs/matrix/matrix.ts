/**
 * The spoof matrix: every field that names an identity, own or foreign or absent, in every wrapping that has ever
 * walked a frame around a guard. This file states the verdict on each frame from its field values, without the
 * evaluator and without flows. So it is a measure for both.
 */
import { type Cidr, linkLocalOf } from '../../../src/net/cidr.ts';
import type { Mac } from '../../../src/net/mac.ts';
import type { DropReason } from '../../../src/policy/drop-reasons.ts';
import type { World } from '../../../src/policy/world.ts';
import { ip, mac, noMac } from '../../lib/frames.ts';
import { openGroup, type RuleText, wideGroup, worldFrom } from '../worlds.ts';

export interface Entry {
  readonly name: string;
  /** One frame, or all fragments of one datagram. */
  readonly frames: readonly [Buffer, ...Buffer[]];
  readonly expected: 'pass' | 'drop';
  /** Null when it passes. */
  readonly reason: DropReason | null;
}

/** A value of a field with the word that names it in the entry. */
export type Named<T> = readonly [name: string, value: T];

export const macs = {
  own: mac('02:00:00:00:00:0a'),
  /** Allowed by pairs, with its own addresses only. */
  pair: mac('00:00:5e:00:01:07'),
  foreign: mac('02:00:00:00:00:0b'),
  multicast: mac('03:00:00:00:00:0a'),
  none: noMac,
  peer: mac('02:00:00:00:00:0c'),
} as const;

export const addresses4 = {
  fixed: ip('10.0.0.10'),
  prefix: ip('172.16.3.4'),
  vip: ip('10.0.0.77'),
  foreign: ip('10.0.0.11'),
  /** In the prefix pair, and the network's gateway. */
  gateway: ip('172.16.0.1'),
  unspecified: ip('0.0.0.0'),
  peer: ip('10.0.0.12'),
} as const;

export const addresses6 = {
  fixed: ip('2001:db8::a'),
  vip: ip('2001:db8::77'),
  foreign: ip('2001:db8::b'),
  /** In the prefix pair, and the network's gateway. */
  gateway: ip('2001:db8:1::1'),
  linkLocal: linkLocalOf(macs.own),
  pairLinkLocal: linkLocalOf(macs.pair),
  foreignLinkLocal: linkLocalOf(macs.foreign),
  unknownLinkLocal: ip('fe80::dead'),
  unspecified: ip('::'),
  peer: ip('2001:db8::c'),
} as const;

/** How a port that may say anything to anybody is judged: by connection, because of its rules or its groups not. */
export const trackings = ['tracked', 'open', 'stateless'] as const;
export type Tracking = (typeof trackings)[number];

const rulesOf: Readonly<Record<Tracking, RuleText[]>> = {
  tracked: wideGroup('all'),
  open: openGroup('all'),
  stateless: wideGroup('all'),
};

/** The guarded port `self`, its unguarded neighbour `peer`, and `other`, which is nowhere and so never answered for. */
export const matrixWorld = (tracking: Tracking): World =>
  worldFrom({
    gateways: ['172.16.0.1', '2001:db8:1::1'],
    ports: [
      {
        id: 'self',
        mac: macs.own,
        ips: ['10.0.0.10', '2001:db8::a'],
        pairs: [
          ['172.16.0.0/16'],
          ['2001:db8:1::/48'],
          ['10.0.0.77', macs.pair],
          ['2001:db8::77', macs.pair],
        ],
        groups: ['all'],
      },
      { id: 'peer', mac: macs.peer, ips: ['10.0.0.12', '2001:db8::c'], mode: 'off' },
      { id: 'other', mac: macs.foreign, ips: ['10.0.0.11', '2001:db8::b'], groups: ['all'], host: null },
    ],
    rules: rulesOf[tracking],
    stateless: tracking === 'stateless' ? ['all'] : [],
  });

const key = (address: Cidr, under: Mac): string => `${under} ${address.family} ${address.bits}`;

/** Written out, not derived: the identities that `self` has. */
const legitimate: ReadonlySet<string> = new Set([
  key(addresses4.fixed, macs.own),
  key(addresses4.prefix, macs.own),
  key(addresses4.vip, macs.pair),
  key(addresses6.fixed, macs.own),
  key(addresses6.linkLocal, macs.own),
  key(addresses6.vip, macs.pair),
  key(addresses6.pairLinkLocal, macs.pair),
]);

export const isOwn = (address: Cidr, under: Mac): boolean => legitimate.has(key(address, under));

export function named<T>(values: Readonly<Record<string, T>>, ...names: readonly string[]): Named<T>[] {
  return names.map((name) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value is called ${name}`);
    return [name, value];
  });
}

export const sources: readonly Named<Mac>[] = named(macs, 'own', 'pair', 'foreign', 'multicast');

/** What the Ethernet source alone decides. */
export function sourceReason(source: Mac): DropReason | null {
  if (source === macs.multicast) return 'multicast-source';
  return source === macs.own || source === macs.pair ? null : 'mac-spoof';
}

export function entry(
  name: string,
  frames: readonly [Buffer, ...Buffer[]],
  reason: DropReason | null,
): Entry {
  return { name, frames, expected: reason === null ? 'pass' : 'drop', reason };
}
