/** DHCP between guests: dnsmasq with one lease on one side, udhcpc on the other. */
import { writeFile } from 'node:fs/promises';
import { until } from '../lib/wait.ts';
import type { Cloud, Member } from './cloud.ts';

/** A guest that offers one lease: the API's address of the requesting port. */
export class LeaseServer {
  readonly #server: Member;
  readonly #files: string;

  constructor(cloud: Cloud, server: Member) {
    this.#server = server;
    this.#files = `${cloud.dataDir}/${server.port.name}.dnsmasq`;
  }

  async start(asking: Member): Promise<void> {
    await this.#server.run(
      'dnsmasq',
      '--conf-file=/dev/null',
      '--port=0',
      '--interface=eth0',
      '--bind-interfaces',
      '--no-ping',
      `--pid-file=${this.#files}.pid`,
      `--dhcp-leasefile=${this.#files}.leases`,
      '--dhcp-range=192.0.2.0,static,255.255.255.0',
      `--dhcp-host=${asking.mac},${asking.ip}`,
      '--dhcp-authoritative',
      `--log-facility=${this.#files}.log`,
      '--log-dhcp',
    );
  }

  async stop(): Promise<void> {
    const { stdout } = await this.#server.runAnyway('cat', [`${this.#files}.pid`]);
    process.kill(Number(stdout));
    await until(async () => !(await this.#server.run('ss', '-lunH')).includes(':67 '), {
      what: 'dnsmasq is gone',
    });
  }
}

/** `ADDRESS by SERVER` of the lease that a guest gets; null without one after some tries. */
export async function lease(cloud: Cloud, asking: Member): Promise<string | null> {
  const script = `${cloud.dataDir}/udhcpc`;
  await writeFile(script, '#!/bin/sh\n[ "$1" = bound ] && echo "leased $ip by $serverid"\nexit 0\n', {
    mode: 0o755,
  });
  const options = '-i eth0 -f -q -n -t 3 -T 1 -s'.split(' ');
  const { code, stdout, stderr } = await asking.runAnyway('udhcpc', [...options, script]);
  if (code !== 0 && !/no lease/.test(stderr + stdout)) throw new Error(stderr);
  return /^leased (.*)$/m.exec(stdout)?.[1] ?? null;
}
