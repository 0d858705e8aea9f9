/** Which live connections the rules still admit: case by case, and compared with the evaluator on a first packet. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { echoFrame, ip, ipFrame, mac, tcpFrame, udpFrame } from '../../test/lib/frames.ts';
import { fixed4, fixed6, worldArbitrary } from '../../test/proofs/arbitrary-worlds.ts';
import { host, type PortText, type RuleText, worldFrom } from '../../test/proofs/worlds.ts';
import { protocols, tcpFlags } from '../net/packet/transport.ts';
import { emptyTracker } from './conntrack.ts';
import { evaluate } from './evaluator.ts';
import { identityOf } from './identity.ts';
import { type ConnectionOfPorts, comesBack, standing, stands } from './standing.ts';
import type { NetworkId, Port, PortId, World } from './world.ts';

const a: PortText = { id: 'a', mac: '02:00:00:00:00:0a', ips: ['10.0.0.10', '2001:db8::a'], groups: ['a'] };
const b: PortText = { id: 'b', mac: '02:00:00:00:00:0b', ips: ['10.0.0.11', '2001:db8::b'], groups: ['b'] };
const out: RuleText = { group: 'a', direction: 'egress' };
const into: RuleText = { group: 'b', direction: 'ingress' };

const ports = (src: number, dst: number) => ({ kind: 'ports', src, dst }) as const;
const web: ConnectionOfPorts = {
  network: 'n1' as NetworkId,
  protocol: protocols.tcp,
  src: ip('10.0.0.10'),
  dst: ip('10.0.0.11'),
  detail: ports(40000, 80),
  originator: 'a' as PortId,
  responder: 'b' as PortId,
};
interface Changes {
  readonly a?: Partial<PortText>;
  readonly b?: Partial<PortText>;
  readonly others?: readonly PortText[];
  readonly rules?: readonly RuleText[];
  readonly addressGroups?: Readonly<Record<string, readonly string[]>>;
}
const world = ({ others = [], rules = [out, into], addressGroups = {}, ...changes }: Changes = {}): World =>
  worldFrom({
    ports: [{ ...a, ...changes.a }, { ...b, ...changes.b }, ...others],
    rules,
    addressGroups,
  });
const judge = (changes: Changes, connection: Partial<ConnectionOfPorts> = {}): boolean =>
  stands(world(changes), { ...web, ...connection });

describe('a connection stands', () => {
  test('while both sides admit it', () => {
    expect(judge({})).toBe(true);
    expect(judge({ rules: [out] })).toBe(false);
    expect(judge({ rules: [into] })).toBe(false);
    expect(judge({ a: { groups: [] } })).toBe(false);
    expect(judge({ b: { groups: [] } })).toBe(false);
  });

  test('in its own direction only', () => {
    const back = { src: web.dst, dst: web.src, originator: web.responder, responder: web.originator };
    expect(judge({}, back)).toBe(false);
  });

  test('without asking a side that is unguarded or on another host', () => {
    expect(judge({ a: { mode: 'off', groups: [] } })).toBe(true);
    expect(judge({ b: { mode: 'off', groups: [] } })).toBe(true);
    expect(judge({ rules: [into] }, { originator: null })).toBe(true);
    expect(judge({ rules: [out] }, { responder: null })).toBe(true);
    expect(judge({ rules: [] }, { originator: null, responder: null })).toBe(true);
  });

  test('not by a port that is gone, down or of another network', () => {
    for (const side of ['originator', 'responder'] as const)
      expect(judge({}, { [side]: 'nobody' as PortId })).toBe(false);
    expect(judge({ a: { adminUp: false } })).toBe(false);
    expect(judge({ b: { adminUp: false, mode: 'off', groups: [] } })).toBe(false);
    expect(judge({ b: { network: 'n2' } })).toBe(false);
    expect(judge({ b: { network: 'n2' } }, { network: 'n2' as NetworkId })).toBe(false);
  });

  test('not in a network that is down or gone, even between unguarded ports', () => {
    const off = { mode: 'off', groups: [] } as const;
    const open = world({ a: off, b: off });
    const nobody = { ...web, originator: null, responder: null };
    const down = new Map([...open.networks].map(([id, network]) => [id, { ...network, adminUp: false }]));
    for (const connection of [web, nobody]) {
      expect(stands(open, connection)).toBe(true);
      expect(stands({ ...open, networks: down }, connection)).toBe(false);
      expect(stands({ ...open, networks: new Map() }, connection)).toBe(false);
    }
  });

  test('not by a port that has lost its address', () => {
    expect(judge({ a: { ips: ['10.0.0.20'] } })).toBe(false);
    expect(judge({ a: { ips: ['10.0.0.20'], pairs: [['10.0.0.10']] } })).toBe(true);
    expect(judge({ a: { ips: ['10.0.0.20'], mode: 'mac-only' } })).toBe(true);
    expect(judge({ b: { ips: ['10.0.0.20'] } })).toBe(false);
    expect(judge({ b: { ips: ['10.0.0.20'], pairs: [['10.0.0.0/24', '02:00:00:00:00:99']] } })).toBe(true);
    expect(judge({ b: { ips: ['10.0.0.20'], mode: 'mac-only' } })).toBe(true);
  });

  test('by ports, types and codes', () => {
    const range = { kind: 'ports', protocol: 6, min: 80, max: 81 } as const;
    const rules = [out, { ...into, l4: range }];
    expect(judge({ rules })).toBe(true);
    expect(judge({ rules }, { detail: ports(80, 82) })).toBe(false);
    expect(judge({ rules }, { protocol: protocols.udp })).toBe(false);
    const echo = { protocol: 1, detail: { kind: 'icmp', type: 8, code: 0 } } as const;
    const asked = (type: number, code: number | null): readonly RuleText[] => [
      out,
      { ...into, l4: { kind: 'icmp', protocol: 1, type, code } },
    ];
    expect(judge({ rules: asked(8, null) }, echo)).toBe(true);
    expect(judge({ rules: asked(0, null) }, echo)).toBe(false);
    expect(judge({ rules: asked(8, 1) }, echo)).toBe(false);
    const gre = { protocol: protocols.gre, detail: null };
    expect(judge({ rules: [out, { ...into, l4: { kind: 'protocol', protocol: 47 } }] }, gre)).toBe(true);
    expect(judge({ rules }, gre)).toBe(false);
  });

  test('by rules of its own family', () => {
    const six = { src: ip('2001:db8::a'), dst: ip('2001:db8::b') };
    expect(judge({}, six)).toBe(false);
    expect(judge({ rules: [out, into].map((rule) => ({ ...rule, family: 6 })) }, six)).toBe(true);
  });

  test('while its peer is a member of the remote group', () => {
    const rules = [out, { ...into, remote: '@a' }];
    expect(judge({ rules })).toBe(true);
    expect(judge({ rules: [...rules, { ...out, group: 'c' }], a: { groups: ['c'] } })).toBe(false);
    // Another port that holds just this address takes it out of a's prefix.
    const prefix = { ips: ['10.0.0.20'], pairs: [['10.0.0.0/28']] } as const;
    const other = { ...a, id: 'c', mac: '02:00:00:00:00:0c', ips: ['10.0.0.10'], groups: ['c'] };
    expect(judge({ rules, a: prefix })).toBe(true);
    expect(judge({ rules, a: prefix, others: [other] })).toBe(false);
    const listed = [out, { ...into, remote: '#few' }];
    expect(judge({ rules: listed, addressGroups: { few: ['192.0.2.0/24', '10.0.0.8/29'] } })).toBe(true);
    expect(judge({ rules: listed, addressGroups: { few: ['192.0.2.0/24', '2001:db8::/64'] } })).toBe(false);
    expect(judge({ rules: listed })).toBe(false);
  });

  test('without known ports, when both sides admit at least one port', () => {
    const sctp = { protocol: protocols.sctp, detail: null };
    const range = (rule: RuleText, min: number, max: number): RuleText => ({
      ...rule,
      l4: { kind: 'ports', protocol: protocols.sctp, min, max },
    });
    expect(judge({}, sctp)).toBe(true);
    expect(judge({ rules: [out, range(into, 5, 9)] }, sctp)).toBe(true);
    expect(judge({ rules: [range(out, 1, 7), range(into, 5, 9)] }, sctp)).toBe(true);
    expect(judge({ rules: [range(out, 1, 4), range(into, 5, 9)] }, sctp)).toBe(false);
    expect(judge({ rules: [out, range(into, 5, 9)] }, { ...sctp, detail: ports(1, 4) })).toBe(false);
    const tcp = { ...into, l4: { kind: 'ports', protocol: 6, min: 1, max: 9 } } as const;
    expect(judge({ rules: [out, tcp] }, sctp)).toBe(false);
  });

  test('as DHCP between ports that may, without a rule', () => {
    const renewal = { protocol: protocols.udp, detail: ports(68, 67) };
    expect(judge({ rules: [into] }, renewal)).toBe(true);
    expect(judge({ rules: [out] }, renewal)).toBe(false);
    const answer = { protocol: protocols.udp, detail: ports(67, 68) };
    expect(judge({ rules: [out] }, answer)).toBe(false);
    expect(judge({ rules: [out], a: { dhcpServer: true } }, answer)).toBe(true);
    expect(judge({ rules: [into], a: { dhcpServer: true } }, answer)).toBe(false);
  });
});

describe('of several ports that admitted a connection', () => {
  const router: PortText = { id: 'r', mac: '02:00:00:00:00:0f', mode: 'off' };
  const gate: PortText = { id: 'g', mac: '02:00:00:00:00:0e', mode: 'mac-only', groups: ['g'] };
  const twin: PortText = { id: 'c', mac: '02:00:00:00:00:0c', pairs: [['10.0.0.11']], groups: ['c'] };
  const others = [router, gate, twin];
  const through: readonly RuleText[] = [
    { group: 'g', direction: 'egress' },
    { group: 'g', direction: 'ingress' },
  ];
  const ofTcp = { kind: 'ports', protocol: protocols.tcp } as const;
  const intoTwin: RuleText = { group: 'c', direction: 'ingress' };
  const { originator: _, responder: __, ...tuple } = web;
  const left = (rules: readonly RuleText[], originators: string, responders: string): string | null => {
    const admission = {
      originators: originators.split('') as PortId[],
      responders: responders.split('') as PortId[],
    };
    const still = standing(world({ others, rules }), tuple, admission);
    return still === null ? null : `${still.originators.join('')} ${still.responders.join('')}`;
  };

  test('all stay while both sides admit it', () => {
    expect(left([out, into], 'a', 'b')).toBe('a b');
    expect(left([out, into], 'ar', 'rb')).toBe('ar rb');
    expect(left([out, into, ...through], 'ag', 'gb')).toBe('ag gb');
    expect(left([out, into, intoTwin], 'a', 'bc')).toBe('a bc');
    expect(left([], '', '')).toBe(' ');
  });

  test('it ends when no port that begins it, or none that it is for, is left', () => {
    expect(left([into], 'a', 'b')).toBeNull();
    expect(left([into], 'ar', 'rb')).toBeNull();
    expect(left([out], 'ar', 'rb')).toBeNull();
    expect(left([out, ...through], 'ag', 'gb')).toBeNull();
    expect(left([into, ...through], 'ag', 'gb')).toBeNull();
    expect(left([out], 'a', 'bc')).toBeNull();
  });

  test('other ports are only taken off its record', () => {
    expect(left([out, into], 'a', 'bc')).toBe('a b');
    expect(left([out, intoTwin], 'a', 'bc')).toBe('a c');
    expect(left([out, into], 'ag', 'gb')).toBe('a b');
    expect(left([out, into, ...through.slice(0, 1)], 'ag', 'gb')).toBe('ag b');
    expect(left([out, into], 'ax', 'b')).toBe('a b');
    expect(left([out, into], 'a', 'xb')).toBe('a b');
  });

  test('a port that fell comes back where its rules admit the answer by itself', () => {
    const back = (id: string, side: 'originators' | 'responders', ...more: RuleText[]): boolean =>
      comesBack(world({ others, rules: [out, into, ...more] }), tuple, id as PortId, side, {
        originators: [],
        responders: [],
      });
    const answers: RuleText = {
      group: 'c',
      direction: 'egress',
      l4: { ...ofTcp, min: 40000, max: 40000 },
    };
    expect(back('c', 'responders')).toBe(false);
    expect(back('c', 'responders', intoTwin)).toBe(false);
    expect(back('c', 'responders', answers)).toBe(true);
    expect(back('c', 'originators', answers)).toBe(false);
    expect(back('g', 'originators', ...through.slice(0, 1))).toBe(false);
    expect(back('g', 'originators', ...through)).toBe(true);
    for (const id of ['r', 'x']) expect(back(id, 'responders', answers, ...through)).toBe(false);
    // The evaluator puts exactly the ports on record that were said to come back.
    const given = world({ others, rules: [out, into, answers] });
    const there = { from: mac(a.mac), to: mac(b.mac), src: web.src, dst: web.dst };
    const again = { from: mac(twin.mac), to: mac(a.mac), src: web.dst, dst: web.src };
    const asked = evaluate(
      given,
      host,
      emptyTracker,
      'a' as PortId,
      tcpFrame(there, 40000, 80, tcpFlags.syn),
    );
    const answer = tcpFrame(again, 80, 40000, tcpFlags.syn | tcpFlags.ack);
    const { tracker } = evaluate(given, host, asked.tracker, 'c' as PortId, answer);
    expect([...tracker.values()].map(({ receivers }) => receivers)).toEqual([['b', 'c', null]]);
    expect(left([out, into, answers], 'a', 'bc')).toBe('a b');
  });
});

/** What the evaluator says of the first packet, from any of the sender's MACs. */
function begins(given: World, connection: ConnectionOfPorts, from: Port, to: Port): boolean {
  return [...identityOf(given, from).macs].some((mac) => {
    const link = { from: mac, to: to.mac, src: connection.src, dst: connection.dst };
    const frame = frameOf(connection, link);
    const { receivers } = evaluate(given, host, emptyTracker, from.id, frame);
    return receivers.get(to.id)?.outcome === 'passed';
  });
}

function frameOf({ protocol, detail }: ConnectionOfPorts, link: Parameters<typeof udpFrame>[0]): Buffer {
  if (detail?.kind === 'icmp') return echoFrame(link, 'request');
  if (detail === null) return ipFrame(link, protocol, Buffer.alloc(8));
  return protocol === protocols.tcp
    ? tcpFrame(link, detail.src, detail.dst, tcpFlags.syn)
    : udpFrame(link, detail.src, detail.dst);
}

test('a connection stands exactly when its first packet would pass', () => {
  const family = fc.constantFrom<(4 | 6)[]>(4, 6);
  const place = fc.nat(7);
  const kind = fc.constantFrom('tcp', 'udp', 'dhcp', 'icmp', 'gre');
  const port = fc.constantFrom(1, 22, 80, 443);
  let stood = 0;
  let fell = 0;
  fc.assert(
    fc.property(
      worldArbitrary,
      fc.array(fc.tuple(family, place, place, kind, port), { minLength: 10, maxLength: 30 }),
      (given, attempts) => {
        const here = [...given.ports.values()].filter((each) => each.host === host);
        for (const [version, m, n, what, dst] of attempts) {
          const from = here[m % here.length];
          const to = here[n % here.length];
          if (from === undefined || to === undefined || from === to || from.network !== to.network) continue;
          const own = (of: Port, at: number) =>
            of.fixedIps.find((address) => address.family === version) ??
            (version === 4 ? fixed4(at) : fixed6(at));
          const icmp = { kind: 'icmp', type: version === 4 ? 8 : 128, code: 0 } as const;
          const connection: ConnectionOfPorts = {
            network: from.network,
            src: own(from, m),
            dst: own(to, n),
            protocol: {
              tcp: protocols.tcp,
              udp: protocols.udp,
              dhcp: protocols.udp,
              gre: protocols.gre,
              icmp: version === 4 ? protocols.icmp : protocols.icmpv6,
            }[what],
            detail:
              what === 'icmp'
                ? icmp
                : what === 'gre'
                  ? null
                  : what === 'dhcp'
                    ? version === 4
                      ? ports(m % 2 ? 67 : 68, m % 2 ? 68 : 67)
                      : ports(m % 2 ? 546 : 547, m % 2 ? 547 : 546)
                    : ports(40000, dst),
            originator: from.id,
            responder: to.id,
          };
          // A request that the host answers is looked up nowhere, so no record of it can do anything.
          if (what === 'dhcp' && [...given.subnets.values()].some((subnet) => subnet.dhcp)) continue;
          const expected = begins(given, connection, from, to);
          expect(stands(given, connection)).toBe(expected);
          if (expected) stood++;
          else fell++;
        }
      },
    ),
    { numRuns: 300 },
  );
  expect(Math.min(stood, fell)).toBeGreaterThan(100);
});

test('ten thousand connections of a world of ten thousand ports are judged quickly', () => {
  const address = (at: number) => `10.0.${at >> 8}.${at & 255}`;
  const members = Array.from({ length: 10_000 }, (_, at): PortText => {
    const mac = (0x020000000000 + at).toString(16).padStart(12, '0').replace(/..\B/g, '$&:');
    return { id: `p${at}`, mac, ips: [address(at)], groups: at % 2 ? ['odd'] : ['even'] };
  });
  const rules: RuleText[] = Array.from({ length: 200 }, (_, at) => ({
    group: 'even',
    direction: 'ingress',
    l4: { kind: 'ports', protocol: 6, min: at, max: at },
    remote: '@odd',
  }));
  rules.push({ group: 'odd', direction: 'egress' }, { group: 'even', direction: 'egress' });
  const large = worldFrom({ ports: members, rules, subnets: ['10.0.0.0/16'] });
  const connections = Array.from(
    { length: 10_000 },
    (_, at): ConnectionOfPorts => ({
      ...web,
      src: ip(address(at)),
      dst: ip(address(at & ~1)),
      detail: ports(1024 + at, at % 200),
      originator: `p${at}` as PortId,
      responder: `p${at & ~1}` as PortId,
    }),
  );
  const standing = connections.filter((connection) => stands(large, connection));
  expect(standing).toHaveLength(5000);
  expect(standing.every(({ originator }) => Number(originator?.slice(1)) % 2 === 1)).toBe(true);
});
