/** Opens the store that the settings name. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault, reasonOf } from '../base/errors.ts';
import { scopeDepth } from '../model/scopes.ts';
import type { Store } from '../store/contract.ts';
import { openStore, type StoreChoice } from '../store/index.ts';
import type { Settings } from './settings.ts';

export type StoreSettingsFault = { readonly code: 'UnreadableFile'; readonly path: string };

const etcdScheme = 'etcd://';

/** `client` names this process in etcd. */
export function storeChoice({ store, etcd, data_dir }: Settings, client: string): StoreChoice {
  if (!store.startsWith(etcdScheme)) return { kind: 'embedded', dir: resolve(data_dir) };
  const isSecured = etcd.ca !== '' || etcd.cert !== '';
  const tls = {
    ...(etcd.ca === '' ? {} : { ca: contentOf(etcd.ca) }),
    ...(etcd.cert === '' ? {} : { cert: contentOf(etcd.cert), key: contentOf(etcd.key) }),
  };
  return {
    kind: 'etcd',
    addresses: store.slice(etcdScheme.length).split(','),
    client,
    depthOf: scopeDepth,
    ...(isSecured ? { tls } : {}),
    ...(etcd.user === '' ? {} : { user: { name: etcd.user, password: etcd.password } }),
  };
}

/** Throws what `openStore` throws, and `UnreadableFile`. */
export const openChosen = (settings: Settings, client: string): Promise<Store> =>
  openStore(storeChoice(settings, client));

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Fault<StoreSettingsFault>(
      { code: 'UnreadableFile', path },
      `${path} cannot be read: ${reasonOf(error)}`,
      error,
    );
  }
}
