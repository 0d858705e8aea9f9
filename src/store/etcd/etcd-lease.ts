/** A lease of etcd. It is kept alive by a short stream at each interval, so that a member that dies takes none along. */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Lease } from '../contract.ts';
import type { EtcdConnection } from './connection.ts';
import { asStoreFault, isLeaseGone } from './faults.ts';
import { keepAliveSeconds, leaseGrantRequest, leaseRequest, methods } from './messages.ts';
import { Fields } from './protobuf.ts';

const maxLeaseId = 2 ** 47;
/** Milliseconds. */
const callTimeout = 5000;
const retryInterval = 100;

export class EtcdLease implements Lease {
  readonly number: number;
  readonly lost: Promise<void>;
  readonly #connection: EtcdConnection;
  readonly #ttl: number;
  #onLost: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #isForgotten = false;
  #renewed = performance.now();

  private constructor(connection: EtcdConnection, number: number, seconds: number) {
    this.#connection = connection;
    this.number = number;
    this.#ttl = seconds * 1000;
    this.lost = new Promise((resolve) => {
      this.#onLost = resolve;
    });
    this.#timer = setInterval(() => void this.#renew(), this.#ttl / 4);
    this.#timer.unref();
  }

  /** `timeout` in milliseconds. Throws `CallFault`. A grant whose answer was lost ends by itself. */
  static async grant(connection: EtcdConnection, ttl: number, timeout: number): Promise<EtcdLease> {
    const seconds = Math.max(1, Math.ceil(ttl / 1000));
    const deadline = performance.now() + timeout;
    for (;;) {
      const number = randomInt(1, maxLeaseId);
      try {
        await connection.once(methods.leaseGrant, leaseGrantRequest(number, seconds), timeout);
        return new EtcdLease(connection, number, seconds);
      } catch (error) {
        if (performance.now() + retryInterval > deadline) throw error;
        await delay(retryInterval);
      }
    }
  }

  get id(): string {
    return String(this.number);
  }

  async revoke(): Promise<void> {
    this.stop();
    if (this.#isForgotten) return;
    try {
      await this.#connection.once(methods.leaseRevoke, leaseRequest(this.number), callTimeout);
    } catch (error) {
      if (!isLeaseGone(error)) throw asStoreFault(error);
    }
  }

  abandon(): void {
    this.stop();
    setTimeout(this.#onLost, this.#ttl).unref();
  }

  /** The store is closed: it ends by itself. */
  forget(): void {
    this.#isForgotten = true;
    this.stop();
  }

  /** Keeps it alive no longer. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #renew(): Promise<void> {
    const asked = performance.now();
    const seconds = await this.#ask().catch(() => null);
    if (this.#timer === null) return;
    if (seconds !== null && seconds > 0) this.#renewed = asked;
    if (seconds !== 0 && performance.now() - this.#renewed < this.#ttl) return;
    this.stop();
    this.#onLost();
  }

  /** The seconds that it has from now on; 0 once it has ended. */
  async #ask(): Promise<number> {
    const stream = await this.#connection.stream(methods.leaseKeepAlive);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => stream.cancel(), this.#ttl / 4);
      stream.on('data', (bytes: Buffer) => {
        clearTimeout(timer);
        stream.end();
        resolve(keepAliveSeconds(new Fields(bytes)));
      });
      stream.on('error', reject);
      stream.on('end', () => {
        clearTimeout(timer);
        reject(new Error('no answer'));
      });
      stream.write(leaseRequest(this.number).encode());
    });
  }
}
