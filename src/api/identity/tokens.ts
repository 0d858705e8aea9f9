/**
 * Callers by static tokens from a file. The file is looked at every moment and read again when it has changed; one
 * that cannot be read or understood changes nothing, and the log says so.
 */
import { readFileSync, type Stats, unwatchFile, watchFile } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import type { Logger } from 'pino';
import { Fault, reasonOf } from '../../base/errors.ts';
import { type Authenticator, refuseIdentity, tokenOf } from './authenticator.ts';
import type { Caller } from './caller.ts';
import { digestOf } from './token-digest.ts';
import { parseTokenTable, type TokenTable, type TokenTableFault } from './token-table.ts';

/** Milliseconds between looks at the file: looking works on every file system and however the file is replaced. */
const reloadInterval = 500;

/** Throws `BadTokenFile`, whose text names the file. */
function readTable(path: string): TokenTable {
  try {
    return parseTokenTable(readFileSync(path, 'utf8'));
  } catch (error) {
    const problem = reasonOf(error);
    throw new Fault<TokenTableFault>({ code: 'BadTokenFile', problem }, `${path}: ${problem}`, error);
  }
}

const challenge = 'Portcullis';

export class TokenFile implements Authenticator {
  readonly open = false;
  readonly #path: string;
  readonly #log: Logger;
  readonly #onLook: (now: Stats, before: Stats) => void;
  #table: TokenTable;

  /** Reads the file. Throws `BadTokenFile`: a server that knows nobody does not start. */
  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
    this.#table = readTable(path);
    this.#onLook = () => this.#readAgain();
    watchFile(path, { interval: reloadInterval, persistent: false }, this.#onLook);
    // What changed between reading and watching would go unseen.
    this.#readAgain();
  }

  callerOf(headers: IncomingHttpHeaders): Caller {
    const caller = this.#table.get(digestOf(tokenOf(headers, challenge)));
    return caller ?? refuseIdentity({ code: 'Unauthorized', challenge }, 'an unknown token');
  }

  close(): void {
    unwatchFile(this.#path, this.#onLook);
  }

  #readAgain(): void {
    try {
      this.#table = readTable(this.#path);
      this.#log.info({ file: this.#path, tokens: this.#table.size }, 'tokens were read');
    } catch (error) {
      this.#log.error(
        { reason: reasonOf(error) },
        'the token file is broken; the tokens of before stay in force',
      );
    }
  }
}
