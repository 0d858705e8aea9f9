/** Checks that the generators make valid worlds and reach every outcome. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stepsArbitrary } from './arbitrary-steps.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { verdictsOn } from './comparison.ts';
import { Driver } from './driver.ts';

const worldAndSteps = worldArbitrary.chain((world) =>
  stepsArbitrary(world, 40).map((steps) => ({ world, steps })),
);

test('MACs and fixed addresses are unique in a network, and worlds fit the driver', () => {
  fc.assert(
    fc.property(worldArbitrary, (world) => {
      expect(Driver.localPorts(world).length).toBeLessThanOrEqual(8);
      const names = [...world.ports.values()].flatMap((port) => [
        `${port.network} ${port.mac}`,
        ...port.fixedIps.map(({ family, bits }) => `${port.network} ${family} ${bits}`),
      ]);
      expect(new Set(names).size).toBe(names.length);
    }),
  );
});

test('every outcome comes up', () => {
  const seen = new Map<string, number>();
  const count = (name: string) => seen.set(name, (seen.get(name) ?? 0) + 1);
  for (const { world, steps } of fc.sample(worldAndSteps, { numRuns: 250, seed: 1 })) {
    for (const { sender, receivers, reply } of verdictsOn(world, steps)) {
      count(
        sender.outcome === 'dropped' ? sender.reason : reply === null ? 'passed' : `${reply.kind} answer`,
      );
      for (const got of receivers.values()) count(got.outcome === 'passed' ? 'delivered' : got.reason);
    }
  }
  const rare = [
    ...`admin-down vlan-tagged mac-spoof arp-spoof nd-spoof ra ip-spoof dhcp-server dad-pending ct-invalid
    egress-rules unknown-destination foreign-destination ingress-rules passed delivered`.split(/\s+/),
    'arp answer',
    'nd answer',
  ].filter((name) => (seen.get(name) ?? 0) < 5);
  expect({ rare, seen: Object.fromEntries(seen) }).toMatchObject({ rare: [] });
});
