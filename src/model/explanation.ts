/**
 * What `/v1/explain` and its command say of a packet: the walk, the live connection, and the changes that would let a
 * dropped packet pass. The agent writes it as its answer in the store, so everything here is JSON.
 */

export interface ExplainedStep {
  /** Null where the reader may not know hosts. */
  readonly host: string | null;
  readonly port: string;
  readonly stage: string;
  readonly result: 'pass' | 'drop';
  readonly reason: string;
  /** The security-group rule that admitted the packet. */
  readonly rule: string | null;
  /** The IP or MAC address of the packet that the decision was about. */
  readonly address: string | null;
  /** The roles of sender and receiver in an isolated network that forbid it. */
  readonly roles?: string;
}

export interface ExplainedReceiver {
  readonly port: string;
  readonly result: 'pass' | 'drop';
  /** Why it was dropped; null where it was delivered. */
  readonly reason: string | null;
}

/** The switch's record of the connection that the packet belongs to. */
export interface ExplainedConnection {
  readonly originators: readonly string[];
  readonly responders: readonly string[];
}

/** A resource of the API to make (`id` null) or to update, with the attributes to send. */
export interface ExplainedChange {
  readonly resource: 'security_group_rule' | 'port' | 'network';
  readonly id: string | null;
  /** The port that the change is for; null for a network. */
  readonly port: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export const explainedResults = ['delivered', 'answered', 'dropped', 'sent'] as const;
export type ExplainedResult = (typeof explainedResults)[number];

export interface Explanation {
  /** `sent`: it left the port, and nothing of what became of it is known or may be seen. */
  readonly result: ExplainedResult;
  readonly steps: readonly ExplainedStep[];
  readonly receivers: readonly ExplainedReceiver[];
  /** Null where the switch knows no such connection. */
  readonly connection: ExplainedConnection | null;
  /** False where the switch could not be asked for its connections: the packet was taken for the first of one. */
  readonly connections_read: boolean;
  /** False where a host that the packet went to did not answer or was not asked: its steps and receivers are missing. */
  readonly hosts_answered: boolean;
  /** All of them together let the packet pass; empty where it passes, null where no change is known. */
  readonly changes: readonly ExplainedChange[] | null;
}
