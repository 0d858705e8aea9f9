/** Bodies for creation and update: attributes that mostly agree with each other, and are sometimes distorted. */
import type { AttributeTable } from '../../../src/model/attribute.ts';
import type { Known } from './known.ts';
import type { Random } from './random.ts';
import { hostile, strangeNames, valueFor } from './values.ts';

/** How many drafts say much, unless somebody wants others. */
export const usualBoldness = 0.3;

export class Drafts {
  readonly #random: Random;
  readonly #known: Known;
  /** How many drafts say much. */
  bold = usualBoldness;

  constructor(random: Random, known: Known) {
    this.#random = random;
    this.#known = known;
  }

  draft(table: AttributeTable, project: string, verb: 'post' | 'put'): Record<string, unknown> {
    const random = this.#random;
    const draft: Record<string, unknown> = {};
    const attributes = Object.entries(table).filter(
      ([, { rights, post }]) => rights === undefined || post === 'required' || random.chance(0.5),
    );
    const bold = random.chance(this.bold);
    for (const [name, attribute] of attributes) {
      const takes = verb === 'post' ? attribute.post !== 'refused' : attribute.put;
      // A subnet without its own prefix is cut from a pool, which is rarer.
      const asked =
        verb === 'post' && (attribute.post === 'required' || (name === 'cidr' && random.chance(0.75)));
      if (!takes ? random.chance(0.002) : asked || random.chance(bold ? 0.4 : 0.12))
        draft[name] = valueFor(random, this.#known, project, name, attribute);
    }
    this.#agree(draft, project);
    if (random.chance(0.1)) this.#distort(draft);
    return draft;
  }

  /** Attributes that contradict each other would create little. */
  #agree(draft: Record<string, unknown>, project: string): void {
    const random = this.#random;
    if (random.chance(0.1)) return;
    if (Object.hasOwn(draft, 'cidr') && random.chance(0.8))
      for (const name of ['subnetpool_id', 'prefixlen', 'use_default_subnetpool']) delete draft[name];
    else if (Object.hasOwn(draft, 'subnetpool_id')) delete draft['cidr'];
    if (typeof draft['cidr'] === 'string') {
      draft['ip_version'] = draft['cidr'].includes(':') ? 6 : 4;
      delete draft['gateway_ip'];
      if (draft['ip_version'] === 4) {
        delete draft['ipv6_ra_mode'];
        delete draft['ipv6_address_mode'];
      } else if (random.chance(0.5)) {
        draft['ipv6_address_mode'] = draft['ipv6_ra_mode'] ?? null;
      }
    }
    if (Object.hasOwn(draft, 'direction') && random.chance(0.7)) {
      for (const name of ['protocol', 'port_range_min', 'port_range_max']) delete draft[name];
      if (random.chance(0.6))
        Object.assign(draft, { protocol: 'tcp', port_range_min: 80, port_range_max: 80 + random.below(40) });
    }
    const type = draft['object_type'];
    if (typeof type === 'string' && Object.hasOwn(draft, 'object_id'))
      draft['object_id'] = this.#known.id(random, type === 'qos_policy' ? 'policy' : type, project);
  }

  #distort(draft: Record<string, unknown>): void {
    const random = this.#random;
    const names = Object.keys(draft);
    for (let count = 1 + random.below(2); count > 0; count--) {
      const name = names.length === 0 || random.chance(0.1) ? random.pick(strangeNames) : random.pick(names);
      if (random.chance(0.15)) delete draft[name];
      else
        Object.defineProperty(draft, name, {
          value: hostile(random),
          enumerable: true,
          configurable: true,
          writable: true,
        });
    }
  }
}
