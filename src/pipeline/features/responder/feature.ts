/** Answers to ARP requests and neighbour solicitations. */
import { noAbilities } from '../../abilities.ts';
import type { Feature } from '../../feature.ts';
import { isGuarded } from '../../local-port.ts';
import { sharedMeterOf } from '../../shared-meters.ts';
import { answer, answerLimit, ownRequests, responderDefaults, soleHolder } from './responder.ts';

export const responder: Feature = {
  defaults: responderDefaults,

  ofPort: (local, { meterSpread }) => [
    ...(isGuarded(local) || (local.up && local.role !== 0)
      ? answerLimit(local, sharedMeterOf('answer', local.key, meterSpread))
      : []),
    ...ownRequests(local),
  ],

  declare: ({ graph, facts, relations: { holders, networkKeyOf }, install }) =>
    install(
      graph.map('answer-flows', holders, (_, held, read) => {
        const sole = soleHolder(held);
        const key = sole && read(networkKeyOf, sole.port.network);
        const { answersNd } = read(facts.abilities, 'switch') ?? noAbilities;
        return sole === undefined || key === undefined ? undefined : answer(key, sole, answersNd);
      }),
    ),
};
