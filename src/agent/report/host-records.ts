/** What this host's records say of it. */
import type { BridgeMappings } from '../../model/bridge-mappings.ts';
import type { BridgeRecord, HostRecord } from '../../model/records.ts';
import { schemaVersion } from '../../model/schema-version.ts';
import type { Vtep } from '../../model/vtep.ts';
import { formatIp } from '../../net/cidr.ts';

export interface HostFacts {
  readonly host: string;
  readonly bridge: string;
  readonly availabilityZone?: string;
  readonly vtep?: Vtep;
  readonly bridgeMappings?: BridgeMappings;
  /** Of Portcullis. */
  readonly version?: string;
}

/** `started`: when the agent began. `datapath`: undefined while there is no bridge. */
export function hostRecordOf(facts: HostFacts, started: number, datapath: string | undefined): HostRecord {
  const { host, bridge, availabilityZone: zone, bridgeMappings: mappings, version } = facts;
  return {
    name: host,
    started,
    ...(version === undefined ? {} : { version }),
    schema_version: schemaVersion,
    bridge,
    ...(zone === undefined ? {} : { availability_zone: zone }),
    ...(datapath === undefined ? {} : { datapath_type: datapath }),
    ...(mappings === undefined || Object.keys(mappings).length === 0 ? {} : { bridge_mappings: mappings }),
  };
}

export function bridgeRecordOf({ bridge, vtep }: HostFacts, datapath: string): BridgeRecord {
  const record = { bridge, datapath_type: datapath };
  if (vtep === undefined) return record;
  const { address, types } = vtep;
  return { ...record, tunnel_ip: formatIp(address.family, address.bits), tunnel_types: types };
}
