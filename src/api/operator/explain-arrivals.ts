/**
 * The part of an explained packet's way that is on other hosts. The sender's host says which ports it sent the packet on to;
 * their hosts go on with the walk, each for its own ports, and the answers become one.
 */
import { isObject } from '../../model/checks.ts';
import type { ExplainedReceiver, Explanation } from '../../model/explanation.ts';
import type { AskRecord } from '../../model/records.ts';
import type { PortQuestionParts } from './port-question.ts';

/** Hosts that one broadcast makes read their connections: tenants may ask too. */
const maxHosts = 16;

type Question = Extract<AskRecord, { readonly kind: 'explain' }>;

export const isExplanation = (answer: unknown): answer is Explanation =>
  isObject(answer) && Array.isArray(answer['steps']);

/** `deadline`: when to go on without the hosts that have not answered. */
export async function explainArrivals(
  { view, asker }: PortQuestionParts,
  question: Question,
  from: string,
  departure: Explanation,
  deadline: number,
): Promise<Explanation> {
  const away = new Set(
    departure.steps.filter(({ reason }) => reason === 'sent-to-host').map(({ port }) => port),
  );
  // What left for another host may be the word of a router that a packet was dropped.
  if (away.size === 0 || departure.result === 'dropped') return departure;
  const hostOf = (port: string): string | undefined => view.state.bindings.get(port)?.host;
  // A port that has just moved to the sender's host, or that is nowhere any more, has no answer.
  const found = [...away].flatMap((port) => hostOf(port) ?? []).filter((host) => host !== from);
  const all = [...new Set(found)].sort();
  const hosts = all.slice(0, maxHosts);
  const onward: Question = { ...question, arrival: { from, at: hosts } };
  const { answers } = await asker.ask(onward, hosts, Math.max(0, deadline - performance.now()));
  const arrivals = hosts.flatMap((host) => {
    const answer = answers.get(host);
    return isExplanation(answer) ? [answer] : [];
  });
  const isWhole = arrivals.length === all.length && found.length === away.size;
  return joined(departure, away, arrivals, isWhole);
}

function joined(
  departure: Explanation,
  away: ReadonlySet<string>,
  arrivals: readonly Explanation[],
  hosts_answered: boolean,
): Explanation {
  const receivers = [
    ...departure.receivers.filter(({ port }) => !away.has(port)),
    ...arrivals.flatMap((arrival) => arrival.receivers),
  ];
  const result = resultOf(receivers, hosts_answered);
  const changes = arrivals.map((arrival) => arrival.changes).find((change) => change !== null) ?? null;
  return {
    ...departure,
    result,
    steps: [...departure.steps, ...arrivals.flatMap(({ steps }) => steps)],
    receivers,
    connections_read: [departure, ...arrivals].every(({ connections_read }) => connections_read),
    hosts_answered,
    changes: result === 'dropped' ? changes : [],
  };
}

function resultOf(receivers: readonly ExplainedReceiver[], isWhole: boolean): Explanation['result'] {
  if (receivers.some(({ result }) => result === 'pass')) return 'delivered';
  if (!isWhole) return 'sent';
  return receivers.length > 0 ? 'dropped' : 'delivered';
}
