/**
 * Applies several changes to a switch: in a bundle where OpenFlow allows it, else as a list before a barrier.
 * Everything is encoded before the first byte is sent.
 */
import { Writer } from '../base/bytes.ts';
import { Fault, reasonOf } from '../base/errors.ts';
import { putMessage } from './codec/messages.ts';
import type { Connection } from './connection.ts';
import type { BundleMember, ErrorMessage, Message } from './message.ts';
import { refused, type SessionFault, sessionFault } from './session-fault.ts';
import { bundleFlags } from './spec/numbers.ts';

const flags = bundleFlags.atomic | bundleFlags.ordered;
/** OFPET_BUNDLE_FAILED and OFPBFC_BAD_ID. */
const bundleFailed = 17;
const badBundleId = 2;
let lastBundle = 0;

/** Encodes `messages` with xids from `first`; throws `Unencodable` with the index of the culprit. */
function putAll(w: Writer, messages: readonly Message[], first: number): void {
  messages.forEach((message, member) => {
    try {
      putMessage(w, message, first + member);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const what = reasonOf(error);
      throw sessionFault({ code: 'Unencodable', member, what }, `message ${member}: ${what}`, error);
    }
  });
}

interface MemberError {
  readonly error: ErrorMessage;
  readonly member: number;
}

/**
 * Sends messages that have no reply and waits until the switch has processed them all. Rejects with the first
 * error; the other messages were applied nevertheless.
 */
export async function applyAll(connection: Connection, messages: readonly Message[]): Promise<void> {
  const first = connection.reserve(messages.length + 1);
  const barrier = first + messages.length;
  const w = new Writer(1024);
  putAll(w, messages, first);
  putMessage(w, { type: 'barrier_request' }, barrier);
  let memberError: MemberError | undefined;
  const unwatch = connection.watchErrors(first, messages.length, (error, member) => {
    memberError ??= { error, member };
  });
  try {
    const done = connection.expect(barrier);
    connection.write(w.done());
    await done;
  } finally {
    unwatch();
  }
  if (memberError !== undefined) throw refused(memberError.error, memberError.member);
}

function isDisconnect(error: unknown): error is Fault<SessionFault> {
  return error instanceof Fault && error.name === 'Disconnected';
}

/** Open vSwitch drops a bundle that gets no message for ten seconds, as from a process that stands still. */
function isDropped(error: unknown): boolean {
  if (!(error instanceof Fault) || error.name !== 'Refused') return false;
  const { errorType, errorCode } = error.data as Extract<SessionFault, { code: 'Refused' }>;
  return errorType === bundleFailed && errorCode === badBundleId;
}

/**
 * Applies all of `members` in order, or none. The commit is sent only after the switch has accepted every
 * member. If it refused one, Open vSwitch would commit the rest of the bundle.
 */
export async function commitBundle(connection: Connection, members: readonly BundleMember[]): Promise<void> {
  const count = members.length;
  if (count === 0) return;
  lastBundle = (lastBundle % 0x7fffffff) + 1;
  const bundle = lastBundle;
  const control = (name: 'open_request' | 'commit_request' | 'discard_request'): Message => ({
    type: 'bundle_control',
    bundle,
    control: name,
    flags,
  });

  const first = connection.reserve(count + 3);
  const open = first + count;
  const barrier = open + 1;
  const commit = open + 2;
  const w = new Writer(64 + count * 192);
  putMessage(w, control('open_request'), open);
  putAll(
    w,
    members.map((member) => ({ type: 'bundle_add', bundle, flags, member })),
    first,
  );
  putMessage(w, { type: 'barrier_request' }, barrier);

  let memberError: MemberError | undefined;
  const unwatch = connection.watchErrors(first, count, (error, member) => {
    memberError ??= { error, member };
  });
  try {
    const opened = connection.expect(open);
    const taken = connection.expect(barrier);
    connection.write(w.done());
    const [answer] = await Promise.allSettled([opened, taken]);
    if (answer.status === 'rejected') throw answer.reason as Error;
    await taken;
    if (memberError !== undefined) {
      await connection.request(control('discard_request')).catch(() => undefined);
      throw refused(memberError.error, memberError.member);
    }
    const committed = connection.expect(commit);
    const closing = new Writer(64);
    putMessage(closing, control('commit_request'), commit);
    connection.write(closing.done());
    await committed.catch((error: unknown) => {
      if (memberError !== undefined) throw refused(memberError.error, memberError.member);
      if (isDropped(error)) {
        const text = 'the switch dropped a bundle before its commit';
        throw sessionFault({ code: 'OutcomeUnknown', reason: text }, text, error);
      }
      if (!isDisconnect(error)) throw error;
      throw sessionFault(
        { code: 'OutcomeUnknown', reason: error.message },
        `the answer to a commit was lost: ${error.message}`,
        error,
      );
    });
  } finally {
    unwatch();
  }
}
