/**
 * What others note of a port and the switch does not read: compute services how a guest is to be built around it,
 * operators what they know of its wire. Kept and shown; nothing here follows from it.
 */
import type { AttributeTable } from './attribute.ts';
import { oneOf, orNull, text } from './checks.ts';
import type { PortNotes } from './records.ts';

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
} as const satisfies AttributeTable;

const names = Object.keys(portNoteAttributes) as readonly (keyof PortNotes)[];

/** Those of a draft that say something: most ports have none. */
export const notesOf = (draft: PortNotes): PortNotes =>
  Object.fromEntries(names.flatMap((name) => ((draft[name] ?? null) === null ? [] : [[name, draft[name]]])));

export const shownNotes = (port: PortNotes): Required<PortNotes> => ({
  numa_affinity_policy: port.numa_affinity_policy ?? null,
  device_profile: port.device_profile ?? null,
  data_plane_status: port.data_plane_status ?? null,
});
