/** Shadowed rules can be removed, also all at once: no packet of any history gets another verdict. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shadowedRules } from '../../src/policy/shadow.ts';
import type { RuleId, World } from '../../src/policy/world.ts';
import { stepsArbitrary } from './arbitrary-steps.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { verdictsOn } from './comparison.ts';

const worldAndSteps = worldArbitrary.chain((world) =>
  stepsArbitrary(world, 30).map((steps) => ({ world, steps })),
);

const without = (world: World, gone: ReadonlySet<RuleId>): World => ({
  ...world,
  rules: new Map([...world.rules].filter(([id]) => !gone.has(id))),
});

test('removing shadowed rules changes no verdict; removing the others does', () => {
  let shadows = 0;
  let differences = 0;
  fc.assert(
    fc.property(worldAndSteps, ({ world, steps }) => {
      const shadowed = shadowedRules(world.rules.values(), world.addressGroups);
      const told = (seen: World) =>
        verdictsOn(seen, steps).map(({ sender, receivers }) => ({ sender, receivers }));
      const before = told(world);
      for (const [rule, by] of shadowed) {
        expect(by.length).toBeGreaterThan(0);
        for (const other of by) expect(shadowed.has(other)).toBe(false);
        expect(told(without(world, new Set([rule])))).toEqual(before);
      }
      expect(told(without(world, new Set(shadowed.keys())))).toEqual(before);
      shadows += shadowed.size;
      const others = [...world.rules.keys()].filter((rule) => !shadowed.has(rule));
      const after = told(without(world, new Set(others)));
      if (
        JSON.stringify(after.map(({ sender }) => sender)) !==
        JSON.stringify(before.map(({ sender }) => sender))
      )
        differences++;
    }),
    { numRuns: 300 },
  );
  // Without these the property would also hold if there were no shadows, or no packets that match a rule.
  expect(shadows).toBeGreaterThan(300);
  expect(differences).toBeGreaterThan(30);
});
