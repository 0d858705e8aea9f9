/** Drops of fragments depend on their origin: a kernel's datapath shows them as whole packets behind the lookup. */
import { expect, test } from 'vitest';
import { networkKeyOf, portKeyOf, zone } from '../../../../test/lib/keys.ts';
import { cidr } from '../../../net/cidr.ts';
import { macFromBits } from '../../../net/mac.ts';
import type { NetworkId, Port, PortId } from '../../../policy/world.ts';
import { localPort } from '../../local-port.ts';
import { anyFragment } from '../../matches.ts';
import { flag, register } from '../../registers.ts';
import { tables } from '../../tables.ts';
import { dhcpServerPieces } from '../guards/dhcp-server-guard.ts';
import { portTracking, trackingDefaults } from './tracking.ts';

const port: Port = {
  id: 'p' as PortId,
  network: 'n' as NetworkId,
  adminUp: true,
  mac: macFromBits(0x020000000001n),
  fixedIps: [cidr(4, 0x0a000001n)],
  pairs: [],
  mode: 'strict',
  dhcpServer: false,
  cloudOwned: false,
  role: { kind: 'promiscuous' },
  groups: [],
  host: 'here',
  qosPolicy: null,
};
const keys = { key: portKeyOf(port), networkKey: networkKeyOf(port.network), zone: zone(1) };
const place = { up: true, ofport: 1, ...keys, role: 0, set: 0, groups: '' };
const local = localPort(port, [], [], place);
const drafts = [...portTracking(local, { 4: false, 6: false }), ...dhcpServerPieces(local)];
const isPiece = { value: flag.piece, mask: flag.piece };

test('DHCP answers and redirects in pieces are refused however they look behind the lookup', () => {
  const refusals = drafts.filter(({ why }) => why.reason === 'dhcp-server' || why.reason === 'redirect');
  expect(refusals).toHaveLength(5);
  for (const { match } of refusals) {
    expect(match).toMatchObject({ [register.flags]: isPiece });
    expect(match).not.toHaveProperty('ip_frag');
  }
});

test('every lookup of a piece is remembered, whatever header it begins with', () => {
  const lookups = trackingDefaults.filter(
    ({ table, why }) => table === tables.egress_ct.id && why.reason !== 'untracked',
  );
  const pieces = lookups.filter(({ match }) => match.ip_frag === anyFragment);
  expect(pieces).toHaveLength(2);
  for (const draft of pieces) {
    expect(draft).toMatchObject({
      body: { actions: [{ type: 'set_field', field: register.flags, ...isPiece }, { type: 'ct' }] },
    });
    expect(lookups.filter(({ priority }) => priority > draft.priority)).toEqual([]);
  }
});
