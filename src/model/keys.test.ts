import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it, test } from 'vitest';
import { KeyDispatch, on } from './key-dispatch.ts';
import { allKinds, keys } from './keys.ts';

/** A key of each kind, its parts named after the layout. A project has a slash in its id. */
const examples = allKinds.map((kind) => {
  const names = [...kind.layout.matchAll(/[:*](\w+)/g)].map(([, name = '']) => name);
  const parts = Object.fromEntries(names.map((name) => [name, name === 'project' ? 'a/b' : `${name}-1`]));
  const key = kind.layout.replaceAll(/[:*](\w+)/g, (_, name: string) => parts[name] ?? '');
  return { kind, parts, key };
});

describe('a key kind', () => {
  it.each(examples)('of layout $kind.layout parses what it builds', ({ kind, parts, key }) => {
    const build = Object.values(keys).find((one) => one === kind);
    expect(Reflect.apply(build as () => string, null, Object.values(parts))).toBe(key);
    expect(kind.parse(key)).toEqual(parts);
    expect(key.startsWith(kind.prefix)).toBe(true);
  });

  it('takes no key of another kind', () => {
    for (const { kind } of examples)
      for (const other of examples)
        if (other.kind !== kind) expect(kind.parse(other.key), other.key).toBe(null);
  });

  it('gives the prefix of keys with the same first parts', () => {
    expect(keys.port.prefix).toBe('ports/');
    expect(keys.port.under('n')).toBe('ports/n/');
    expect(keys.groupUse.under('g')).toBe('uses/groups/g/');
    expect(keys.novaLease()).toBe('nova/lease');
  });
});

describe('dispatch by kind', () => {
  it('hands parts and record to the handler of the kind, and passes over other keys', () => {
    const seen: unknown[] = [];
    const dispatch = new KeyDispatch([
      on(keys.port, ({ parts, record }) => seen.push([parts.network, parts.id, record?.name])),
      on(keys.novaLease, ({ record }) => seen.push(record)),
    ]);
    expect(dispatch.take('ports/n/p', '{"name":"x"}', 4)).toBe(true);
    expect(dispatch.take('ports/n/p', null)).toBe(true);
    expect(dispatch.take('nova/lease', 'me', 5)).toBe(true);
    expect(dispatch.take('nova/began', '', 5)).toBe(false);
    expect(dispatch.take('networks/n', '{}', 5)).toBe(false);
    expect(seen).toEqual([['n', 'p', 'x'], ['n', 'p', undefined], 'me']);
    expect(dispatch.prefixes).toEqual(['ports/', 'nova/lease']);
  });
});

test('docs/store-keys.md lists every kind', async () => {
  const head = '| key | value | written by |\n|---|---|---|\n';
  const holds = { record: 'record', mark: 'mark', note: 'text' } as const;
  const rows = allKinds.map(
    ({ layout, holds: what, writer }) => `| \`${layout}\` | ${holds[what]} | ${writer} |\n`,
  );
  const file = new URL('../../docs/store-keys.md', import.meta.url);
  const page = await readFile(file, 'utf8');
  const current = page.replace(/\| key \|(?:.*\n)(?:\|.*\n)*/, `${head}${rows.join('')}`);
  if (process.env['PORTCULLIS_UPDATE_DOCS'] !== undefined) await writeFile(file, current);
  expect(await readFile(file, 'utf8'), 'PORTCULLIS_UPDATE_DOCS=1 writes the table anew').toBe(current);
});
