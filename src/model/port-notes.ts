/**
 * Attributes of ports that compute services and operators write and read. Portcullis keeps and shows them; they have no
 * effect here.
 */
import type { AttributeTable, Check } from './attribute.ts';
import { isObject, oneOf, orNull, text, toBoolean } from './checks.ts';
import { pythonText } from './python-text.ts';
import type { PortNotes } from './records.ts';
import { objectOf, schemaOf, withSchema } from './schema.ts';

/** An object that may have this one key. */
const onlyWith = (key: string, check: Check): Check<Readonly<Record<string, unknown>>> =>
  withSchema(objectOf({ [key]: schemaOf(check) ?? {} }, [key]), (value) => {
    if (!isObject(value)) return `'${pythonText(value)}' is not a dictionary`;
    const unexpected = Object.keys(value).filter((name) => name !== key);
    if (unexpected.length > 0) return `Unexpected keys supplied: ${unexpected.join(', ')}`;
    return Object.hasOwn(value, key) ? check(value[key]) : null;
  });

const hints = onlyWith(
  'openvswitch',
  onlyWith('other_config', onlyWith('tx-steering', oneOf(['thread', 'hash']))),
);

const ofAdministrators = { create: ['admin'], update: ['admin'], read: ['admin'] } as const;

export const portNoteAttributes = {
  numa_affinity_policy: {
    post: 'allowed',
    put: true,
    fallback: null,
    validate: orNull(oneOf(['required', 'preferred', 'legacy'])),
    about: "How near to its NUMA node the guest's memory and processors are to be; for compute services.",
  },
  device_profile: {
    post: 'allowed',
    put: false,
    fallback: null,
    validate: orNull(text(255)),
    about: 'The accelerator that comes with it; for compute services.',
  },
  data_plane_status: {
    post: 'refused',
    put: true,
    validate: orNull(oneOf(['ACTIVE', 'DOWN'])),
    rights: { update: ['admin'] },
    about:
      'What somebody outside found of its wire, `ACTIVE` or `DOWN`; `status` says what the switch knows.',
  },
  trusted: {
    post: 'allowed',
    put: true,
    convert: toBoolean,
    type: { type: ['boolean', 'null'] },
    sent: { type: 'boolean' },
    rights: ofAdministrators,
    about:
      "Whether a network card lets its function change MACs and modes; compute services read it in the binding's profile. Null: nobody said.",
  },
  hints: {
    post: 'allowed',
    put: true,
    fallback: null,
    convert: (value) => (isObject(value) && Object.keys(value).length === 0 ? null : value),
    validate: orNull(hints),
    rights: ofAdministrators,
    about: 'Settings that somebody wants of the switch; kept, not read.',
  },
  propagate_uplink_status: {
    post: 'allowed',
    put: true,
    fallback: true,
    convert: toBoolean,
    about: "Whether a function of a network card is to follow its uplink's state; for compute services.",
  },
} as const satisfies AttributeTable;

const names = Object.keys(portNoteAttributes) as readonly (keyof PortNotes)[];

/** What a port shows that nobody noted anything of. */
const nothingNoted = {
  numa_affinity_policy: null,
  device_profile: null,
  data_plane_status: null,
  trusted: null,
  hints: null,
  propagate_uplink_status: true,
} as const;

/** Those of a draft that say something: most ports have none. */
export const notesOf = (draft: PortNotes): PortNotes =>
  Object.fromEntries(
    names.flatMap((name) =>
      (draft[name] ?? nothingNoted[name]) === nothingNoted[name] ? [] : [[name, draft[name]]],
    ),
  );

export const shownNotes = (port: PortNotes): Readonly<Record<keyof PortNotes, unknown>> =>
  Object.fromEntries(names.map((name) => [name, port[name] ?? nothingNoted[name]])) as Record<
    keyof PortNotes,
    unknown
  >;

/** The profile of a binding as compute services read it: they look there for whether the port is trusted. */
export const profileWith = (
  profile: Readonly<Record<string, unknown>>,
  { trusted }: PortNotes,
): Readonly<Record<string, unknown>> => (trusted === undefined ? profile : { ...profile, trusted });
