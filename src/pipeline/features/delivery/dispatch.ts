/** The last table: output to the port that gets the packet. */
import { output } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { type LocalPort, sentTo } from '../../local-port.ts';

export function dispatch(local: LocalPort): Draft[] {
  const { port, up, ofport } = local;
  if (!up) return [];
  const why = { reason: 'deliver', port: port.id } as const;
  return [flow('dispatch', 'port', sentTo(local), { actions: [output(ofport)] }, why)];
}

export const dispatchDefaults: readonly Draft[] = [
  drop('dispatch', 'gone', {}, { reason: 'gone-port', drop: 'ingress' }),
];
