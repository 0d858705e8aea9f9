/** The contract of a store on etcd: one etcd for all cases, each under a root of its own. */
import { afterAll, beforeAll, describe } from 'vitest';
import { EtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { storeContract } from '../../src/store/testing/contract-suite.ts';
import { type Etcd, hasEtcd, startEtcd } from '../lib/etcd.ts';

let etcd: Etcd;
let roots = 0;

beforeAll(async () => {
  if (hasEtcd) etcd = await startEtcd();
});
afterAll(async () => etcd?.stop());

const fresh = (): Promise<EtcdStore> => EtcdStore.open({ addresses: etcd.addresses, root: `/t${++roots}/` });

describe.skipIf(!hasEtcd)('etcd (needs etcd-server)', () => {
  storeContract('etcd', fresh, 0.1);
});
