import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { noQuotas } from '../model/quota.ts';
import { loadConfig, withoutSecrets } from './config.ts';
import { type Part, settings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'portcullis-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const surroundings = { hostname: 'here', dataDir: '/data', kernelDatapath: false };
let files = 0;

function load(given: {
  yaml?: string;
  environment?: Record<string, string>;
  flags?: Record<string, unknown>;
  kernelDatapath?: boolean;
  part?: Part;
}) {
  const file = join(folder, `${(files += 1)}.yaml`);
  writeFileSync(file, given.yaml ?? '');
  return loadConfig({
    file,
    environment: given.environment ?? {},
    flags: given.flags ?? {},
    part: given.part,
    surroundings: { ...surroundings, kernelDatapath: given.kernelDatapath ?? false },
  });
}

describe('where values come from', () => {
  test('nothing set gives the defaults', () => {
    expect(load({})).toEqual({
      listen: '127.0.0.1:9696',
      store: 'embedded',
      etcd: { ca: '', cert: '', key: '', user: '', password: '' },
      data_dir: '/data',
      ovsdb: 'unix:/var/run/openvswitch/db.sock',
      openflow: 'unix:/var/run/openvswitch/br-int.mgmt',
      bridge: 'br-int',
      host: 'here',
      availability_zone: 'nova',
      tunnel_ip: '',
      tunnel_types: 'geneve',
      bridge_mappings: '',
      datapath_type: 'netdev',
      log: { level: 'info' },
      auth: 'none',
      tokens: { file: '' },
      keystone: {
        url: '',
        username: 'neutron',
        password: '',
        project: 'service',
        user_domain: 'Default',
        project_domain: 'Default',
        trust: 30,
      },
      address_pairs: { strict: false, forwarding: 'detect' },
      network: {
        mtu: 1500,
        physical_mtus: '',
        tenant_types: 'local',
        vlan_ranges: '',
        flat_networks: '*',
        vni_ranges: '1:16777215',
        overlay_ip_version: '4',
      },
      dhcp: { lease_time: 86_400, domain: '' },
      hits: { interval: 15 },
      conntrack: { max_per_network: 0 },
      quota: noQuotas,
      nova: { url: '', interval: 2 },
      allow_remote_without_auth: false,
    });
    expect(load({ kernelDatapath: true }).datapath_type).toBe('system');
  });

  test('the file yields to the environment, both to flags', () => {
    const yaml = 'bridge: br-file\nhost: file\nlog: { level: warn }\n';
    const environment = { PORTCULLIS_HOST: 'environment', PORTCULLIS_LOG_LEVEL: 'debug' };
    const config = load({ yaml, environment, flags: { logLevel: 'error' } });
    expect(config.bridge).toBe('br-file');
    expect(config.host).toBe('environment');
    expect(config.log.level).toBe('error');
  });

  test('numbers are numbers, whatever their source', () => {
    expect(load({ yaml: 'hits: { interval: 5 }' }).hits.interval).toBe(5);
    expect(load({ environment: { PORTCULLIS_HITS_INTERVAL: '0.5' } }).hits.interval).toBe(0.5);
    expect(load({ flags: { hitsInterval: '60' } }).hits.interval).toBe(60);
    expect(load({ yaml: 'quota: { port: 9 }' }).quota).toEqual({ ...noQuotas, port: 9 });
    expect(load({ flags: { quotaSecurityGroup: '-1' } }).quota.security_group).toBe(-1);
  });

  test('the OpenFlow socket lies beside the database, under the name of the bridge', () => {
    const config = load({ flags: { ovsdb: 'unix:/run/other/db.sock', bridge: 'br0' } });
    expect(config.openflow).toBe('unix:/run/other/br0.mgmt');
    expect(load({ flags: { openflow: 'tcp:10.0.0.1:6653' } }).openflow).toBe('tcp:10.0.0.1:6653');
  });

  test('each setting has names of its own', () => {
    for (const name of ['env', 'flag', 'option'] as const) {
      expect(new Set(settings.map((setting) => setting[name])).size).toBe(settings.length);
    }
    expect(settings.length).toBeGreaterThan(5);
  });
});

describe('refuses with the source and the key in the message', () => {
  test.each([
    ['unknown key', { yaml: 'brigde: br0' }, /\d\.yaml: unknown key brigde/],
    ['unknown nested key', { yaml: 'log: { lvl: info }' }, /\.yaml: unknown key log\.lvl/],
    ['value where a mapping belongs', { yaml: 'log: info' }, /\.yaml: log must be a mapping/],
    ['list for a file', { yaml: '- 1' }, /must be a mapping/],
    ['broken YAML', { yaml: 'a: [' }, /\.yaml: /],
    ['wrong type', { yaml: 'bridge: 7' }, /\.yaml: bridge: .*not 7/],
    [
      'unknown environment name',
      { environment: { PORTCULLIS_BRIGDE: 'x' } },
      /environment: unknown name PORTCULLIS_BRIGDE/,
    ],
    [
      'no boolean',
      { environment: { PORTCULLIS_ALLOW_REMOTE_WITHOUT_AUTH: 'yes' } },
      /must be true or false, not "yes"/,
    ],
    [
      'no such authentication',
      { environment: { PORTCULLIS_AUTH: 'ldap' } },
      /environment: auth: .*not "ldap"/,
    ],
    ['no number', { flags: { hitsInterval: 'often' } }, /hits.interval: must be a number .*not "often"/],
    ['half a number', { yaml: 'quota: { port: 1.5 }' }, /quota.port: must be a whole number .*not 1.5/],
    ['text for a number', { yaml: 'hits: { interval: "5" }' }, /must be a number .*not "5"/],
    ['number out of range', { environment: { PORTCULLIS_HITS_INTERVAL: '0' } }, /above 0 .*not 0/],
    ['Keystone at no address', { flags: { auth: 'keystone' } }, /flags: keystone.url must be set/],
    ['Keystone at a strange address', { yaml: 'keystone: { url: here }' }, /keystone.url: must be an http/],
    ['a compute service at a strange address', { yaml: 'nova: { url: here }' }, /nova.url: must be an http/],
    ['messages without a pause', { flags: { novaInterval: '0' } }, /nova.interval: must be a number above 0/],
    [
      'a wrong secret, which the message does not show',
      { yaml: 'keystone: { password: 87654321 }' },
      /must be text$/,
    ],
    ['tokens from nowhere', { flags: { auth: 'tokens' } }, /flags: tokens.file must be set/],
    ['bad address', { flags: { listen: 'nowhere' } }, /flags: listen must be ADDRESS:PORT, not nowhere/],
    ['bad database', { flags: { ovsdb: '/var/run/db.sock' } }, /flags: ovsdb: /],
    [
      'switch over TCP without its OpenFlow address',
      { flags: { ovsdb: 'tcp:h:6640' } },
      /openflow must be set/,
    ],
  ])('%s', (_name, given, message) => {
    expect(() => load(given)).toThrow(message);
  });

  test('a named file that is not there', () => {
    expect(() =>
      loadConfig({ file: join(folder, 'absent'), environment: {}, flags: {}, surroundings }),
    ).toThrow(/absent/);
  });
});

test('what is printed of secrets is that they are set', () => {
  const shown = (environment: Record<string, string>) => withoutSecrets(load({ environment }));
  const environment = { PORTCULLIS_KEYSTONE_PASSWORD: 'hush', PORTCULLIS_KEYSTONE_USERNAME: 'u' };
  expect(shown(environment)).toMatchObject({ keystone: { password: '***', username: 'u' } });
  expect(shown({})).toMatchObject({ keystone: { password: '' } });
  expect(load({ environment }).keystone.password).toBe('hush');
});

test('the command line keeps its own names in the environment', () => {
  const environment = { PORTCULLIS_ENDPOINT: 'http://127.0.0.1:1', PATH: '/bin' };
  expect(load({ environment }).bridge).toBe('br-int');
});

test('a part alone needs nothing that only the other one reads', () => {
  const remote = { ovsdb: 'tcp:10.0.0.1:6640' };
  expect(() => load({ flags: remote })).toThrow(/openflow must be set/);
  expect(() => load({ flags: remote, part: 'agent' })).toThrow(/openflow must be set/);
  expect(load({ flags: remote, part: 'server' }).listen).toBe('127.0.0.1:9696');
  const tokens = { auth: 'tokens' };
  expect(() => load({ flags: tokens })).toThrow(/tokens.file must be set/);
  expect(() => load({ flags: tokens, part: 'server' })).toThrow(/tokens.file must be set/);
  expect(load({ flags: tokens, part: 'agent' }).host).toBe('here');
});
