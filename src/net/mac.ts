/** Ethernet addresses as lower-case colon text; strict parsing, no I/O. */
declare const macBrand: unique symbol;
/** `aa:bb:cc:dd:ee:ff`, lower case. */
export type Mac = string & { readonly [macBrand]: true };

const pattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** The address, or null when `text` is not six colon- or dash-separated octets. */
export function parseMac(text: string): Mac | null {
  const lower = text.toLowerCase().replaceAll('-', ':');
  return pattern.test(lower) ? (lower as Mac) : null;
}

export function macToBits(mac: Mac): bigint {
  return BigInt(`0x${mac.replaceAll(':', '')}`);
}

export function macFromBits(bits: bigint): Mac {
  const hex = bits.toString(16).padStart(12, '0');
  return hex.replace(/(..)(?=.)/g, '$1:') as Mac;
}

/** The I/G bit: broadcast and multicast destinations, never a legitimate source. */
export function isMulticastMac(mac: Mac): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}

export const broadcastMac = 'ff:ff:ff:ff:ff:ff' as Mac;
