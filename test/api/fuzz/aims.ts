/** The targets of requests: a resource, and an existing record of it. */
import type { Known } from './known.ts';
import type { Random } from './random.ts';
import type { Subject } from './subjects.ts';
import { strangeNames } from './values.ts';

/** Records that others refer to come more often than ones that hardly change. */
const often: Readonly<Record<string, number>> = {
  network: 3,
  subnet: 3,
  port: 4,
  security_group_rule: 3,
  default_security_group_rule: 0.3,
  security_groups_default_statefulness: 0.3,
  agent: 0.2,
  availability_zone: 0.1,
};

export const canBeMade = ({ table }: Subject): boolean =>
  Object.values(table).some((attribute) => attribute.post !== 'refused');
export const canChange = ({ table }: Subject): boolean =>
  Object.values(table).some((attribute) => attribute.put);

export class Aims {
  readonly #random: Random;
  readonly #subjects: readonly Subject[];
  readonly #known: Known;

  constructor(random: Random, subjects: readonly Subject[], known: Known) {
    this.#random = random;
    this.#subjects = subjects;
    this.#known = known;
  }

  subject(able: (subject: Subject) => boolean = () => true): Subject {
    const random = this.#random;
    const subjects = random.chance(0.05) ? this.#subjects : this.#subjects.filter(able);
    return random.weighted(subjects.map((one) => [often[one.name] ?? 1, one] as const));
  }

  id(name: string, project: string): string {
    const random = this.#random;
    if (random.chance(0.01)) return encodeURIComponent(random.pick(strangeNames));
    return this.#known.id(random, random.chance(0.01) ? random.pick(this.#known.kinds) : name, project);
  }
}
