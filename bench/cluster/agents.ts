/**
 * Simulated hosts in a process of their own: `agents.ts ADDRESSES FIRST COUNT PORTS`. Each follows etcd by a connection of its
 * own and derives its flows. Sends a message for each host that has all its flows, then one for each later round.
 */
import { scopeDepth } from '../../src/model/scopes.ts';
import { EtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { StoreSideAgent } from '../../test/lib/store-side-agent.ts';
import { until } from '../../test/lib/wait.ts';
import { portsOf } from './world.ts';

/** What this process sends about a host's round. */
export interface Round {
  readonly host: number;
  readonly revision: number;
  /** Milliseconds since 1970, with fractions. */
  readonly at: number;
  readonly changedFlows: number;
}

const [addresses = '', first = '0', count = '0', ports = '0'] = process.argv.slice(2);
const tell = (round: Round | 'ready'): void => void process.send?.(round);

const agents: StoreSideAgent[] = [];
for (let host = Number(first); host < Number(first) + Number(count); host++) {
  const name = `host-${host}`;
  const store = await EtcdStore.open({
    addresses: addresses.split(','),
    depthOf: scopeDepth,
    client: `agents/${name}`,
  });
  let isComplete = false;
  const agent = new StoreSideAgent({
    store,
    host: name,
    plugged: portsOf(host, Number(ports)),
    onRound: (revision, changedFlows) => {
      if (isComplete) tell({ host, revision, at: performance.timeOrigin + performance.now(), changedFlows });
    },
  });
  await agent.start();
  await until(() => agent.isComplete, { timeout: 60_000, what: `${name} has its flows` });
  isComplete = true;
  agents.push(agent);
}
tell('ready');
process.once('disconnect', () => process.exit(0));
