/** Installs worlds as the agent does, for the driver. */
import type { PipelineOptions } from '../../src/pipeline/flow-derivation.ts';
import type { NetworkId } from '../../src/policy/world.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import type { Install, Installation } from './driver.ts';
import { generous } from './worlds.ts';

interface PipelineInstall {
  readonly install: Install;
  /** The same for a change under live connections: it cuts those that the world no longer allows. */
  readonly change: Install;
  zoneOf(network: NetworkId): number;
  close(): Promise<void>;
}

/** One session for all worlds in a row: each is an incremental change of the one before. */
export function pipelineInstall(options: Pick<PipelineOptions, 'maxCountedApart'> = {}): PipelineInstall {
  let installed: InstalledWorld | null = null;
  const install = async ({ at, bridge, world, ports }: Installation): Promise<InstalledWorld> => {
    if (installed === null) {
      installed = new InstalledWorld(at.mgmt(bridge), 'fail', options);
      installed.pipeline.facts.qosPolicies.set(generous.id, generous);
    }
    await installed.install(world, ports);
    return installed;
  };
  return {
    install: async (installation) => {
      // No connection of an earlier world is left to be judged.
      (await install(installation)).pipeline.tightening.take();
      await installation.at.appctl('revalidator/wait');
    },
    change: async (installation) => {
      const { at } = installation;
      await (await install(installation)).cut(at.control);
    },
    zoneOf: (network) => installed?.zoneOf(network) ?? 0,
    close: async () => installed?.close(),
  };
}
