/**
 * `/v1/check`: whether the store contradicts itself. Reads the store, not this server's view of it, and holds the server up
 * while it looks: a question for operators in doubt, not for monitors.
 */
import type { FastifyInstance } from 'fastify';
import { violationsOf } from '../../model/invariants/check.ts';
import { arrayOf, integerSchema, objectOf, stringSchema } from '../../model/schema.ts';
import type { Store } from '../../store/contract.ts';
import { type ApiOperation, describes } from '../openapi/operation.ts';

/** Contradictions that an answer lists. */
const maxListed = 1000;

const checkOperation: ApiOperation = {
  group: 'operator',
  summary: 'Lists contradictions in the store',
  answers: {
    200: objectOf({
      revision: { ...integerSchema, description: 'What was looked at.' },
      entries: { ...integerSchema, description: 'How many keys were looked at.' },
      count: { ...integerSchema, description: 'How many contradictions there are.' },
      violations: {
        ...arrayOf(objectOf({ key: stringSchema, problem: stringSchema })),
        description: `The first ${maxListed} of them; none where the store is whole.`,
      },
    }),
  },
};

export function registerStoreCheck(app: FastifyInstance, store: Store): void {
  app.get('/v1/check', describes(checkOperation), async () => {
    const { revision, entries } = await store.snapshot(['']);
    const violations = violationsOf(entries);
    return {
      revision,
      entries: entries.length,
      count: violations.length,
      violations: violations.slice(0, maxListed),
    };
  });
}
