/**
 * How a request over a session can fail. `Disconnected` means that a bundle changed nothing. `OutcomeUnknown`
 * means that the outcome is unknown: read the switch again.
 */
import { Fault } from '../base/errors.ts';
import type { ErrorMessage } from './message.ts';
import { describeError } from './spec/errors.ts';

export type SessionFault =
  | { readonly code: 'NotConnected' }
  | { readonly code: 'Disconnected'; readonly reason: string }
  | { readonly code: 'OutcomeUnknown'; readonly reason: string }
  /** The switch refused the message; `member` is the index of the offending message of a list. */
  | {
      readonly code: 'Refused';
      readonly errorType: number;
      readonly errorCode: number;
      readonly experimenter?: number;
      readonly member?: number;
    }
  /** A message of the list does not fit the wire; nothing was sent. */
  | { readonly code: 'Unencodable'; readonly member: number; readonly what: string }
  | { readonly code: 'UnexpectedReply'; readonly type: string };

export function sessionFault(data: SessionFault, text: string, cause?: unknown): Fault<SessionFault> {
  return new Fault(data, text, cause);
}

export function refused(error: ErrorMessage, member?: number): Fault<SessionFault> {
  const { errorType, code: errorCode, experimenter } = error;
  return sessionFault(
    {
      code: 'Refused',
      errorType,
      errorCode,
      ...(experimenter === undefined ? {} : { experimenter }),
      ...(member === undefined ? {} : { member }),
    },
    `the switch refused${member === undefined ? '' : ` message ${member}`}: ${describeError(errorType, errorCode, experimenter)}`,
  );
}
