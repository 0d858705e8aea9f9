/** A proof on flows that the switch partly refused would prove nothing, so the installation of such a world fails. */
import { expect, test } from 'vitest';
import type { PortId } from '../../src/policy/world.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import { startSwitch } from '../lib/switch.ts';
import { type RuleText, worldFrom } from './worlds.ts';

test('a world that the switch cannot hold whole is not installed silently', async () => {
  await using at = await startSwitch({ dummy: true });
  await at.addBridge('br0');
  await at.addDummyPorts('br0', [{ name: 'a', ofport: 1 }]);
  const port = { id: 'a', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'], groups: ['g'] };
  // ICMPv6 in IPv4, which API and records do not allow.
  const odd: RuleText = {
    group: 'g',
    direction: 'ingress',
    l4: { kind: 'icmp', protocol: 58, type: 128, code: 0 },
  };
  const ports = new Map([['a' as PortId, 1]]);
  const installed = new InstalledWorld(at.mgmt('br0'));
  try {
    await installed.install(worldFrom({ ports: [port] }), ports);
    await expect(installed.install(worldFrom({ ports: [port], rules: [odd] }), ports)).rejects.toThrow(
      /does not hold the world/,
    );
    await installed.install(worldFrom({ ports: [port] }), ports);
  } finally {
    await installed.close();
  }
});
