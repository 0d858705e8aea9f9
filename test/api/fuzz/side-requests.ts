/**
 * Requests about parts of resources, or beside the catalogue: tags, rules of QoS policies, quotas, the
 * operator's.
 */
import { qosRuleKinds } from '../../../src/model/qos-rule.ts';
import type { Aims } from './aims.ts';
import type { Drafts } from './drafts.ts';
import { projects } from './people.ts';
import type { Random } from './random.ts';
import { type Asked, bare, json } from './request.ts';
import type { Subject } from './subjects.ts';
import { hostile } from './values.ts';

export class SideRequests {
  readonly #random: Random;
  readonly #subjects: readonly Subject[];
  readonly #aims: Aims;
  readonly #drafts: Drafts;

  constructor(random: Random, subjects: readonly Subject[], aims: Aims, drafts: Drafts) {
    this.#random = random;
    this.#subjects = subjects;
    this.#aims = aims;
    this.#drafts = drafts;
  }

  tags(project: string): Asked {
    const random = this.#random;
    const { name, tagPaths } = random.pick(this.#subjects.filter((one) => one.tagPaths.length > 0));
    const url = `/v2.0/${random.pick(tagPaths)}/${this.#aims.id(name, project)}/tags`;
    const tag = encodeURIComponent(
      random.chance(0.9) ? random.pick(['red', 'green', 'b c']) : random.text(300),
    );
    return random.weighted<() => Asked>([
      [2, () => bare('GET', url)],
      [1, () => bare('DELETE', url)],
      [2, () => bare('GET', `${url}/${tag}`)],
      [2, () => bare('PUT', `${url}/${tag}`)],
      [2, () => bare('DELETE', `${url}/${tag}`)],
      [2, () => json('PUT', url, { tags: random.some(['red', 'green', 'blue', 'grey'], 4) })],
      [1, () => json('POST', url, { tags: random.some(['red', 'green', 'blue', 'grey'], 4) })],
      [1, () => json('PUT', url, { tags: hostile(random) })],
    ])();
  }

  qosRules(project: string): Asked {
    const random = this.#random;
    const { name, collection, table } = random.pick(qosRuleKinds);
    const many = `/v2.0/qos/policies/${this.#aims.id('policy', project)}/${collection}`;
    const id = this.#aims.id('qos_rule', project);
    const one = random.pick([
      `${many}/${id}`,
      `/v2.0/qos/alias_${collection}/${id}`,
      `/v2.0/qos/alias-${collection.replaceAll('_', '-')}/${id}`,
    ]);
    const wrapped = one.startsWith(many) ? name : `alias_${name}`;
    return random.weighted<() => Asked>([
      [5, () => json('POST', many, { [name]: this.#drafts.draft(table, project, 'post') })],
      [1, () => bare('GET', many)],
      [1, () => bare('GET', one)],
      [2, () => json('PUT', one, { [wrapped]: this.#drafts.draft(table, project, 'put') })],
      [2, () => bare('DELETE', one)],
    ])();
  }

  quotas(project: string): Asked {
    const random = this.#random;
    const whose = encodeURIComponent(
      random.chance(0.5) ? project : random.pick([...projects, 'nobody', 'tenant']),
    );
    const url = `/v2.0/quotas/${whose}`;
    const limits = () =>
      Object.fromEntries(
        random
          .some(
            ['network', 'subnet', 'port', 'security_group', 'security_group_rule', 'rbac_policy', 'force'],
            4,
          )
          .map((name) => [name, random.chance(0.9) ? random.pick([-1, 5, 100, 100, 500]) : hostile(random)]),
      );
    return random.weighted<() => Asked>([
      [2, () => bare('GET', `${url}${random.pick(['', '/details', '/default', '/details.json'])}`)],
      [2, () => json('PUT', url, { quota: limits() })],
      [1, () => bare('DELETE', url)],
      [0.2, () => bare('GET', '/v2.0/quotas')],
    ])();
  }

  operator(project: string): Asked {
    const random = this.#random;
    const fast = 'timeout=0.01';
    return bare(
      'GET',
      random.pick([
        '/',
        '/v2.0',
        '/v2.0/extensions',
        '/v2.0/extensions/quotas',
        '/v2.0/qos/rule-types',
        '/healthz',
        '/v1/hosts',
        `/v1/sync?${fast}`,
        `/v1/ports/${this.#aims.id('port', project)}/counters?${fast}`,
        `/v1/security-group-rules/${this.#aims.id('security_group_rule', project)}/counters?${fast}`,
        `/v1/security-group-rules/usage?${fast}&security_group_id=${this.#aims.id('security_group', project)}`,
      ]),
    );
  }
}
