/** Worlds whose networks are of all types: on a physical network by a VLAN or without one, or in one kind of tunnel. */
import fc from 'fast-check';
import type { Network, World } from '../../src/policy/world.ts';
import { host } from './worlds.ts';

/** The physical network that hosts are bridged to. */
export const physicalNetwork = 'physnet1';

type Carriage = Pick<Network, 'physical' | 'tunnel'>;
export type Carriages = readonly Carriage[];

const on = (vlan: number | null, network = physicalNetwork): Carriage => ({ physical: { network, vlan } });

/** For each network in the order of their names. */
export const physicalCarriages: readonly Carriages[] = [
  [on(7), on(8), {}],
  [on(null), on(4094)],
  [on(7), on(7, 'elsewhere'), { tunnel: 'geneve' }],
  [on(null), { tunnel: 'vxlan' }, {}],
];

export const carried = (world: World, carriages: Carriages): World => ({
  ...world,
  networks: new Map(
    // A segment belongs to one network, so further networks have none.
    [...world.networks].map(([id, network], at) => [id, { ...network, ...carriages[at] }]),
  ),
  bridged: new Map([[host, new Set([physicalNetwork])]]),
});

/** Some of the worlds keep networks without a physical network or a kind of tunnel. */
export const carriedArbitrary = (worlds: fc.Arbitrary<World>): fc.Arbitrary<World> =>
  fc
    .tuple(worlds, fc.constantFrom(null, ...physicalCarriages))
    .map(([world, carriages]) => (carriages === null ? world : carried(world, carriages)));
