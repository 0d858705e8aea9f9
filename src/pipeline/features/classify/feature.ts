/** Which port sent a packet. */
import type { Feature } from '../../feature.ts';
import { classify, classifyDefaults } from './classify.ts';

export const classification: Feature = { defaults: classifyDefaults, ofPort: classify };
