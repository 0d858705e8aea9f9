/** `portcullis store copy`: opens two stores and moves a cloud from one to the other. */
import { Fault } from '../base/errors.ts';
import { keys } from '../model/keys.ts';
import type { Store } from '../store/contract.ts';
import { copyStore } from '../store/copy.ts';
import type { Settings } from './settings.ts';
import { openChosen } from './store-part.ts';

export type PlaceFault = { readonly code: 'SamePlace'; readonly place: string };

/** A place is `etcd://...`, or the folder of an embedded store. */
const openAt = (settings: Settings, place: string): Promise<Store> =>
  openChosen(
    place.startsWith('etcd://')
      ? { ...settings, store: place }
      : { ...settings, store: 'embedded', data_dir: place },
    'copy',
  );

/** Resolves with what was done, for people. Throws what opening and copying throw. */
export async function copyBetween(settings: Settings, from: string, to: string): Promise<string> {
  if (from === to)
    throw new Fault<PlaceFault>({ code: 'SamePlace', place: from }, 'source and target are the same');
  const source = await openAt(settings, from);
  try {
    const target = await openAt(settings, to);
    try {
      const count = await copyStore(source, target, keys.copyUnderWay());
      return `copied ${count} keys from ${from} to ${to}\n`;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
