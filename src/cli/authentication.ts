/** The configured authentication of callers. */
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import type { Authenticator } from '../api/identity/authenticator.ts';
import { Keystone } from '../api/identity/keystone.ts';
import { noAuthentication } from '../api/identity/nobody.ts';
import { TokenFile } from '../api/identity/tokens.ts';
import type { Settings } from './settings.ts';

/** Throws `BadTokenFile`. */
export function authenticatorOf(settings: Settings, log: Logger): Authenticator {
  switch (settings.auth) {
    case 'tokens':
      return new TokenFile(resolve(settings.tokens.file), log);
    case 'keystone': {
      const { url, username, password, project, trust } = settings.keystone;
      const { user_domain: userDomain, project_domain: projectDomain } = settings.keystone;
      const account = { url, username, password, project, userDomain, projectDomain };
      return new Keystone({ ...account, trust }, log);
    }
    case 'none':
      return noAuthentication;
  }
}
