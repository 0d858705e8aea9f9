/** QoS: limits and marks of the sender's policy, limits of the receiver's. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, destination, network } = register;

export const qosTables = {
  /** Behind the sender's security groups, so that a dropped packet uses up nothing. */
  egress_qos: {
    id: 30,
    match: [network, source, 'eth_type'],
    neutral: 'all',
    bands: { mark: 110, limit: 100, none: 0 },
    uses: ['meter'],
    rewrite: ['ip_dscp'],
    next: ['egress_packets', after('egressQos')],
  },
  egress_packets: {
    id: 31,
    match: [network, source],
    neutral: 'all',
    bands: { limit: 100, miss: 0 },
    uses: ['meter'],
    next: [after('egressQos')],
  },
  ingress_qos: {
    id: 51,
    match: [network, destination],
    neutral: 'all',
    bands: { limit: 100, none: 0 },
    uses: ['clone'],
    output: ['copy'],
    resubmit: ['ingress_bandwidth', 'ingress_packets'],
    next: [after('ingressQos')],
  },
  ingress_bandwidth: {
    id: 52,
    match: [network, destination],
    neutral: 'all',
    bands: { limit: 100, miss: 0 },
    uses: ['meter'],
    next: ['ingress_packets', after('ingressQos')],
  },
  ingress_packets: {
    id: 53,
    match: [network, destination],
    neutral: 'all',
    bands: { limit: 100, miss: 0 },
    uses: ['meter'],
    next: [after('ingressQos')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const qosReasons = {
  limit: "limits of the port's QoS policy",
  mark: 'DSCP mark',
  'no-policy': 'no QoS policy',
} as const;
