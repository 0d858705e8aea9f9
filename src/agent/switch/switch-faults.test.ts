import { expect, test } from 'vitest';
import { mixesUpDecisions } from './switch-faults.ts';

const says = (version: string) => `ovs-vswitchd (Open vSwitch) ${version}\n`;

test.each(['2.15.0', '2.17.7', '3.0.4', '3.1.0', '3.1.2'])(
  'Open vSwitch %s mixes decisions up',
  (version) => {
    expect(mixesUpDecisions(says(version), 'netdev')).toBe(true);
  },
);

test.each(['2.17.8', '2.17.12', '3.0.5', '3.1.3', '3.2.0', '3.7.1', '4.0.0', '3.1.3-1'])(
  'Open vSwitch %s does not',
  (version) => {
    expect(mixesUpDecisions(says(version), 'netdev')).toBe(false);
  },
);

test('the kernel names what it changes', () => {
  for (const type of ['system', '', undefined]) expect(mixesUpDecisions(says('3.1.0'), type)).toBe(false);
});

test('a switch that does not say what it is counts as faulty', () => {
  expect(mixesUpDecisions('', 'netdev')).toBe(true);
});
