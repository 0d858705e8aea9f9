/** Bridge mappings: which bridge of a host reaches which physical network, written `physnet1:br-ex,physnet2:br-data`. */

export type BridgeMappings = Readonly<Record<string, string>>;

/** Neutron's limit on the name of a physical network. */
const maxNameLength = 64;
const namePattern = /^[^\s:,/]+$/;

export const isPhysicalNetwork = (name: string): boolean =>
  name.length <= maxNameLength && namePattern.test(name);

/** An interface name of Linux. */
const bridgePattern = /^[A-Za-z0-9_.-]{1,15}$/;

/** No mappings for an empty text; null for a text that is none. No network and no bridge may come twice. */
export function bridgeMappingsOf(text: string): BridgeMappings | null {
  const mappings = new Map<string, string>();
  const bridges = new Set<string>();
  for (const item of text.trim() === '' ? [] : text.split(',')) {
    const [network = '', bridge = '', ...more] = item.trim().split(':');
    const isWritten = more.length === 0 && isPhysicalNetwork(network) && bridgePattern.test(bridge);
    if (!isWritten) return null;
    if (mappings.has(network) || bridges.has(bridge)) return null;
    mappings.set(network, bridge);
    bridges.add(bridge);
  }
  return Object.fromEntries(mappings);
}
