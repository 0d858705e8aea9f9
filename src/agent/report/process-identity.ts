/**
 * Names the process of an agent, so that another one with the same `--host` can tell a former self from a rival. A process is
 * known by its machine's boot, its namespace of process ids, its id, and its start.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** Of the kernel since it booted, and of the namespace in which process ids count. */
function placeOfProcesses(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '')}`;
}

/** Kernel ticks since boot; null for no process. */
function startOf(pid: string): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may contain blanks; the start is field 22.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

export const ownIdentity = (): string =>
  `${placeOfProcesses()} ${process.pid} ${startOf(String(process.pid)) ?? ''}`;

/** What has become of a process; `elsewhere` where that cannot be known here. */
export function fateOf(identity: string): 'lives' | 'ended' | 'elsewhere' {
  const [, place, pid = '', start] = /^(\S+ \S+) (\d+) (\d+)$/.exec(identity) ?? [];
  if (place !== placeOfProcesses()) return 'elsewhere';
  return startOf(pid) === start ? 'lives' : 'ended';
}
