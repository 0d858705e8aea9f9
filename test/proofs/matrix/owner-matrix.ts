/**
 * Addresses by whose they are: every kind of owner that the model knows, claimed by a guarded port in every message
 * that can claim an address. What is the port's own is written out, not derived.
 */
import { type Cidr, formatCidr, linkLocalOf } from '../../../src/net/cidr.ts';
import { broadcastMac, type Mac } from '../../../src/net/mac.ts';
import {
  listenerReport2,
  neighbourMessage,
  routerSolicitation,
  sourceOption,
  targetOption,
} from '../../../src/net/packet/icmpv6.ts';
import type { DropReason } from '../../../src/policy/drop-reasons.ts';
import type { World } from '../../../src/policy/world.ts';
import { arpFrame, groupMac, icmpFrame, ip, mac, udpFrame } from '../../lib/frames.ts';
import { type PortText, wideGroup, worldFrom } from '../worlds.ts';
import { type Entry, entry, macs } from './matrix.ts';

const routerMac = mac('02:00:00:00:00:0d');
const euiOf = (of: Mac): string => formatCidr(linkLocalOf(of));

/** Link-local addresses that passed duplicate-address detection on `self`, and the owner that each has now. */
const learned = {
  nobody: 'fe80::77',
  gateway: 'fe80::1',
  metadata: 'fe80::a9fe:a9fe',
  'another port’s pair': 'fe80::aaaa',
  'another port’s MAC': euiOf(macs.foreign),
  'the MAC of another port’s pair': 'fe80::200:5eff:fe00:209',
  'a router’s MAC': euiOf(routerMac),
} as const;

const self: PortText = { id: 'self', mac: macs.own, ips: ['10.0.0.10', '2001:db8::a'], groups: ['all'] };

/** How `self` has its addresses: by name alone, by prefixes besides, or by those where reserved ones are lent. */
export const holdings = ['by name', 'by prefixes', 'by prefixes, lent'] as const;
type Holding = (typeof holdings)[number];

export const ownerWorld = (holding: Holding): World =>
  worldFrom({
    allowsReservedPairs: holding === 'by prefixes, lent',
    gateways: ['10.0.0.1', 'fe80::1'],
    ports: [
      {
        ...self,
        pairs: [
          ['10.0.0.77', macs.pair],
          ...(holding === 'by name' ? [] : (['0.0.0.0/0', '::/0'] as const)).map(
            (prefix) => [prefix] as const,
          ),
        ],
      },
      { id: 'peer', mac: macs.peer, ips: ['10.0.0.12', '2001:db8::c'], mode: 'off' },
      {
        id: 'other',
        mac: macs.foreign,
        ips: ['10.0.0.11', '2001:db8::b'],
        pairs: [['fe80::aaaa'], ['10.0.0.78', '00:00:5e:00:02:09'], ['198.51.100.0/24']],
        groups: ['all'],
        host: null,
      },
      { id: 'router', mac: routerMac, ips: ['10.0.0.2'], mode: 'off', service: true, host: null },
    ],
    rules: wideGroup('all'),
    linkLocals: [
      ...Object.values(learned).map((address) => ({ port: 'self', address, mac: macs.own })),
      { port: 'other', address: 'fe80::99', mac: macs.foreign },
    ],
  });

const named: ReadonlySet<string> = new Set([
  `${macs.own} 10.0.0.10`,
  `${macs.pair} 10.0.0.77`,
  `${macs.own} 2001:db8::a`,
  `${macs.own} ${euiOf(macs.own)}`,
  `${macs.pair} ${euiOf(macs.pair)}`,
  `${macs.own} ${learned.nobody}`,
]);
/** What prefixes give beside what the port has by name. The prefix of another port takes nothing from them. */
const free = ['203.0.113.7', '10.0.0.200', '198.51.100.9', '2001:db8::200', '2001:db8:9::1', 'fe80::dead'];
const lent = ['10.0.0.1', '10.0.0.2', '169.254.169.254', 'fe80::1', 'fe80::a9fe:a9fe', euiOf(routerMac)];
const othersAddresses = ['10.0.0.11', '10.0.0.12', '10.0.0.78', '2001:db8::b', '2001:db8::c', 'fe80::99'];
const nobodys4 = [
  '0.1.2.3',
  '127.0.0.1',
  '127.8.8.8',
  '224.0.0.18',
  '239.1.2.3',
  '255.255.255.255',
  '10.0.0.255',
];
const nobodys6 = ['::', '::1', '::ffff:10.0.0.9', 'ff02::1', 'ff0e::5'];
const ownNames = [...named].map((text) => text.slice(macs.own.length + 1));
const addresses = [
  ...new Set([
    ...Object.values(learned),
    ...[free, lent, othersAddresses, nobodys4, nobodys6, ownNames, ['0.0.0.0']].flat(),
  ]),
].map(ip);

type Claim = 'refused' | 'by prefix' | 'by name';

function claimOf(holding: Holding, from: Mac, address: string): Claim {
  if (named.has(`${from} ${address}`)) return 'by name';
  if (holding === 'by name' || from !== macs.own) return 'refused';
  if (ownNames.includes(address)) return 'by name';
  if (free.includes(address)) return 'by prefix';
  return holding === 'by prefixes, lent' && lent.includes(address) ? 'by prefix' : 'refused';
}

const isLinkLocal = ({ family, bits }: Cidr): boolean => family === 6 && bits >> 118n === 0x3fan;

let ports = 1024;

function* claims4(from: Mac, address: Cidr, claim: Claim): Generator<Entry> {
  const mine = claim !== 'refused';
  const text = `eth_src ${from}, address ${formatCidr(address)}`;
  const layer = { from, to: macs.peer, src: address, dst: ip('10.0.0.12') };
  yield entry(`UDP ${text}`, [udpFrame(layer, ++ports, 2000)], mine ? null : 'ip-spoof');
  const arp = { from, to: broadcastMac, sha: from, tha: macs.none };
  const spoof: DropReason | null = mine ? null : 'arp-spoof';
  const asked = ip('10.0.0.99');
  // From no address it is a probe for the other one.
  if (address.bits !== 0n)
    yield entry(`ARP ${text}`, [arpFrame({ ...arp, op: 1, spa: address, tpa: asked })], spoof);
  yield entry(`announcement ${text}`, [arpFrame({ ...arp, op: 1, spa: address, tpa: address })], spoof);
  yield entry(`ARP answer ${text}`, [arpFrame({ ...arp, op: 2, spa: address, tpa: asked })], spoof);
  yield entry(`ARP probe ${text}`, [arpFrame({ ...arp, op: 1, spa: ip('0.0.0.0'), tpa: address })], spoof);
}

function* claims6(from: Mac, address: Cidr, claim: Claim): Generator<Entry> {
  const mine = claim !== 'refused';
  const text = `eth_src ${from}, address ${formatCidr(address)}`;
  const layer = { from, to: macs.peer, src: address, dst: ip('2001:db8::c') };
  const to = (group: string) => ({ ...layer, dst: ip(group), to: groupMac(ip(group)) ?? macs.peer });
  const nd = { ...to('ff02::1'), hopLimit: 255 };
  const honest = { ...nd, src: linkLocalOf(from) };
  const spoof: DropReason | null = mine ? null : 'nd-spoof';
  const tll = [targetOption(from)];
  yield entry(`UDP ${text}`, [udpFrame(layer, ++ports, 2000)], mine ? null : 'ip-spoof');
  yield entry(
    `NA target ${text}`,
    [icmpFrame(honest, neighbourMessage(136, 0x20000000, address, tll))],
    spoof,
  );
  const ask = neighbourMessage(135, 0, ip('2001:db8::99'), [sourceOption(from)]);
  yield entry(`NS source ${text}`, [icmpFrame(nd, ask)], spoof);
  const tell = neighbourMessage(136, 0x20000000, linkLocalOf(from), tll);
  yield entry(`NA source ${text}`, [icmpFrame(nd, tell)], spoof);
  const pending = isLinkLocal(address) ? 'dad-pending' : 'nd-spoof';
  const probe = icmpFrame({ ...nd, src: ip('::') }, neighbourMessage(135, 0, address, []));
  // What a prefix covers of link-local addresses waits for the record that makes it the port's by name.
  const known = isLinkLocal(address) ? claim === 'by name' : mine;
  const target = address.bits === 0n ? 'nd-spoof' : pending;
  yield entry(`probe ${text}`, [probe], known ? null : target);
  // A guest that has no address yet may ask for routers and report groups.
  if (address.bits === 0n) return;
  const routers = icmpFrame({ ...to('ff02::2'), hopLimit: 255 }, routerSolicitation([]));
  yield entry(`RS ${text}`, [routers], spoof);
  const report = icmpFrame({ ...to('ff02::16'), hopLimit: 1 }, listenerReport2([ip('ff02::7')]));
  yield entry(`MLDv2 report ${text}`, [report], mine ? null : 'ip-spoof');
}

export function ownerMatrix(holding: Holding): Entry[] {
  const entries: Entry[] = [];
  for (const from of [macs.own, macs.pair])
    for (const address of addresses) {
      const claim = claimOf(holding, from, formatCidr(address));
      entries.push(...(address.family === 4 ? claims4 : claims6)(from, address, claim));
    }
  return entries;
}
