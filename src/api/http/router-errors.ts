/** The answers for refusals about routers: a part of the table in errors.ts. */
import { pythonText } from '../../model/python-text.ts';
import type { RouterFault } from '../../model/router-faults.ts';
import type { AnswersTo } from './answers.ts';

export const routerAnswers: AnswersTo<RouterFault> = {
  RouterInUse: {
    status: 409,
    text: (f) => `Router ${f.id} has ports still attached: ${f.ports.join(', ')}`,
  },
  BadRouterRequest: { status: 400, type: 'BadRequest', text: (f) => `Bad router request: ${f.message}.` },
  RouterInterfaceNotFound: {
    status: 404,
    text: (f) => `Router ${f.router} does not have an interface with id ${f.port}`,
  },
  RouterInterfaceNotFoundForSubnet: {
    status: 404,
    text: (f) => `Router ${f.router} has no interface on subnet ${f.subnet}`,
  },
  RouterInterfaceInUseByRoute: {
    status: 409,
    text: (f) =>
      `Router interface for subnet ${f.subnet} on router ${f.router} cannot be deleted, ` +
      'as it is required by one or more routes.',
  },
  SubnetMismatchForPort: {
    status: 400,
    text: (f) => `Subnet on port ${f.port} does not match the requested subnet ${f.subnet}.`,
  },
  PortInUse: {
    status: 409,
    text: (f) =>
      `Unable to complete operation on port ${f.port} for network ${f.network}. ` +
      `Port already has an attached device ${f.device}.`,
  },
  ServicePortInUse: {
    status: 409,
    text: (f) => `Port ${f.port} cannot be deleted directly via the port API: has device owner ${f.owner}.`,
  },
  RouterPortKept: {
    status: 409,
    type: 'ServicePortInUse',
    text: (f) =>
      `The device of port ${f.port} cannot be changed directly via the port API: it is held by router ${f.router}.`,
  },
  DeviceIDNotOwnedByTenant: {
    status: 409,
    text: (f) =>
      `The following device_id ${f.device} is not owned by your tenant or matches another tenants router.`,
  },
  InvalidRoutes: {
    status: 400,
    text: (f) => `Invalid format for routes: ${pythonText(f.routes)}, ${f.reason}`,
  },
  RoutesExhausted: {
    status: 400,
    text: (f) =>
      `Unable to complete operation for ${f.router}. The number of routes exceeds the maximum ${f.quota}.`,
  },
  ExternalPolicyInUse: {
    status: 409,
    type: 'RbacPolicyInUse',
    text: (f) =>
      `RBAC policy on object ${f.network} cannot be removed because other objects depend on it.\n` +
      'Details: There are routers attached to this network that depend on this policy for access.',
  },
};
