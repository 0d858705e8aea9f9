/** How networks may be carried, from the settings' texts. The schema has checked each text. */
import { bug } from '../base/errors.ts';
import {
  flatNetworksOf,
  physicalMtusOf,
  type SegmentRules,
  tenantTypesOf,
  vlanRangesOf,
  vniRangesOf,
} from '../model/segments.ts';
import type { Settings } from './settings.ts';

const unchecked = (): never => bug('the configuration was not checked');

export function segmentRulesOf(network: Settings['network']): SegmentRules {
  const flatNetworks = flatNetworksOf(network.flat_networks);
  return {
    tenantTypes: tenantTypesOf(network.tenant_types) ?? unchecked(),
    vlanRanges: vlanRangesOf(network.vlan_ranges) ?? unchecked(),
    flatNetworks: flatNetworks === undefined ? unchecked() : flatNetworks,
    vniRanges: vniRangesOf(network.vni_ranges) ?? unchecked(),
    physicalMtus: physicalMtusOf(network.physical_mtus) ?? unchecked(),
    overlayFamily: network.overlay_ip_version === '4' ? 4 : 6,
  };
}
