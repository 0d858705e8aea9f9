/** Runs the walk of docs/many-hosts.md: three hypervisors, three members of etcd and two servers on one machine. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runAnyway } from '../lib/command.ts';
import { describeRoot } from '../lib/netns.ts';
import { cleanEnvironment } from '../lib/up-process.ts';

const page = new URL('../../docs/many-hosts.md', import.meta.url);
let dir = '';
let outputs: string[] = [];

/** The blocks as one script in a network namespace of its own, because the API has its usual port. */
async function walk(): Promise<string[]> {
  const blocks = [...(await readFile(page, 'utf8')).matchAll(/```sh\n([\s\S]*?)```/g)].map(
    ([, block = '']) => block,
  );
  const script = [
    'ip link set lo up',
    "trap 'npm run --silent lab -- down' EXIT",
    ...blocks.map((block, at) => `{\n${block}\n} >${dir}/${at} 2>&1`),
  ].join('\n');
  const options = { env: cleanEnvironment(), timeout: 170_000 };
  const { stderr } = await runAnyway('unshare', ['--net', 'bash', '-c', script], options);
  const texts = blocks.map((_, at) => readFile(join(dir, String(at)), 'utf8').catch(() => stderr));
  return Promise.all(texts);
}

const losses = (at: number): string[] =>
  [...(outputs[at] ?? '').matchAll(/(\d+)% packet loss/g)].map(([, loss = '']) => loss);

describeRoot('the walk of docs/many-hosts.md', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'portcullis-lab-'));
    outputs = await walk();
  }, 180_000);
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('three hypervisors live and have a guest each', () => {
    expect(outputs[0]).toContain('the lab is up');
    for (const host of ['h1', 'h2', 'h3']) expect(outputs[1]).toMatch(new RegExp(`^${host} +live `, 'm'));
    expect(outputs[1]).toMatch(/^in sync/m);
  });

  test('members reach each other across hosts, a stranger is dropped by the host of the receiver', () => {
    expect(losses(2), outputs[2]).toEqual(['0', '0', '100']);
    expect(outputs[2]).toMatch(/^ingress +ingress-rules +\S+ +[1-9]/m);
    // The walk goes on where the receiver is.
    expect(outputs[2]).toMatch(/^h3 .* sent-to-host /m);
    expect(outputs[2]).toMatch(/^h1 +lab-stranger +tunnel +pass +remote-host /m);
    expect(outputs[2]).toMatch(/^h1 +lab-web +ingress-rules +drop +ingress-rules /m);
    expect(outputs[2]).toContain('The packet is dropped: ingress-rules at lab-web.');
  });

  test('an address of two ports answers where it is', () => {
    expect(losses(3), outputs[3]).toEqual(['0', '0']);
  });

  test('a cut host is missed by nobody else, and comes back; an etcd member dies unnoticed', () => {
    const [cut, other, mended] = losses(4);
    expect([cut, other], outputs[4]).toEqual(['100', '0']);
    expect(Number(mended)).toBeLessThan(100);
    expect(outputs[4]).toMatch(/^in sync/m);
    expect(outputs[4]).not.toContain('HttpException');
  });

  test('nothing is left', async () => {
    const { stdout } = await runAnyway('ip', ['netns', 'list']);
    expect(stdout).not.toMatch(/\b(pclab|lab)-/);
  });
});
