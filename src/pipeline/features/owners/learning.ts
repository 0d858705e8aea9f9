/**
 * Failover in the data path: the claim itself says who gets what is for its MAC, on every host that sees it, whether or not agents
 * and store answer.
 *
 * # Idea
 * A claim leads the switch to learn three flows. `learned_macs` loads the sender as receiver of what is for the MAC. `claimed_macs`
 * tells a later claim of the same sender that it is known. `claim_holds` stops further learning for a second.
 *
 * # Invariants
 * - Only a candidate is learned, by its key: forwarding has flows for candidates alone.
 * - A newer record wins. The cookie of what is learned names the records of the MAC. When they change, the flows with that
 *   cookie go, and with them all that was learned (`deleteLearned`). Without a newer record nothing learned ends.
 * - Each claim is looked at by ovs-vswitchd: a field that is rewritten leads there. A cached claim would be learned late.
 * - Open vSwitch 3.1 learns again whenever it counts packets of a cached claim, for up to half a second. A claim
 *   of a moment ago would thus win over the present one. So a known sender learns nothing, and the hold lasts longer than that.
 */
import { hash64 } from '../../../base/hash.ts';
import { type Mac, macToBits } from '../../../net/mac.ts';
import { type LearnSpec, learnFlags } from '../../../openflow/index.ts';
import type { Port } from '../../../policy/world.ts';
import { type ActionOf, learn, puntCopy, resubmit, rewrite } from '../../actions.ts';
import { type Draft, end, flow } from '../../draft.ts';
import { type KeyedPort, sentBy } from '../../local-port.ts';
import { arp, icmp6 } from '../../matches.ts';
import { claimMark } from '../../punt-data.ts';
import { flag, register } from '../../registers.ts';

/** Seconds for which nothing more is learned of a MAC. */
const holdTime = 1;
const priority = 100;

const field = (name: typeof register.source | typeof register.destination | typeof register.network) =>
  ({ field: name, offset: 0, bits: 32 }) as const;
const ethernet = (name: 'eth_src' | 'eth_dst') => ({ field: name, offset: 0, bits: 48 }) as const;
const bitOf = (bit: number): LearnSpec => ({
  kind: 'load',
  from: { value: 1n },
  to: { field: register.flags, offset: Math.log2(bit), bits: 1 },
});
const ofNetwork: LearnSpec = {
  kind: 'match',
  from: field(register.network),
  to: field(register.network),
};
const mac = (to: 'eth_src' | 'eth_dst'): LearnSpec => ({
  kind: 'match',
  from: ethernet('eth_src'),
  to: ethernet(to),
});
const sender: LearnSpec = { kind: 'load', from: field(register.source), to: field(register.destination) };

const learned = (
  into: 'claim_holds' | 'claimed_macs' | 'learned_macs',
  specs: readonly LearnSpec[],
  { cookie, hardTimeout }: { readonly cookie: bigint; readonly hardTimeout: number },
): ActionOf<'claim_learn'> =>
  learn<'claim_learn'>(into, {
    idleTimeout: 0,
    hardTimeout,
    finIdleTimeout: 0,
    finHardTimeout: 0,
    priority,
    cookie,
    flags: hardTimeout === 0 ? learnFlags.deleteLearned : 0,
    specs: [ofNetwork, ...specs],
  });

/** `records`: what the records say of the MAC. */
const learnSender = (name: string, records: string): ActionOf<'claim_learn'>[] => {
  const kept = { cookie: hash64(`learned|${name}|${records}`), hardTimeout: 0 };
  return [
    learned('learned_macs', [mac('eth_dst'), sender, bitOf(flag.learned)], kept),
    learned('claimed_macs', [mac('eth_src'), sender], kept),
    learned('claim_holds', [mac('eth_src'), bitOf(flag.held)], {
      cookie: hash64('hold'),
      hardTimeout: holdTime,
    }),
  ];
};

/** `copies`: the agent's copies; null for a port of another host. */
export function learningFlows(
  { key, networkKey, port }: KeyedPort & { readonly port: Port },
  moved: Mac,
  records: string,
  copies: Uint8Array | null,
): Draft[] {
  const claims = { ...sentBy({ key, networkKey }), eth_src: macToBits(moved) };
  const copy = copies === null ? [] : [puntCopy<'claim_learn'>(copies)];
  const actions = { actions: copy };
  const known = { ...claims, [register.destination]: key };
  const held = { ...claims, [register.flags]: { value: flag.held, mask: flag.held } };
  const ofPort = { port: port.id };
  const [isKnown, isHeld] = [
    { reason: 'claim-known', ...ofPort },
    { reason: 'claim-held', ...ofPort },
  ] as const;
  const news = learnSender(`${port.network}|${moved}`, records);
  const why = { reason: 'claim-learned', ...ofPort } as const;
  const marks = [
    [arp, rewrite<'claim_learn'>('arp_op', claimMark.arpOp)],
    [icmp6, rewrite<'claim_learn'>('icmpv6_code', claimMark.icmpCode)],
  ] as const;
  return [
    ...(copies === null
      ? [end('claim_learn', 'known', known, isKnown), end('claim_learn', 'held', held, isHeld)]
      : [
          flow('claim_learn', 'known', known, actions, isKnown),
          flow('claim_learn', 'held', held, actions, isHeld),
        ]),
    ...marks.map(([family, mark]) =>
      flow('claim_learn', 'news', { ...claims, ...family }, { actions: [...news, mark, ...copy] }, why),
    ),
  ];
}

export const learningDefaults: readonly Draft[] = [
  flow(
    'claim_state',
    'any',
    {},
    { actions: [resubmit('claim_holds'), resubmit('claimed_macs')], goto: 'claim_learn' },
    { reason: 'maybe-claim' },
  ),
];
