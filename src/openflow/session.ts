/**
 * A lasting session with one switch: connects, reconnects, and offers a controller's requests. It remembers
 * no flows: the receiver of `onUp` reads the switch and sends the difference.
 */
import { Backoff, type BackoffOptions } from '../base/backoff.ts';
import { Fault, reasonOf } from '../base/errors.ts';
import { PathWatch } from '../base/path-watch.ts';
import { openSocket, parseTarget, type Target } from '../base/target.ts';
import { applyAll, commitBundle } from './bundle.ts';
import { Connection, type ConnectionCounts } from './connection.ts';
import type { FlowStats } from './flow.ts';
import type {
  Aggregate,
  BundleMember,
  CtFlush,
  Features,
  FlowFilter,
  FlowRemoved,
  FlowUpdate,
  Message,
  MeterMod,
  MultipartEntries,
  MultipartKind,
  MultipartRequest,
  PacketIn,
  PacketOut,
  PortDescription,
  PortStatus,
  TableFeatures,
  TlvMapping,
} from './message.ts';
import { sessionFault } from './session-fault.ts';
import { packetInFormats } from './spec/nicira.ts';
import { monitorFlags, ports, wholeLength } from './spec/numbers.ts';

export interface SessionOptions {
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly target: string;
  readonly backoff?: BackoffOptions;
  /** Milliseconds of silence after which the switch gets an echo request; two unanswered ones end the connection. */
  readonly probeInterval?: number;
  /** Milliseconds for connecting and the hello exchange. */
  readonly handshakeTimeout?: number;
  readonly signal?: AbortSignal;
  readonly onUp?: (features: Features) => void;
  readonly onDown?: (reason: string) => void;
  readonly onPacketIn?: (packet: PacketIn) => void;
  readonly onPortStatus?: (status: PortStatus) => void;
  readonly onFlowRemoved?: (removed: FlowRemoved) => void;
  /** The updates of the flow monitor that `watchFlows` requested, in the switch's order. */
  readonly onFlowUpdate?: (update: FlowUpdate) => void;
  readonly log?: (text: string) => void;
}

export type SessionState = 'connecting' | 'up' | 'closed';

/** OpenFlow's assigned port. */
const defaultPort = 6653;
const everything = 0xffffffff;
/** A socket's name appears a moment before its server listens. */
const afterAppearance = 1;

/** Every connection starts with this: whole packet-ins with userdata, to this controller. */
const preparation: readonly Message[] = [
  { type: 'set_packet_in_format', format: packetInFormats.v2 },
  {
    type: 'set_async_config',
    packetIn: [everything, 0],
    portStatus: [everything, everything],
    flowRemoved: [everything, 0],
  },
  { type: 'set_config', flags: 0, missSendLen: wholeLength },
];

export class Session {
  readonly #options: SessionOptions;
  readonly #target: Target;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<{ resolve: (features: Features) => void; reject: (error: unknown) => void }>();
  readonly #ended: Promise<void>;
  #state: SessionState = 'connecting';
  #connection: Connection | undefined;
  #features: Features | undefined;

  private constructor(options: SessionOptions) {
    this.#options = options;
    this.#target = parseTarget(options.target, defaultPort);
    const abort = (): void => this.#stop.abort();
    options.signal?.addEventListener('abort', abort);
    if (options.signal?.aborted === true) abort();
    this.#ended = this.#run().finally(() => options.signal?.removeEventListener('abort', abort));
  }

  /** Starts at once and runs until closed; throws only `BadTarget`. */
  static connect(options: SessionOptions): Session {
    return new Session(options);
  }

  get state(): SessionState {
    return this.#state;
  }

  get features(): Features | undefined {
    return this.#features;
  }

  get counts(): Readonly<ConnectionCounts> | undefined {
    return this.#connection?.counts;
  }

  /** Bytes that the switch has not read yet. */
  get backlog(): number {
    return this.#connection?.backlog ?? 0;
  }

  /** Resolves when the session is up; rejects when it is closed before. */
  ready(): Promise<Features> {
    if (this.#features !== undefined && this.#state === 'up') return Promise.resolve(this.#features);
    if (this.#state === 'closed') return Promise.reject(notConnected());
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  /** Ends the session; resolves when the socket is closed. Open requests reject as `Disconnected`. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const appearance = new PathWatch(this.#target.kind === 'unix' ? this.#target.path : null);
    let backoff = new Backoff(this.#options.backoff);
    while (!signal.aborted) {
      const reason = await this.#live(() => backoff.reset());
      if (signal.aborted) break;
      this.#log(`not connected: ${reason}`);
      const appeared = await appearance.wait(backoff.next(), signal);
      if (appeared)
        backoff = new Backoff({
          minDelay: afterAppearance,
          maxDelay: this.#options.backoff?.maxDelay ?? 2000,
        });
    }
    appearance.close();
    this.#state = 'closed';
    for (const { reject } of this.#waiting) reject(notConnected());
    this.#waiting.clear();
  }

  /** One connection, from connecting to its end; returns the reason of the end. */
  async #live(established: () => void): Promise<string> {
    const socket = openSocket(this.#target);
    let ended: (reason: string) => void = () => undefined;
    const end = new Promise<string>((resolve) => {
      ended = resolve;
    });
    const connection = new Connection(socket, {
      onMessage: (message) => this.#deliver(message),
      onClose: (reason) => ended(reason),
      log: (text) => this.#log(text),
    });
    const abort = (): void => connection.close('closed by this side');
    this.#stop.signal.addEventListener('abort', abort, { once: true });
    const timeout = setTimeout(
      () => connection.close('no hello in time'),
      this.#options.handshakeTimeout ?? 5000,
    );
    try {
      const features = await this.#prepare(connection);
      established();
      this.#up(connection, features);
    } catch (error) {
      connection.close(reasonOf(error));
    } finally {
      clearTimeout(timeout);
    }
    const reason = await end;
    this.#stop.signal.removeEventListener('abort', abort);
    this.#down(reason);
    return reason;
  }

  async #prepare(connection: Connection): Promise<Features> {
    // All requests are sent at once: a switch that has just started is busy, and each awaited answer costs
    // milliseconds.
    const [, features] = await Promise.all([
      connection.greet(),
      connection.request({ type: 'features_request' }),
      applyAll(connection, preparation),
    ]);
    if (features.type !== 'features_reply') throw unexpected(features);
    connection.keepAlive(this.#options.probeInterval ?? 5000);
    return features;
  }

  #up(connection: Connection, features: Features): void {
    if (connection.closed) return;
    this.#connection = connection;
    this.#features = features;
    this.#state = 'up';
    for (const { resolve } of this.#waiting) resolve(features);
    this.#waiting.clear();
    this.#guard(() => this.#options.onUp?.(features));
  }

  #down(reason: string): void {
    if (this.#state !== 'up') return;
    this.#state = this.#stop.signal.aborted ? 'closed' : 'connecting';
    this.#connection = undefined;
    this.#features = undefined;
    this.#guard(() => this.#options.onDown?.(reason));
  }

  #deliver(message: Message): void {
    this.#guard(() => {
      if (message.type === 'packet_in') this.#options.onPacketIn?.(message);
      else if (message.type === 'port_status') this.#options.onPortStatus?.(message);
      else if (message.type === 'flow_removed') this.#options.onFlowRemoved?.(message);
      else if (message.type === 'multipart_reply' && message.body.kind === 'flow_monitor')
        for (const update of message.body.entries) this.#options.onFlowUpdate?.(update);
      else this.#log(`skipped an unexpected ${message.type}`);
    });
  }

  /** A listener's own failure must not end the connection that called it. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log(`a listener failed: ${reasonOf(error)}`);
    }
  }

  #log(text: string): void {
    this.#options.log?.(text);
  }

  #link(): Connection {
    const connection = this.#connection;
    if (connection === undefined || connection.closed) throw notConnected();
    return connection;
  }

  /** Sends one message without waiting; an error of the switch about it is logged. Throws `NotConnected`. */
  send(message: Message): void {
    this.#link().send(message);
  }

  /** Sends one message that has a reply, and returns the reply. */
  async request(message: Message): Promise<Message> {
    return this.#link().request(message);
  }

  /** Applies messages without replies, in order, and resolves after that; the first error rejects. */
  async apply(messages: readonly Message[]): Promise<void> {
    return applyAll(this.#link(), messages);
  }

  /** Resolves when the switch has processed everything that was sent before. */
  async barrier(): Promise<void> {
    await this.#link().request({ type: 'barrier_request' });
  }

  /**
   * All or nothing, atomic and ordered. Rejects with `Unencodable` or `Refused` and the member's index. Rejects with
   * `Disconnected` when nothing was committed, and with `OutcomeUnknown` when the answer to the commit was
   * lost. Meters cannot be in a bundle: apply additions before it, deletions after it.
   */
  async bundle(members: readonly BundleMember[]): Promise<void> {
    return commitBundle(this.#link(), members);
  }

  /** All entries that answer a multipart request. */
  async multipart<K extends MultipartKind>(
    request: Extract<MultipartRequest, { kind: K }> | MultipartRequest,
    kind: K,
  ): Promise<readonly MultipartEntries[K][]> {
    const reply = await this.#link().request({ type: 'multipart_request', body: request });
    if (reply.type !== 'multipart_reply' || reply.body.kind !== kind) throw unexpected(reply);
    return reply.body.entries as readonly MultipartEntries[K][];
  }

  /** Flows with matches in their normal form: registers never wide, full masks left out. */
  async dumpFlows(filter: FlowFilter = {}): Promise<readonly FlowStats[]> {
    return this.multipart({ kind: 'flow', filter }, 'flow');
  }

  /** Sums over all flows that pass the filter. */
  async aggregate(filter: FlowFilter = {}): Promise<Aggregate> {
    const [sum] = await this.multipart({ kind: 'aggregate', filter }, 'aggregate');
    return sum ?? { packets: 0n, bytes: 0n, flows: 0 };
  }

  /**
   * From now on `onFlowUpdate` receives each flow that another connection adds, changes or removes, and a
   * note of changes that this connection made. False when the switch has no flow monitors for OpenFlow 1.5.
   */
  async watchFlows(): Promise<boolean> {
    const { added, removed, modified, instructions } = monitorFlags;
    const flags = added | removed | modified | instructions;
    try {
      await this.multipart({ kind: 'flow_monitor', monitor: 1, command: 'add', flags }, 'flow_monitor');
      return true;
    } catch (error) {
      if (error instanceof Fault && error.name === 'Refused') return false;
      throw error;
    }
  }

  /** The Geneve options that have a field. */
  async tlvMappings(): Promise<readonly TlvMapping[]> {
    const reply = await this.#link().request({ type: 'tlv_table_request' });
    if (reply.type !== 'tlv_table_reply') throw unexpected(reply);
    return reply.mappings;
  }

  async ports(): Promise<readonly PortDescription[]> {
    return this.multipart({ kind: 'port_desc' }, 'port_desc');
  }

  /** Names tables (at most 31 bytes each); other tables and features stay as they are. */
  async setTableNames(names: ReadonlyMap<number, string>): Promise<void> {
    const known = await this.multipart({ kind: 'table_features', tables: [] }, 'table_features');
    const tables: TableFeatures[] = [];
    for (const { properties: _, ...features } of known) {
      const name = names.get(features.table);
      if (name !== undefined && name !== features.name) tables.push({ ...features, command: 'modify', name });
    }
    if (tables.length > 0) await this.multipart({ kind: 'table_features', tables }, 'table_features');
  }

  /** Adds, changes or deletes meters, in order. */
  async meters(mods: readonly MeterMod[]): Promise<void> {
    return this.apply(mods);
  }

  /** Removes all connections of a conntrack zone. */
  async flushZone(zone: number): Promise<void> {
    return this.apply([{ type: 'ct_flush_zone', zone }]);
  }

  /** Removes the connections that each filter describes. */
  async flushConntrack(...filters: readonly Omit<CtFlush, 'type'>[]): Promise<void> {
    return this.apply(filters.map((filter) => ({ type: 'ct_flush', ...filter })));
  }

  /** Sends a packet; `inPort` is the controller's when left out. */
  packetOut(packet: Omit<PacketOut, 'type' | 'inPort'> & { readonly inPort?: number }): void {
    this.send({ type: 'packet_out', ...packet, inPort: packet.inPort ?? ports.controller });
  }
}

const notConnected = (): Error => sessionFault({ code: 'NotConnected' }, 'the switch is not connected');

const unexpected = (reply: Message): Error =>
  sessionFault(
    { code: 'UnexpectedReply', type: reply.type },
    `unexpected ${reply.type} instead of the reply`,
  );
