/** The way out of the switch. */
import type { Feature } from '../../feature.ts';
import { dispatch, dispatchDefaults } from './dispatch.ts';

export const delivery: Feature = { defaults: dispatchDefaults, ofPort: dispatch };
