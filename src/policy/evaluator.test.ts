/** Security groups, connection tracking and delivery, rule by rule. */
import { describe, expect, test } from 'vitest';
import {
  arpRequest,
  echoFrame,
  fragmentsOf,
  groupMac,
  icmpFrame,
  ip,
  ipFrame,
  mac,
  tcpFrame,
  udpFrame,
} from '../../test/lib/frames.ts';
import { host, type PortText, type RuleText, wideGroup, worldFrom } from '../../test/proofs/worlds.ts';
import { linkLocalOf } from '../net/cidr.ts';
import { buildUdp, tcpFlags } from '../net/packet/transport.ts';
import { emptyTracker, type Tracker } from './conntrack.ts';
import { evaluate, evaluateDatagram } from './evaluator.ts';
import type { Verdict } from './verdict.ts';
import type { PortId, World } from './world.ts';

const macs = { a: mac('02:00:00:00:00:0a'), b: mac('02:00:00:00:00:0b'), c: mac('02:00:00:00:00:0c') };
const ips = { a: ip('10.0.0.10'), b: ip('10.0.0.11'), c: ip('10.0.0.12') };
type Name = keyof typeof macs;
const idOf = (name: string): PortId => name as PortId;

const port = (name: Name, over: Partial<PortText> = {}): PortText => ({
  id: name,
  mac: macs[name],
  ips: [`10.0.0.1${'abc'.indexOf(name)}`, `2001:db8::${name}`],
  groups: [name],
  ...over,
});
const egress = (group: string, over: Partial<RuleText> = {}): RuleText => ({
  group,
  direction: 'egress',
  ...over,
});
const ingress = (group: string, over: Partial<RuleText> = {}): RuleText => ({
  group,
  direction: 'ingress',
  ...over,
});
const layer = (from: Name, to: Name) => ({ from: macs[from], to: macs[to], src: ips[from], dst: ips[to] });

/** A conversation on one host: sends one frame after the other and remembers connections. */
class Talk {
  world: World;
  tracker: Tracker = emptyTracker;

  constructor(world: World) {
    this.world = world;
  }

  #tell({ sender, receivers, tracker }: Verdict): string {
    this.tracker = tracker;
    if (sender.outcome === 'dropped') return sender.reason;
    const parts = [...receivers].map(([id, got]) => (got.outcome === 'passed' ? id : `${id}:${got.reason}`));
    return parts.join(' ');
  }

  send(from: Name, frame: Buffer): string {
    return this.#tell(evaluate(this.world, host, this.tracker, idOf(from), frame));
  }

  sendPieces(from: Name, pieces: readonly [Buffer, ...Buffer[]]): string {
    return this.#tell(evaluateDatagram(this.world, host, this.tracker, idOf(from), pieces));
  }
}
const talk = (ports: readonly PortText[], rules: readonly RuleText[] = []) =>
  new Talk(worldFrom({ ports, rules }));
const udp = (from: Name, to: Name, src = 1000, dst = 2000) => udpFrame(layer(from, to), src, dst);

describe('security groups', () => {
  test('without groups nothing leaves, without a rule of the receiver nothing arrives', () => {
    expect(talk([port('a', { groups: [] }), port('b')], wideGroup('b')).send('a', udp('a', 'b'))).toBe(
      'egress-rules',
    );
    expect(talk([port('a'), port('b')], wideGroup('a')).send('a', udp('a', 'b'))).toBe('b:ingress-rules');
    expect(talk([port('a', { mode: 'off', groups: [] }), port('b')]).send('a', udp('a', 'b'))).toBe(
      'b:ingress-rules',
    );
    expect(
      talk([port('a'), port('b', { mode: 'off', groups: [] })], [egress('a')]).send('a', udp('a', 'b')),
    ).toBe('b');
  });

  test('the rules of all groups of a port count together', () => {
    const rules = [egress('x', { l4: { kind: 'protocol', protocol: 17 } }), egress('a', { family: 6 })];
    const ports = [port('a', { groups: ['a', 'x'] }), port('b', { mode: 'off' })];
    expect(talk(ports, rules).send('a', udp('a', 'b'))).toBe('b');
    expect(talk(ports, rules).send('a', echoFrame(layer('a', 'b'), 'request'))).toBe('egress-rules');
  });

  test.each<[string, RuleText['l4'], Buffer, boolean]>([
    ['port range, low end', { kind: 'ports', protocol: 17, min: 2000, max: 2001 }, udp('a', 'b'), true],
    ['port range, below', { kind: 'ports', protocol: 17, min: 2001, max: 2002 }, udp('a', 'b'), false],
    ['ports of another protocol', { kind: 'ports', protocol: 6, min: 2000, max: 2000 }, udp('a', 'b'), false],
    [
      'ports of UDP-Lite',
      { kind: 'ports', protocol: 136, min: 1, max: 9 },
      ipFrame(layer('a', 'b'), 136, Buffer.alloc(8)),
      false,
    ],
    [
      'ICMP type',
      { kind: 'icmp', protocol: 1, type: 8, code: null },
      echoFrame(layer('a', 'b'), 'request'),
      true,
    ],
    [
      'ICMP code 0',
      { kind: 'icmp', protocol: 1, type: 8, code: 0 },
      echoFrame(layer('a', 'b'), 'request'),
      true,
    ],
    [
      'ICMP type 0 is not any',
      { kind: 'icmp', protocol: 1, type: 0, code: null },
      echoFrame(layer('a', 'b'), 'request'),
      false,
    ],
    [
      'protocol number',
      { kind: 'protocol', protocol: 112 },
      ipFrame(layer('a', 'b'), 112, Buffer.alloc(8)),
      true,
    ],
    [
      'another protocol number',
      { kind: 'protocol', protocol: 47 },
      ipFrame(layer('a', 'b'), 112, Buffer.alloc(8)),
      false,
    ],
  ])('%s', (_name, l4, frame, admitted) => {
    if (l4 === undefined) throw new Error('an L4 match is part of every case');
    const rules = [...wideGroup('a'), ingress('b', { l4 })];
    expect(talk([port('a'), port('b')], rules).send('a', frame)).toBe(admitted ? 'b' : 'b:ingress-rules');
  });

  test('remote prefixes: source of ingress, destination of egress', () => {
    const ports = [port('a'), port('b')];
    const rules = (remote: string, other: string) => [
      egress('a', { remote }),
      ingress('b', { remote: other }),
    ];
    expect(talk(ports, rules('10.0.0.11', '10.0.0.10/31')).send('a', udp('a', 'b'))).toBe('b');
    expect(talk(ports, rules('10.0.0.10', '10.0.0.10')).send('a', udp('a', 'b'))).toBe('egress-rules');
    expect(talk(ports, rules('10.0.0.11', '10.0.0.11')).send('a', udp('a', 'b'))).toBe('b:ingress-rules');
  });

  describe('remote groups', () => {
    const rules = [...wideGroup('a'), ingress('b', { remote: '@a' })];
    const from = (src: string, ports: readonly PortText[]) =>
      talk(ports, rules).send('a', udpFrame({ ...layer('a', 'b'), src: ip(src) }, 1, 2));
    const member = (pair: string) => port('a', { pairs: [[pair]] });

    test('fixed addresses and host pairs of members, not their link-locals', () => {
      expect(from('10.0.0.10', [port('a'), port('b')])).toBe('b');
      expect(from('172.16.0.1', [member('172.16.0.1'), port('b')])).toBe('b');
      const six = [...wideGroup('a'), ingress('b', { family: 6, remote: '@a' })];
      const local = { ...layer('a', 'b'), src: linkLocalOf(macs.a), dst: linkLocalOf(macs.b) };
      expect(talk([port('a'), port('b')], six).send('a', udpFrame(local, 1, 2))).toBe('b:ingress-rules');
    });

    test('members of another network do not count', () => {
      const far = port('c', { network: 'n2', ips: ['10.0.0.10'], groups: ['a'] });
      const near = port('a', { groups: ['open'] });
      expect(talk([near, port('b'), far], [...wideGroup('open'), ...rules]).send('a', udp('a', 'b'))).toBe(
        'b:ingress-rules',
      );
    });

    test('prefixes count inside the subnets only, and not for what another port holds', () => {
      expect(from('10.0.0.200', [member('10.0.0.0/16'), port('b')])).toBe('b');
      expect(from('10.0.1.200', [member('10.0.0.0/16'), port('b')])).toBe('b:ingress-rules');
      const held = [member('0.0.0.0/0'), port('b'), port('c')];
      expect(talk(held, [...rules, ...wideGroup('c')]).send('c', udp('c', 'b'))).toBe('b:ingress-rules');
      expect(from('10.0.0.12', held)).toBe('ip-spoof');
      expect(from('10.0.0.12', [member('10.0.0.12'), port('b'), port('c')])).toBe('b');
    });

    test('the longest prefix decides alone', () => {
      const other = port('c', { pairs: [['10.0.0.192/26']] });
      expect(from('10.0.0.200', [member('10.0.0.0/24'), port('b'), other])).toBe('b:ingress-rules');
      expect(from('10.0.0.100', [member('10.0.0.0/24'), port('b'), other])).toBe('b');
    });
  });
});

describe('connections', () => {
  const ports = [port('a'), port('b'), port('c')];
  const oneWay = [egress('a'), ingress('b')];
  const { syn, ack, fin, rst } = tcpFlags;
  const tcp = (from: Name, to: Name, flags: number, src = 1000, dst = 80) =>
    tcpFrame(layer(from, to), src, dst, flags);

  test('replies pass without a rule of their own direction', () => {
    const t = talk(ports, oneWay);
    expect(t.send('b', udp('b', 'a', 2000, 1000))).toBe('egress-rules');
    expect(t.send('a', udp('a', 'b'))).toBe('b');
    expect(t.send('b', udp('b', 'a', 2000, 1000))).toBe('a');
    expect(t.send('b', udp('b', 'a', 2000, 1001))).toBe('egress-rules');
    expect(t.send('a', udp('a', 'b'))).toBe('b');
  });

  test('TCP from handshake to end, and picked up in the middle', () => {
    const t = talk(ports, oneWay);
    expect(t.send('b', tcp('b', 'a', syn | ack, 80, 1000))).toBe('ct-invalid');
    expect(t.send('a', tcp('a', 'b', syn))).toBe('b');
    expect(t.send('b', tcp('b', 'a', syn | ack, 80, 1000))).toBe('a');
    expect(t.send('a', tcp('a', 'b', ack))).toBe('b');
    expect(t.send('a', tcp('a', 'b', ack, 5000))).toBe('b');
    expect(t.send('b', tcp('b', 'a', ack, 80, 5000))).toBe('a');
    for (const flags of [0, fin, syn | fin, syn | rst])
      expect(t.send('a', tcp('a', 'b', flags))).toBe('ct-invalid');
  });

  test('echo answers without a question, unknown ICMP, bad sums and port 0 are invalid', () => {
    const t = talk(ports, [...wideGroup('a'), ...wideGroup('b')]);
    const l = layer('a', 'b');
    expect(t.send('a', echoFrame(l, 'reply'))).toBe('ct-invalid');
    expect(t.send('a', icmpFrame(l, { type: 40, code: 0, rest: 0, body: Buffer.alloc(8) }))).toBe(
      'ct-invalid',
    );
    expect(t.send('a', udpFrame(l, 0, 5))).toBe('ct-invalid');
    const broken = udp('a', 'b');
    broken.writeUInt8(broken.readUInt8(broken.length - 1) ^ 1, broken.length - 1);
    expect(t.send('a', broken)).toBe('ct-invalid');
    expect(t.send('b', echoFrame(layer('b', 'a'), 'request'))).toBe('a');
    expect(t.send('a', echoFrame(l, 'reply'))).toBe('b');
  });

  test('ICMP errors about a known connection pass', () => {
    const t = talk(ports, oneWay);
    const quoted = udp('a', 'b').subarray(14);
    const error = icmpFrame(layer('b', 'a'), { type: 3, code: 3, rest: 0, body: quoted });
    expect(t.send('b', error)).toBe('ct-invalid');
    expect(t.send('a', udp('a', 'b'))).toBe('b');
    expect(t.send('b', error)).toBe('a');
  });

  test('only the ports that admitted a connection inherit from it', () => {
    const vip = '10.0.0.77';
    const shared = [port('a'), port('b', { pairs: [[vip]] }), port('c', { pairs: [[vip]] })];
    const t = talk(shared, oneWay);
    const to = { ...layer('a', 'b'), dst: ip(vip) };
    const back = (name: Name) => ({ ...layer(name, 'a'), src: ip(vip) });
    expect(t.send('a', udpFrame(to, 1000, 2000))).toBe('b');
    expect(t.send('c', udpFrame(back('c'), 2000, 1000))).toBe('egress-rules');
    expect(t.send('b', udpFrame(back('b'), 2000, 1000))).toBe('a');
  });

  test('refused packets and multicast leave no connection', () => {
    const t = talk(ports, [egress('a')]);
    expect(t.send('a', udp('a', 'b'))).toBe('b:ingress-rules');
    expect(t.tracker.size).toBe(0);
    const group = ip('224.0.0.18');
    const many = { ...layer('a', 'b'), dst: group, to: groupMac(group) ?? macs.b };
    const open = talk(ports, ['a', 'b', 'c'].flatMap(wideGroup));
    expect(open.send('a', udpFrame(many, 1, 2))).toBe('b c');
    expect(open.tracker.size).toBe(0);
  });

  test('packets of an unguarded sender are tracked at a guarded receiver only', () => {
    const off = { mode: 'off', groups: [] } as const;
    const t = talk([port('a', off), port('b'), port('c', off)], [ingress('b')]);
    expect(t.send('a', udp('a', 'b'))).toBe('b');
    expect(t.send('b', udp('b', 'a', 2000, 1000))).toBe('a');
    const before = t.tracker.size;
    expect(t.send('a', udp('a', 'c'))).toBe('c');
    expect(t.tracker.size).toBe(before);
  });

  test('a forbidden connection is judged again once its record is gone', () => {
    const t = talk(ports, oneWay);
    t.send('a', udp('a', 'b'));
    t.send('b', udp('b', 'a', 2000, 1000));
    t.world = worldFrom({ ports, rules: [egress('a')] });
    expect(t.send('a', udp('a', 'b'))).toBe('b');
    t.tracker = emptyTracker;
    expect(t.send('a', udp('a', 'b'))).toBe('b:ingress-rules');
  });
});

describe('fragments are judged like their datagram', () => {
  const l4 = { kind: 'ports', protocol: 17, min: 2000, max: 2000 } as const;
  const rules = [
    egress('a'),
    egress('a', { family: 6 }),
    ingress('b', { l4 }),
    ingress('b', { l4, family: 6 }),
  ];
  const ports = [port('a'), port('b')];
  const big = (dst: number, six = false) => {
    const l = six ? { ...layer('a', 'b'), src: ip('2001:db8::a'), dst: ip('2001:db8::b') } : layer('a', 'b');
    return ipFrame(l, 17, buildUdp(l.src, l.dst, 1000, dst, Buffer.alloc(2000)));
  };

  test('in both families', () => {
    for (const six of [false, true]) {
      expect(talk(ports, rules).sendPieces('a', fragmentsOf(big(2000, six), [1240]))).toBe('b');
      expect(talk(ports, rules).sendPieces('a', fragmentsOf(big(2001, six), [1240]))).toBe('b:ingress-rules');
    }
  });

  test('invalid pieces to several ports reach nobody, those to one unguarded port pass', () => {
    const off = { mode: 'off', groups: [] } as const;
    const vmac = '00:00:5e:00:01:07';
    const holders = (['b', 'c'] as const).map((name) => port(name, { ...off, pairs: [['10.0.0.77', vmac]] }));
    const t = talk([port('a', off), ...holders]);
    for (const cuts of [[1240], [16]]) {
      const to = (address: string) => fragmentsOf(udpTo(address), cuts);
      const udpTo = (address: string) =>
        ipFrame({ ...layer('a', 'b'), to: mac(address) }, 17, Buffer.alloc(2000));
      expect(t.sendPieces('a', to(vmac))).toBe('b:ct-invalid c:ct-invalid');
      expect(t.sendPieces('a', to(macs.b))).toBe('b');
    }
  });

  test('pieces that are tiny, alone or with a gap are invalid', () => {
    expect(talk(ports, rules).sendPieces('a', fragmentsOf(big(2000), [16]))).toBe('ct-invalid');
    const [first, second] = fragmentsOf(big(2000), [1240]);
    expect(talk(ports, rules).send('a', first)).toBe('ct-invalid');
    expect(talk(ports, rules).sendPieces('a', [first, first])).toBe('ct-invalid');
    expect(talk(ports, rules).sendPieces('a', [second ?? first, first])).toBe('b');
  });
});

describe('delivery', () => {
  const off = { mode: 'off', groups: [] } as const;
  const all = ['a', 'b', 'c'] as const;

  test('floods to every other local port of the network', () => {
    const request = arpRequest(macs.a, ips.a, ip('10.0.0.200'));
    expect(talk(all.map((name) => port(name))).send('a', request)).toBe('b c');
    const far = [port('a'), port('b', { host: 'elsewhere' }), port('c', { network: 'n2' })];
    expect(talk(far).send('a', request)).toBe('');
  });

  test('delivers to all holders of a MAC except the sender', () => {
    const vmac = '00:00:5e:00:01:07';
    const shared = { ...off, pairs: [['10.0.0.77', vmac]] } as const;
    const t = talk([port('a', off), port('b', shared), port('c', shared)]);
    expect(t.send('a', udpFrame({ ...layer('a', 'b'), to: mac(vmac) }, 1, 2))).toBe('b c');
    expect(t.send('b', udpFrame({ ...layer('b', 'c'), to: mac(vmac) }, 1, 2))).toBe('c');
    expect(t.send('a', udp('a', 'a'))).toBe('unknown-destination');
    expect(t.send('a', udpFrame({ ...layer('a', 'b'), to: mac('02:00:00:00:00:99') }, 1, 2))).toBe(
      'unknown-destination',
    );
  });
});
