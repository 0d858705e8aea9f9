/** The resources of the catalogue as targets: new resources are covered without a change here. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { forEachResource } from '../../../src/api/resources/catalogue.ts';
import { AddressBook } from '../../../src/api/state/address-book.ts';
import { Committer } from '../../../src/api/state/committer.ts';
import { View } from '../../../src/api/state/view.ts';
import type { AttributeTable } from '../../../src/model/attribute.ts';
import { noQuotas } from '../../../src/model/quota.ts';
import { usualSegmentRules } from '../../../src/model/segments.ts';
import type { Store } from '../../../src/store/contract.ts';

export interface Subject {
  readonly name: string;
  readonly collection: string;
  readonly path: string;
  readonly table: AttributeTable;
  readonly actions: readonly string[];
  readonly tagPaths: readonly string[];
}

export function subjectsOf(store: Store): readonly Subject[] {
  const view = new View(store, pino({ level: 'silent' }));
  const subjects: Subject[] = [];
  forEachResource(
    {
      view,
      committer: new Committer(store, view),
      addresses: new AddressBook(view),
      newId: randomUUID,
      strictPairs: false,
      pairForwarding: 'detect',
      mtu: 1500,
      segments: usualSegmentRules,
      quotas: noQuotas,
    },
    ({ name, collection, path, table, capabilities: { actions = {}, tags } }) => {
      const tagPaths = tags === undefined ? [] : [path, ...(tags.aliases ?? [])];
      const verbs = Object.keys(actions);
      subjects.push({ name, collection, path, table, actions: verbs, tagPaths });
    },
  );
  return subjects;
}
