/**
 * Link-local addresses that guests choose: recorded at their probe, never another holder's, limited in
 * number, and kept.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import type { CountersAnswer, LinkLocalRecord } from '../../src/model/records.ts';
import { type Cidr, linkLocalOf } from '../../src/net/cidr.ts';
import type { Write } from '../../src/store/contract.ts';
import { icmpFrame, ip, mac } from '../lib/frames.ts';
import { describeRoot, type Guest, startGuest } from '../lib/netns.ts';
import { defaultRules, networkWrites, putPort, putRule, ruleRecord, subnetRecord } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const putSubnet = (changes: object): Write => ({
  op: 'put',
  key: keys.subnet('n1', 's6'),
  value: JSON.stringify({ ...subnetRecord('s6', 'n1', 'fd00::/64'), ...changes }),
});
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const;
let lab: Lab;

async function recorded(): Promise<{ address: string; port: string; mac: string }[]> {
  const { entries } = await lab.store.snapshot([keys.linkLocal('n1', '')]);
  return entries.map(({ key, value }) => ({
    address: key.split('/')[2] ?? '',
    ...(JSON.parse(value) as LinkLocalRecord),
  }));
}

async function start(dummy: boolean): Promise<void> {
  lab = await startLab({ dummy });
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    putPort({ id: 'p1', mac: macs[0], ips: ['10.0.0.1', 'fd00::1'] }),
    putPort({ id: 'p2', mac: macs[1], ips: ['10.0.0.2', 'fd00::2'] }),
  );
  await lab.startAgent();
}

/** A duplicate-address probe (RFC 4862 §5.4.2). */
function probe(from: string, target: Cidr): Buffer {
  const last = target.bits & 0xffffffn;
  const dst = ip(`ff02::1:ff${(last >> 16n).toString(16).padStart(2, '0')}:${(last & 0xffffn).toString(16)}`);
  const to = mac(
    `33:33:ff:${last
      .toString(16)
      .padStart(6, '0')
      .replace(/(..)(..)(..)/, '$1:$2:$3')}`,
  );
  const body = Buffer.from(target.bits.toString(16).padStart(32, '0'), 'hex');
  const layer = { from: mac(from), to, src: ip('::'), dst, hopLimit: 255 };
  return icmpFrame(layer, { type: 135, code: 0, rest: 0, body });
}

afterEach(() => lab.stop());

describe('probes', () => {
  beforeEach(async () => {
    await start(true);
    await lab.plug('p1', 'tap1', 11);
    await lab.plug('p2', 'tap2', 12);
    await lab.bound('p1', 'ACTIVE');
    await lab.bound('p2', 'ACTIVE');
    await lab.sync();
  });

  test('the first one for an address is recorded, passes, and opens the address to that port alone', async () => {
    const heard = lab.switch.capture('tap2');
    heard.take();
    const asked = probe(macs[0], ip('fe80::abcd'));
    await lab.switch.inject('tap1', [asked]);
    await until(async () => (await recorded()).length === 1);
    expect(await recorded()).toEqual([{ address: 'fe80::abcd', port: 'p1', mac: macs[0] }]);
    await until(() => heard.take().some((frame) => frame.equals(asked)), { what: 'the probe is passed on' });
    expect(await lab.flows('table=9,ipv6,ipv6_src=fe80::abcd')).toHaveLength(1);

    await lab.switch.inject('tap2', [probe(macs[1], ip('fe80::abcd'))]);
    await until(() => lab.logged('not its own').length > 0);
    await lab.sync();
    expect(await recorded()).toHaveLength(1);
  });

  test("for another port's EUI-64 address is refused, plugged or not", async () => {
    await lab.write(putPort({ id: 'far', mac: '02:00:00:00:00:aa' }));
    await lab.sync();
    for (const victim of [macs[1], '02:00:00:00:00:aa'])
      await lab.switch.inject('tap1', [probe(macs[0], linkLocalOf(mac(victim)))]);
    await until(() => lab.logged('not its own').length === 2);
    expect(await recorded()).toEqual([]);

    const asked = await lab.ask({ kind: 'counters', port: 'p1', network: 'n1' });
    const { drops } = (await until(() => lab.answer(asked))) as CountersAnswer;
    expect(drops).toContainEqual({ reason: 'link-local-taken', direction: 'egress', packets: 2, bytes: 156 });
  });

  test("for addresses of a gateway, the metadata service or another port's pair are refused", async () => {
    const pairs = [
      { ip_address: 'fe80::aaaa', mac_address: '02:00:00:00:00:aa' },
      { ip_address: '10.0.0.200', mac_address: '00:00:5e:00:02:09' },
    ];
    await lab.write(
      putSubnet({ gateway_ip: 'fe80::1' }),
      putPort({ id: 'far', mac: '02:00:00:00:00:aa', changes: { allowed_address_pairs: pairs } }),
    );
    await lab.sync();
    const others = ['fe80::1', 'fe80::a9fe:a9fe', 'fe80::aaaa', 'fe80::200:5eff:fe00:209'];
    await lab.switch.inject(
      'tap1',
      others.map((address) => probe(macs[0], ip(address))),
    );
    await until(() => lab.logged('not its own').length === others.length);
    expect(lab.logged('not its own').map(({ owner }) => owner)).toEqual([
      'gateway',
      'metadata',
      'far',
      'far',
    ]);
    expect(await recorded()).toEqual([]);
  });

  test('their rights end when the address gets another holder, and come back when it has none', async () => {
    const address = 'fe80::200:5eff:fe00:209';
    const opened = async () => (await lab.flows(`table=9,ipv6,ipv6_src=${address}`)).length;
    await lab.switch.inject('tap1', [probe(macs[0], ip(address))]);
    await until(async () => (await recorded()).length === 1);
    const pair = { ip_address: address, mac_address: '02:00:00:00:00:aa' };
    const takers: Record<string, [put: Write, remove: Write]> = {
      gateway: [putSubnet({ gateway_ip: address }), putSubnet({ gateway_ip: null })],
      pair: [
        putPort({ id: 'far', mac: '02:00:00:00:00:aa', changes: { allowed_address_pairs: [pair] } }),
        { op: 'delete', key: keys.port('n1', 'far') },
      ],
      MAC: [putPort({ id: 'far', mac: '00:00:5e:00:02:09' }), { op: 'delete', key: keys.port('n1', 'far') }],
    };
    for (const [taker, [put, remove]] of Object.entries(takers)) {
      await lab.sync();
      expect(await opened(), `before the ${taker}`).toBe(1);
      await lab.write(put);
      await lab.sync();
      expect(await opened(), `with the ${taker}`).toBe(0);
      await lab.write(remove);
    }
    await lab.sync();
    expect(await opened()).toBe(1);
  });

  test('with a foreign MAC, or for an address that is not link-local, leave no trace', async () => {
    await lab.switch.inject('tap1', [
      probe('02:00:00:00:00:77', ip('fe80::1234')),
      probe(macs[0], ip('fd00::99')),
      probe(macs[0], ip('ff02::1')),
    ]);
    await lab.switch.inject('tap1', [probe(macs[0], ip('fe80::5'))]);
    await until(async () => (await recorded()).length === 1);
    expect((await recorded())[0]?.address).toBe('fe80::5');
  });

  test("a flood is limited by the meter, and a port's addresses by number", async () => {
    const flood = Array.from({ length: 2000 }, (_, n) =>
      probe(macs[0], ip(`fe80::1:${(n + 1).toString(16)}`)),
    );
    const begun = performance.now();
    await lab.switch.inject('tap1', flood);
    const seconds = (performance.now() - begun) / 1000;
    await lab.sync();
    expect(lab.agent.status.localPorts).toBe(2);
    const made = await lab.store.snapshot(['']).then(({ revision }) => revision);
    expect((await recorded()).length).toBeLessThanOrEqual(8);
    // Each record is a revision of the store; the meter passes 10 at once and 5 a second.
    expect(made).toBeLessThan(40 + 12 + 6 * seconds);
    // A flood harms only its sender.
    await lab.switch.inject('tap2', [probe(macs[1], ip('fe80::2:1'))]);
    await until(async () => (await recorded()).some((item) => item.port === 'p2'));
  });

  test('the oldest are removed first, also after a restart of the agent', async () => {
    // Created in another order than that of their keys.
    const order = ['f', '1', 'e', '2', 'd', '3', 'c', '4'].map((digit) => `fe80::${digit}`);
    for (const address of order)
      await lab.write({
        op: 'put',
        key: keys.linkLocal('n1', address),
        value: JSON.stringify({ port: 'p1', mac: macs[0] }),
      });
    await lab.stopAgent();
    await lab.startAgent();
    await lab.sync();
    for (const address of order) expect(await lab.flows(`table=9,ipv6,ipv6_src=${address}`)).toHaveLength(1);
    await lab.switch.inject('tap1', [probe(macs[0], ip('fe80::9'))]);
    await until(async () => (await recorded()).some(({ address }) => address === 'fe80::9'));
    const left = (await recorded()).map(({ address }) => address).sort();
    expect(left).toEqual([...order.slice(1), 'fe80::9'].sort());
  });

  test('garbage in place of a probe does no harm', async () => {
    const good = probe(macs[0], ip('fe80::77'));
    const cut = [60, 70, 77].map((length) => good.subarray(0, length));
    await lab.switch.inject('tap1', [...cut, good]);
    await until(async () => (await recorded()).length === 1);
  });
});

describeRoot('guests', () => {
  const guests: Guest[] = [];
  afterEach(async () => {
    await Promise.all(guests.splice(0).map((guest) => guest.stop()));
  });

  const linkLocal = async (guest: Guest) =>
    until(
      async () => {
        const text = await guest.run('ip', '-6', 'addr', 'show', 'dev', 'eth0', 'scope', 'link');
        return text.includes('tentative') ? null : /inet6 (fe80::[0-9a-f:]+)/.exec(text)?.[1];
      },
      { what: 'the guest has a link-local address' },
    );

  test('with stable-privacy and random addresses have them recorded and can use them', async () => {
    await start(false);
    // A group's members are known by their fixed addresses and pairs; this is for all others.
    await lab.write(putRule(ruleRecord('ping', 'g', 'ingress', { ethertype: 'IPv6', protocol: 'icmp' })));
    for (const [n, mode] of ['stable_secret', 'random'].entries()) {
      const guest = await startGuest({ mac: macs[n] ?? '' });
      guests.push(guest);
      // 2 is stable-privacy with a secret, 3 with a random one. The first address is made when the link is up.
      await guest.run('ip', 'link', 'set', 'eth0', 'down');
      if (mode === 'stable_secret')
        await guest.run('sysctl', '-qw', 'net.ipv6.conf.eth0.stable_secret=2001:db8::1234:5678');
      else await guest.run('ip', 'link', 'set', 'eth0', 'addrgenmode', 'random');
      await guest.plug(lab.switch, lab.bridge, { 'iface-id': `p${n + 1}` });
      await lab.bound(`p${n + 1}`, 'ACTIVE');
    }
    await lab.sync();
    for (const guest of guests) await guest.run('ip', 'link', 'set', 'eth0', 'up');
    const [one, two] = guests;
    if (one === undefined || two === undefined) throw new Error('no guests');
    const addresses = [await linkLocal(one), await linkLocal(two)];
    for (const [n, address] of addresses.entries()) expect(address).not.toBe(`fe80::ff:fe00:${n + 1}`);
    await until(async () => (await recorded()).length === 2);
    expect((await recorded()).map(({ address, port }) => [port, address]).sort()).toEqual([
      ['p1', addresses[0]],
      ['p2', addresses[1]],
    ]);
    const ping = () =>
      one.runAnyway('ping', ['-6', '-c', '3', '-i', '0.2', '-W', '2', `${addresses[1]}%eth0`]);
    expect((await ping()).stdout).toContain(' 0% packet loss');
    await lab.stopAgent();
    await lab.startAgent();
    await lab.sync();
    expect((await ping()).stdout).toContain(' 0% packet loss');
  });
});
