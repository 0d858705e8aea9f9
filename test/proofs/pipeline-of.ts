/** A pipeline that has derived the flows of a generated world, without a switch. */
import type { TunnelType } from '../../src/model/vtep.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import type { QosPolicy, QosPolicyId, World } from '../../src/policy/world.ts';
import { networkKeyOf, portKeyOf, zone } from '../lib/keys.ts';
import { Driver } from './driver.ts';
import { host, vtepsOf } from './worlds.ts';

const limit = { rate: 1000, burst: 1000 };
const policy: QosPolicy = {
  id: 'gold' as QosPolicyId,
  egress: { bandwidth: limit, packets: limit },
  ingress: { bandwidth: limit, packets: limit },
  dscp: 46,
};

/** The pipeline of a world; every other port here has a QoS policy. `tunnel`: to the host `elsewhere`. */
export function pipelineOf(world: World, maxCountedApart: number, tunnel?: TunnelType): Pipeline {
  const pipeline = new Pipeline({ abilities: { answersNd: true, meterSpread: 1 }, host, maxCountedApart });
  const { facts } = pipeline;
  facts.qosPolicies.set(policy.id, policy);
  for (const [id, value] of world.networks) facts.networks.set(id, value);
  for (const id of world.networks.keys()) facts.networkKeys.set(id, networkKeyOf(id));
  for (const [id, port] of world.ports) facts.portKeys.set(id, portKeyOf(port));
  for (const [id, value] of world.subnets) facts.subnets.set(id, value);
  for (const [id, value] of world.groups) facts.groups.set(id, value);
  for (const [id, value] of world.rules) facts.rules.set(id, value);
  for (const [id, value] of world.addressGroups) facts.addressGroups.set(id, value);
  for (const [id, value] of world.routers) facts.routers.set(id, value);
  for (const item of world.linkLocals) facts.linkLocals.set(`${item.network}|${item.address.bits}`, item);
  for (const item of world.owners) facts.owners.set(`${item.network}|${item.address.bits}`, item);
  [...world.networks.keys()].forEach((id, at) => facts.zones.set(id, zone(at + 1)));
  [...world.ports].forEach(([id, port], at) =>
    facts.ports.set(id, at % 2 === 0 ? { ...port, qosPolicy: policy.id } : port),
  );
  for (const [id, { arrival, host: former }] of world.ports)
    if (arrival?.host === host && former !== null)
      facts.leftConnections.set(id, { host: former, number: arrival.number, connections: [] });
  Driver.localPorts(world).forEach((id, at) => facts.ofports.set(id, at + 1));
  for (const network of world.bridged.get(host) ?? []) facts.patches.set(network, 950);
  if (tunnel !== undefined) {
    for (const [name, vtep] of vtepsOf([host, 'elsewhere'], tunnel)) facts.vteps.set(name, vtep);
    facts.tunnels.set(tunnel, 900);
  }
  pipeline.run();
  return pipeline;
}
