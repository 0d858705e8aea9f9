/** `portcullis check`: lists contradictions in the store. */
import type { Client } from './client.ts';

export interface CheckResult {
  readonly revision: number;
  readonly entries: number;
  readonly count: number;
  /** The first violations; the API limits their number. */
  readonly violations: readonly { readonly key: string; readonly problem: string }[];
}

export const check = (client: Client): Promise<CheckResult> => client.get<CheckResult>('/v1/check');

export function checkText({ entries, count, violations }: CheckResult): string {
  if (count === 0) return `whole: ${entries} entries agree\n`;
  const lines = violations.map(({ key, problem }) => `${key}: ${problem}\n`);
  const rest = count - violations.length;
  return `${lines.join('')}${rest > 0 ? `and ${rest} more\n` : ''}`;
}
