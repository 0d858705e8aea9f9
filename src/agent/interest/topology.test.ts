import { beforeEach, expect, test } from 'vitest';
import { networkKeyOf, zone } from '../../../test/lib/keys.ts';
import { keys } from '../../model/keys.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId, PortId, RuleId } from '../../policy/world.ts';
import type { Entry } from '../../store/contract.ts';
import { Topology } from './topology.ts';
import { releasableZones } from './zones.ts';

const near = 'near' as NetworkId;
const far = 'far' as NetworkId;

const entryOf = (key: string, record: object): Entry => ({
  key,
  value: JSON.stringify(record),
  modRevision: 1,
  createRevision: 1,
});
const network = (id: string): Entry =>
  entryOf(keys.network(id), { id, admin_state_up: true, vni: networkKeyOf(id as NetworkId) });

let topology: Topology;
beforeEach(() => {
  topology = new Topology(new Pipeline().facts, (key) => expect.unreachable(`unreadable: ${key}`));
});

test('before anything is listed, nothing is absent', () => {
  expect(topology.lookUpNetwork(near)).toEqual({ state: 'not-followed' });
  expect(topology.lookUpPort('p' as PortId)).toEqual({ state: 'not-followed' });
  expect(topology.lookUpRule('r' as RuleId)).toEqual({ state: 'not-followed' });
});

test('only what is under a followed prefix can be absent', () => {
  topology.reset({ revision: 1, entries: [network(near)] }, [keys.network(near), keys.network('gone')]);
  expect(topology.lookUpNetwork(near).state).toBe('present');
  expect(topology.lookUpNetwork('gone' as NetworkId).state).toBe('absent');
  expect(topology.lookUpNetwork(far).state).toBe('not-followed');
  expect(topology.lookUpPort('p' as PortId).state).toBe('not-followed');
  topology.reset({ revision: 2, entries: [network(near)] });
  expect(topology.lookUpNetwork(far).state).toBe('absent');
  expect(topology.lookUpPort('p' as PortId).state).toBe('absent');
});

test('a list of some prefixes withdraws nothing that is under others', () => {
  topology.reset({ revision: 1, entries: [network(near)] }, [keys.network(near)]);
  topology.reset({ revision: 2, entries: [network(far)] }, [keys.network(far)]);
  expect(topology.lookUpNetwork(near).state).toBe('present');
  expect(topology.lookUpNetwork(far).state).toBe('present');
  topology.reset({ revision: 3, entries: [] }, [keys.network(far)]);
  expect(topology.lookUpNetwork(near).state).toBe('present');
  expect(topology.lookUpNetwork(far).state).toBe('absent');
});

test('the zone of a deleted network is given back, of one that is not followed or in use not', () => {
  topology.reset({ revision: 1, entries: [network(near)] }, [
    keys.network(near),
    keys.network('gone'),
    keys.network('used'),
  ]);
  const recorded = new Map([near, far, 'gone', 'used'].map((id, at) => [id as NetworkId, zone(at + 1)]));
  const released = releasableZones(
    recorded,
    (id) => topology.lookUpNetwork(id).state === 'absent',
    (id) => id === 'used',
  );
  expect(released).toEqual(['gone']);
});

test("a port waits for its number and for its network's, and is known meanwhile", () => {
  const port = (numbers: object): Entry =>
    entryOf(keys.port(near, 'p'), {
      id: 'p',
      network_id: near,
      mac_address: '02:00:00:00:00:01',
      fixed_ips: [],
      security_groups: [],
      allowed_address_pairs: [],
      port_security_enabled: true,
      port_security_mode: 'strict',
      admin_state_up: true,
      device_owner: '',
      ...numbers,
    });
  const unnumbered = entryOf(keys.network(near), { id: near, admin_state_up: true });
  const id = 'p' as PortId;
  const waitsWith = (...entries: Entry[]): boolean => {
    topology.reset({ revision: 1, entries });
    expect(topology.lookUpPort(id).state).toBe('present');
    return topology.awaitsNumbers(id);
  };
  expect(waitsWith(network(near), port({}))).toBe(true);
  expect(waitsWith(unnumbered, port({ key: 7 }))).toBe(true);
  expect(waitsWith(network(near), port({ key: 7 }))).toBe(false);
  expect(topology.awaitsNumbers('unknown' as PortId)).toBe(false);
});
