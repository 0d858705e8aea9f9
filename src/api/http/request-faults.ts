/** Refusals that are about HTTP or about agents rather than about a resource. */
import type { FastifyRequest } from 'fastify';
import { Fault } from '../../base/errors.ts';

export type RequestFault =
  | { readonly code: 'UnknownPath' }
  | { readonly code: 'WrongMethod'; readonly method: string }
  /** Neutron's answer where only PUT creates. */
  | { readonly code: 'NoPost' }
  | { readonly code: 'BadIfMatch' }
  | { readonly code: 'BadLimit'; readonly limit: string }
  | { readonly code: 'WrongMediaType' }
  | { readonly code: 'BodyTooLarge' }
  | { readonly code: 'HeadersTooLarge' }
  /** It did not arrive in time. */
  | { readonly code: 'RequestTimeout' }
  | { readonly code: 'UnknownExpectation' }
  | { readonly code: 'Closing' }
  | { readonly code: 'WrongHost' }
  /** `rules` as Neutron writes those down that the request fell under. */
  | { readonly code: 'PolicyNotAuthorized'; readonly rules: string }
  | { readonly code: 'PortNotBound'; readonly port: string }
  | { readonly code: 'HostNotFound'; readonly host: string }
  | { readonly code: 'HostSilent'; readonly host: string | null }
  | { readonly code: 'HostsLate'; readonly hosts: readonly string[] };

export function refuseRequest(data: RequestFault): never {
  throw new Fault(data, JSON.stringify(data));
}

export function refuseMethod(request: FastifyRequest): never {
  return refuseRequest({ code: 'WrongMethod', method: request.method });
}
