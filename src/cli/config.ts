/**
 * The effective configuration: defaults < file < environment < flags, with one closed table for all of them.
 * Knows the source of each value and names it in errors. Does not know what the values are for.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir, hostname, release } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { Fault, reasonOf } from '../base/errors.ts';
import { noQuotas, usualQuotas } from '../model/quota.ts';
import { parseListen } from './listen.ts';
import type { Part, Setting, Settings } from './settings.ts';
import { settings } from './settings.ts';

export type ConfigFault = { readonly code: 'BadConfig'; readonly source: string; readonly key: string };

export const defaultConfigFile = '/etc/portcullis/portcullis.yaml';
/** Names that start like settings but belong to the command line itself. */
const otherEnvironment = new Set(['PORTCULLIS_CONFIG', 'PORTCULLIS_ENDPOINT', 'PORTCULLIS_TOKEN']);

/** The machine's own values, for settings without a value; a parameter, so that tests can replace them. */
export interface ConfigSurroundings {
  readonly hostname: string;
  readonly dataDir: string;
  readonly kernelDatapath: boolean;
}

export interface ConfigSources {
  /** Path given by `--config`: it must exist. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** commander's options, by option name. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** The part that is started alone: settings that only the other part needs may be missing. */
  readonly part?: Part | undefined;
  readonly surroundings?: ConfigSurroundings;
}

type Tree = Record<string, unknown>;

function fail(source: string, key: string, problem: string): never {
  throw new Fault<ConfigFault>({ code: 'BadConfig', source, key }, `${source}: ${problem}`);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path;
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const inner = tree[name];
  const next: Tree = isTree(inner) ? inner : {};
  tree[name] = next;
  put(next, rest, value);
}

function take(tree: Tree, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (isTree(at) ? at[name] : undefined), tree);
}

function rejectUnknownKeys(source: string, tree: Tree, path: readonly string[] = []): void {
  for (const [name, value] of Object.entries(tree)) {
    const here = [...path, name];
    const key = here.join('.');
    if (settings.some((setting) => setting.key === key)) continue;
    if (!settings.some((setting) => setting.key.startsWith(`${key}.`)))
      fail(source, key, `unknown key ${key}`);
    if (!isTree(value)) fail(source, key, `${key} must be a mapping`);
    rejectUnknownKeys(source, value, here);
  }
}

function fromFile(named: string | undefined): { source: string; tree: Tree } {
  const path = named ?? defaultConfigFile;
  if (named === undefined && !existsSync(path)) return { source: path, tree: {} };
  let tree: unknown;
  try {
    tree = parse(readFileSync(path, 'utf8')) ?? {};
  } catch (error) {
    fail(path, '', reasonOf(error));
  }
  if (!isTree(tree)) fail(path, '', 'must be a mapping of keys to values');
  rejectUnknownKeys(path, tree);
  return { source: path, tree };
}

function fromEnvironment(environment: ConfigSources['environment']): Tree {
  const tree: Tree = {};
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('PORTCULLIS_') || otherEnvironment.has(name) || text === undefined) continue;
    const setting = settings.find((known) => known.env === name);
    if (setting === undefined) fail('environment', name, `unknown name ${name}`);
    if (setting.kind === 'boolean' && text !== 'true' && text !== 'false') {
      fail('environment', name, `${name} must be true or false, not ${JSON.stringify(text)}`);
    }
    put(tree, setting.path, setting.kind === 'boolean' ? text === 'true' : valueOf(setting, text));
  }
  return tree;
}

/** Text that is not a number stays as it is, so that the error can show it. */
function valueOf({ kind }: Setting, text: unknown): unknown {
  const number = kind === 'number' && text !== '' ? Number(text) : Number.NaN;
  return Number.isNaN(number) ? text : number;
}

function fromFlags(flags: ConfigSources['flags']): Tree {
  const tree: Tree = {};
  for (const setting of settings) {
    const value = flags[setting.option];
    if (value !== undefined) put(tree, setting.path, valueOf(setting, value));
  }
  return tree;
}

/** The kernel has the openvswitch module in one of three ways: loaded, built in, or installed. */
function kernelHasDatapath(): boolean {
  if (existsSync('/sys/module/openvswitch')) return true;
  try {
    return readFileSync(`/lib/modules/${release()}/modules.builtin`, 'utf8').includes('/openvswitch.ko');
  } catch {
    return false;
  }
}

function surroundingsHere(): ConfigSurroundings {
  const root = process.getuid?.() === 0;
  return {
    hostname: hostname(),
    dataDir: root ? '/var/lib/portcullis' : join(homedir(), '.local/share/portcullis'),
    kernelDatapath: kernelHasDatapath(),
  };
}

function defaults(chosen: Tree, surroundings: ConfigSurroundings): Tree {
  const tree: Tree = {};
  for (const setting of settings) if (setting.default !== undefined) put(tree, setting.path, setting.default);
  tree['data_dir'] = surroundings.dataDir;
  tree['host'] = surroundings.hostname;
  tree['datapath_type'] = surroundings.kernelDatapath ? 'system' : 'netdev';
  const ovsdb = String(chosen['ovsdb'] ?? tree['ovsdb']);
  const bridge = String(chosen['bridge'] ?? tree['bridge']);
  if (ovsdb.startsWith('unix:')) tree['openflow'] = `unix:${dirname(ovsdb.slice(5))}/${bridge}.mgmt`;
  const quotas = String(chosen['auth'] ?? tree['auth']) === 'none' ? noQuotas : usualQuotas;
  for (const [resource, limit] of Object.entries(quotas)) put(tree, ['quota', resource], limit);
  return tree;
}

/** Throws `BadConfig` unless every setting of the part has a value of its type. */
function requireSettings(
  tree: Tree,
  part: Part | undefined,
  sourceOf: (key: string) => string,
): asserts tree is Tree & Settings {
  for (const { key, path, problem, secret } of settings) {
    const value = take(tree, path);
    const wrong = value === undefined ? null : problem(value);
    if (wrong !== null)
      fail(sourceOf(key), key, `${key}: ${wrong}${secret ? '' : `, not ${JSON.stringify(value)}`}`);
  }
  if (part !== 'server' && tree['openflow'] === undefined) {
    fail(sourceOf('ovsdb'), 'openflow', 'openflow must be set where ovsdb is not a unix socket');
  }
}

function check(checked: Tree, part: Part | undefined, sourceOf: (key: string) => string): Settings {
  requireSettings(checked, part, sourceOf);
  if (part === 'agent') return checked;
  if (checked.auth === 'tokens' && checked.tokens.file === '')
    fail(sourceOf('auth'), 'tokens.file', 'tokens.file must be set where auth is tokens');
  if (checked.auth === 'keystone' && checked.keystone.url === '')
    fail(sourceOf('auth'), 'keystone.url', 'keystone.url must be set where auth is keystone');
  if (parseListen(checked.listen) === null)
    fail(sourceOf('listen'), 'listen', `listen must be ADDRESS:PORT, not ${checked.listen}`);
  return checked;
}

/** The same values for display: secrets that are set show as stars. */
export function withoutSecrets(effective: Settings): Tree {
  const shown: Tree = Object.fromEntries(Object.entries(structuredClone(effective)));
  for (const { path, secret } of settings) {
    const value = secret ? take(shown, path) : '';
    if (value !== undefined && value !== '') put(shown, path, '***');
  }
  return shown;
}

/** Throws `BadConfig`, whose text names the source and the key. */
export function loadConfig(sources: ConfigSources): Settings {
  const file = fromFile(sources.file ?? sources.environment['PORTCULLIS_CONFIG']);
  const environment = fromEnvironment(sources.environment);
  const flags = fromFlags(sources.flags);

  const chosen: Tree = {};
  for (const tree of [file.tree, environment, flags]) {
    for (const setting of settings) {
      const value = take(tree, setting.path);
      if (value !== undefined && value !== null) put(chosen, setting.path, value);
    }
  }
  const fallback = defaults(chosen, sources.surroundings ?? surroundingsHere());
  const effective: Tree = {};
  for (const { path } of settings) {
    const value = take(chosen, path) ?? take(fallback, path);
    if (value !== undefined) put(effective, path, value);
  }
  return check(effective, sources.part, (key) => {
    const path = key.split('.');
    if (take(flags, path) !== undefined) return 'flags';
    if (take(environment, path) !== undefined) return 'environment';
    return take(file.tree, path) === undefined ? 'configuration' : file.source;
  });
}
