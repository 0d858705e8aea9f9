/** The ordinary `openstack` client with a `clouds.yaml`, a real Keystone's catalogue and `portcullis up` that goes by it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { portcullis } from '../cli/portcullis.ts';
import { type CommandResult, runAnyway } from '../lib/command.ts';
import { build, cleanEnvironment, UpProcess } from '../lib/up-process.ts';
import { KeystonePeople, type Person } from './keystone-people.ts';
import { adminPassword, KeystoneServer, keystoneInstalled } from './keystone-server.ts';
import { installed, type Json } from './openstack.ts';

let dir: string;
let keystone: KeystoneServer;
let people: KeystonePeople;
let up: UpProcess;
let endpoint: string;

const projectName = 'Größe 雪';
const networkName = "réseau d'été 网络";
const users: Record<string, Person> = {};

const openstack = (cloud: string, ...words: string[]): Promise<CommandResult> =>
  runAnyway('openstack', ['--os-cloud', cloud, ...words], {
    env: cleanEnvironment({ OS_CLIENT_CONFIG_FILE: join(dir, 'clouds.yaml') }),
  });

async function told(cloud: string, ...words: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await openstack(cloud, ...words, '-f', 'json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** JSON is YAML. */
const cloudOf = (username: string, password: string, project: string): Json => ({
  region_name: 'here',
  auth: {
    auth_url: keystone.url,
    username,
    password,
    project_name: project,
    user_domain_name: 'Default',
    project_domain_name: 'Default',
  },
});

describe.skipIf(!keystoneInstalled || !installed)(
  'clouds.yaml (skipped where python3-keystone or python3-openstackclient is not installed)',
  () => {
    beforeAll(async () => {
      await build();
      dir = await mkdtemp(join(tmpdir(), 'portcullis-clouds-'));
      keystone = await KeystoneServer.open();
      people = await KeystonePeople.of(keystone);
      const services = await people.project('service');
      const checker = await people.user('neutron', services, ['service']);
      await writeFile(
        join(dir, 'portcullis.yaml'),
        JSON.stringify({
          auth: 'keystone',
          keystone: { url: keystone.url, password: checker.password, trust: 1 },
        }),
        { mode: 0o600 },
      );
      // No switch is there; the API does not need one.
      const flags = ['--config', join(dir, 'portcullis.yaml'), '--host', 'test'];
      up = new UpProcess(join(dir, 'data'), `unix:${dir}/none.sock`, flags);
      endpoint = await up.endpoint();
      const { service } = await people.call('POST', 'services', {
        service: { type: 'network', name: 'neutron' },
      });
      const { id } = service as Json;
      const offer = { service_id: id, interface: 'public', region_id: 'here', url: endpoint };
      await people.call('POST', 'endpoints', { endpoint: offer });
      const project = await people.project(projectName);
      for (const role of ['member', 'reader'])
        users[role] = await people.user(`ålice the ${role}`, project, [role]);
      const password = (role: string): string => users[role]?.password ?? '';
      const clouds = {
        admin: cloudOf('admin', adminPassword, 'admin'),
        member: cloudOf('ålice the member', password('member'), projectName),
        reader: cloudOf('ålice the reader', password('reader'), projectName),
        impostor: cloudOf('ålice the member', 'guessed', projectName),
      };
      await writeFile(join(dir, 'clouds.yaml'), JSON.stringify({ clouds }));
    });
    afterAll(async () => {
      await up?.stop();
      await keystone?.close();
      if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    });

    it('leads each to what is theirs', async () => {
      const made = (await told('member', 'network', 'create', networkName)) as Json;
      expect(made).toMatchObject({ name: networkName, shared: false });
      const subnet = ['subnet', 'create', '--network', networkName, '--subnet-range', '10.0.0.0/24', 's'];
      expect(await told('member', ...subnet)).toMatchObject({ project_id: made['project_id'] });
      expect(await told('reader', 'network', 'show', networkName)).toMatchObject({ id: made['id'] });
      // Readers read, members do not share with everybody, strangers see nothing.
      const refused = await openstack('reader', 'network', 'set', '--name', 'mine', networkName);
      expect(refused).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/update_network.* disallowed by policy/),
      });
      const shared = await openstack('member', 'network', 'create', '--share', 'x');
      expect(shared).toMatchObject({ code: 1, stderr: expect.stringMatching(/create_network:shared/) });
      expect((await openstack('impostor', 'network', 'list')).code).toBe(1);
      expect(await told('admin', 'network', 'list')).toMatchObject([{ Name: networkName }]);
      expect(await told('admin', 'network', 'list', '--project', 'admin')).toEqual([]);
    });

    it("lets the program's own commands in with such a token, until it is revoked", async () => {
      const issued = (await told('admin', 'token', 'issue')) as Json;
      const hosts = () =>
        portcullis(['hosts'], { PORTCULLIS_ENDPOINT: endpoint, OS_TOKEN: String(issued['id']) });
      expect((await hosts()).code).toBe(0);
      await people.revoke(String(issued['id']));
      await expect
        .poll(async () => (await hosts()).stderr, { timeout: 20_000 })
        .toMatch(/requires authentication/);
      expect(up.stderr).not.toContain(String(issued['id']));
    });
  },
);
