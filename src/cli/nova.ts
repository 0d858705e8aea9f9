/** The notifier of a compute service, as configured, and its metrics. */
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { KeystoneClient } from '../api/identity/keystone-client.ts';
import { Notifier, type NotifierStatus } from '../api/nova/notifier.ts';
import { NovaClient } from '../api/nova/nova-client.ts';
import type { Store } from '../store/contract.ts';
import type { Settings } from './settings.ts';

/** Milliseconds for each call to the compute service, and for each to Keystone before it. */
const timeouts = { nova: 30_000, keystone: 5000 };

/** Null without a compute service. The store must be this process's alone. */
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
    help: 'Events that the compute service accepted, and those that it refused.',
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
    help: 'Messages to the compute service that failed and were repeated.',
    registers: [],
    collect() {
      this.reset();
      this.inc(status().failures);
    },
  });
  const pending = new Gauge({
    name: 'portcullis_nova_pending_events',
    help: 'Events that wait for the compute service.',
    registers: [],
    collect() {
      this.set(status().pending);
    },
  });
  const telling = new Gauge({
    name: 'portcullis_nova_telling',
    help: 'Whether this server sends the events to the compute service.',
    registers: [],
    collect() {
      this.set(Number(status().telling));
    },
  });
  for (const metric of [events, failures, pending, telling]) registry.registerMetric(metric);
}
