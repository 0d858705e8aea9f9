/**
 * What an operator can set: one schema, from which the file's keys, the environment's names, the flags, their
 * help texts and the types all follow. Only settings whose feature exists stand here; reading them is config.ts.
 */

import type { Static, TSchema } from 'typebox';
import { Type } from 'typebox';

const closed = { additionalProperties: false } as const;

export const settingsSchema = Type.Object(
  {
    listen: Type.String({ description: 'address and port of the API', default: '127.0.0.1:9696' }),
    data_dir: Type.String({
      description: 'folder of the embedded store (default /var/lib/portcullis, or ~/.local/share/portcullis)',
      minLength: 1,
    }),
    ovsdb: Type.String({
      description: 'Open vSwitch database, unix:PATH or tcp:HOST:PORT',
      default: 'unix:/var/run/openvswitch/db.sock',
      pattern: '^(unix:.+|tcp:.+:[0-9]+)$',
    }),
    openflow: Type.String({
      description: "the bridge's OpenFlow socket (default: BRIDGE.mgmt beside the database's unix socket)",
      pattern: '^(unix:.+|tcp:.+:[0-9]+)$',
    }),
    bridge: Type.String({
      description: 'integration bridge, made when it is absent',
      default: 'br-int',
      pattern: '^[A-Za-z0-9_.-]{1,15}$',
    }),
    host: Type.String({
      description: "this hypervisor's name (default: host name)",
      pattern: '^[^/\\s]{1,255}$',
    }),
    datapath_type: Type.Union([Type.Literal('system'), Type.Literal('netdev')], {
      description: 'kernel or userspace datapath (default: system where the kernel has it)',
    }),
    log: Type.Object(
      {
        level: Type.Union(
          (['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const).map((level) =>
            Type.Literal(level),
          ),
          { description: 'least level that is logged', default: 'info' },
        ),
      },
      closed,
    ),
    auth: Type.Union([Type.Literal('none')], {
      description: 'how callers prove who they are',
      default: 'none',
    }),
    allow_remote_without_auth: Type.Boolean({
      description: 'listen beyond loopback although auth is none',
      default: false,
    }),
  },
  closed,
);

export type Settings = Static<typeof settingsSchema>;

/** One value of the schema, under each of its names. */
export interface Setting {
  readonly path: readonly string[];
  /** `log.level` */
  readonly key: string;
  /** `PORTCULLIS_LOG_LEVEL` */
  readonly env: string;
  /** `--log-level` */
  readonly flag: string;
  /** The name under which commander hands the flag's value over: `logLevel`. */
  readonly option: string;
  readonly kind: 'string' | 'boolean';
  readonly description: string;
  /** Undefined where the surroundings decide. */
  readonly default: string | boolean | undefined;
}

interface Annotations {
  readonly type?: string;
  readonly description?: string;
  readonly default?: string | boolean;
  readonly properties?: Readonly<Record<string, TSchema>>;
}

function leaves(schema: TSchema, path: readonly string[]): Setting[] {
  const { type, properties, description = '', default: value } = schema as Annotations;
  if (type === 'object' && properties !== undefined) {
    return Object.entries(properties).flatMap(([name, inner]) => leaves(inner, [...path, name]));
  }
  const words = path.flatMap((name) => name.split('_'));
  return [
    {
      path,
      key: path.join('.'),
      env: `PORTCULLIS_${words.join('_').toUpperCase()}`,
      flag: `--${words.join('-')}`,
      option: words
        .map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
        .join(''),
      kind: type === 'boolean' ? 'boolean' : 'string',
      description,
      default: value,
    },
  ];
}

export const settings: readonly Setting[] = leaves(settingsSchema, []);
