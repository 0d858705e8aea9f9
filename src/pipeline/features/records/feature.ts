/** Which ports admitted a connection, written into its record. */
import type { Feature } from '../../feature.ts';
import { ownPieces, piecesToOtherHosts, recordDefaults } from './remember.ts';

export const records: Feature = {
  defaults: recordDefaults,
  ofTrackedPort: ownPieces,
  ofNetwork: ({ id, key, zone }) => piecesToOtherHosts(id, key, zone),
};
