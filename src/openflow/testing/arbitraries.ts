/** Generators of matches, actions and messages in the form that decoding returns; for tests only. */
import fc from 'fast-check';
import { normalMatch } from '../codec/match.ts';
import type { Action, FieldBits, Masked, Match, Subfield } from '../flow.ts';
import type { Message } from '../message.ts';
import { type FieldName, type OxmField, oxmFields } from '../spec/oxm.ts';

const names = Object.keys(oxmFields) as FieldName[];
const widthOf = (field: FieldName): number => oxmFields[field].bits;

const bits = (width: number): fc.Arbitrary<FieldBits> =>
  width <= 32
    ? fc.nat(2 ** Math.min(width, 31) - 1).map((n) => n)
    : fc.bigInt(0n, (1n << BigInt(width)) - 1n);

/** Mask bits that are neither none nor all, and a value inside them. */
const masked = (width: number): fc.Arbitrary<Masked> =>
  width <= 32
    ? fc
        .tuple(fc.integer({ min: 1, max: 2 ** Math.min(width, 31) - 2 }), fc.nat(2 ** 31 - 1))
        .map(([mask, value]) => ({ value: (value & mask) >>> 0, mask }))
    : fc
        .tuple(fc.bigInt(1n, (1n << BigInt(width)) - 2n), fc.bigInt(0n, (1n << BigInt(width)) - 1n))
        .map(([mask, value]) => ({ value: value & mask, mask }));

const matchable = names.filter((name) => !/^x{1,2}reg|vlan_tci|packet_type/.test(name));

/** Any fields together: the codec checks no prerequisites. */
export const arbitraryMatches: fc.Arbitrary<Match> = fc
  .uniqueArray(fc.constantFrom(...matchable), { maxLength: 8 })
  .chain((fields) =>
    fc
      .tuple(
        ...fields.map((field) => {
          const { maskable }: OxmField = oxmFields[field];
          const width = widthOf(field);
          return maskable ? fc.oneof(bits(width), masked(width)) : bits(width);
        }),
      )
      .map((values) =>
        normalMatch(Object.fromEntries(fields.map((field, i) => [field, values[i]])) as Match),
      ),
  );

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const u64 = fc.bigInt(0n, 0xffffffffffffffffn);
const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });

const subfields = (width: number): fc.Arbitrary<Subfield> =>
  fc
    .tuple(fc.constantFrom(...names.filter((name) => widthOf(name) >= width)), fc.nat(127))
    .map(([field, at]) => ({ field, offset: at % (widthOf(field) - width + 1), bits: width }));

const specs = fc.integer({ min: 1, max: 48 }).chain((width) => {
  const immediate = fc.bigInt(0n, (1n << BigInt(width)) - 1n).map((value) => ({ value }));
  return fc.oneof(
    fc.record({
      kind: fc.constantFrom('match' as const, 'load' as const),
      from: fc.oneof(subfields(width), immediate),
      to: subfields(width),
    }),
    fc.record({ kind: fc.constant('output' as const), from: subfields(width) }),
  );
});

const setFields: fc.Arbitrary<Action> = fc.constantFrom(...names).chain((field) => {
  const { maskable }: OxmField = oxmFields[field];
  const width = widthOf(field);
  const exact = bits(width).map((value): Action => ({ type: 'set_field', field, value }));
  return maskable
    ? fc.oneof(
        exact,
        masked(width).map((m): Action => ({ type: 'set_field', field, ...m })),
      )
    : exact;
});

const userdata = fc.uint8Array({ minLength: 1, maxLength: 40 });
const yes = fc.constant(true as const);

const plainActions: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ type: fc.constant('output' as const), port: u32 }),
  fc.record({ type: fc.constant('output' as const), port: u32, maxLen: fc.integer({ min: 1, max: 0xfffe }) }),
  fc.record({
    type: fc.constant('output_trunc' as const),
    port: fc.oneof(fc.nat(0xfeff), fc.constant(0xfffffffd)),
    maxLen: u32,
  }),
  fc.record({
    type: fc.constant('check_pkt_larger' as const),
    bytes: u16,
    field: fc.constantFrom('reg0' as const, 'reg12' as const),
    offset: fc.nat(31),
  }),
  fc.record({ type: fc.constant('group' as const), group: u32 }),
  fc.record({ type: fc.constant('meter' as const), meter: u32 }),
  fc.record({ type: fc.constantFrom('push_vlan', 'push_mpls', 'pop_mpls'), ethertype: u16 }),
  fc.constantFrom<Action>({ type: 'pop_vlan' }, { type: 'dec_ttl' }, { type: 'ct_clear' }),
  fc.constantFrom<Action>(
    { type: 'clone', actions: [{ type: 'dec_ttl' }, { type: 'resubmit', table: 3 }] },
    { type: 'clone', actions: [] },
  ),
  setFields,
  fc
    .integer({ min: 1, max: 48 })
    .chain((width) =>
      fc.record({ type: fc.constant('move' as const), from: subfields(width), to: subfields(width) }),
    ),
  fc.record(
    {
      type: fc.constant('resubmit' as const),
      table: u8,
      port: fc.oneof(fc.nat(0xfeff), fc.constant(0xfffffffe)),
    },
    { requiredKeys: ['type', 'table'] },
  ),
  fc
    .tuple(fc.integer({ min: 2, max: 64 }), fc.nat(63), u32)
    .map(([of, clause, id]): Action => ({ type: 'conjunction', id, clause: (clause % of) + 1, of })),
  fc.record({
    type: fc.constant('learn' as const),
    learn: fc.record({
      idleTimeout: u16,
      hardTimeout: u16,
      priority: u16,
      cookie: u64,
      flags: u16,
      table: u8,
      finIdleTimeout: u16,
      finHardTimeout: u16,
      specs: fc.array(specs, { maxLength: 4 }),
    }),
  }),
  fc
    .uint8Array({ maxLength: 20 })
    .map((note): Action => ({ type: 'note', bytes: Uint8Array.from([...note, 1]) })),
  fc.record(
    {
      type: fc.constant('controller' as const),
      userdata,
      maxLen: fc.nat(0xfffe),
      reason: fc.constantFrom(0, 2, 3),
      controllerId: fc.integer({ min: 1, max: 0xffff }),
      meter: u32,
      pause: yes,
    },
    { requiredKeys: ['type'] },
  ),
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map(
    (body): Action => ({
      type: 'raw',
      bytes: Uint8Array.from([0x7f, 0xff, 0, 8, ...body]),
    }),
  ),
);

const cts: fc.Arbitrary<Action> = fc.record(
  {
    type: fc.constant('ct' as const),
    zone: fc.oneof(u16, subfields(16)),
    commit: yes,
    force: yes,
    table: fc.nat(254),
    alg: fc.integer({ min: 1, max: 0xffff }),
    exec: fc.array(setFields, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['type', 'zone'] },
);

export const actionLists: fc.Arbitrary<Action[]> = fc.array(fc.oneof(plainActions, cts), { maxLength: 6 });

const nonzero16 = fc.integer({ min: 1, max: 0xffff });

export const flowMods = fc.record(
  {
    type: fc.constant('flow_mod' as const),
    command: fc.constantFrom('add', 'modify', 'modify_strict', 'delete', 'delete_strict'),
    table: u8,
    priority: u16,
    match: arbitraryMatches,
    cookie: u64,
    actions: actionLists,
    goto: u8,
    cookieMask: fc.bigInt(1n, 0xffffffffffffffffn),
    idleTimeout: nonzero16,
    hardTimeout: nonzero16,
    flags: nonzero16,
    importance: nonzero16,
    outPort: fc.nat(0xfffffffe),
    outGroup: fc.nat(0xfffffffe),
  },
  { requiredKeys: ['type', 'command', 'table', 'priority', 'match', 'cookie', 'actions'] },
);

const buckets = fc.record(
  { id: u32, actions: actionLists, weight: u16, watchPort: u32, watchGroup: u32 },
  { requiredKeys: ['id', 'actions'] },
);

const groupMods = fc.record(
  {
    type: fc.constant('group_mod' as const),
    command: fc.constantFrom('add', 'modify', 'delete', 'insert_bucket', 'remove_bucket', 'add_or_modify'),
    group: u32,
    groupType: fc.constantFrom('all', 'select', 'indirect', 'fast_failover'),
    buckets: fc.array(buckets, { maxLength: 3 }),
    bucketId: fc.nat(0xfffffffe),
  },
  { requiredKeys: ['type', 'command', 'group', 'groupType', 'buckets'] },
);

const packetOuts = fc.record(
  {
    type: fc.constant('packet_out' as const),
    inPort: u32,
    actions: actionLists,
    data: bytes(64),
    bufferId: fc.nat(0xfffffffe),
    match: arbitraryMatches
      .map((match): Match => Object.fromEntries(Object.entries(match).filter(([name]) => name !== 'in_port')))
      .filter((match) => Object.keys(match).length > 0),
  },
  { requiredKeys: ['type', 'inPort', 'actions', 'data'] },
);

const tuples = fc.record(
  {
    src: fc.bigInt(0n, (1n << 128n) - 1n),
    dst: fc.bigInt(0n, (1n << 128n) - 1n),
    srcPort: u16,
    dstPort: u16,
    icmpId: u16,
    icmpType: u8,
    icmpCode: u8,
  },
  { requiredKeys: [] },
);

const flowStats = fc.record(
  {
    table: u8,
    priority: u16,
    match: arbitraryMatches,
    cookie: u64,
    actions: actionLists,
    goto: u8,
    packets: u64,
    bytes: u64,
    duration: fc.nat(0xffffffff),
    idle: fc.nat(0xffffffff),
    idleTimeout: u16,
    hardTimeout: u16,
  },
  {
    requiredKeys: [
      'table',
      'priority',
      'match',
      'cookie',
      'actions',
      'packets',
      'bytes',
      'duration',
      'idle',
      'idleTimeout',
      'hardTimeout',
    ],
  },
);

const flowChanges = fc.record(
  {
    event: fc.constantFrom('initial' as const, 'added' as const, 'modified' as const, 'removed' as const),
    reason: u8,
    table: u8,
    priority: u16,
    match: arbitraryMatches,
    cookie: u64,
    actions: actionLists,
    goto: u8,
    idleTimeout: u16,
    hardTimeout: u16,
  },
  {
    requiredKeys: [
      'event',
      'reason',
      'table',
      'priority',
      'match',
      'cookie',
      'actions',
      'idleTimeout',
      'hardTimeout',
    ],
  },
);

const flowUpdates = fc.oneof(
  flowChanges,
  fc.record({ event: fc.constant('abbreviated' as const), xid: u32 }),
  fc.record({ event: fc.constant('paused' as const) }),
  fc.record({ event: fc.constant('resumed' as const) }),
);

export const messages: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant('hello' as const), versions: fc.constantFrom([6], [1, 4, 6], [1]) }),
  fc.record({ type: fc.constant('error' as const), errorType: fc.nat(20), code: u16, data: bytes(20) }),
  fc.record({
    type: fc.constant('error' as const),
    errorType: fc.constant(0xffff),
    code: u16,
    experimenter: u32,
    data: bytes(20),
  }),
  fc.record({ type: fc.constantFrom('echo_request' as const, 'echo_reply' as const), data: bytes(20) }),
  flowMods,
  groupMods,
  packetOuts,
  fc.record({
    type: fc.constant('bundle_add' as const),
    bundle: u32,
    flags: u16,
    member: fc.oneof(flowMods, groupMods, packetOuts),
  }),
  fc.record(
    {
      type: fc.constant('packet_in' as const),
      data: bytes(64),
      table: u8,
      cookie: u64,
      reason: u8,
      metadata: arbitraryMatches,
      fullLen: u32,
      bufferId: u32,
      userdata: bytes(32),
      continuation: bytes(32),
    },
    { requiredKeys: ['type', 'data', 'table', 'cookie', 'reason', 'metadata'] },
  ),
  fc.record(
    { type: fc.constant('ct_flush' as const), protocol: u8, original: tuples, reply: tuples, zone: u16 },
    { requiredKeys: ['type', 'protocol'] },
  ),
  fc.record({
    type: fc.constant('multipart_reply' as const),
    body: fc.record({ kind: fc.constant('flow' as const), entries: fc.array(flowStats, { maxLength: 4 }) }),
  }),
  fc.record({
    type: fc.constant('multipart_reply' as const),
    body: fc.record({
      kind: fc.constant('flow_monitor' as const),
      entries: fc.array(flowUpdates, { maxLength: 4 }),
    }),
  }),
  fc.record({
    type: fc.constant('multipart_request' as const),
    body: fc.record(
      {
        kind: fc.constant('flow_monitor' as const),
        monitor: u32,
        command: fc.constantFrom('add' as const, 'modify' as const, 'delete' as const),
        flags: u16,
        table: fc.nat(0xfe),
      },
      { requiredKeys: ['kind', 'monitor', 'command', 'flags'] },
    ),
  }),
  fc.record({
    type: fc.constant('meter_mod' as const),
    command: fc.constantFrom('add', 'modify', 'delete'),
    meter: u32,
    flags: u16,
    bands: fc.array(fc.record({ kind: fc.constant('drop' as const), rate: u32, burst: u32 }), {
      maxLength: 3,
    }),
  }),
  fc.record({
    type: fc.constant('unknown' as const),
    messageType: fc.integer({ min: 60, max: 255 }),
    data: bytes(40),
  }),
  fc.record({
    type: fc.constant('experimenter' as const),
    experimenter: fc.integer({ min: 1, max: 0x2000 }),
    subtype: u32,
    data: bytes(40),
  }),
);
