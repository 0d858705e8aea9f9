import { describe, expect, it } from 'vitest';
import { readPacketWords } from './packet-words.ts';

const read = (text: string) => readPacketWords(text.split(' '));

describe('words of a packet', () => {
  it.each([
    ['tcp 192.0.2.5:443', { protocol: 'tcp', destination_ip: '192.0.2.5', destination_port: 443 }],
    ['udp [2001:db8::5]:53', { protocol: 'udp', destination_ip: '2001:db8::5', destination_port: 53 }],
    ['icmp 2001:db8::5', { protocol: 'icmp', destination_ip: '2001:db8::5' }],
    ['icmp [2001:db8::5]', { protocol: 'icmp', destination_ip: '2001:db8::5' }],
    [
      'udp src=10.0.0.9:1000 dst=10.0.0.2:53',
      {
        protocol: 'udp',
        source_ip: '10.0.0.9',
        source_port: 1000,
        destination_ip: '10.0.0.2',
        destination_port: 53,
      },
    ],
    [
      'tcp 10.0.0.2 dport=1 sport=2 flags=syn,ack ttl=1 vlan=5',
      {
        protocol: 'tcp',
        destination_ip: '10.0.0.2',
        destination_port: 1,
        source_port: 2,
        tcp_flags: ['syn', 'ack'],
        hop_limit: 1,
        vlan: 5,
      },
    ],
    [
      'arp 10.0.0.1 op=reply src-mac=02:00:00:00:00:09 dst-mac=02:00:00:00:00:01',
      {
        protocol: 'arp',
        destination_ip: '10.0.0.1',
        operation: 'reply',
        source_mac: '02:00:00:00:00:09',
        destination_mac: '02:00:00:00:00:01',
      },
    ],
    [
      'icmp 10.0.0.1 type=3 code=1 id=7',
      { protocol: 'icmp', destination_ip: '10.0.0.1', icmp_type: 3, icmp_code: 1, icmp_id: 7 },
    ],
  ])('%s', (text, packet) => {
    expect(read(text)).toEqual(packet);
  });

  it.each([
    ['', /the first word|say where/],
    ['tcp', /say where the packet goes/],
    ['10.0.0.1', /say where the packet goes/],
    ['src=10.0.0.1 tcp', /the first word must be a protocol/],
    ['tcp 10.0.0.1:99999999', /is not ADDRESS or ADDRESS:PORT/],
    ['tcp example.org:80', /is not ADDRESS or ADDRESS:PORT/],
    ['tcp 10.0.0.1 10.0.0.2', /one word too many/],
    ['tcp 10.0.0.1 colour=red', /no word colour=/],
    ['tcp 10.0.0.1 constructor=1', /no word constructor=/],
    ['tcp 10.0.0.1 dst=10.0.0.2', /destination_ip is given twice/],
    ['tcp 10.0.0.1:80 dport=81', /destination_port is given twice/],
    ['tcp 10.0.0.1 src=10.0.0.2 src=10.0.0.3', /source_ip is given twice/],
    ['tcp 10.0.0.1:80 flags=syn flags=ack', /tcp_flags is given twice/],
    ['tcp 10.0.0.1 ttl=many', /ttl=many is not a number/],
  ])('refuses "%s"', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('requires a packet', () => {
    expect(() => readPacketWords([])).toThrow(/say what the port sends/);
  });
});
