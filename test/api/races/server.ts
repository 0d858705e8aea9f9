/**
 * A server for kill tests: the API over the embedded store in argv[2], as in `portcullis up`, without an
 * agent. Prints its address once it listens.
 */
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import { createApi } from '../../../src/api/server.ts';
import { openStore } from '../../../src/store/index.ts';

const store = await openStore({ kind: 'embedded', dir: process.argv[2] ?? '' });
const api = createApi({
  store,
  log: pino({ level: 'silent' }),
  listen: { host: '127.0.0.1', port: 0 },
});
await api.listen();
writeSync(1, `${api.address}\n`);
