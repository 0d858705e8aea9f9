/** Rules for every refusal, whichever part of the server gives it: clients expect one shape and trust the text. */

import { isObject } from '../../../src/model/checks.ts';

const ofNeutron = { type: 'string', message: 'string', detail: 'string' };
/** The filter before Neutron refuses strangers in its own shape. */
const ofKeystone = { code: 'number', title: 'string', message: 'string' };

/** What an answer of 504 says beside its error: which hosts were late, and for what. */
const besideTimeouts = new Set(['late', 'hosts', 'revision', 'cut', 'cut_total']);

const kindsOf = (value: unknown): Readonly<Record<string, string>> =>
  isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, typeof part] as const))
    : {};

const sameKinds = (value: unknown, kinds: Readonly<Record<string, string>>): boolean =>
  JSON.stringify(Object.entries(kindsOf(value)).sort()) === JSON.stringify(Object.entries(kinds).sort());

const tooLong = /'(.*)' exceeds maximum length of (\d+)/s;

export function* faultsOfRefusal(status: number, body: unknown): Iterable<string> {
  const [name, kinds] =
    status === 401 ? (['error', ofKeystone] as const) : (['NeutronError', ofNeutron] as const);
  const error = isObject(body) ? body[name] : undefined;
  const others = isObject(body) ? Object.keys(body).filter((key) => key !== name) : [];
  const areKnown = others.every((key) => status === 504 && besideTimeouts.has(key));
  if (!isObject(error) || !areKnown || !sameKinds(error, kinds)) {
    yield `a refusal of another shape: ${JSON.stringify(body).slice(0, 300)}`;
    return;
  }
  if (name === 'NeutronError' && !/^[A-Z]\w+$/.test(String(error['type'])))
    yield `a refusal of no type: ${String(error['type'])}`;
  const [, text = '', most = '0'] = tooLong.exec(String(error['message'])) ?? [];
  const length = Array.from(text).length;
  if (text !== '' && length <= Number(most))
    yield `a text of ${length} characters is called longer than ${most}`;
}

/** Whether the server failed, rather than the cloud. */
export function isFailure(url: string, status: number, text: string): boolean {
  if (status < 500 || status === 501) return false;
  // Hosts that have ports and never answer are part of the test, like those that cannot plug a port.
  if (status === 503 && url.includes('/counters')) return false;
  // The operator's VLANs are few, and Neutron has this status where none is left.
  if (status === 503 && url.startsWith('/v2.0/networks') && text.includes('"NoNetworkAvailable"'))
    return false;
  if (status === 504 && url.startsWith('/v1/')) return false;
  return !(status === 500 && /\/bindings\b/.test(url) && text.includes('"PortBindingError"'));
}
