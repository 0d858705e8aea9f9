// Layers of the source folders: an import may point only to a lower layer. Fails when it found almost no modules,
// because a checker that reads nothing would otherwise pass.
import { cruise } from 'dependency-cruiser';
import ts from 'typescript';

const floors = [
  ['bin'],
  ['cli'],
  ['api', 'agent'],
  ['pipeline'],
  ['policy'],
  ['model'],
  ['store', 'openflow', 'ovsdb'],
  ['net'],
  ['base'],
];
/** Rooms of the agent, from the one that may import all below it. */
const agentRooms = [['report'], ['punts', 'hits', 'connections'], ['flows'], ['interest'], ['switch']];
const pure = ['model', 'policy', 'pipeline', 'openflow/spec'];
const forbiddenInPure = ['fs', 'net', 'http', 'https', 'dgram', 'child_process', 'worker_threads', 'cluster'];

const forbidden = [{ name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } }];
/** Forbids imports under `folder` from a room to a room above it or beside it. */
function pointDown(folder, levels) {
  levels.forEach((rooms, level) => {
    for (const room of rooms) {
      const above = levels.slice(0, level).flat();
      const beside = rooms.filter((other) => other !== room);
      const barred = [...above, ...beside];
      if (barred.length === 0) continue;
      forbidden.push({
        name: `${folder}${room}-imports-down-only`,
        severity: 'error',
        from: { path: `^src/${folder}${room}/`, pathNot: '\\.test\\.ts$' },
        to: { path: `^src/${folder}(${barred.join('|')})/` },
      });
    }
  });
}
pointDown('', floors);
pointDown('agent/', agentRooms);
forbidden.push({
  name: 'agent-rooms-do-not-import-the-agent',
  severity: 'error',
  from: { path: '^src/agent/[^/]+/' },
  to: { path: '^src/agent/[^/]+\\.ts$' },
});
for (const room of pure) {
  forbidden.push({
    name: `${room.replace('/', '-')}-does-no-io`,
    severity: 'error',
    from: { path: `^src/${room}/`, pathNot: '(\\.test\\.ts$|/testing/)' },
    to: { dependencyTypes: ['core'], path: `^(node:)?(${forbiddenInPure.join('|')})$` },
  });
}

const result = await cruise(
  ['src'],
  {
    ruleSet: { forbidden },
    validate: true,
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
  undefined,
  { tsConfig: ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)).config },
);

const { violations, totalCruised } = result.output.summary;
for (const v of violations) console.error(`${v.rule.name}: ${v.from} -> ${v.to}`);
console.log(`${totalCruised} modules, ${violations.length} violations`);
if (totalCruised < 10 || violations.some((v) => v.rule.severity === 'error')) process.exit(1);
