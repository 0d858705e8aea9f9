/** Ranges of 16-bit transport ports as the fewest value/mask pairs: OVS and hardware match masks, not ranges. */
export interface PortMask {
  readonly value: number;
  readonly mask: number;
}

/** The minimal prefix cover of `[min, max]`, ascending; at most 30 for 16 bits. */
export function portMasks(min: number, max: number): PortMask[] {
  const masks: PortMask[] = [];
  let at = min;
  while (at <= max) {
    let size = at === 0 ? 0x10000 : at & -at;
    while (at + size - 1 > max) size /= 2;
    masks.push({ value: at, mask: 0x10000 - size });
    at += size;
  }
  return masks;
}
