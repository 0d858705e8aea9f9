/** Asks the host of a port about it. Every caller that sees the port may ask; where it is, only some may know. */
import type { AskRecord, PortRecord } from '../../model/records.ts';
import { refuseRequest } from '../http/request-faults.ts';
import type { Access } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { View } from '../state/view.ts';
import type { Asker } from './ask.ts';

export interface PortQuestionParts {
  readonly view: View;
  /** Who sees a port may ask about it. */
  readonly ports: Access<PortRecord>;
  readonly asker: Asker;
}

/** The host that has a port. Throws `PortNotBound`. */
export function hostOf({ state }: View, port: PortRecord): string {
  const binding = state.bindings.get(port.id);
  // A port that is set down still has a binding, and its host knows it.
  if (binding === undefined || (binding.status === 'DOWN' && port.admin_state_up))
    return refuseRequest({ code: 'PortNotBound', port: port.id });
  return binding.host;
}

/**
 * Waits at most `timeout` milliseconds. Throws `HostSilent` where the answer does not come or is not what `isAnswer`
 * expects.
 */
export async function askHost<A>(
  { ports, asker }: PortQuestionParts,
  caller: Caller,
  host: string,
  question: AskRecord,
  timeout: number,
  isAnswer: (value: unknown) => value is A,
): Promise<A> {
  const { answers } = await asker.ask(question, [host], timeout);
  const answer = answers.get(host);
  if (isAnswer(answer)) return answer;
  return refuseRequest({ code: 'HostSilent', host: hidesHosts(ports, caller) ? null : host });
}

export const hidesHosts = (ports: Access<PortRecord>, caller: Caller): boolean =>
  ports.visibilityOf(caller).hidden.has('binding:host_id');
