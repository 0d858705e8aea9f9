/**
 * A guest takes a link-local address by duplicate-address detection of its own kernel. If another port holds
 * the address, no neighbour finds it at the guest. If another port gets it later, no neighbour finds it there
 * any more.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatCidr, linkLocalOf } from '../../src/net/cidr.ts';
import { mac } from '../lib/frames.ts';
import { describeRoot } from '../lib/netns.ts';
import { until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

let cloud: Cloud;
let network: string;
let thief: Member;
let victim: Member;

/** The thief configures an address; resolves when its kernel has finished duplicate-address detection. */
async function take(address: string): Promise<void> {
  await thief.run('ip', '-6', 'address', 'add', `${address}/64`, 'dev', 'eth0');
  await until(
    async () =>
      !(await thief.run('ip', '-6', 'address', 'show', 'to', address, 'tentative')).includes(address),
    { what: `${address} has been checked` },
  );
}

/** Whether the victim, with an empty neighbour cache, finds the address at the thief. */
async function found(address: string): Promise<boolean> {
  await victim.runAnyway('ip', ['-6', 'neigh', 'flush', 'dev', 'eth0']);
  await victim.runAnyway('ping', ['-n', '-c', '2', '-W', '1', `${address}%eth0`]);
  return (await victim.run('ip', '-6', 'neigh', 'show', address)).includes(thief.mac);
}

describeRoot('link-local addresses', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    network = (await cloud.create('network', { name: 'net' })).id;
    const subnet = { network_id: network, cidr: '2001:db8:7::/64', ip_version: 6, gateway_ip: 'fe80::1' };
    await cloud.create('subnet', subnet);
    const rules = [{ ethertype: 'IPv6' }];
    const security_groups = [await cloud.group('open', { out: true, rules })];
    [thief, victim] = (await cloud.guests(network, {
      thief: { security_groups },
      victim: { security_groups },
    })) as [Member, Member];
    const allowed_address_pairs = [{ ip_address: 'fe80::aaaa' }];
    await cloud.create('port', { network_id: network, allowed_address_pairs });
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());

  test.each([
    ['the gateway’s', 'fe80::1'],
    ['another port’s by a pair', 'fe80::aaaa'],
    ['the metadata service’s', 'fe80::a9fe:a9fe'],
  ])('that are %s cannot be taken', async (_, address) => {
    const refused = await cloud.dropped(thief.id, 'egress', 'link-local-taken');
    await take(address);
    expect(await found(address)).toBe(false);
    expect(await cloud.dropped(thief.id, 'egress', 'link-local-taken')).toBeGreaterThan(refused);
  });

  test('that nobody held, until a port comes whose MAC makes that address', async () => {
    const mac_address = '02:00:00:00:be:ef';
    const address = formatCidr(linkLocalOf(mac(mac_address)));
    await take(address);
    await until(() => found(address), { what: 'the address is found at the thief' });
    const { id } = await cloud.create('port', { network_id: network, mac_address });
    await cloud.sync();
    expect(await found(address)).toBe(false);
    await cloud.delete('port', id);
    await until(() => found(address), { what: 'the address is the thief’s again' });
  });
});
