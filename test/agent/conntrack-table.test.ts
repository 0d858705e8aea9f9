/** The warning about a table of connections that is nearly full, on a real switch whose table is small. */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConntrackTable } from '../../src/agent/switch/conntrack-table.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';

let made: Switch;

beforeAll(async () => {
  made = await startSwitch({ dummy: true });
  await made.addBridge('br0');
  await made.addDummyPorts('br0', [{ name: 'p1', ofport: 1 }]);
  await made.ofctl('add-flow', 'br0', 'udp,in_port=1,actions=ct(commit,zone=5)');
});
afterAll(() => made.stop());

/** A connection for each source port of a range. */
const connect = (first: number, last: number) =>
  made.inject(
    'p1',
    Array.from({ length: last - first + 1 }, (_, at) =>
      udpFrame(
        {
          from: mac('02:00:00:00:00:01'),
          to: mac('02:00:00:00:00:02'),
          src: ip('192.0.2.1'),
          dst: ip('192.0.2.2'),
        },
        first + at,
        2000,
      ),
    ),
  );

test('the log warns once when 90 % are in use, and says once that there is room again', async () => {
  const lines: string[] = [];
  const table = new ConntrackTable({
    control: made.control,
    rundir: made.dir,
    datapathType: () => 'dummy',
    maxPerNetwork: 0,
    log: pino({}, { write: (line: string) => void lines.push(line) }),
  });
  const said = async () => {
    await table.look();
    return lines
      .splice(0)
      .map((line) => JSON.parse(line) as { level: number; msg: string; connections: number; max: number })
      .map(({ level, msg, connections, max }) => `${pino.levels.labels[level]} ${connections}/${max} ${msg}`);
  };
  await made.appctl('dpctl/ct-set-maxconns', 'dummy@ovs-dummy', '20');
  await connect(1, 17);
  expect(await said()).toEqual([]);
  await connect(18, 18);
  expect(await said()).toEqual(['warn 18/20 the table of connections is nearly full']);
  await connect(19, 30);
  expect(await said()).toEqual([]);
  expect(await table.fullness()).toEqual({ connections: 20, max: 20 });
  await made.appctl('dpctl/flush-conntrack', 'zone=5');
  await connect(1, 16);
  expect(await said()).toEqual([]);
  await made.appctl('dpctl/flush-conntrack', 'zone=5');
  await connect(1, 15);
  expect(await said()).toEqual(['info 15/20 the table of connections has room again']);
});
