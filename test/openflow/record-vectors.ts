/**
 * Records the messages between ovs-ofctl and ovs-vswitchd, command by command, into
 * src/openflow/testing/vectors. When commands change, run `npx tsx test/openflow/record-vectors.ts`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Framer } from '../../src/openflow/framer.ts';
import { messageTypes, multipartKinds } from '../../src/openflow/spec/numbers.ts';
import { PrivateSwitch } from './private-switch.ts';

const run = promisify(execFile);
const out = new URL('../../src/openflow/testing/vectors/', import.meta.url).pathname;

const flow = (text: string): string[] => ['add-flow', text];

const commands: Readonly<Record<string, readonly string[]>> = {
  'group-select': [
    'add-group',
    'group_id=1,type=select,bucket=weight:5,bucket_id:1,output:1,bucket=weight:6,bucket_id:2,set_field:5->reg0,output:2',
  ],
  'group-failover': [
    'add-group',
    'group_id=2,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:2,watch_group:1,output:2',
  ],
  'group-all': ['add-group', 'group_id=3,type=all,bucket=output:1,bucket=output:2'],
  'group-insert': ['insert-buckets', 'group_id=3,command_bucket_id=last,bucket=bucket_id:9,output:3'],
  'group-remove': ['remove-buckets', 'group_id=3,command_bucket_id=9'],
  'meter-add': ['add-meter', 'meter=4,kbps,burst,stats,band=type=drop,rate=1000,burst_size=100'],
  'meter-modify': ['mod-meter', 'meter=4,pktps,band=type=drop,rate=50'],
  'flow-registers': flow(
    'table=4,priority=7,cookie=0x123456789abcdef0,in_port=3,metadata=0x55/0xff,reg0=1,reg5=0x12/0xff,reg6=7,pkt_mark=9,' +
      'actions=set_field:0x5->reg1,load:0x3->NXM_NX_REG2[4..7],move:NXM_NX_REG0[0..15]->NXM_NX_REG3[16..31],goto_table:9',
  ),
  'flow-conntrack': flow(
    'table=5,priority=100,ct_state=+trk+est-rel-inv,ct_zone=77,ct_mark=0x1/0x3,ct_label=0x2/0xf,tcp,nw_src=10.0.0.0/8,' +
      'tp_dst=0x50/0xfff0,actions=ct(commit,force,zone=NXM_NX_REG3[0..15],table=9,alg=ftp,' +
      'exec(set_field:0x1/0x1->ct_mark,load:0x7->NXM_NX_CT_LABEL[32..63])),ct_clear,ct(zone=5)',
  ),
  'flow-original-tuple': flow(
    'ct_state=+trk,ip,ct_nw_proto=17,ct_nw_src=10.0.0.1,ct_nw_dst=10.0.0.0/8,ct_tp_src=53,ct_tp_dst=0x100/0xff00,actions=drop',
  ),
  'flow-conjunction': flow(
    'priority=50,ip,nw_dst=10.1.2.3,actions=conjunction(1000,1/3),conjunction(1001,2/2)',
  ),
  'flow-conjunction-id': flow(
    'priority=50,conj_id=1000,ip,actions=resubmit(,8),resubmit(7,9),resubmit(LOCAL,9)',
  ),
  'flow-learn': flow(
    'table=1,arp,arp_op=2,actions=learn(table=20,idle_timeout=10,hard_timeout=20,fin_idle_timeout=1,priority=77,cookie=0x42,' +
      'send_flow_rem,delete_learned,eth_type=0x800,NXM_OF_IP_DST[]=NXM_OF_ARP_SPA[],NXM_NX_REG1[4..15],' +
      'load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0x1->NXM_NX_REG10[3],output:NXM_NX_REG9[])',
  ),
  'flow-controller': flow(
    'priority=9,udp6,udp_src=546,udp_dst=547,actions=controller(userdata=01.02.03.04.05,max_len=200,id=3,reason=no_match,pause,meter_id=4),' +
      'controller(userdata=aa),CONTROLLER:65535,CONTROLLER:128,note:01.02.03.04.05.06.07',
  ),
  'flow-arp': flow(
    'arp,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.0/24,arp_sha=02:00:00:00:00:01,arp_tha=00:00:00:00:00:00,' +
      'actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:02->eth_src,set_field:2->arp_op,IN_PORT',
  ),
  'flow-neighbour-solicitation': flow(
    'icmp6,icmp_type=135,icmp_code=0,ipv6_src=fe80::/10,ipv6_dst=ff02::1:ff00:1,nd_target=fe80::1,nd_sll=02:00:00:00:00:01,actions=NORMAL',
  ),
  'flow-neighbour-advertisement': flow(
    'icmp6,icmp_type=136,icmp_code=0,nd_target=fe80::1,nd_tll=02:00:00:00:00:01/ff:ff:ff:00:00:00,nd_reserved=0xe0000000,nd_options_type=2,actions=ALL',
  ),
  'flow-ip': flow(
    'ip,ip_frag=not_later,nw_tos=32,nw_ecn=1,nw_ttl=64,nw_src=10.0.0.0/255.0.255.0,actions=dec_ttl,FLOOD',
  ),
  'flow-tcp6': flow('tcp6,ipv6_label=0x12345,tcp_flags=+syn-ack,tp_src=1000,actions=output:5'),
  'flow-icmp': flow('icmp,icmp_type=0,icmp_code=3,actions=LOCAL'),
  'flow-sctp': flow('sctp,tp_src=1,tp_dst=2,actions=drop'),
  'flow-vlan': flow(
    'dl_vlan=100,dl_vlan_pcp=3,actions=pop_vlan,push_vlan:0x8100,set_field:4196->vlan_vid,group:1',
  ),
  'flow-untagged': flow('vlan_tci=0x0000/0x1fff,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=TABLE'),
  'flow-tunnel': flow(
    'tun_id=0x1234/0xffff,tun_src=192.0.2.1,tun_dst=192.0.2.0/24,tun_flags=0/1,actions=set_field:0x7->tun_id,set_field:192.0.2.9->tun_dst,output:9',
  ),
  'flow-tunnel6': flow('tun_ipv6_src=2001:db8::1,tun_ipv6_dst=2001:db8::/32,actions=meter:4,output:2'),
  'flow-wide-registers': flow(
    'xreg4=0x1122334455667788,xxreg3=0x1/0xff,actions=set_field:0x1->xreg0,set_field:0x2/0xf->xxreg1',
  ),
  'flow-timeouts': flow(
    'table=3,idle_timeout=30,hard_timeout=60,importance=5,send_flow_rem,check_overlap,reset_counts,actions=exit',
  ),
  'flow-foreign': flow(
    'table=2,mpls,mpls_label=5,actions=sample(probability=3),write_actions(output:1),write_metadata:0x5/0xf',
  ),
  'flow-delete-strict': ['--strict', 'del-flows', 'table=4,priority=7,reg0=1'],
  'flow-delete-cookie': ['del-flows', 'cookie=0x5/0xff,table=7,out_port=3,out_group=1'],
  'flow-modify': ['mod-flows', 'table=3,cookie=0x9/-1,ip,actions=drop'],
  'packet-out': [
    'packet-out',
    'in_port=CONTROLLER,packet=ffffffffffff0200000000010806,reg0=5,actions=resubmit(,4)',
  ],
  bundle: ['bundle', '-'],
  'dump-flows': ['dump-flows'],
  'dump-aggregate': ['dump-aggregate', 'table=4,cookie=0x5/0xf'],
  'dump-tables': ['dump-tables'],
  'dump-table-desc': ['dump-table-desc'],
  'dump-ports-desc': ['dump-ports-desc'],
  'dump-desc': ['dump-desc'],
  'dump-groups': ['dump-groups'],
  'dump-group-stats': ['dump-group-stats'],
  'dump-group-features': ['dump-group-features'],
  'dump-meters': ['dump-meters'],
  'meter-stats': ['meter-stats'],
  'meter-features': ['meter-features'],
  'ct-flush-zone': ['ct-flush-zone', '513'],
  'ct-flush': [
    'ct-flush',
    'zone=5',
    'ct_nw_src=10.0.0.1,ct_nw_dst=10.0.0.2,ct_nw_proto=6,ct_tp_src=1,ct_tp_dst=2',
    'ct_nw_src=10.0.0.2',
  ],
  'ct-flush6': ['ct-flush', 'ct_ipv6_src=2001:db8::1,ct_nw_proto=58,icmp_id=7,icmp_type=128,icmp_code=0'],
  'tlv-map': ['add-tlv-map', '{class=0xffff,type=0x10,len=4}->tun_metadata0'],
  'tlv-map-dump': ['dump-tlv-map'],
};

const bundleText =
  'flow add table=6,priority=1,actions=drop\nflow delete table=6\ngroup group_id=9,type=indirect,bucket=output:1\n';

/** ovs-ofctl requests the features of all 254 tables before it adds a flow: two megabytes without use here. */
const worthKeeping = (frame: Buffer): boolean =>
  !(
    frame.readUInt8(1) === messageTypes.multipart_reply &&
    frame.readUInt16BE(8) === multipartKinds.table_features
  );

async function record(sw: PrivateSwitch, args: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const path = join(sw.dir, 'recorder.sock');
  const note = (direction: '>' | '<'): ((chunk: Buffer) => void) => {
    const framer = new Framer();
    return (chunk) =>
      framer.push(chunk, (frame) => {
        if (worthKeeping(frame)) lines.push(`${direction} ${frame.toString('hex')}`);
        return true;
      });
  };
  const server = createServer((client) => {
    const real = connect(sw.target.slice('unix:'.length));
    const [sent, received] = [note('>'), note('<')];
    client.on('data', sent).pipe(real);
    real.on('data', received).pipe(client);
    client.on('error', () => real.destroy());
    real.on('error', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const [command = '', ...rest] = args;
  const at = command.startsWith('--')
    ? [command, rest.shift() ?? '', `unix:${path}`, ...rest]
    : [command, `unix:${path}`, ...rest];
  try {
    const child = run('ovs-ofctl', ['-O', 'OpenFlow15', ...at]);
    if (command === 'bundle') child.child.stdin?.end(bundleText);
    await child;
  } catch (error) {
    console.error(`${args.join(' ')}: ${String(error)}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  return lines;
}

const sw = await PrivateSwitch.start();
try {
  mkdirSync(out, { recursive: true });
  for (const [name, args] of Object.entries(commands)) {
    const lines = await record(sw, args);
    const [command, ...rest] = args[0]?.startsWith('--')
      ? [args.slice(0, 2).join(' '), ...args.slice(2)]
      : args;
    writeFileSync(
      join(out, `${name}.txt`),
      [
        `# ovs-ofctl -O OpenFlow15 ${command} BRIDGE ${rest.map((a) => `'${a}'`).join(' ')}`.trim(),
        ...lines,
        '',
      ].join('\n'),
    );
  }
} finally {
  await sw.stop();
}
