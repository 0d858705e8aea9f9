/** Generated worlds with tunnel endpoints: hosts come without one, with one of either family, or with that of another. */
import fc from 'fast-check';
import { type TunnelType, tunnelTypes, type Vtep } from '../../src/model/vtep.ts';
import type { Port, World } from '../../src/policy/world.ts';
import { ip } from '../lib/frames.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { host } from './worlds.ts';

/** Two equal in bits, not in family. Several hosts draw one. */
const endpoints = ['192.0.2.1', '192.0.2.2', '::192.0.2.2', '2001:db8::1'].map(ip);
const others = ['elsewhere', 'third'];

const vtepArbitrary: fc.Arbitrary<Vtep> = fc.record({
  address: fc.constantFrom(...endpoints),
  types: fc.constantFrom<readonly TunnelType[]>(tunnelTypes, ['geneve'], ['vxlan']),
});

const inTurn = (port: Port, at: number): Port =>
  port.host === 'elsewhere' ? { ...port, host: others[at % 2] ?? null } : port;

/** Every third port is about to move: from this host or to it. */
export const aboutToMove = (port: Port, at: number): Port => {
  if (at % 3 !== 1 || port.host === null) return port;
  return { ...port, arrival: { host: port.host === host ? 'elsewhere' : host, number: at + 1 } };
};

/** Worlds with tunnel endpoints, where ports of other hosts are on two. */
export const tunnelledWorld: fc.Arbitrary<World> = fc
  .tuple(
    worldArbitrary,
    fc.record({ [host]: vtepArbitrary, elsewhere: vtepArbitrary, third: vtepArbitrary }),
    fc.subarray([host, ...others], { minLength: 2 }),
  )
  .map(([world, vteps, tunnelled]) => ({
    ...world,
    ports: new Map([...world.ports].map(([id, port], at) => [id, aboutToMove(inTurn(port, at), at)])),
    vteps: new Map(Object.entries(vteps).filter(([name]) => tunnelled.includes(name))),
  }));
