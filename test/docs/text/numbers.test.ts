/** Numbers in the pages are those of the sources: each row has a page, its words, and the declaration behind them. */
import { expect, test } from 'vitest';
import { pageText, sources } from './pages.ts';

const operations = 'docs/operations.md';
const differences = 'docs/api-differences.md';
const architecture = 'docs/architecture.md';

/** One declaration in the sources, and all of the words that follow from it. */
type Claim = readonly [declaration: string, page: string, words: string];

const claims: readonly Claim[] = [
  ['const maxCountedPairs = 2048;', operations, 'at most 2048 pairs of rule and port'],
  [
    'rate: 200, burst: 400 }',
    operations,
    'up to 200 ARP requests and neighbour solicitations a second, and 400 at once',
  ],
  ['const maxConcurrent = 32;', operations, 'At most 32 requests to Keystone'],
  ['const minFreeBytes = 16 << 20;', operations, 'less than 16 MiB'],
  ['const warningShare = 0.9;', operations, 'the log warns at 90 %'],
  ['const bridgeGrace = 1000;', operations, 'after a second without it the agent creates it again'],
  ['finds: 5, within: 30_000 }', operations, 'five finds within 30 seconds'],
  ['const defaultLookInterval = 5000;', operations, 'meters and groups within 5 seconds'],
  ['const defaultLookInterval = 5000;', architecture, 'every 5 seconds'],
  ['export const minFragmentSize = 400;', operations, '400 bytes, which the agent sets'],
  [
    'const usualLease = { renewInterval: 5000, ttl: 15_000 };',
    operations,
    'after 15 seconds without a renewal',
  ],
  [
    'const usualBackoff = { minDelay: 1000, maxDelay: 30_000 };',
    operations,
    'first after a second, later every thirty',
  ],
  ['const drainTimeout = 2000;', operations, 'within two seconds'],
  ['const maxDumped = 1000;', operations, 'missing above 1000 megaflows'],
  ['const dumpInterval = 10_000;', operations, 'at most 10 seconds old'],
  ['const reloadInterval = 500;', operations, 'within a second of each change'],
  ['const bodyLimit = 8 * 1024 * 1024;', differences, 'above 8 MiB'],
  ['const maxDepth = 100;', differences, 'more than 100 deep'],
  ["'00000000000000000000000000000001'", differences, '`00000000000000000000000000000001`'],
  ['const leaseTtl = 15_000;', operations, 'within 15 seconds without its keep-alive'],
];

test.each(claims)('%s in %s: %s', (declaration, page, words) => {
  expect(sources.includes(declaration), `the sources declare ${declaration}`).toBe(true);
  const text = pageText(page).replaceAll(/\s+/g, ' ');
  expect(text.includes(words), `${page} says: ${words}`).toBe(true);
});
