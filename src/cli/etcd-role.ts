/** The role of an agent in etcd, as permissions and as commands for an administrator of etcd. */
import { writableByAgent } from '../model/agent-role.ts';

export interface EtcdPermission {
  readonly type: 'read' | 'readwrite';
  readonly key: string;
  /** All keys that begin so; else the one key. */
  readonly isPrefix: boolean;
}

const root = '/portcullis/';

/** Stamps are written with every change of a scope; slots are the process's own. */
export function agentPermissions(host: string): readonly EtcdPermission[] {
  return [
    { type: 'read', key: `${root}k/`, isPrefix: true },
    ...writableByAgent(host).map(
      ({ key, isPrefix }) => ({ type: 'readwrite', key: `${root}k/${key}`, isPrefix }) as const,
    ),
    { type: 'readwrite', key: `${root}s/`, isPrefix: true },
    { type: 'readwrite', key: `${root}t/agents/${host}/`, isPrefix: true },
  ];
}

export function agentRoleCommands(host: string): string {
  const role = quoted(`portcullis-agent-${host}`);
  const grants = agentPermissions(host).map(
    ({ type, key, isPrefix }) =>
      `etcdctl role grant-permission ${role} ${isPrefix ? '--prefix=true ' : ''}${type} ${quoted(key)}`,
  );
  return [`etcdctl role add ${role}`, ...grants, ''].join('\n');
}

const quoted = (text: string): string =>
  /^[\w/.:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
