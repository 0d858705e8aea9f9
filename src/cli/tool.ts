/** Runs the system's own tools (ip, ethtool, ovs-vsctl) and turns their failure into one readable fault. */
import { execFile } from 'node:child_process';
import { Fault } from '../base/errors.ts';

export type ToolFault = { readonly code: 'ToolFailed'; readonly command: string };

/** Resolves to standard output. Throws `ToolFailed` with the tool's own last line; gives up after 30 s. */
export function tool(file: string, ...args: readonly string[]): Promise<string> {
  const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      { env: { ...process.env, PATH }, timeout: 30_000, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve(stdout);
          return;
        }
        const command = [file, ...args].join(' ');
        const words = error.code === 'ENOENT' ? `${file} is not installed` : stderr.trim() || error.message;
        reject(new Fault<ToolFault>({ code: 'ToolFailed', command }, `${command}: ${words}`, error));
      },
    );
  });
}

/** For steps whose failure means that nothing is left to do. */
export async function succeeds(file: string, ...args: readonly string[]): Promise<boolean> {
  return tool(file, ...args).then(
    () => true,
    () => false,
  );
}
