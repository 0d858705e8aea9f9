/**
 * The suggested changes in the words of the API: which resource to make or to update, with which attributes.
 */
import type { ExplainedChange } from '../../model/explanation.ts';
import { protocolName } from '../../model/protocols.ts';
import { formatCidr } from '../../net/cidr.ts';
import { changed, type PolicyChange } from '../../policy/suggestion.ts';
import type { L4Match, NetworkId, PortId, Rule, World } from '../../policy/world.ts';

function layer4Attributes(l4: L4Match): Readonly<Record<string, unknown>> {
  switch (l4.kind) {
    case 'any':
      return {};
    case 'protocol':
      return { protocol: protocolName(l4.protocol) };
    case 'ports':
      return {
        protocol: protocolName(l4.protocol),
        port_range_min: l4.min,
        port_range_max: l4.max,
      };
    case 'icmp':
      return {
        protocol: protocolName(l4.protocol),
        port_range_min: l4.type,
        port_range_max: l4.code,
      };
  }
}

const remoteAttributes = ({ remote }: Pick<Rule, 'remote'>): Readonly<Record<string, unknown>> =>
  remote.kind === 'prefix' ? { remote_ip_prefix: formatCidr(remote.prefix) } : {};

/** Each change sees the changes before it: a port may get several pairs. */
export function changesOf(world: World, changes: readonly PolicyChange[]): ExplainedChange[] {
  let at = world;
  return changes.map((change) => {
    const explained = changeOf(at, change);
    at = changed(at, change);
    return explained;
  });
}

/** In the words of the API. */
function changeOf(world: World, change: PolicyChange): ExplainedChange {
  switch (change.kind) {
    case 'rule': {
      const { rule, group, port } = change;
      return {
        resource: 'security_group_rule',
        id: null,
        port,
        attributes: {
          security_group_id: group,
          direction: rule.direction,
          ethertype: rule.family === 4 ? 'IPv4' : 'IPv6',
          ...layer4Attributes(rule.l4),
          ...remoteAttributes(rule),
        },
      };
    }
    case 'pair': {
      const pairs = [...(world.ports.get(change.port)?.pairs ?? []), change.pair];
      return ofPort(change.port, {
        allowed_address_pairs: pairs.map(({ mac, ip }) => ({
          ip_address: formatCidr(ip),
          mac_address: mac,
        })),
      });
    }
    case 'dhcp-server':
      return ofPort(change.port, { dhcp_trusted: true });
    case 'mode':
      return ofPort(
        change.port,
        change.mode === 'off'
          ? { port_security_enabled: false, security_groups: [], allowed_address_pairs: [] }
          : { port_security_mode: change.mode },
      );
    case 'role':
      return ofPort(change.port, {
        pvlan_type: change.role.kind,
        ...(change.role.kind === 'community' ? { pvlan_community: change.role.name } : {}),
      });
    case 'not-isolated':
      return ofNetwork(change.network, { isolated: false });
    case 'port-up':
      return ofPort(change.port, { admin_state_up: true });
    case 'network-up':
      return ofNetwork(change.network, { admin_state_up: true });
  }
}

const ofNetwork = (id: NetworkId, attributes: ExplainedChange['attributes']): ExplainedChange => ({
  resource: 'network',
  id,
  port: null,
  attributes,
});

const ofPort = (port: PortId, attributes: ExplainedChange['attributes']): ExplainedChange => ({
  resource: 'port',
  id: port,
  port,
  attributes,
});
