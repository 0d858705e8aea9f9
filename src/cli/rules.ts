/** `portcullis rules`: hits of security-group rules, unused rules, and rules that others shadow. */
import type { Client } from './client.ts';
import { durationText } from './durations.ts';
import { type RuleTerms, ruleWords } from './rule-words.ts';
import { json, table } from './table.ts';

export interface RulesOptions {
  readonly unused?: boolean;
  /** Seconds. */
  readonly since?: number;
  /** Name or id. */
  readonly securityGroup?: string;
}

export interface RuleUsage extends RuleTerms {
  readonly rule: string;
  readonly security_group: string;
  readonly security_group_name: string | null;
  readonly packets: number;
  readonly connections: number;
  readonly last_used: string | null;
  readonly watched_since: string | null;
  readonly unused: boolean;
  /** The counts cover the whole requested time. */
  readonly watched: boolean;
  readonly shadowed_by: readonly string[];
}

export interface UsageAnswer {
  readonly rules: readonly RuleUsage[];
  readonly now: string;
  readonly watched_since: string | null;
  readonly reset_at: string | null;
  readonly late: readonly string[];
  readonly down: readonly string[];
}

/** The text to print. */
export async function rules(client: Client, options: RulesOptions, asJson: boolean): Promise<string> {
  const { unused = false, since, securityGroup } = options;
  const query = new URLSearchParams();
  if (unused) query.set('unused', 'true');
  if (since !== undefined) query.set('since', String(since));
  if (securityGroup !== undefined) query.set('security_group_id', await client.securityGroup(securityGroup));
  const answer = await client.get<UsageAnswer>(`/v1/security-group-rules/usage?${query.toString()}`);
  return asJson ? json(answer) : usageText(answer, options);
}

export function usageText(answer: UsageAnswer, options: RulesOptions): string {
  const now = Date.parse(answer.now);
  const ago = (time: string): string => durationText(Math.max(0, now - Date.parse(time)) / 1000);
  // Whether a rule is unused is unknown for a time without counting.
  const doubtful = (rule: RuleUsage): boolean => rule.unused && !rule.watched;
  const columns = [
    { title: 'RULE', value: (rule: RuleUsage) => rule.rule },
    { title: 'GROUP', value: (rule: RuleUsage) => rule.security_group_name ?? rule.security_group },
    { title: 'DIRECTION', value: (rule: RuleUsage) => rule.direction },
    { title: 'LETS IN', value: ruleWords },
    { title: 'CONNECTIONS', value: (rule: RuleUsage) => rule.connections },
    { title: 'PACKETS', value: (rule: RuleUsage) => rule.packets },
    {
      title: 'LAST USED',
      value: ({ last_used: last }: RuleUsage) => (last === null ? 'never' : `${ago(last)} ago`),
    },
    {
      title: 'WATCHED',
      value: (rule: RuleUsage) => {
        const span = rule.watched_since === null ? 'no' : ago(rule.watched_since);
        return doubtful(rule) && options.since !== undefined ? `${span}: too short` : span;
      },
    },
    { title: 'SHADOWED BY', value: (rule: RuleUsage) => rule.shadowed_by.join(', ') || '-' },
  ];
  const notes = [...watchNotes(answer, ago), ...doubtNotes(answer.rules.filter(doubtful).length, options)];
  return `${table(columns, answer.rules)}\n${notes.map((note) => `${note}\n`).join('')}`;
}

function watchNotes(
  { watched_since: since, reset_at: reset, late, down }: UsageAnswer,
  ago: (time: string) => string,
): string[] {
  const notes = [
    since === null
      ? 'nobody has watched yet: no agent counts what rules let in'
      : `watched for ${ago(since)} since ${since}; a rule younger than that says less`,
  ];
  if (reset !== null)
    notes.push(`a switch restarted at ${reset}: what its rules let in shortly before may be missing`);
  if (late.length > 0) notes.push(`not heard in time, so not up to date: ${late.join(', ')}`);
  if (down.length > 0) notes.push(`down, with what they said last: ${down.join(', ')}`);
  return notes;
}

function doubtNotes(doubtful: number, { since }: RulesOptions): string[] {
  if (since === undefined) return [];
  const span = durationText(since);
  const notes = [`a connection counts when it begins: one that has lasted for more than ${span} is not seen`];
  if (doubtful === 0) return notes;
  const whose = doubtful === 1 ? '1 rule was' : `${doubtful} rules were`;
  return [...notes, `${whose} watched for less than ${span}: that they were not used says only so much`];
}
