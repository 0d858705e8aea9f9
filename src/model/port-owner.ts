/** What the device owner of a port says of it. */

/** Ports of the network's own services (routers, DHCP): never filtered, whatever the request says. */
export const isTrustedOwner = (deviceOwner: string): boolean => deviceOwner.startsWith('network:');
