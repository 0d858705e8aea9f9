/** Recorded conversations of ovs-ofctl with ovs-vswitchd; for tests only. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Vector {
  readonly name: string;
  /** Frames from ovs-ofctl and from the switch, each in order. */
  readonly sent: readonly Buffer[];
  readonly received: readonly Buffer[];
}

const dir = new URL('./vectors/', import.meta.url);

function readVector(file: string): Vector {
  const lines = readFileSync(new URL(file, dir), 'utf8').split('\n');
  const frames = (mark: string): Buffer[] =>
    lines.filter((line) => line.startsWith(mark)).map((line) => Buffer.from(line.slice(2), 'hex'));
  return { name: file.replace('.txt', ''), sent: frames('> '), received: frames('< ') };
}

export const vectors: readonly Vector[] = readdirSync(dir)
  .filter((file) => file.endsWith('.txt'))
  .map(readVector);
