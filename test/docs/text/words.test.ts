/**
 * The words of docs/glossary.md hold in the sources: headers have headings, names have one meaning, numbers are named as
 * limits and times, and comments avoid the phrases below. The sentences of comments and pages are short.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { filesUnder, pages, sourceFiles } from './pages.ts';

const headings = /^ \* (?:# \w+|(?:Idea|Invariants?|Rejected|Result|Price|Example)\b[^:]*:)/m;
const maxHeaderLines = 8;
/** A sentence of a comment or a page may have this many words. */
const maxSentenceWords = 25;

/** Identifiers of earlier releases, or with another meaning than the glossary's, and the present words. */
const forbiddenNames: Readonly<Record<string, string>> = {
  soil: 'markDirty',
  mostAtOnce: 'maxConcurrent',
  patience: '…Timeout',
  farewell: 'drainTimeout',
  lastWords: 'drainTimeout',
  worthALook: '…Threshold',
  widest: 'maxBatch',
  fewZones: 'maxZonesReadSingly',
  dealings: 'actions',
  seer: 'viewer',
  Sight: 'Visibility',
  Reading: 'RowView or CounterReading',
  lendsReserved: 'allowsReservedPairs',
  fed: 'listed',
  wired: 'ready',
  hasten: 'retryNow',
  sayBack: 'reportBindings',
  meetSwitch: 'onSwitchConnected',
  Suspicion: 'Tightening',
  rehearse: 'encodeAhead',
  udpToDhcp: 'isDhcp…',
};

/** Numbers are max…, min…, …Timeout, …Interval, …Limit. */
const misnamedNumber =
  /\b(?:const|readonly) ((?:most|least|longest|largest|smallest|shortest|widest|few|furthest)[A-Z]\w*|\w*(?:Patience|Rest|Every))\b(?:: number)? = [\d_.]+/g;

/** Phrases that a reader has to read twice. */
const riddles =
  /\b(in vain|for want of|save that|but for the|all the same|be they|at hand|whos?ever|whatsoever|is told|are told|tells of|what becomes of|shall)\b/i;

/** Names that several files export, with the reason why that is clear. */
const sharedNames: Readonly<Record<string, string>> = {
  drop: 'the end of a packet: in a walk of the evaluator, and by a flow',
};

const comments = (text: string): readonly string[] =>
  [...text.matchAll(/\/\*\*[^]*?\*\/|^\s*\/\/[^\n]*(?:\n\s*\/\/[^\n]*)*/gm)].map(([comment]) => comment);

const prose = (comment: string): string =>
  comment.replaceAll(/^\s*(\/\*\*|\*\/|\*|\/\/) ?/gm, '').replaceAll('*/', '');

const sentencesOf = (paragraph: string): readonly string[] =>
  paragraph
    .replaceAll(/\s+/g, ' ')
    .trim()
    .split(/(?<=[.:;?!)](?:\*\*)?) /);

const longSentences = (paragraph: string): readonly string[] =>
  sentencesOf(paragraph)
    .filter((sentence) => sentence.split(' ').length > maxSentenceWords)
    .map((sentence) => `a sentence of ${sentence.split(' ').length} words: ${sentence.slice(0, 60)}`);

/** Each paragraph, list entry and cell of a table is text of its own; blocks of code are none. */
const paragraphsOfPage = (text: string): readonly string[] =>
  text
    .replaceAll(/^(```|~~~)[^]*?^\1|^ {4}.*$/gm, '\n\n')
    .replaceAll(/^\s*\|.*$/gm, (row) => `\n${row.replaceAll(/ ?\| ?/g, '\n\n')}\n`)
    .replaceAll(/^\s*(?:#+|[-*]|\d+\.) /gm, '\n\n')
    .split(/\n\s*\n/);

const paragraphsOf = (comment: string): readonly string[] => prose(comment).split(/\n\s*\n|\n- /);

/** Each violation as a line: file, rule, place. */
function violationsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const found: string[] = [];
  const header = text.match(/^(?:#!.*\n)?(\/\*\*[^]*?\*\/)/)?.[1] ?? '';
  const lines = header.split('\n').length - 2;
  if (lines > maxHeaderLines && !headings.test(header))
    found.push(`a header of ${lines} lines without headings`);
  const code = text.replaceAll(/\/\*\*[^]*?\*\/|\/\/[^\n]*|'[^'\n]*'/g, '');
  for (const [name, better] of Object.entries(forbiddenNames))
    if (new RegExp(`(?<!\\w)${name}\\b`).test(code)) found.push(`${name} in place of ${better}`);
  for (const [, name] of code.matchAll(misnamedNumber)) found.push(`${name} is no max…, …Timeout, …Interval`);
  for (const comment of comments(text)) {
    const [riddle] = riddles.exec(prose(comment)) ?? [];
    if (riddle !== undefined) found.push(`'${riddle}' in ${prose(comment).slice(0, 60)}`);
    found.push(...paragraphsOf(comment).flatMap(longSentences));
  }
  return found.map((what) => `${path}: ${what}`);
}

test.each(readdirSync('src'))('src/%s', (folder) => {
  const files = filesUnder(`src/${folder}`, /\.ts$/);
  expect(files.length).toBeGreaterThan(0);
  expect(files.flatMap(violationsOf)).toEqual([]);
});

/** In tests and benches names may be local habits; comments must read as well as elsewhere. */
test.each(['bench', 'scripts', 'test'])('comments of %s', (folder) => {
  const found = filesUnder(folder, /\.m?[jt]s$/).flatMap((path) =>
    comments(readFileSync(path, 'utf8')).flatMap((comment) =>
      [
        ...(riddles.exec(prose(comment)) ?? []).slice(0, 1),
        ...paragraphsOf(comment).flatMap(longSentences),
      ].map((what) => `${path}: ${what}`),
    ),
  );
  expect(found).toEqual([]);
});

test.each(pages)('sentences of $path', ({ text }) => {
  expect(paragraphsOfPage(text).flatMap(longSentences)).toEqual([]);
});

test('a name that two files export has one meaning', () => {
  const homes = new Map<string, string[]>();
  for (const path of sourceFiles)
    for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(
      /^export (?:abstract )?(?:async )?(?:type|interface|class|const|function\*?) (\w+)/gm,
    ))
      homes.set(name, [...new Set([...(homes.get(name) ?? []), path])]);
  const shared = [...homes].filter(([, paths]) => paths.length > 1);
  for (const [name, paths] of shared) expect(Object.keys(sharedNames), paths.join(', ')).toContain(name);
  expect(shared.map(([name]) => name).sort()).toEqual(Object.keys(sharedNames).sort());
});
