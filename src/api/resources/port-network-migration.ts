/**
 * At the start of a server, gives ports of earlier releases the mark that names their network. Removes marks of ports that
 * such a release has deleted meanwhile.
 *
 * Invariants:
 * - A mark is written only while its port exists, and removed only while it does not.
 * - A second run changes nothing.
 */
import { keys } from '../../model/keys.ts';
import type { Store } from '../../store/contract.ts';
import type { Context } from '../http/resource.ts';
import type { Change } from '../state/change.ts';

/** A store may bound what one transaction can hold. */
const maxMarks = 50;

/** Resolves when every port has its mark. Rejects when the store does. */
export async function migratePortNetworks({ committer, view }: Context, store: Store): Promise<void> {
  const { entries } = await store.snapshot([keys.portNetwork.prefix]);
  const marks = new Map(entries.map(({ key, value }) => [keys.portNetwork.parse(key)?.port ?? '', value]));
  const wrong = new Map<string, string>();
  for (const { record } of view.state.ports.all()) {
    if (!marks.delete(record.id)) wrong.set(record.id, record.network_id);
  }
  const ports = [...wrong, ...marks];
  for (let at = 0; at < ports.length; at += maxMarks)
    await committer.commit((change) => {
      // Another server may create and remove ports meanwhile.
      for (const [port, network] of ports.slice(at, at + maxMarks))
        if (view.state.ports.get(port) !== undefined) mark(change, port, network);
        else unmark(change, port, network);
    });
}

function mark(change: Change, port: string, network: string): void {
  change.requirePresent(keys.port(network, port));
  change.put(keys.portNetwork(port), network);
}

function unmark(change: Change, port: string, network: string): void {
  change.requireAbsent(keys.port(network, port));
  change.remove(keys.portNetwork(port));
}
