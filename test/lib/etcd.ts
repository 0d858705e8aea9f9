/** Starts etcd members for tests: in a temporary directory, on loopback. Needs Debian's etcd-server. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { until } from './wait.ts';

export interface EtcdMember {
  /** `HOST:PORT` for clients. */
  readonly address: string;
  readonly pid: number;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on its data. */
  restart(): void;
  /** Lets it stand still, or go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
}

export interface Etcd {
  readonly members: readonly EtcdMember[];
  readonly addresses: readonly string[];
  readonly dir: string;
  /** Kills all members and removes their data. */
  stop(): Promise<void>;
}

export const hasEtcd = ((): boolean => {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** What docs/operations.md tells operators. */
export const documentedLimits = ['--max-txn-ops=16384', '--max-request-bytes=4194304'];

/** `extra`: more arguments for each member. Resolves once the cluster answers. */
export async function startEtcd(
  size = 1,
  extra: readonly string[] = documentedLimits,
  scheme: 'http' | 'https' = 'http',
): Promise<Etcd> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-etcd-'));
  const ports = await freePorts(size * 2);
  const peers = Array.from({ length: size }, (_, i) => `m${i}=http://127.0.0.1:${ports[i]}`).join(',');
  const members = Array.from({ length: size }, (_, i) => {
    const client = `${scheme}://127.0.0.1:${ports[size + i]}`;
    return startMember(join(dir, `m${i}`), `127.0.0.1:${ports[size + i]}`, [
      `--name=m${i}`,
      `--initial-cluster=${peers}`,
      `--listen-peer-urls=http://127.0.0.1:${ports[i]}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${ports[i]}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      // A laboratory's cluster elects fast. Its data need not survive the machine.
      '--heartbeat-interval=50',
      '--election-timeout=500',
      ...extra,
    ]);
  });
  const etcd: Etcd = {
    members,
    addresses: members.map(({ address }) => address),
    dir,
    stop: async () => {
      await Promise.all(members.map((member) => member.kill()));
      await rm(dir, { recursive: true, force: true });
    },
  };
  if (scheme === 'http') await until(() => isAnswering(etcd.addresses), { timeout: 20_000 });
  return etcd;
}

async function isAnswering(addresses: readonly string[]): Promise<boolean> {
  try {
    const store = await EtcdStore.open({ addresses });
    await store.close();
    return true;
  } catch {
    return false;
  }
}

function startMember(dataDir: string, address: string, options: readonly string[]): EtcdMember {
  let child: ChildProcess;
  const restart = (): void => {
    const log = createWriteStream(`${dataDir}.log`, { flags: 'a' });
    child = spawn('etcd', [`--data-dir=${dataDir}`, '--log-level=error', '--logger=zap', ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout?.pipe(log);
    child.stderr?.pipe(log);
  };
  restart();
  return {
    address,
    get pid() {
      return child.pid ?? -1;
    },
    restart,
    signal: (signal) => void child.kill(signal),
    kill: async (signal = 'SIGKILL') => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGCONT');
      child.kill(signal);
      await ended;
    },
  };
}

export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
