/** OpenFlow 1.5 with Nicira's extensions: the only entry for other floors. */
export { canonicalBody, canonicalKey } from './canonical.ts';
export { normalMatch } from './codec/match.ts';
export type * from './flow.ts';
export { flowMod } from './flow-mod.ts';
export type * from './message.ts';
export { Session, type SessionOptions, type SessionState } from './session.ts';
export type { SessionFault } from './session-fault.ts';
export { learnFlags } from './spec/actions.ts';
export { describeError } from './spec/errors.ts';
export {
  allGroups,
  allMeters,
  allTables,
  flowFlags,
  meterBands,
  meterFlags,
  packetInReasons,
  ports,
} from './spec/numbers.ts';
export { ctStateBits, type FieldName, ipFrag, oxmFields, vlanPresent } from './spec/oxm.ts';
