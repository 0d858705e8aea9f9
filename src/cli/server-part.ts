/** The server's part of a process: the API, and the notifier of a compute service. Needs no Open vSwitch. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createApi } from '../api/server.ts';
import { bug } from '../base/errors.ts';
import type { Store } from '../store/contract.ts';
import { authenticatorOf } from './authentication.ts';
import { parseListen } from './listen.ts';
import { segmentRulesOf } from './network-settings.ts';
import { notifierOf, registerNovaMetrics } from './nova.ts';
import type { Settings } from './settings.ts';
import { markNeeded } from './store-schema.ts';

export interface PartContext {
  readonly settings: Settings;
  readonly store: Store;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Takes a function that ends the part; they are called in reverse order. */
  readonly onStop: (close: () => Promise<void>) => void;
}

/** Resolves with the API's address once it listens. */
export async function startServer({ settings, store, log, metrics, onStop }: PartContext): Promise<string> {
  await markNeeded(store);
  const apiLog = log.child({ component: 'api' });
  const api = createApi({
    store,
    log: apiLog,
    authenticator: authenticatorOf(settings, apiLog),
    listen: parseListen(settings.listen) ?? bug('the configuration was not checked'),
    allowRemoteWithoutAuth: settings.allow_remote_without_auth,
    strictPairs: settings.address_pairs.strict,
    pairForwarding: settings.address_pairs.forwarding,
    mtu: settings.network.mtu,
    segments: segmentRulesOf(settings.network),
    quotas: settings.quota,
    metrics: () => metrics.metrics(),
  });
  onStop(() => api.close());
  const notifier = notifierOf(settings, store, log.child({ component: 'nova' }));
  if (notifier !== null) {
    registerNovaMetrics(metrics, () => notifier.status);
    onStop(() => notifier.stop());
    notifier.start();
  }
  await api.listen();
  return api.address;
}
