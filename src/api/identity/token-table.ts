/**
 * What a file of static tokens says, as callers by the tokens' digests. Reads text only. Errors name the entry by its
 * place, never the token.
 */
import { parse } from 'yaml';
import { Fault, reasonOf } from '../../base/errors.ts';
import { isObject, projectId } from '../../model/checks.ts';
import { type Caller, newCaller } from './caller.ts';
import { digestOf } from './token-digest.ts';

export type TokenTableFault = { readonly code: 'BadTokenFile'; readonly problem: string };

/** Callers by the SHA-256 of their tokens. */
export type TokenTable = ReadonlyMap<string, Caller>;

const known = new Set(['token', 'token_sha256', 'project_id', 'user', 'roles']);

function fail(problem: string, cause?: unknown): never {
  throw new Fault<TokenTableFault>({ code: 'BadTokenFile', problem }, problem, cause);
}

function digestIn(entry: Readonly<Record<string, unknown>>, where: string): string {
  const { token, token_sha256: digest } = entry;
  if ((token === undefined) === (digest === undefined))
    return fail(`${where}: either token or token_sha256 is wanted`);
  if (token !== undefined) {
    const usable = typeof token === 'string' && /^[!-~]{16,}$/.test(token);
    return usable ? digestOf(token) : fail(`${where}: token must be 16 printable characters or more`);
  }
  const usable = typeof digest === 'string' && /^[0-9a-f]{64}$/i.test(digest);
  return usable ? digest.toLowerCase() : fail(`${where}: token_sha256 must be 64 hexadecimal digits`);
}

function callerIn(entry: Readonly<Record<string, unknown>>, where: string): Caller {
  const { project_id: project, user, roles } = entry;
  if (typeof project !== 'string' || projectId(project) !== null)
    return fail(`${where}: project_id must be a project's id`);
  if (typeof user !== 'string' || user === '') return fail(`${where}: user must be a name`);
  if (!Array.isArray(roles) || !roles.every((role): role is string => typeof role === 'string'))
    return fail(`${where}: roles must be a list of names`);
  return newCaller({ project, user, roles });
}

/** Throws `BadTokenFile`. */
export function parseTokenTable(text: string): TokenTable {
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    // The parser's own text quotes the file.
    return fail('the file is no YAML', error instanceof Error ? error.name : reasonOf(error));
  }
  if (!isObject(content) || Object.keys(content).join() !== 'tokens' || !Array.isArray(content['tokens']))
    return fail('the file must have one key, tokens, with a list');
  const table = new Map<string, Caller>();
  content['tokens'].forEach((entry: unknown, at) => {
    const where = `entry ${at + 1}`;
    if (!isObject(entry)) return fail(`${where}: must be a mapping`);
    const unknown = Object.keys(entry).find((key) => !known.has(key));
    if (unknown !== undefined) return fail(`${where}: unknown key ${unknown}`);
    const digest = digestIn(entry, where);
    if (table.has(digest)) return fail(`${where}: the token stands there twice`);
    return table.set(digest, callerIn(entry, where));
  });
  return table;
}
