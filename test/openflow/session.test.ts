import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  canonicalBody,
  canonicalKey,
  type Flow,
  flowMod,
  type GroupMod,
  type PacketIn,
  type PortStatus,
  ports,
  Session,
} from '../../src/openflow/index.ts';
import { sampleFlows } from './flows.ts';
import { PrivateSwitch } from './private-switch.ts';

/** A UDP datagram over IPv4 without UDP checksum, which conntrack accepts as valid. */
function datagram(from: number, to: number): Buffer {
  const frame = Buffer.alloc(14 + 20 + 8 + 16);
  frame.write('0200000000020200000000010800', 0, 'hex');
  const ip = frame.subarray(14);
  ip.write('4500002c00004000401100000a0000010a000002', 0, 'hex');
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += ip.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  ip.writeUInt16BE(~sum & 0xffff, 10);
  ip.writeUInt16BE(from, 20);
  ip.writeUInt16BE(to, 22);
  ip.writeUInt16BE(24, 24);
  return frame;
}

const mapped = (ip: number): bigint => 0xffff00000000n | BigInt(ip);

describe('a session with a real switch', () => {
  let sw: PrivateSwitch;
  let session: Session;
  let packets: PacketIn[];
  let statuses: PortStatus[];

  beforeAll(async () => {
    sw = await PrivateSwitch.start();
  });
  afterAll(async () => {
    await sw?.stop();
  });
  beforeEach(async () => {
    packets = [];
    statuses = [];
    session = Session.connect({
      target: sw.target,
      onPacketIn: (packet) => packets.push(packet),
      onPortStatus: (status) => statuses.push(status),
    });
    await session.ready();
  });
  afterEach(async () => {
    await session.close();
    await sw.ofctl('del-flows');
    await sw.ofctl('del-groups');
    await sw.ofctl('del-meters');
  });

  it('reads flows of every kind back as it sent them', async () => {
    await session.bundle(sampleFlows.map(flowMod.add));
    const dumped = await session.dumpFlows();
    expect(dumped.length).toBe(sampleFlows.length);
    const byKey = new Map(dumped.map((flow) => [canonicalKey(flow.table, flow.priority, flow.match), flow]));
    for (const flow of sampleFlows) {
      const found = byKey.get(canonicalKey(flow.table, flow.priority, flow.match));
      if (found === undefined) expect.fail(`not found: priority ${flow.priority}`);
      expect(found.cookie).toBe(flow.cookie);
      expect(found.unknownMatch).toBeUndefined();
      if (canonicalBody(found) !== canonicalBody(flow)) expect(found).toEqual(flow);
      expect(found.goto).toBe(flow.goto);
      expect(found.actions).toEqual(flow.actions);
    }
  });

  it('removes each of them by its key alone', async () => {
    await session.bundle(sampleFlows.map(flowMod.add));
    await session.bundle((await session.dumpFlows()).map(flowMod.remove));
    expect(await session.dumpFlows()).toEqual([]);
    await session.bundle(sampleFlows.map(flowMod.add));
    await session.bundle(sampleFlows.map(flowMod.remove));
    expect(await session.dumpFlows()).toEqual([]);
  });

  it('is understood by ovs-ofctl as intended', async () => {
    await session.bundle(sampleFlows.slice(0, 8).map(flowMod.add));
    const text = await sw.ofctl('dump-flows');
    const expected = [
      'priority=101,reg1=0x5,reg2=0x1200/0xff00,reg15=0x80000000,metadata=0x5/0xff,in_port=3 actions=set_field:0x5/0xff->reg0,resubmit(,4),goto_table:3',
      'ct_state=+new-est-rel-inv+trk,ct_zone=3,ct_mark=0x1/0x3,ct_label=0x5/0xff',
      'ct(commit,table=9,zone=NXM_NX_REG3[0..15],exec(set_field:0x1/0x1->ct_mark,set_field:0x1/0x3->ct_label,move:NXM_NX_REG1[]->NXM_NX_CT_LABEL[32..63])),dec_ttl',
      'tcp,dl_src=aa:bb:cc:dd:ee:ff,nw_src=10.0.0.0/8,nw_tos=32,nw_ttl=64,nw_frag=not_later,tp_dst=0x400/0xfc00',
      'learn(table=20,hard_timeout=30,priority=5,delete_learned,cookie=0x7,eth_type=0x800,NXM_OF_IP_DST[]=NXM_OF_ARP_SPA[],NXM_NX_REG1[4..15],load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0x1->NXM_NX_REG10[3],load:OXM_OF_IN_PORT[]->NXM_NX_REG9[],output:NXM_NX_REG9[])',
      'icmp6,icmp_type=135,icmp_code=0,nd_target=::5,nd_sll=00:00:00:00:00:03',
    ];
    for (const part of expected) expect(text).toContain(part);
  });

  it('installs 5000 flows in one bundle, counts and reads them', async () => {
    const flows: Flow[] = Array.from({ length: 5000 }, (_, i) => ({
      table: 30,
      priority: 100,
      cookie: BigInt(i),
      match: { reg1: i, eth_type: 0x800, ip_src: 0x0a000000 + i },
      actions: [{ type: 'conjunction', id: i + 1, clause: 1, of: 2 }],
    }));
    await session.bundle(flows.map(flowMod.add));
    expect((await session.aggregate({ table: 30 })).flows).toBe(5000);
    const dumped = await session.dumpFlows({ table: 30 });
    const keys = new Set(dumped.map((flow) => canonicalKey(flow.table, flow.priority, flow.match)));
    expect(keys.size).toBe(5000);
    for (const { table, priority, match } of flows)
      expect(keys.has(canonicalKey(table, priority, match))).toBe(true);
    const one = await session.dumpFlows({ cookie: 77n });
    expect(one.map((flow) => flow.match.reg1)).toEqual([77]);
  });

  it('changes nothing when one flow of a bundle is bad, and names it', async () => {
    const good: Flow[] = [1, 2, 3].map((reg0) => ({
      table: 0,
      priority: 1,
      cookie: 0n,
      match: { reg0 },
      actions: [],
    }));
    const prerequisite: Flow = { table: 0, priority: 1, cookie: 0n, match: { tcp_dst: 80 }, actions: [] };
    const attempt = session.bundle([...good, prerequisite, ...good].map(flowMod.add));
    await expect(attempt).rejects.toMatchObject({
      data: { code: 'Refused', member: 3, errorType: 4, errorCode: 9 },
    });
    expect(await session.dumpFlows()).toEqual([]);
    // The error comes only at the commit: the group does not exist.
    const group: Flow = { ...prerequisite, match: {}, actions: [{ type: 'group', group: 99 }] };
    const second = session.bundle([...good, group].map(flowMod.add));
    await expect(second).rejects.toMatchObject({ data: { code: 'Refused', member: 3 } });
    expect(await session.dumpFlows()).toEqual([]);
    await session.bundle(good.map(flowMod.add));
    expect((await session.dumpFlows()).length).toBe(3);
  });

  it('makes groups together with the flows that use them', async () => {
    const group: GroupMod = {
      type: 'group_mod',
      command: 'add',
      group: 7,
      groupType: 'all',
      buckets: [
        {
          id: 1,
          actions: [
            { type: 'set_field', field: 'reg0', value: 5 },
            { type: 'resubmit', table: 9 },
          ],
        },
        { id: 2, actions: [{ type: 'output', port: 2 }] },
      ],
    };
    const flow: Flow = {
      table: 0,
      priority: 1,
      cookie: 0n,
      match: {},
      actions: [{ type: 'group', group: 7 }],
    };
    await session.bundle([group, flowMod.add(flow)]);
    const [described] = await session.multipart({ kind: 'group_desc' }, 'group_desc');
    expect(described).toEqual({ group: 7, groupType: 'all', buckets: group.buckets });
    const [counted] = await session.multipart({ kind: 'group' }, 'group');
    expect(counted).toMatchObject({ group: 7, references: 1, buckets: [{ packets: 0n }, { packets: 0n }] });
    await session.bundle([flowMod.remove(flow), { ...group, command: 'delete', buckets: [] }]);
    expect(await session.multipart({ kind: 'group_desc' }, 'group_desc')).toEqual([]);
  });

  it('makes meters', async () => {
    const bands = [{ kind: 'drop', rate: 1000, burst: 100 }] as const;
    await session.meters([{ type: 'meter_mod', command: 'add', meter: 5, flags: 13, bands }]);
    const flow: Flow = {
      table: 0,
      priority: 1,
      cookie: 0n,
      match: {},
      actions: [
        { type: 'meter', meter: 5 },
        { type: 'output', port: 1 },
      ],
    };
    await session.bundle([flowMod.add(flow)]);
    expect((await session.dumpFlows())[0]?.actions).toEqual(flow.actions);
    expect(await session.multipart({ kind: 'meter_config' }, 'meter_config')).toEqual([
      { meter: 5, flags: 13, bands },
    ]);
    const again = session.meters([{ type: 'meter_mod', command: 'add', meter: 5, flags: 13, bands }]);
    await expect(again).rejects.toMatchObject({
      data: { code: 'Refused', errorType: 12, errorCode: 1, member: 0 },
    });
  });

  it('gets a packet that it sent, with userdata and metadata', async () => {
    const userdata = Uint8Array.from([9, 8, 7]);
    const flow: Flow = {
      table: 0,
      priority: 1,
      cookie: 0x77n,
      match: { eth_type: 0x800, reg5: 0x42 },
      actions: [
        { type: 'set_field', field: 'reg6', value: 6 },
        { type: 'controller', userdata },
      ],
    };
    await session.bundle([flowMod.add(flow)]);
    const data = datagram(1000, 2000);
    session.packetOut({ data, match: { reg5: 0x42 }, actions: [{ type: 'output', port: ports.table }] });
    await vi.waitFor(() => expect(packets.length).toBe(1));
    expect(packets[0]).toMatchObject({ table: 0, cookie: 0x77n, userdata, data: new Uint8Array(data) });
    expect(packets[0]?.metadata).toEqual({ in_port: ports.controller, reg5: 0x42, reg6: 6 });
    expect((await session.dumpFlows())[0]).toMatchObject({ packets: 1n });
  });

  it('names tables', async () => {
    await session.setTableNames(
      new Map([
        [0, 'classify'],
        [7, 'guard'],
      ]),
    );
    const flow = (table: number): Flow => ({ table, priority: 1, cookie: 0n, match: {}, actions: [] });
    await session.bundle([flowMod.add(flow(0)), flowMod.add(flow(7))]);
    const named = await session.multipart({ kind: 'table_features', tables: [] }, 'table_features');
    expect(named[0]?.name).toBe('classify');
    expect(named[7]?.name).toBe('guard');
    expect(await sw.ofctl('dump-flows', '--names')).toContain('guard');
    const long = session.setTableNames(new Map([[0, 'x'.repeat(32)]]));
    await expect(long).rejects.toMatchObject({ name: 'Unencodable' });
  });

  it('flushes connections by tuple and by zone', async () => {
    const commit = (zone: number, from: number): void =>
      session.packetOut({
        data: datagram(from, 53),
        inPort: ports.local,
        actions: [{ type: 'ct', commit: true, zone }],
      });
    for (const port of [1001, 1002, 1003]) commit(5, port);
    commit(6, 1004);
    await session.barrier();
    const sources = async (): Promise<string[]> => {
      const text = await sw.appctl('dpctl/dump-conntrack');
      return [...text.matchAll(/orig=\(src=10\.0\.0\.1,dst=10\.0\.0\.2,sport=(\d+)/g)]
        .map((found) => found[1] ?? '')
        .toSorted();
    };
    await vi.waitFor(async () => expect(await sources()).toEqual(['1001', '1002', '1003', '1004']));
    const original = { src: mapped(0x0a000001), dst: mapped(0x0a000002), srcPort: 1002, dstPort: 53 };
    await session.flushConntrack({ protocol: 17, zone: 5, original });
    expect(await sources()).toEqual(['1001', '1003', '1004']);
    await session.flushZone(5);
    expect(await sources()).toEqual(['1004']);
    await session.flushConntrack({ protocol: 17, original: { dstPort: 53 } });
    expect(await sources()).toEqual([]);
  });

  it('receives events of ports that come and go', async () => {
    await sw.vsctl(
      'add-port',
      sw.bridge,
      'p1',
      '--',
      'set',
      'interface',
      'p1',
      'type=dummy',
      'ofport_request=11',
    );
    await vi.waitFor(() =>
      expect(statuses.map((s) => [s.reason, s.port.name, s.port.port])).toContainEqual(['add', 'p1', 11]),
    );
    expect((await session.ports()).map((port) => port.name)).toContain('p1');
    await sw.vsctl('del-port', 'p1');
    await vi.waitFor(() =>
      expect(statuses.map((s) => [s.reason, s.port.name])).toContainEqual(['delete', 'p1']),
    );
  });

  it('reads the description of the switch', async () => {
    expect(session.features?.tables).toBe(254);
    const [described] = await session.multipart({ kind: 'desc' }, 'desc');
    expect(described?.hardware).toBe('Open vSwitch');
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'reconnects to the switch after %s and a restart',
    async (signal) => {
      const downs: string[] = [];
      const ups = vi.fn();
      const lasting = Session.connect({
        target: sw.target,
        backoff: { minDelay: 30_000, maxDelay: 30_000 },
        onUp: ups,
        onDown: (reason) => downs.push(reason),
      });
      try {
        await lasting.ready();
        await sw.killVswitchd(signal);
        await vi.waitFor(() => expect(downs.length).toBe(1));
        await sw.startVswitchd();
        await lasting.ready();
        expect(ups).toHaveBeenCalledTimes(2);
        await lasting.bundle(sampleFlows.map(flowMod.add));
        expect((await lasting.dumpFlows()).length).toBe(sampleFlows.length);
      } finally {
        await lasting.close();
      }
    },
  );
});
