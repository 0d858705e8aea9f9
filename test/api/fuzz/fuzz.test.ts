/**
 * Generated requests against the API. The server never fails, never reveals internals or another project's
 * records, and keeps the store's invariants at any time. `FUZZ_REQUESTS=100000` makes a long run; `FUZZ_SEED`
 * repeats one.
 */
import { afterEach, expect, test } from 'vitest';
import { Cloud } from './cloud.ts';
import { Oracle } from './oracle.ts';
import { Random } from './random.ts';
import { isFailure } from './refusals.ts';
import type { Request } from './request.ts';
import { Requests } from './requests.ts';

const count = Number(process.env['FUZZ_REQUESTS'] ?? 4000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
/** Requests between two checks of the whole store. */
const lookEvery = 250;
/** The number of faults after which a run stops. */
const enough = 8;
/** Milliseconds a request, with much to spare. */
const requestTimeout = 20;

let cloud: Cloud;
afterEach(() => cloud.close());

const told = ({ who, method, url, headers, body }: Request): string =>
  `${who?.name ?? 'nobody'}: ${method} ${url.slice(0, 2000)} ${JSON.stringify(headers)} ${(body ?? '').slice(0, 2000)}`;

test(
  `${count} requests, one after the other (seed ${seed})`,
  async () => {
    const random = new Random(seed);
    cloud = await Cloud.open();
    const oracle = new Oracle(cloud.mirror);
    const requests = new Requests(random, cloud.subjects, cloud.known, cloud.routes);
    const statuses = new Map<number, number>();
    const written = new Map<string, number>();
    const faults: string[] = [];
    for (let at = 0; at < count; at++) {
      const request = requests.next();
      const answer = await cloud.send(request, random.below(2));
      const complaints = oracle.complaints(request, answer);
      if (complaints.length > 0)
        faults.push(
          `request ${at}: ${complaints.join('; ')}\n${told(request)}\n${answer.status} ${answer.text.slice(0, 1000)}`,
        );
      if (faults.length >= enough) break;
      cloud.learn(answer);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (request.method !== 'GET' && answer.status < 300) {
        const what = `${request.method} ${request.url.split('/')[2] ?? ''}`;
        written.set(what, (written.get(what) ?? 0) + 1);
      }
      if (at % 40 === 0) await cloud.bindSome(random);
      if (at % lookEvery === 0)
        expect(await cloud.violations(), `before request ${at + 1}: ${told(request)}`).toEqual([]);
    }
    expect(faults.join('\n\n')).toBe('');
    expect(await cloud.violations()).toEqual([]);
    if (process.env['FUZZ_REQUESTS'] !== undefined)
      console.log(seed, [...statuses].sort(), [...written].sort());
    // A generator whose requests are all refused, or all fine, shows little.
    for (const status of [200, 201, 204, 400, 401, 403, 404, 409])
      expect(statuses.get(status) ?? 0, `answers with ${status}`).toBeGreaterThan(count / 1000);
  },
  30_000 + count * requestTimeout,
);

test(
  `${count / 2} requests in bursts about the same things, at two servers far from the store (seed ${seed})`,
  async () => {
    const random = new Random(seed + 1);
    cloud = await Cloud.open(random);
    const requests = new Requests(random, cloud.subjects, cloud.known, cloud.routes);
    for (let at = 0; at < count / 2; at += 16) {
      cloud.focus(random);
      const burst = at % 64 === 0 ? Array.from({ length: 16 }, () => requests.next()) : requests.burst(16);
      const answers = await Promise.all(burst.map((request, n) => cloud.send(request, n)));
      for (const [n, answer] of answers.entries()) {
        const request = burst[n] as Request;
        const fine = !isFailure(request.url, answer.status, answer.text);
        expect(fine, `${told(request)}\n${answer.status} ${answer.text.slice(0, 3000)}`).toBe(true);
        cloud.learn(answer);
      }
      expect(await cloud.violations(), `${at}: ${burst.map(told).join('\n')}`).toEqual([]);
    }
  },
  30_000 + count * requestTimeout,
);
