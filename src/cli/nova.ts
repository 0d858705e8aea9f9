/** Who tells a compute service of ports, as the operator chose it, and what the metrics page tells of that. */
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { KeystoneClient } from '../api/identity/keystone-client.ts';
import { Notifier, type NotifierStatus } from '../api/nova/notifier.ts';
import { NovaClient } from '../api/nova/nova-client.ts';
import type { Store } from '../store/contract.ts';
import type { Settings } from './settings.ts';

/** Milliseconds for each call to the compute service, and for each to Keystone before it. */
const timeouts = { nova: 30_000, keystone: 5000 };

/** Null when nobody is to be told. The store must be this process's alone. */
export function notifierOf(settings: Settings, store: Store, log: Logger): Notifier | null {
  const { url, interval } = settings.nova;
  if (url === '') return null;
  const { url: keystone, username, password, project } = settings.keystone;
  const { user_domain: userDomain, project_domain: projectDomain } = settings.keystone;
  const account = { url: keystone, username, password, project, userDomain, projectDomain };
  const tokens = keystone === '' ? null : new KeystoneClient(account, timeouts.keystone);
  const client = new NovaClient({ url, tokens, timeout: timeouts.nova });
  return new Notifier({ store, log, client, interval: interval * 1000, alone: true });
}

export function registerNovaMetrics(registry: Registry, status: () => NotifierStatus): void {
  const events = new Counter({
    name: 'portcullis_nova_events_total',
    help: 'Events that the compute service took, and those that it refused for good.',
    labelNames: ['outcome'],
    registers: [],
    collect() {
      const { taken, refused } = status();
      this.reset();
      this.inc({ outcome: 'taken' }, taken);
      this.inc({ outcome: 'refused' }, refused);
    },
  });
  const failures = new Counter({
    name: 'portcullis_nova_failures_total',
    help: 'Messages to the compute service that failed and were sent again.',
    registers: [],
    collect() {
      this.reset();
      this.inc(status().failures);
    },
  });
  const pending = new Gauge({
    name: 'portcullis_nova_pending_events',
    help: 'Events that the compute service has yet to take.',
    registers: [],
    collect() {
      this.set(status().pending);
    },
  });
  const telling = new Gauge({
    name: 'portcullis_nova_telling',
    help: 'Whether this server is the one that tells the compute service.',
    registers: [],
    collect() {
      this.set(Number(status().telling));
    },
  });
  for (const metric of [events, failures, pending, telling]) registry.registerMetric(metric);
}
