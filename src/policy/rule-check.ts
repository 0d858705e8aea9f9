/**
 * Connection tracking and security-group rules of one side of a packet, its sender's or a receiver's.
 */
import { type ConntrackLookup, isEstablished, isOnRecord } from './conntrack.ts';
import type { DropReason } from './drop-reasons.ts';
import type { Subject } from './packet.ts';
import { drop, type Passage, pass, track } from './passage.ts';
import { admittingRule, isUntracked } from './security-group.ts';
import type { StepReason } from './verdict.ts';
import type { Direction, Port, World } from './world.ts';

const stages = {
  egress: { connection: 'egress-connection', rules: 'egress-rules', side: 'sender' },
  ingress: { connection: 'ingress-connection', rules: 'ingress-rules', side: 'receiver' },
} as const;

function reasonToAsk({ state }: ConntrackLookup, known: boolean, untracked: boolean): StepReason {
  if (untracked) return 'stateless';
  if (state !== 'known') return 'new-connection';
  return known ? 'unanswered' : 'not-on-record';
}

/**
 * Looks the packet up unless the other side has done so, or unless the port needs no connections. Of such ports only
 * datagrams in pieces are looked up, because the lookup is what puts them together.
 */
export function checkRules(
  world: World,
  port: Port,
  direction: Direction,
  { frame: { ip }, fragmented }: Subject,
  passage: Passage,
): DropReason | null {
  const stage = stages[direction];
  // A chain of headers that breaks off hides what the guards would have to see; it needs no rule to be refused.
  if (ip === null || (ip.family === 6 && !ip.sound))
    return drop(passage, port.id, stage.connection, 'ct-invalid');
  const peer = direction === 'egress' ? ip.dst : ip.src;
  const askRules = (detailed: boolean): DropReason | null => {
    const rule = admittingRule(world, port, direction, ip, passage.via, detailed);
    if (rule === null) return drop(passage, port.id, stage.rules, stage.rules, peer);
    pass(passage, port.id, stage.rules, 'rule', { rule: rule.id, address: peer });
    return null;
  };
  const untracked = isUntracked(world, port, ip.family);
  if (untracked && !fragmented) {
    pass(passage, port.id, stage.connection, 'stateless');
    return askRules(true);
  }
  const lookup = track(passage, ip);
  if (lookup.state === 'invalid') return drop(passage, port.id, stage.connection, 'ct-invalid');
  const known = !untracked && isOnRecord(lookup, port.id, direction, ip.protocol);
  // Rules still judge a packet while nobody has answered. Of pieces only the first shows what rules ask for.
  if (known && (isEstablished(lookup) || fragmented)) {
    const related = lookup.state === 'known' && lookup.related;
    pass(passage, port.id, stage.connection, related ? 'related' : 'established');
    return null;
  }
  pass(passage, port.id, stage.connection, reasonToAsk(lookup, known, untracked));
  const refusal = askRules(passage.detailed);
  if (refusal === null && !known) passage.newcomers = { ...passage.newcomers, [stage.side]: true };
  return refusal;
}
