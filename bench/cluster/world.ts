/**
 * A cloud of networks with a hundred ports each, every one with a group whose members reach each other. Each simulated host
 * has a port of the first network, and some of a few others.
 */
import type { PortId } from '../../src/policy/world.ts';
import type { Write } from '../../src/store/contract.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../../test/lib/records.ts';

export const perNetwork = 100;
const networksEach = 4;
const portsOfEach = 5;

export const nameOf = (network: number, port: number): string => `p-${network}-${port}`;

export function* networksOf(ports: number): Generator<readonly Write[]> {
  for (let network = 0; network < ports / perNetwork; network++) {
    const [id, group] = [`n${network}`, `g${network}`];
    yield [
      ...networkWrites(id),
      ...defaultRules(group).map(putRule),
      ...Array.from({ length: perNetwork }, (_, at) => {
        const mac = `02:00:00:00:00:${at.toString(16).padStart(2, '0')}`;
        return putPort({
          id: nameOf(network, at),
          network: id,
          mac,
          ips: [`10.0.0.${at + 1}`],
          groups: [group],
        });
      }),
    ];
  }
}

/** The first network is everywhere. No port is on two hosts. */
export function portsOf(host: number, ports: number): PortId[] {
  const networks = ports / perNetwork - 1;
  const others = Array.from({ length: networksEach }, (_, n) => {
    const network = 1 + ((host * networksEach + n) % networks);
    const turn = Math.floor((host * networksEach + n) / networks);
    return Array.from({ length: portsOfEach }, (_unused, at) => nameOf(network, turn * portsOfEach + at));
  });
  return [nameOf(0, host), ...others.flat()].map((id) => id as PortId);
}
