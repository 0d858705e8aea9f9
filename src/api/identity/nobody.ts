/** No authentication: whoever reaches the API is an administrator of one fixed project. */
import { unauthenticatedCaller } from '../caller.ts';
import type { Authenticator } from './authenticator.ts';

export const noAuthentication: Authenticator = {
  open: true,
  callerOf: () => unauthenticatedCaller,
  close() {},
};
