/** Neutron's answers to refused segments. */
import type { ProviderFault } from '../../model/provider-faults.ts';
import type { AnswersTo } from './answers.ts';

export const providerAnswers: AnswersTo<ProviderFault> = {
  FlatNetworkInUse: {
    status: 409,
    text: (f) => `Unable to create the flat network. Physical network ${f.physical} is in use.`,
  },
  VlanIdInUse: {
    status: 409,
    text: (f) =>
      `Unable to create the network. The VLAN ${f.vlan} on physical network ${f.physical} is in use.`,
  },
  TunnelIdInUse: {
    status: 409,
    text: (f) => `Unable to create the network. The tunnel ID ${f.id} is in use.`,
  },
};
