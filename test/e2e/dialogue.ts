/**
 * One TCP connection between two guests that stays open; each direction is tested by itself. It is never
 * opened again. Packets that arrive after a pause therefore belong to the same connection.
 */
import { expect } from 'vitest';
import { until } from '../lib/wait.ts';
import type { Cloud, Member } from './cloud.ts';

export type End = 'client' | 'server';

/** Where the packets of one end are dropped. */
export interface Loss {
  readonly at: Member;
  readonly direction: 'ingress' | 'egress';
  /** `egress-rules` or `ingress-rules` by default. */
  readonly reason?: string;
}

/** Beside the echo servers' ports. */
let port = 5000;

export class Dialogue {
  readonly client: Member;
  readonly server: Member;
  readonly port: number;
  readonly #said = { client: 0, server: 0 };

  constructor(client: Member, server: Member, port: number) {
    this.client = client;
    this.server = server;
    this.port = port;
  }

  get #name(): string {
    return String(this.port);
  }

  async #say(end: End): Promise<void> {
    this.#said[end] = await this[end].probe.dialogueSay(this.#name);
  }

  /** The numbers that an end received; fails when the connection is not the first one, or not open. */
  async #heard(end: End): Promise<number> {
    const { heard, ...rest } = await this[end].probe.dialogueState(this.#name);
    expect(rest).toEqual({ connections: 1, state: 'open' });
    return heard;
  }

  async #arrives(from: End): Promise<void> {
    const to = from === 'client' ? 'server' : 'client';
    const what = `the ${to} hears all ${this.#said[from]} words`;
    // A silenced sender retransmits after a time that doubles with each try.
    await until(async () => (await this.#heard(to)) === this.#said[from], {
      what,
      interval: 10,
      timeout: 20_000,
    });
  }

  /** These ends send, and everything that they sent so far arrives. */
  async flows(...ends: readonly End[]): Promise<void> {
    for (const end of ends.length > 0 ? ends : (['client', 'server'] as const)) {
      await this.#say(end);
      await this.#arrives(end);
    }
  }

  /** An end sends, and the switch drops it: two retransmissions are counted as drops. */
  async stalls(
    cloud: Cloud,
    end: End,
    { at, direction, reason = `${direction}-rules` }: Loss,
  ): Promise<void> {
    const to = end === 'client' ? 'server' : 'client';
    const heard = await this.#heard(to);
    const lost = () => cloud.dropped(at.id, direction, reason);
    const before = await lost();
    await this.#say(end);
    await until(async () => (await lost()) >= before + 2, {
      what: `words of the ${end} are dropped`,
      interval: 20,
    });
    expect(await this.#heard(to)).toBe(heard);
  }
}

/** Over an IPv4 connection, or one to `address` of the server. */
export async function openDialogue(
  client: Member,
  server: Member,
  address: string = server.ip,
): Promise<Dialogue> {
  port += 1;
  await server.probe.dialogueAwait(String(port), port);
  await client.probe.dialogueOpen(String(port), address, port);
  return new Dialogue(client, server, port);
}
