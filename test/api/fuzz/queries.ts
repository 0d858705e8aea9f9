/** Query strings: filters, fields, order and pages, valid and invalid. */
import type { AttributeTable } from '../../../src/model/attribute.ts';
import type { Known } from './known.ts';
import type { Random } from './random.ts';
import { plain } from './request.ts';
import { hostile, strangeNames, urlText, valueFor } from './values.ts';

export function queryOf(random: Random, known: Known, table: AttributeTable, project: string): string {
  const names = Object.keys(table);
  const parts = Array.from({ length: random.below(4) }, () => {
    const name = random.pick(names);
    return random.weighted<() => readonly [string, unknown]>([
      [6, () => [name, valueFor(random, known, project, name, table[name])]],
      [1, () => [name, hostile(random)]],
      [1, () => [random.pick(strangeNames), hostile(random)]],
      [2, () => ['fields', random.chance(0.8) ? name : `('id', '${name}')`]],
      [2, () => ['sort_key', name]],
      [1, () => ['sort_dir', random.pick(['asc', 'desc', 'up'])]],
      [2, () => ['limit', random.pick([0, 1, 2, 5, -1, 'x', '1'.repeat(30)])]],
      [1, () => ['marker', known.id(random, random.pick(known.kinds), project)]],
      [1, () => ['page_reverse', random.pick(['true', 'True', 'no'])]],
      [1, () => ['changed_since', random.pick(['2020-01-01T00:00:00Z', 'never', '2999-01-01'])]],
      [1, () => [random.pick(['tags', 'tags-any', 'not-tags', 'not-tags-any']), 'red,green']],
      [
        1,
        () => [
          random.pick(['fixed_ips', 'allowed_address_pairs']),
          `${random.pick(['ip_address', 'subnet_id', 'ip_address_substr', 'mac_address', ''])}=${plain(hostile(random))}`,
        ],
      ],
    ])();
  });
  const escaped = (value: unknown): string => {
    const text = plain(value);
    return random.chance(0.02) ? text.replaceAll(/[^!-~]/g, '%') : urlText(text);
  };
  return parts.map(([name, value]) => `${encodeURIComponent(name)}=${escaped(value)}`).join('&');
}
