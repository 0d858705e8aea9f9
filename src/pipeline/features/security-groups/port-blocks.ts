/**
 * Blocks of ports with the same highest bits (see whole-fields.ts). A block that no rule of a set splits is decided
 * and cached as one: a scan of all ports costs one decision for each block, and one for each port of the split ones.
 */
import { protocols } from '../../../net/packet/transport.ts';
import type { FieldBits, Masked } from '../../../openflow/index.ts';
import type { Rule } from '../../../policy/world.ts';
import { blockMask, blockSize } from '../../whole-fields.ts';

export const portProtocols = ['tcp', 'udp', 'sctp'] as const;
type PortProtocol = (typeof portProtocols)[number];

/** A match on a port field that only compares the bits of the block. */
export const isWholeBlocks = (port: FieldBits | Masked): boolean =>
  typeof port === 'object' && (Number(port.mask) & ~blockMask) === 0;

const beginsBlock = (port: number): boolean => port % blockSize === 0;

/** The blocks in which a rule begins or ends, each by its first port. */
export function splitBlocks(rules: readonly Rule[], protocol: PortProtocol): readonly number[] {
  const ranges = rules.flatMap(({ l4 }) =>
    l4.kind === 'ports' && l4.protocol === protocols[protocol] ? [l4] : [],
  );
  const edges = ranges.flatMap(({ min, max }) => [min, max + 1]).filter((port) => !beginsBlock(port));
  return [...new Set(edges.map((port) => port & blockMask))];
}
