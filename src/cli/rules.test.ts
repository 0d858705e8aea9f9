import { describe, expect, test } from 'vitest';
import { durationText, parseDuration } from './durations.ts';
import { type RuleTerms, ruleWords } from './rule-words.ts';
import { type RuleUsage, type UsageAnswer, usageText } from './rules.ts';

const terms: RuleTerms = {
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
  remote_group_name: null,
  remote_address_group_id: null,
  remote_address_group_name: null,
};

test.each<[Partial<RuleTerms>, string]>([
  [{}, 'IPv4 anything from anybody'],
  [{ direction: 'egress', ethertype: 'IPv6' }, 'IPv6 anything to anybody'],
  [{ protocol: 'tcp', remote_ip_prefix: '10.0.0.0/8' }, 'IPv4 tcp from 10.0.0.0/8'],
  [{ protocol: 'tcp', port_range_min: 22, port_range_max: 22 }, 'IPv4 tcp 22 from anybody'],
  [{ protocol: 'udp', port_range_min: 22, port_range_max: 29 }, 'IPv4 udp 22-29 from anybody'],
  [{ protocol: 'icmp', port_range_min: 0 }, 'IPv4 icmp type 0 from anybody'],
  [{ protocol: 'icmp', port_range_min: 3, port_range_max: 0 }, 'IPv4 icmp type 3 code 0 from anybody'],
  [{ protocol: '112', remote_group_id: 'g', remote_group_name: 'web' }, 'IPv4 112 from group web'],
  [{ remote_address_group_id: 'a' }, 'IPv4 anything from address group a'],
])('a rule in words %#', (said, words) => expect(ruleWords({ ...terms, ...said })).toBe(words));

test('durations', () => {
  expect(['90s', '15m', '12h', '7d', '0s'].map(parseDuration)).toEqual([90, 900, 43_200, 604_800, 0]);
  for (const text of ['', '7', 'd', '-1d', '1.5h', '7 d', '1w', '9999999d'])
    expect(parseDuration(text)).toBe(null);
  expect([0, 59.9, 60, 7199, 7200, 86_399, 86_400 * 3].map(durationText)).toEqual(
    '0 s,59 s,1 min,1 h,2 h,23 h,3 d'.split(','),
  );
});

describe('the table', () => {
  const now = Date.parse('2026-05-08T12:00:00.000Z');
  const before = (seconds: number): string => new Date(now - seconds * 1000).toISOString();
  const usage = (rule: string, more: Partial<RuleUsage> = {}): RuleUsage => ({
    ...terms,
    rule,
    security_group: 'g',
    security_group_name: 'web',
    packets: 0,
    connections: 0,
    last_used: null,
    watched_since: before(10_800),
    unused: true,
    watched: true,
    shadowed_by: [],
    ...more,
  });
  const answer = (rules: RuleUsage[], more: Partial<UsageAnswer> = {}): UsageAnswer => ({
    rules,
    now: new Date(now).toISOString(),
    watched_since: before(10_800),
    reset_at: null,
    late: [],
    down: [],
    ...more,
  });
  const cells = (text: string): string[][] => text.split('\n').map((line) => line.split(/ {2,}/));

  test('has a line a rule, and shows how long the rule was watched', () => {
    const used = usage('r1', { packets: 9, connections: 3, last_used: before(120), unused: false });
    const text = usageText(answer([used, usage('r2', { shadowed_by: ['r1', 'r3'] })]), {});
    expect(cells(text).slice(0, 3)).toEqual([
      'RULE,GROUP,DIRECTION,LETS IN,CONNECTIONS,PACKETS,LAST USED,WATCHED,SHADOWED BY'.split(','),
      'r1,web,ingress,IPv4 anything from anybody,3,9,2 min ago,3 h,-'.split(','),
      ['r2', 'web', 'ingress', 'IPv4 anything from anybody', '0', '0', 'never', '3 h', 'r1, r3'],
    ]);
    expect(text).toContain(
      '\n\nwatched for 3 h since 2026-05-08T09:00:00.000Z; a rule younger than that says less\n',
    );
    expect(text).not.toContain('restarted');
  });

  test('marks a rule as unused for longer than it was watched', () => {
    const rules = [usage('r1', { watched: false }), usage('r2', { watched_since: before(900_000) })];
    const text = usageText(answer(rules), { unused: true, since: 604_800 });
    expect(cells(text)[1]).toContain('3 h: too short');
    expect(cells(text)[2]).toContain('10 d');
    expect(text).toContain('1 rule was watched for less than 7 d');
    expect(text).toContain('one that has lasted for more than 7 d is not seen');
  });

  test('names what may be missing', () => {
    const text = usageText(
      answer([], { watched_since: null, reset_at: before(60), late: ['h1'], down: ['h2', 'h3'] }),
      {},
    );
    expect(text).toContain('nobody has watched yet');
    expect(text).toContain('restarted at 2026-05-08T11:59:00.000Z');
    expect(text).toContain('not up to date: h1\n');
    expect(text).toContain('said last: h2, h3\n');
  });
});
