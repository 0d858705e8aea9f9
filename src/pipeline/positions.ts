/**
 * The positions of a packet's way, in order, each with the table that a packet enters it by.
 * A stage asks for what comes next by position: `after('responder')`. A feature that is put between two positions gets a
 * line here, and neither neighbour changes.
 */
const positions = [
  ['classify', 'classify'],
  ['egressGuard', 'guard_mac'],
  ['egressTracking', 'egress_ct'],
  ['egressRules', 'egress_needs'],
  ['dhcp', 'dhcp'],
  ['responder', 'responder'],
  ['egressQos', 'egress_qos'],
  ['claims', 'claims'],
  ['forwarding', 'l2'],
  ['ingressGuard', 'ingress_type'],
  ['ingressTracking', 'ingress_ct'],
  ['ingressRules', 'ingress_needs'],
  ['records', 'commit'],
  ['ingressQos', 'ingress_qos'],
  ['delivery', 'dispatch'],
] as const;

type Entries = readonly (readonly [string, string])[];

/** Entry table of the position behind `P`; never behind the last. */
type Behind<P, List extends Entries> = List extends readonly [infer Here, infer Next, ...infer Rest]
  ? Here extends readonly [P, string]
    ? Next extends readonly [string, infer Table]
      ? Table
      : never
    : Next extends Entries[number]
      ? Rest extends Entries
        ? Behind<P, readonly [Next, ...Rest]>
        : never
      : never
  : never;

export type Position = (typeof positions)[number][0];
export type EntryAfter<P extends Position> = Behind<P, typeof positions>;

const entryAfter: Readonly<Record<string, string>> = Object.fromEntries(
  positions.slice(1).map(([, table], at) => [positions[at]?.[0], table]),
);

/** The table that a packet goes to when it leaves a position. */
export const after = <P extends Position>(position: P): EntryAfter<P> =>
  entryAfter[position] as EntryAfter<P>;

/** Entry tables in a packet's order. */
export const entryTables: readonly string[] = positions.map(([, table]) => table);
