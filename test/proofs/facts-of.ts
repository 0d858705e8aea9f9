/** A world as single changes of a pipeline's facts. */
import { tunnelTypes } from '../../src/model/vtep.ts';
import type { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { networkKeyOf, portKeyOf, zone } from '../lib/keys.ts';
import { Driver } from './driver.ts';
import { host } from './worlds.ts';

export type Setting = (pipeline: Pipeline) => void;

type Ofports = ReadonlyMap<PortId, number>;

const ofportsOf = (world: World): Ofports =>
  new Map(Driver.localPorts(world).map((id, at) => [id, at + 1] as [PortId, number]));

const patchOfport = 950;
const bridgedOf = (world: World): ReadonlySet<string> => world.bridged.get(host) ?? new Set();

/** All facts of a world, as single changes. */
export function settingsOf(world: World, ofports: Ofports = ofportsOf(world)): Setting[] {
  const settings: Setting[] = [];
  for (const [id, value] of world.networks) settings.push(({ facts }) => facts.networks.set(id, value));
  for (const id of world.networks.keys())
    settings.push(({ facts }) => facts.networkKeys.set(id, networkKeyOf(id)));
  for (const [id, port] of world.ports) settings.push(({ facts }) => facts.portKeys.set(id, portKeyOf(port)));
  for (const [id, value] of world.subnets) settings.push(({ facts }) => facts.subnets.set(id, value));
  for (const [id, value] of world.ports) settings.push(({ facts }) => facts.ports.set(id, value));
  for (const [id, value] of world.groups) settings.push(({ facts }) => facts.groups.set(id, value));
  for (const [id, value] of world.rules) settings.push(({ facts }) => facts.rules.set(id, value));
  for (const [id, value] of world.addressGroups)
    settings.push(({ facts }) => facts.addressGroups.set(id, value));
  for (const [id, value] of world.routers) settings.push(({ facts }) => facts.routers.set(id, value));
  for (const item of world.linkLocals)
    settings.push(({ facts }) => facts.linkLocals.set(`${item.network}|${item.address.bits}`, item));
  for (const item of world.owners)
    settings.push(({ facts }) => facts.owners.set(`${item.network}|${item.address.bits}`, item));
  for (const network of bridgedOf(world))
    settings.push(({ facts }) => facts.patches.set(network, patchOfport));
  for (const [id, ofport] of ofports) settings.push(({ facts }) => facts.ofports.set(id, ofport));
  [...world.networks.keys()].forEach((id, at) =>
    settings.push(({ facts }) => facts.zones.set(id, zone(at + 1))),
  );
  for (const [name, vtep] of world.vteps) settings.push(({ facts }) => facts.vteps.set(name, vtep));
  for (const type of world.vteps.get(host)?.types ?? [])
    settings.push(({ facts }) => facts.tunnels.set(type, 900 + tunnelTypes.indexOf(type)));
  return settings;
}

/** Facts that are gone from the world, as single changes. */
export function removalsOf(pipeline: Pipeline, world: World, ofports: Ofports = ofportsOf(world)): Setting[] {
  const { facts } = pipeline;
  const gone = <K>(entries: Iterable<[K, unknown]>, present: ReadonlySet<unknown>): K[] =>
    [...entries].map(([key]) => key).filter((key) => !present.has(key));
  const linkLocals = new Set(world.linkLocals.map((item) => `${item.network}|${item.address.bits}`));
  const owners = new Set(world.owners.map((item) => `${item.network}|${item.address.bits}`));
  return [
    ...gone(facts.networks.entries(), new Set(world.networks.keys())).map(
      (id) => () => facts.networks.delete(id),
    ),
    ...gone(facts.subnets.entries(), new Set(world.subnets.keys())).map(
      (id) => () => facts.subnets.delete(id),
    ),
    ...gone(facts.ports.entries(), new Set(world.ports.keys())).map((id) => () => facts.ports.delete(id)),
    ...gone(facts.groups.entries(), new Set(world.groups.keys())).map((id) => () => facts.groups.delete(id)),
    ...gone(facts.addressGroups.entries(), new Set(world.addressGroups.keys())).map(
      (id) => () => facts.addressGroups.delete(id),
    ),
    ...gone(facts.routers.entries(), new Set(world.routers.keys())).map(
      (id) => () => facts.routers.delete(id),
    ),
    ...gone(facts.rules.entries(), new Set(world.rules.keys())).map((id) => () => facts.rules.delete(id)),
    ...gone(facts.linkLocals.entries(), linkLocals).map((id) => () => facts.linkLocals.delete(id)),
    ...gone(facts.owners.entries(), owners).map((id) => () => facts.owners.delete(id)),
    ...gone(facts.patches.entries(), bridgedOf(world)).map((network) => () => facts.patches.delete(network)),
    ...gone(facts.ofports.entries(), new Set(ofports.keys())).map((id) => () => facts.ofports.delete(id)),
    ...gone(facts.networkKeys.entries(), new Set(world.networks.keys())).map(
      (id) => () => facts.networkKeys.delete(id),
    ),
    ...gone(facts.portKeys.entries(), new Set(world.ports.keys())).map(
      (id) => () => facts.portKeys.delete(id),
    ),
    ...gone(facts.vteps.entries(), new Set(world.vteps.keys())).map((name) => () => facts.vteps.delete(name)),
    ...gone(facts.tunnels.entries(), new Set(world.vteps.get(host)?.types)).map(
      (type) => () => facts.tunnels.delete(type),
    ),
    ...gone(facts.zones.entries(), new Set(world.networks.keys())).map((id) => () => facts.zones.delete(id)),
  ];
}
