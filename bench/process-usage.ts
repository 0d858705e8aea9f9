/** The kernel's figures about a process: CPU time of all its threads, present and peak memory. */
import { readdirSync, readFileSync } from 'node:fs';

/** Kernel ticks a second in /proc/PID/stat: USER_HZ, fixed on Linux. */
const ticks = 100;

/** Seconds of CPU, user and system together, since the process began. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may contain blanks; utime and stime are fields 14 and 15.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

/** The same in nanoseconds, where ticks are too coarse; only threads that live now count. */
export function threadNanoseconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [ran = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return sum + Number(ran);
  }, 0);
}

export interface Memory {
  /** Megabytes (10⁶) resident now and at most so far. */
  readonly now: number;
  readonly peak: number;
}

export function memory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  return { now: (kibibytes('VmRSS') * 1024) / 1e6, peak: (kibibytes('VmHWM') * 1024) / 1e6 };
}
