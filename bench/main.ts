/** `npm run bench [-- SECTION… --quick]`: runs the sections named, else all, one after another. */
import { reasonOf } from '../src/base/errors.ts';
import { benchApi } from './api.ts';
import { benchCluster } from './cluster.ts';
import { benchDatapath } from './datapath.ts';
import { benchGroups } from './groups.ts';
import { benchIdle } from './idle.ts';
import { benchInterest } from './interest.ts';
import { emitMachine } from './machine.ts';
import { benchMasks } from './masks.ts';
import { benchQos } from './qos.ts';
import { progress } from './report.ts';
import { benchRestart } from './restart.ts';
import { benchScale } from './scale.ts';
import { benchStart } from './start.ts';
import { benchSync } from './sync.ts';

const sections = {
  api: benchApi,
  scale: benchScale,
  groups: benchGroups,
  datapath: benchDatapath,
  masks: benchMasks,
  qos: benchQos,
  start: benchStart,
  idle: benchIdle,
  interest: benchInterest,
  cluster: benchCluster,
  restart: benchRestart,
  sync: benchSync,
} as const;
type Section = keyof typeof sections;
const isSection = (name: string): name is Section => Object.hasOwn(sections, name);

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const wanted = words.filter((word) => word !== '--quick');
const unknown = wanted.filter((word) => !isSection(word));
if (unknown.length > 0) {
  progress(`no section is called ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}`);
  process.exit(2);
}

await emitMachine();
for (const name of Object.keys(sections).filter(isSection)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  progress(`section ${name}`);
  try {
    await sections[name]({ quick });
  } catch (error) {
    progress(`${name}: ${error instanceof Error ? error.stack : reasonOf(error)}`);
    process.exitCode = 1;
  }
}
