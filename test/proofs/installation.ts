/** Turns worlds into flows the way the agent does, for the driver. */
import { InstalledWorld } from '../lib/installed-world.ts';
import type { Install } from './driver.ts';

/** One session for all worlds that follow each other: each is an incremental change from the one before. */
export function pipelineInstall(): { readonly install: Install; close(): Promise<void> } {
  let installed: InstalledWorld | null = null;
  return {
    install: async ({ at, bridge, world, ports }) => {
      installed ??= new InstalledWorld(at.mgmt(bridge));
      await installed.install(world, ports);
      await at.appctl('revalidator/wait');
    },
    close: async () => installed?.close(),
  };
}
