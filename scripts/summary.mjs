// The count at the end of `npm test`: checks and vitest's tests together. Names the skipped and the failed ones.
// usage: summary.mjs DIRECTORY VITEST_EXIT_CODE. A step or file without a report counts as a failure.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const [directory = '.', vitestExit = '1'] = process.argv.slice(2);
const failed = [];
const skipped = [];
let passed = 0;

const steps = join(directory, 'steps');
for (const line of existsSync(steps) ? readFileSync(steps, 'utf8').trim().split('\n') : []) {
  const [verdict, name] = line.split('\t');
  if (verdict === 'pass') passed += 1;
  else if (verdict === 'skip') skipped.push(name);
  else failed.push(name);
}

const reports = readdirSync(directory)
  .filter((name) => /^vitest-.*\.json$/.test(name))
  .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')).testResults);
for (const file of reports.flat()) {
  const path = relative(process.cwd(), file.name);
  const before = failed.length;
  for (const test of file.assertionResults) {
    const name = `${path} > ${test.fullName}`;
    if (test.status === 'passed') passed += 1;
    else if (test.status === 'failed') failed.push(name);
    else skipped.push(name);
  }
  // A file that did not load, or failed to clean up, has no failed test of its own.
  if (file.status === 'failed' && failed.length === before) failed.push(path);
}
if (reports.length === 0 || reports.some((files) => files.length === 0)) failed.push('vitest: no test ran');
else if (vitestExit !== '0' && failed.length === 0) failed.push(`vitest: exit code ${vitestExit}`);

for (const name of skipped) console.log(`skipped: ${name}`);
for (const name of failed) console.log(`failed: ${name}`);
console.log(
  `${passed} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`,
);
process.exitCode = failed.length > 0 ? 1 : 0;
