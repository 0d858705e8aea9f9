import { expect, test } from 'vitest';
import { allKinds } from '../model/keys.ts';
import { agentPermissions, agentRoleCommands } from './etcd-role.ts';

const may = (key: string): boolean =>
  agentPermissions('h1').some(
    (each) =>
      each.type === 'readwrite' &&
      (each.isPrefix ? `/portcullis/k/${key}`.startsWith(each.key) : each.key === `/portcullis/k/${key}`),
  );

test('an agent writes keys of its own kinds, and of these its own host’s', () => {
  for (const { layout, writer } of allKinds) {
    const own = layout.replace(':host', 'h1').replaceAll(/[:*]\w+/g, 'x');
    expect([layout, may(own)]).toEqual([layout, writer === 'agent']);
    if (layout.split('/')[1] === ':host')
      for (const other of ['h2', 'h11'])
        expect(may(layout.replace(':host', other).replaceAll(/[:*]\w+/g, 'x'))).toBe(false);
  }
});

test('the commands for etcd name every permission, and quote what a shell would read', () => {
  const lines = agentRoleCommands("o'brien").split('\n');
  expect(lines[0]).toBe("etcdctl role add 'portcullis-agent-o'\\''brien'");
  expect(lines).toHaveLength(agentPermissions('h').length + 2);
  expect(agentRoleCommands('h1')).toContain(
    'etcdctl role grant-permission portcullis-agent-h1 --prefix=true readwrite /portcullis/k/bindings/',
  );
});
