/** A world and a step in a few lines, to explain a failure. */
import { formatCidr, formatIp } from '../../src/net/cidr.ts';
import { parseFrame } from '../../src/net/packet/frame.ts';
import type { L4Match, Port, Remote, World } from '../../src/policy/world.ts';
import type { Step } from './driver.ts';

function l4MatchText(l4: L4Match): string {
  switch (l4.kind) {
    case 'any':
      return 'any';
    case 'protocol':
      return `protocol ${l4.protocol}`;
    case 'ports':
      return `protocol ${l4.protocol} ports ${l4.min}-${l4.max}`;
    case 'icmp':
      return `icmp ${l4.type}/${l4.code ?? 'any'}`;
  }
}

function remoteText(remote: Remote): string {
  if (remote.kind === 'any') return 'any';
  return remote.kind === 'prefix' ? formatCidr(remote.prefix) : `${remote.kind} ${remote.group}`;
}

/** Rows of remote ports in one line. */
function farText(world: World): string[] {
  const far = [...world.ports.values()].filter(({ id }) => id.startsWith('far-'));
  const [first] = far;
  if (first === undefined) return [];
  const rest = far.filter((port) => port === first || port.groups.join() !== first.groups.join());
  const places = far.map(({ id }) => id.slice(4)).join();
  return [`far in ${first.network}: ${places}; as far-0 but:`, ...rest.map(portText)];
}

function portText(port: Port): string {
  const pairs = port.pairs.map(({ mac, ip }) => `${formatCidr(ip)}@${mac}`);
  const traits = [port.mode, port.host ?? 'nowhere', ...(port.adminUp ? [] : ['down'])];
  if (port.dhcpServer) traits.push('dhcp');
  if (port.cloudOwned) traits.push('service');
  if (port.qosPolicy !== null) traits.push(port.qosPolicy);
  const parts = [
    port.fixedIps.map(formatCidr).join(),
    `pairs ${pairs.join()}`,
    `groups ${port.groups.join()}`,
  ];
  return `${port.id} ${port.network} ${port.mac} ${parts.join(' ')} ${traits.join()}`;
}

export function worldText(world: World): string {
  const near = [...world.ports.values()].filter(({ id }) => !id.startsWith('far-'));
  const lines = [...near.map(portText), ...farText(world)];
  for (const network of world.networks.values()) {
    const { id, adminUp, allowsReservedPairs, broadcastsPairs, qosPolicy, mtu } = network;
    const traits = [
      ...(allowsReservedPairs ? ['lends reserved'] : []),
      ...(broadcastsPairs ? ['broadcasts pairs'] : []),
      ...(mtu === undefined ? [] : [`MTU ${mtu}`]),
    ];
    lines.push([id, adminUp ? 'up' : 'down', ...traits, qosPolicy ?? ''].join(' ').trimEnd());
  }
  for (const { id, network, cidr, gateway } of world.subnets.values())
    lines.push(
      `${id} ${network} ${formatCidr(cidr)} gateway ${gateway === null ? 'none' : formatCidr(gateway)}`,
    );
  for (const { network, port, mac, address } of world.linkLocals)
    lines.push(`${port} ${network} has ${formatCidr(address)}@${mac} by probe`);
  for (const { network, port, mac, address } of world.owners)
    lines.push(`${port} ${network} owns ${formatCidr(address)}@${mac}`);
  for (const { id, group, direction, family, l4, remote } of world.rules.values())
    lines.push(`${id} ${group} ${direction} ${family} ${l4MatchText(l4)} remote ${remoteText(remote)}`);
  for (const { id, stateful } of world.groups.values()) if (!stateful) lines.push(`${id} stateless`);
  for (const { id, addresses } of world.addressGroups.values())
    lines.push(`${id} ${addresses.map(formatCidr).join(' ')}`);
  return lines.join('\n');
}

export function stepText({ sender, frames }: Step): string {
  const texts = frames.map((bytes) => {
    const frame = parseFrame(bytes);
    const ip = frame?.ip;
    if (frame === null || !ip) return bytes.toString('hex').slice(0, 120);
    const { upper, fragment } = ip;
    const above =
      upper?.kind === 'segment'
        ? `${upper.srcPort}>${upper.dstPort} flags ${upper.flags}`
        : upper?.kind === 'icmp'
          ? `type ${upper.type}/${upper.code}`
          : (upper?.kind ?? 'hidden');
    const piece = fragment === null ? '' : ` piece at ${fragment.offset}${fragment.more ? '+' : ''}`;
    const { src, dst } = frame.ethernet;
    const ends = `${formatIp(ip.family, ip.src.bits)} > ${formatIp(ip.family, ip.dst.bits)}`;
    return `${src} > ${dst} ${ends} protocol ${ip.protocol} ${above}${piece} (${bytes.length})`;
  });
  return `${sender}: ${texts.join(' | ')}`;
}
