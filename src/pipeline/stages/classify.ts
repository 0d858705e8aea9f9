/**
 * First and last table of a packet's way: which local port sent it, and the output to the port that gets it.
 */
import { type Draft, drop, flow } from '../draft.ts';
import { type LocalPort, sentTo } from '../local-port.ts';
import { flag, register } from '../tables.ts';

export function classify(local: LocalPort): Draft[] {
  const { port, up, ofport, key, networkKey, zone, set } = local;
  const from = { in_port: ofport };
  if (!up) return [drop('classify', 100, from, 'admin-down', 'egress', port.id)];
  const guarded = port.mode !== 'off';
  const unguarded = port.mode === 'strict' ? {} : { [register.flags]: flag.unguarded };
  return [
    flow(
      'classify',
      100,
      from,
      {
        load: {
          [register.source]: key,
          [register.zone]: zone,
          [register.network]: networkKey,
          ...(set === 0 ? {} : { [register.sourceSet]: set }),
          ...unguarded,
        },
        goto: guarded ? 'guard_mac' : 'responder',
      },
      { reason: 'port', port: port.id },
    ),
  ];
}

export function dispatch(local: LocalPort): Draft[] {
  const { port, up, ofport } = local;
  if (!up) return [];
  return [
    flow(
      'dispatch',
      100,
      sentTo(local),
      { actions: [{ type: 'output', port: ofport }] },
      { reason: 'deliver', port: port.id },
    ),
  ];
}

export const classifyDefaults: readonly Draft[] = [
  drop('classify', 0, {}, 'unknown-port', 'egress'),
  drop('dispatch', 0, {}, 'gone-port', 'ingress'),
];
