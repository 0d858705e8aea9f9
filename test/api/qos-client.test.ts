/** QoS through the ordinary `openstack` client: policies, rules, and the ports and networks that have them. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, createApi } from '../../src/api/server.ts';
import type { Store } from '../../src/store/contract.ts';
import { openStore } from '../../src/store/index.ts';

const installed = spawnSync('openstack', ['--version']).status === 0;
const run = promisify(execFile);

type Json = Record<string, unknown>;
let store: Store;
let api: Api;

/** Runs the client; the environment must not lead it to another cloud. */
async function openstack(...args: string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OS_')));
  const endpoint = ['--os-auth-type', 'none', '--os-endpoint', api.address];
  const { stdout } = await run('openstack', [...endpoint, ...args], { env });
  return stdout;
}

const shown = async (...args: string[]) => JSON.parse(await openstack(...args, '-f', 'json')) as Json;
const listed = async (...args: string[]) => JSON.parse(await openstack(...args, '-f', 'json')) as Json[];
const qos = ['network', 'qos'] as const;

describe.skipIf(!installed)(
  'QoS with the openstack client (skipped where python3-openstackclient is not installed)',
  () => {
    beforeAll(async () => {
      store = await openStore({ kind: 'memory' });
      api = createApi({ store, log: pino({ level: 'silent' }), listen: { host: '127.0.0.1', port: 0 } });
      await api.listen();
    });
    afterAll(async () => {
      await api?.close();
      await store?.close();
    });

    it('makes policies with rules and changes them', async () => {
      expect(await shown(...qos, 'policy', 'create', '--share', '--description', 'd', 'gold')).toMatchObject({
        name: 'gold',
        description: 'd',
        shared: true,
        is_default: false,
        rules: [],
      });
      const make = (...args: string[]) => shown(...qos, 'rule', 'create', ...args, 'gold');
      const limit = await make('--type', 'bandwidth-limit', '--max-kbps', '1000', '--max-burst-kbits', '80');
      expect(limit).toMatchObject({ max_kbps: 1000, max_burst_kbps: 80, direction: 'egress' });
      await make('--type', 'bandwidth-limit', '--max-kbps', '2000', '--ingress');
      await make('--type', 'dscp-marking', '--dscp-mark', '46');
      await expect(make('--type', 'bandwidth-limit', '--max-kbps', '3000', '--egress')).rejects.toThrow(
        /conflicts with rule/,
      );
      await expect(make('--type', 'minimum-bandwidth', '--min-kbps', '1', '--egress')).rejects.toThrow(/404/);
      const id = String(limit['id']);
      await openstack(...qos, 'rule', 'set', '--max-kbps', '1500', 'gold', id);
      expect(await shown(...qos, 'rule', 'show', 'gold', id)).toMatchObject({ id, max_kbps: 1500 });
      const rules = await listed(...qos, 'rule', 'list', 'gold');
      expect(
        rules.map((rule) => [rule['Type'], rule['Max Kbps'], rule['DSCP mark'], rule['Direction']]),
      ).toEqual([
        ['bandwidth_limit', 1500, '', 'egress'],
        ['bandwidth_limit', 2000, '', 'ingress'],
        ['dscp_marking', '', 46, ''],
      ]);
      await openstack(...qos, 'rule', 'delete', 'gold', id);
      expect(await listed(...qos, 'rule', 'list', 'gold')).toHaveLength(2);
    });

    it('gives ports and networks a policy and takes it back', async () => {
      await openstack(...qos, 'policy', 'create', '--default', 'usual');
      const usual = await shown(...qos, 'policy', 'show', 'usual');
      expect(usual).toMatchObject({ is_default: true });
      await expect(openstack(...qos, 'policy', 'create', '--default', 'other')).rejects.toThrow(
        /default QoS policy exists/,
      );
      const network = await shown('network', 'create', 'net');
      expect(network['qos_policy_id']).toBe(usual['id']);
      await openstack('port', 'create', '--network', 'net', '--qos-policy', 'gold', 'server1');
      const gold = await shown(...qos, 'policy', 'show', 'gold');
      expect(await shown('port', 'show', 'server1')).toMatchObject({
        qos_policy_id: gold['id'],
        qos_network_policy_id: usual['id'],
      });
      await expect(openstack(...qos, 'policy', 'delete', 'gold')).rejects.toThrow(/is used by port/);
      await openstack('port', 'unset', '--qos-policy', 'server1');
      await openstack('network', 'set', '--qos-policy', 'gold', 'net');
      expect(await shown('port', 'show', 'server1')).toMatchObject({
        qos_policy_id: null,
        qos_network_policy_id: gold['id'],
      });
      await openstack('network', 'set', '--no-qos-policy', 'net');
      await openstack(...qos, 'policy', 'set', '--no-default', '--name', 'former', 'usual');
      expect((await listed(...qos, 'policy', 'list')).map((policy) => policy['Name']).toSorted()).toEqual([
        'former',
        'gold',
      ]);
      await openstack(...qos, 'policy', 'delete', 'gold', 'former');
      expect(await listed(...qos, 'policy', 'list')).toEqual([]);
    });

    it('knows the types of rules', async () => {
      const types = await listed(...qos, 'rule', 'type', 'list');
      expect(types.map((type) => type['Type'])).toEqual([
        'bandwidth_limit',
        'dscp_marking',
        'packet_rate_limit',
      ]);
      const details = JSON.stringify(await shown(...qos, 'rule', 'type', 'show', 'dscp_marking'));
      expect(details).toContain('openvswitch');
      const aliases = (await listed('extension', 'list', '--network')).map((extension) => extension['Alias']);
      expect(aliases).toEqual(expect.arrayContaining(['qos', 'qos-default', 'qos-pps', 'qos-rules-alias']));
    });
  },
);
