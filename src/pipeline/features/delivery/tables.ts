/** The last table: output to the port that gets the packet. */
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

export const deliveryTables = {
  dispatch: {
    id: 54,
    match: [register.destination, register.network],
    bands: { port: 100, gone: 0 },
    output: ['port'],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const deliveryReasons = {
  deliver: 'output to the receiver',
} as const;
