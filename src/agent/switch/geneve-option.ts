/**
 * The Geneve option that carries the key of the sending port: gives the switch the field for it. A switch forgets that when
 * it starts, and refuses flows with the field until it has it.
 */
import type { Session, TlvMapping } from '../../openflow/index.ts';

/**
 * Classes from 0xff00 on are for private use (RFC 8926). The highest bit of the type says that who does not know the option
 * must drop the packet. Type 0x82 is kept for what else a sender may be: its role, its community.
 */
const portKeyOption = {
  optionClass: 0xff5c,
  optionType: 0x81,
  length: 4,
  index: 0,
} as const satisfies TlvMapping;

const isSame = (a: TlvMapping, b: TlvMapping): boolean =>
  a.optionClass === b.optionClass &&
  a.optionType === b.optionType &&
  a.length === b.length &&
  a.index === b.index;

const collides = (a: TlvMapping, b: TlvMapping): boolean =>
  a.index === b.index || (a.optionClass === b.optionClass && a.optionType === b.optionType);

/** Reads what the switch has, and changes what differs. False when there was nothing to change. */
export async function mapPortKeyOption(session: Session): Promise<boolean> {
  const held = await session.tlvMappings();
  if (held.some((mapping) => isSame(mapping, portKeyOption))) return false;
  const wrong = held.filter((mapping) => collides(mapping, portKeyOption));
  if (wrong.length > 0) await session.apply([{ type: 'tlv_table_mod', command: 'delete', mappings: wrong }]);
  await session.apply([{ type: 'tlv_table_mod', command: 'add', mappings: [portKeyOption] }]);
  return true;
}
