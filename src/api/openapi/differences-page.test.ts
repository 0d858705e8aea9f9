/** docs/api-differences.md lists the paths that Neutron does not have, and the attributes that are Portcullis' own. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { networkAttributes } from '../../model/network.ts';
import { portAttributes } from '../../model/port.ts';
import { openUnderTest } from '../testing/api-under-test.ts';

const page = await readFile('docs/api-differences.md', 'utf8');

/** The first cells of the table under a heading. */
const firstCells = (heading: string): readonly string[] =>
  (page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ')[0] ?? '');

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

test('paths beside Neutron’s', async () => {
  const under = await openUnderTest('memory');
  try {
    const { api } = await under.server();
    const { paths } = (await api.app.inject('/openapi.json')).json<Document>();
    const own = Object.entries(paths)
      .filter(([path]) => path.startsWith('/v1/') || path === '/healthz')
      .flatMap(([path, operations]) =>
        Object.keys(operations)
          .filter((method) => method !== 'parameters')
          .map((method) => `${method.toUpperCase()} ${path}`),
      );
    const listed = firstCells("Beside Neutron's paths").flatMap((cell) =>
      [...cell.matchAll(/`([A-Z]+ [^`?]+)[^`]*`/g)].map(([, path]) => path ?? ''),
    );
    expect(own.length).toBeGreaterThan(5);
    // `portcullis up` adds the metrics; the server under test has none.
    expect([...listed].sort()).toEqual([...own, 'GET /metrics'].sort());
  } finally {
    await under.close();
  }
});

test('own attributes are in the tables of networks and ports', () => {
  const names = firstCells('Own attributes').map((cell) => cell.match(/`(\w+)`/)?.[1] ?? '');
  const ofNetworks = ['allow_reserved_pairs', 'address_pairs_forwarding'];
  expect(names).toEqual(['port_security_mode', 'dhcp_trusted', ...ofNetworks]);
  for (const name of names) {
    expect(Object.keys(networkAttributes)).toContain(name);
    if (!ofNetworks.includes(name)) expect(Object.keys(portAttributes)).toContain(name);
  }
});
