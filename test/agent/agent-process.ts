/**
 * The agent as a process of its own on the embedded store: `agent-process.ts DATADIR OVSDB OPENFLOW RUNDIR BRIDGE`.
 * Says `applied`, and what it changed on the switch until then, once the switch equals the store; ends in order
 * at SIGTERM. To be killed by tests.
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
