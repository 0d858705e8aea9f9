/** `portcullis explain`: each decision about a packet from a port, and the change that would let it pass. */
import type { ExplainedChange, Explanation } from '../model/explanation.ts';
import type { Client } from './client.ts';
import { readPacketWords } from './packet-words.ts';
import { json, table } from './table.ts';

export interface ExplainAnswer extends Explanation {
  readonly port: string;
  /** Hexadecimal. */
  readonly frame: string;
}

/** The caller's packet: words, or the frame's bytes in hexadecimal. */
export interface Asked {
  readonly words: readonly string[];
  readonly hex: string | undefined;
}

/** The text to print; `reference` is a port's name or id. */
export async function explain(
  client: Client,
  reference: string,
  { words, hex }: Asked,
  asJson: boolean,
): Promise<string> {
  const packet = hex === undefined ? { packet: readPacketWords(words) } : { frame: hex };
  const { id } = await client.port(reference);
  const answer = await client.post<ExplainAnswer>('/v1/explain', { port: id, ...packet });
  if (asJson) return json(answer);
  const named = [...answer.steps, ...answer.receivers, ...(answer.changes ?? [])].flatMap(
    ({ port }) => port ?? [],
  );
  return explainText(answer, await client.portNames([...new Set(named)]));
}

const valueText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** As the words of OpenStack's client, where it has them. */
function changeText(
  { resource, id, port, attributes }: ExplainedChange,
  name: (port: string) => string,
): string {
  const of = port === null ? `network ${id}` : `port ${name(port)}`;
  const rule = resource === 'security_group_rule';
  const group = attributes['security_group_id'];
  const shown = Object.entries(attributes).filter(([key]) => key !== 'security_group_id');
  const said = shown.map(([key, value]) => `${key}=${valueText(value)}`).join(' ');
  if (!rule) return `update ${of}: ${said}`;
  return group === null
    ? `give ${of} a security group with a rule: ${said}`
    : `add a rule to security group ${valueText(group)} of ${of}: ${said}`;
}

export function explainText(answer: ExplainAnswer, names: ReadonlyMap<string, string>): string {
  const name = (port: string): string => names.get(port) ?? port;
  const columns = [
    { title: 'HOST', value: (step: Explanation['steps'][number]) => step.host ?? '-' },
    { title: 'PORT', value: (step: Explanation['steps'][number]) => name(step.port) },
    { title: 'STAGE', value: (step: Explanation['steps'][number]) => step.stage },
    { title: 'RESULT', value: (step: Explanation['steps'][number]) => step.result },
    { title: 'REASON', value: (step: Explanation['steps'][number]) => step.reason },
    {
      title: 'ABOUT',
      value: ({ rule, address, roles }: Explanation['steps'][number]) =>
        [rule === null ? null : `rule ${rule}`, address, roles].filter((one) => one != null).join(', ') ||
        '-',
    },
  ];
  const lines = [
    resultLine(answer, name),
    connectionLine(answer, name),
    ...(answer.connections_read
      ? []
      : ['The switch did not report its connections: this packet was taken for the first of one.']),
    ...(answer.hosts_answered ? [] : ['Other hosts did not answer: their part of the way is missing.']),
    ...changeLines(answer, name),
  ];
  return `${table(columns, answer.steps)}\n${lines.map((line) => `${line}\n`).join('')}`;
}

function resultLine(
  { result, receivers, steps, hosts_answered }: ExplainAnswer,
  name: (port: string) => string,
): string {
  if (result === 'sent')
    return hosts_answered
      ? 'The packet leaves the port. You may not see the ports that it goes to.'
      : 'The packet leaves for another host.';
  if (result === 'answered') return 'The switch answers the packet itself.';
  if (result === 'dropped') {
    const last = steps.find((step) => step.result === 'drop');
    return last === undefined
      ? 'The packet is dropped.'
      : `The packet is dropped: ${last.reason} at ${name(last.port)}.`;
  }
  const got = receivers.filter((receiver) => receiver.result === 'pass').map(({ port }) => name(port));
  const left = steps.some(({ reason }) => reason === 'sent-to-physical-network');
  if (got.length === 0) return left ? 'The packet leaves for the physical network.' : 'The packet passes.';
  const copy = left ? ' A copy leaves for the physical network.' : '';
  return `The packet is delivered to ${got.join(', ')}.${copy}`;
}

function connectionLine({ connection }: ExplainAnswer, name: (port: string) => string): string {
  if (connection === null) return 'The switch knows no connection of it.';
  const list = (ports: readonly string[]): string => ports.map(name).join(', ') || 'nobody here';
  return `It belongs to a live connection of ${list(connection.originators)} to ${list(connection.responders)}.`;
}

function changeLines({ result, changes }: ExplainAnswer, name: (port: string) => string): string[] {
  if (result !== 'dropped') return [];
  if (changes === null)
    return ['No change of a rule, an address pair or a port setting is known that lets it pass.'];
  return [
    'The smallest change that lets it pass:',
    ...changes.map((change) => `  ${changeText(change, name)}`),
  ];
}
