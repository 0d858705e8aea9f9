/** Neutron's answers to refused roles in isolated networks. */
import type { IsolationFault } from '../../model/isolation-faults.ts';
import type { AnswersTo } from './answers.ts';

export const isolationAnswers: AnswersTo<IsolationFault> = {
  PVLANNotEnabledOnNetwork: {
    status: 400,
    text: (f) => `PVLAN is not enabled on network ${f.network}.`,
  },
  PVLANNetworkPortSecurityDisabled: {
    status: 400,
    text: (f) => `Port security is disabled on network ${f.network}, cannot enable PVLAN.`,
  },
  PVLANCannotSetCommunityName: {
    status: 400,
    text: (f) =>
      `PVLAN community name cannot be set if port type is not "community" for this port: ${f.port}.`,
  },
  PVLANCommunityNameRequired: {
    status: 400,
    text: (f) => `Community name is required for ports with PVLAN type "community": ${f.port}.`,
  },
  PVLANPortSecurityDisabled: {
    status: 400,
    text: (f) => `Port security is disabled for port ${f.port}, cannot set PVLAN.`,
  },
  PVLANUnsupportedType: {
    status: 400,
    text: (f) => `Unsupported PVLAN type ${f.type} for port ${f.port}.`,
  },
};
