/** No authentication: every caller is an administrator of one fixed project. */

import type { Authenticator } from './authenticator.ts';
import { unauthenticatedCaller } from './caller.ts';

export const noAuthentication: Authenticator = {
  open: true,
  callerOf: () => unauthenticatedCaller,
  close() {},
};
