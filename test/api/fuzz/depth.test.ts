/** Bodies that are nested deeper than any stack, in every attribute of every resource, and in every kind of place. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cloud } from './cloud.ts';
import { people } from './people.ts';
import type { Method } from './request.ts';

const depth = 50_000;
const nests = {
  lists: `${'['.repeat(depth)}${']'.repeat(depth)}`,
  objects: `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
};

let cloud: Cloud;
beforeEach(async () => {
  cloud = await Cloud.open();
});
afterEach(() => cloud.close());

async function send(method: Method, url: string, body: string): Promise<void> {
  const who = people.find((one) => one.roles.includes('admin')) ?? null;
  const headers = { 'content-type': 'application/json' };
  const { status, text } = await cloud.send({ who, method, url, headers, body });
  expect(status, `${method} ${url} ${body.slice(0, 60)}: ${text.slice(0, 300)}`).toBeLessThan(500);
}

test.each(Object.entries(nests))('%s', async (_kind, nest) => {
  for (const { name, collection, path, table } of cloud.subjects) {
    const url = `/v2.0/${path}`;
    for (const whole of [
      nest,
      `{"${name}":${nest}}`,
      `{"${collection}":${nest}}`,
      `{"${collection}":[${nest}]}`,
    ])
      await send('POST', url, whole);
    for (const [attribute, { post, put }] of Object.entries(table)) {
      const inside = `{"${name}":{"${attribute}":`;
      for (const value of [nest, `[${nest}]`, `{"ip_address":${nest}}`, `[{"ip_address":${nest}}]`]) {
        if (post !== 'refused') await send('POST', url, `${inside}${value}}}`);
        if (put) await send('PUT', `${url}/${cloud.subjects.length}`, `${inside}${value}}}`);
      }
    }
  }
  await send('PUT', '/v2.0/quotas/red', `{"quota":${nest}}`);
  await send('PUT', '/v2.0/quotas/red', `{"quota":{"port":${nest}}}`);
  for (const { method, path, body } of cloud.routes)
    if (body !== null) await send(method, path.replaceAll(/\{\w+\}/g, 'x'), nest);
  expect(await cloud.violations()).toEqual([]);
});
