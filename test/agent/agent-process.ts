/**
 * The agent as its own process on the embedded store, for kill tests: `agent-process.ts DATADIR OVSDB
 * OPENFLOW RUNDIR BRIDGE`. When the switch equals the store it prints `applied` with its changes of the
 * switch so far. At SIGTERM it ends in order.
 */
import { Agent } from '../../src/agent/agent.ts';
import { silentLog } from '../../src/base/log.ts';
import { openStore } from '../../src/store/index.ts';

const [dir = '', ovsdb = '', openflow = '', rundir = '', bridge = ''] = process.argv.slice(2);
const store = await openStore({ kind: 'embedded', dir });
const agent = new Agent({
  store,
  log: silentLog(),
  host: 'here',
  ovsdb,
  openflow,
  rundir,
  bridge,
  datapathType: 'netdev',
});
process.once('SIGTERM', () => {
  void agent
    .stop()
    .then(() => store.close())
    .then(() => process.exit(0));
});
await agent.start();
await agent.firstApplied;
const { flowsChanged, installedFlows } = agent.status;
process.stdout.write(`applied ${JSON.stringify({ flowsChanged, installedFlows })}\n`);
