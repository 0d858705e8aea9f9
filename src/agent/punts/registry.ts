/** The handler of each kind of punted packet. Its meter class is in the kind's row (`pipeline/punt-data.ts`). */
import type { PuntKind } from '../../pipeline/punt-data.ts';
import type { PuntHandler } from './handler.ts';
import { linkLocals } from './link-locals.ts';

export const puntHandlers: Readonly<Record<PuntKind, PuntHandler>> = {
  'link-local': linkLocals,
};
