/** Agents for tests of what the API asks agents: they answer each question at once. Must not be used outside tests. */
import { keys } from '../../model/keys.ts';
import type { AppliedRecord, AskRecord } from '../../model/records.ts';
import type { Entry, Lease, Store } from '../../store/contract.ts';
import type { Json } from './api-under-test.ts';

/** Answers as the host of this name until the returned function is called. */
export function startAnsweringAgent(
  store: Store,
  host: string,
  answer: (question: AskRecord) => Json,
): () => void {
  const reply = (question: Entry): void => {
    const id = question.key.slice(keys.ask.prefix.length);
    const value = JSON.stringify(answer(JSON.parse(question.value) as AskRecord));
    const key = keys.answer(id, host);
    void store.txn([{ key: question.key, is: 'present' }], [{ op: 'put', key, value }]);
  };
  const subscription = store.subscribe([keys.ask.prefix], {
    onSnapshot({ entries }) {
      for (const entry of entries) reply(entry);
    },
    onBatch({ events }) {
      for (const event of events) if (event.type === 'put') reply(event.entry);
    },
  });
  return () => subscription.close();
}

/** Reaches each target at once, as the host of this name, until the returned function is called. */
export function startSyncingAgent(store: Store, host: string, cutTotal = () => 0, lease?: Lease): () => void {
  const reply = ({ modRevision: revision }: Entry): void => {
    const value = JSON.stringify({ revision, cut_total: cutTotal() } satisfies AppliedRecord);
    const put = { op: 'put', key: keys.applied(host), value } as const;
    void store.txn([], [lease === undefined ? put : { ...put, lease }]);
  };
  const subscription = store.subscribe([keys.syncTarget()], {
    onSnapshot({ entries }) {
      for (const entry of entries) reply(entry);
    },
    onBatch({ events }) {
      for (const event of events) if (event.type === 'put') reply(event.entry);
    },
  });
  return () => subscription.close();
}
