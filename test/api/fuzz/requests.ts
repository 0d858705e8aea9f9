/** Requests of all sorts: valid, nearly valid, hostile. What they are about comes from the catalogue and from answers. */
import type { AttributeTable } from '../../../src/model/attribute.ts';
import { qosRuleKinds } from '../../../src/model/qos-rule.ts';
import type { Schema } from '../../../src/model/schema.ts';
import type { Route } from './document.ts';
import type { Known } from './known.ts';
import { mayWrite, type Person, people, projects } from './people.ts';
import type { Random } from './random.ts';
import type { Subject } from './subjects.ts';
import { fromSchema, hostile, strangeNames, urlText, valueFor } from './values.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'HEAD' | 'OPTIONS';

export interface Request {
  /** Null: without a token. */
  readonly who: Person | null;
  readonly method: Method;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Values as a URL spells them; an object may have a `toString` of its own. */
const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What others hang on comes more often than what hardly changes. */
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

/** What attributes refer to, where their names do not say so. */
const targets: Readonly<Record<string, string>> = {
  security_groups: 'security_group',
  remote_group_id: 'security_group',
  remote_address_group_id: 'address_group',
  qos_policy_id: 'policy',
  fixed_ips: 'subnet',
  object_id: 'network',
};

const canBeMade = ({ table }: Subject): boolean =>
  Object.values(table).some((attribute) => attribute.post !== 'refused');
const canChange = ({ table }: Subject): boolean => Object.values(table).some((attribute) => attribute.put);

/** How many of a resource there may be before removal is preferred. */
const plenty = 60;

export class Requests {
  readonly #random: Random;
  readonly #subjects: readonly Subject[];
  readonly #known: Known;
  /** Beside the catalogue's. */
  readonly #routes: readonly Route[];
  /** How many drafts say much. */
  #bold = 0.3;

  constructor(random: Random, subjects: readonly Subject[], known: Known, routes: readonly Route[] = []) {
    this.#random = random;
    this.#subjects = subjects;
    this.#known = known;
    this.#routes = routes;
  }

  next(): Request {
    const random = this.#random;
    const who = random.chance(0.01)
      ? null
      : random.weighted(people.map((one) => [mayWrite(one) ? 3 : 1, one] as const));
    const project = who?.project ?? 'nobody';
    const make = random.weighted<() => Omit<Request, 'who'>>([
      [36, () => this.#create(project)],
      [18, () => this.#update(project)],
      [12, () => this.#remove(project)],
      [8, () => this.#show(project)],
      [10, () => this.#list(project)],
      [5, () => this.#tags(project)],
      [3, () => this.#act(project)],
      [5, () => this.#qosRules(project)],
      [2, () => this.#quotas(project)],
      [2, () => this.#operator(project)],
      [5, () => this.#anything(project)],
      [8, () => this.#documented(project)],
    ]);
    return { who, ...this.#spoiled(make()) };
  }

  /** Requests that get in each other's way: a few kinds, of people of one project, some of them more than once. */
  burst(size: number): readonly Request[] {
    const random = this.#random;
    const project = random.pick(projects);
    const able = people.filter((one) => mayWrite(one) && (one.project === project || random.chance(0.15)));
    const admins = people.filter((one) => one.roles.includes('admin'));
    const kinds = Array.from({ length: 2 + random.below(2) }, () =>
      random.weighted<() => Omit<Request, 'who'>>([
        [5, this.#repeated((subject) => this.#create(project, subject), canBeMade)],
        [3, this.#repeated((subject) => this.#remove(project, subject), canBeMade)],
        [3, this.#repeated((subject) => this.#update(project, subject), canChange)],
        [1, () => this.#tags(project)],
        [1, () => this.#act(project)],
        [1, () => this.#qosRules(project)],
        [1, () => this.#quotas(project)],
        [1, () => this.#list(project)],
      ]),
    );
    this.#bold = random.chance(0.5) ? 0.8 : 0.1;
    if (random.chance(0.5)) kinds.splice(0, kinds.length, ...this.#useAndRemove(project));
    const requests: Request[] = [];
    while (requests.length < size) {
      const one = { who: random.pick(random.chance(0.8) ? able : admins), ...random.pick(kinds)() };
      for (let times = random.chance(0.3) ? 2 + random.below(3) : 1; times > 0; times--) requests.push(one);
    }
    this.#bold = 0.3;
    return requests.slice(0, size);
  }

  /** Things that refer to one other, and the removal of that one. */
  #useAndRemove(project: string): readonly (() => Omit<Request, 'who'>)[] {
    const random = this.#random;
    const uses = this.#subjects.flatMap((user) =>
      Object.keys(user.table).flatMap((attribute) => {
        const target = this.#subjects.find(
          (one) => one.name === (targets[attribute] ?? attribute.replace(/_id$/, '')),
        );
        return target === undefined || user.table[attribute]?.post === 'refused'
          ? []
          : [{ user, attribute, target }];
      }),
    );
    const { user, attribute, target } = random.pick(uses);
    const use = (): Omit<Request, 'who'> => {
      const draft = this.#draft(user.table, project, 'post');
      const id = this.#known.id(random, target.name, project);
      draft[attribute] =
        attribute === 'security_groups' ? [id] : attribute === 'fixed_ips' ? [{ subnet_id: id }] : id;
      if (attribute === 'object_id') draft['object_type'] = target.name;
      return this.#json('POST', `/v2.0/${user.path}`, { [user.name]: draft });
    };
    return [use, use, () => this.#remove(project, target)];
  }

  #repeated(make: (subject: Subject) => Omit<Request, 'who'>, able: (subject: Subject) => boolean) {
    const subject = this.#subject(able);
    return () => make(subject);
  }

  #subject(able: (subject: Subject) => boolean = () => true): Subject {
    const random = this.#random;
    const subjects = random.chance(0.05) ? this.#subjects : this.#subjects.filter(able);
    return random.weighted(subjects.map((one) => [often[one.name] ?? 1, one] as const));
  }

  #draft(table: AttributeTable, project: string, verb: 'post' | 'put'): Record<string, unknown> {
    const random = this.#random;
    const draft: Record<string, unknown> = {};
    const attributes = Object.entries(table).filter(
      ([, { rights, post }]) => rights === undefined || post === 'required' || random.chance(0.5),
    );
    const bold = random.chance(this.#bold);
    for (const [name, attribute] of attributes) {
      const takes = verb === 'post' ? attribute.post !== 'refused' : attribute.put;
      // A subnet without a prefix of its own is cut from a pool, which is rarer.
      const asked =
        verb === 'post' && (attribute.post === 'required' || (name === 'cidr' && random.chance(0.75)));
      if (!takes ? random.chance(0.002) : asked || random.chance(bold ? 0.4 : 0.12))
        draft[name] = valueFor(random, this.#known, project, name, attribute);
    }
    this.#agree(draft, project);
    if (random.chance(0.1)) this.#distort(draft);
    return draft;
  }

  /** Attributes that contradict each other would leave little to be made. */
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

  #json(method: Method, url: string, body: unknown): Omit<Request, 'who'> {
    return { method, url, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  }

  #bare(method: Method, url: string): Omit<Request, 'who'> {
    return { method, url, headers: {}, body: undefined };
  }

  #id(name: string, project: string): string {
    const random = this.#random;
    if (random.chance(0.01)) return encodeURIComponent(random.pick(strangeNames));
    return this.#known.id(random, random.chance(0.01) ? random.pick(this.#known.kinds) : name, project);
  }

  #create(project: string, subject = this.#subject(canBeMade)): Omit<Request, 'who'> {
    if (this.#known.count(subject.name) > plenty) return this.#remove(project, subject);
    const { name, collection, path, table } = subject;
    const draft = () => this.#draft(table, project, 'post');
    const body = this.#random.chance(0.15)
      ? { [collection]: Array.from({ length: 1 + this.#random.below(4) }, draft) }
      : { [name]: draft() };
    return this.#json('POST', `/v2.0/${path}`, body);
  }

  #update(project: string, subject = this.#subject(canChange)): Omit<Request, 'who'> {
    const { name, path, table } = subject;
    const url = `/v2.0/${path}/${this.#id(name, project)}`;
    return this.#json('PUT', url, { [name]: this.#draft(table, project, 'put') });
  }

  #remove(project: string, subject = this.#subject()): Omit<Request, 'who'> {
    return this.#bare('DELETE', `/v2.0/${subject.path}/${this.#id(subject.name, project)}`);
  }

  #show(project: string): Omit<Request, 'who'> {
    const { name, path, table } = this.#subject();
    const url = `/v2.0/${path}/${this.#id(name, project)}`;
    const query = this.#random.chance(0.2) ? `?${this.#query(table, project)}` : '';
    return this.#bare(this.#random.chance(0.05) ? 'HEAD' : 'GET', `${url}${query}`);
  }

  #list(project: string): Omit<Request, 'who'> {
    const { path, table } = this.#subject();
    const query = this.#query(table, project);
    return this.#bare('GET', `/v2.0/${path}${query === '' ? '' : `?${query}`}`);
  }

  #query(table: AttributeTable, project: string): string {
    const random = this.#random;
    const names = Object.keys(table);
    const parts = Array.from({ length: random.below(4) }, () => {
      const name = random.pick(names);
      return random.weighted<() => readonly [string, unknown]>([
        [6, () => [name, valueFor(random, this.#known, project, name, table[name])]],
        [1, () => [name, hostile(random)]],
        [1, () => [random.pick(strangeNames), hostile(random)]],
        [2, () => ['fields', random.chance(0.8) ? name : `('id', '${name}')`]],
        [2, () => ['sort_key', name]],
        [1, () => ['sort_dir', random.pick(['asc', 'desc', 'up'])]],
        [2, () => ['limit', random.pick([0, 1, 2, 5, -1, 'x', '1'.repeat(30)])]],
        [1, () => ['marker', this.#known.id(random, random.pick(this.#known.kinds), project)]],
        [1, () => ['page_reverse', random.pick(['true', 'True', 'no'])]],
        [1, () => ['changed_since', random.pick(['2020-01-01T00:00:00Z', 'never', '2999-01-01'])]],
        [1, () => [random.pick(['tags', 'tags-any', 'not-tags', 'not-tags-any']), 'red,green']],
        [
          1,
          () => [
            random.pick(['fixed_ips', 'allowed_address_pairs']),
            `${random.pick(['ip_address', 'subnet_id', 'ip_address_substr', 'mac_address', ''])}=${plain(hostile(random))}`,
          ],
        ],
      ])();
    });
    const escaped = (value: unknown): string => {
      const text = plain(value);
      return random.chance(0.02) ? text.replaceAll(/[^!-~]/g, '%') : urlText(text);
    };
    return parts.map(([name, value]) => `${encodeURIComponent(name)}=${escaped(value)}`).join('&');
  }

  #tags(project: string): Omit<Request, 'who'> {
    const random = this.#random;
    const { name, tagPaths } = random.pick(this.#subjects.filter((one) => one.tagPaths.length > 0));
    const url = `/v2.0/${random.pick(tagPaths)}/${this.#id(name, project)}/tags`;
    const tag = encodeURIComponent(
      random.chance(0.9) ? random.pick(['red', 'green', 'b c']) : random.text(300),
    );
    return random.weighted<() => Omit<Request, 'who'>>([
      [2, () => this.#bare('GET', url)],
      [1, () => this.#bare('DELETE', url)],
      [2, () => this.#bare('GET', `${url}/${tag}`)],
      [2, () => this.#bare('PUT', `${url}/${tag}`)],
      [2, () => this.#bare('DELETE', `${url}/${tag}`)],
      [2, () => this.#json('PUT', url, { tags: random.some(['red', 'green', 'blue', 'grey'], 4) })],
      [1, () => this.#json('POST', url, { tags: random.some(['red', 'green', 'blue', 'grey'], 4) })],
      [1, () => this.#json('PUT', url, { tags: hostile(random) })],
    ])();
  }

  #act(project: string): Omit<Request, 'who'> {
    const random = this.#random;
    const able = this.#subjects.filter((one) => one.actions.length > 0);
    if (able.length === 0) return this.#list(project);
    const { name, path, table, actions } = random.pick(able);
    const draft = this.#draft(table, project, 'post');
    const single = {
      subnet_id: this.#known.id(random, 'subnet', project),
      ...(random.chance(0.3) ? { port_id: this.#known.id(random, 'port', project) } : {}),
    };
    const body = random.pick<unknown>([draft, { [name]: draft }, single, hostile(random)]);
    return this.#json('PUT', `/v2.0/${path}/${this.#id(name, project)}/${random.pick(actions)}`, body);
  }

  #qosRules(project: string): Omit<Request, 'who'> {
    const random = this.#random;
    const { name, collection, table } = random.pick(qosRuleKinds);
    const many = `/v2.0/qos/policies/${this.#id('policy', project)}/${collection}`;
    const id = this.#id('qos_rule', project);
    const one = random.pick([
      `${many}/${id}`,
      `/v2.0/qos/alias_${collection}/${id}`,
      `/v2.0/qos/alias-${collection.replaceAll('_', '-')}/${id}`,
    ]);
    const wrapped = one.startsWith(many) ? name : `alias_${name}`;
    return random.weighted<() => Omit<Request, 'who'>>([
      [5, () => this.#json('POST', many, { [name]: this.#draft(table, project, 'post') })],
      [1, () => this.#bare('GET', many)],
      [1, () => this.#bare('GET', one)],
      [2, () => this.#json('PUT', one, { [wrapped]: this.#draft(table, project, 'put') })],
      [2, () => this.#bare('DELETE', one)],
    ])();
  }

  #quotas(project: string): Omit<Request, 'who'> {
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
    return random.weighted<() => Omit<Request, 'who'>>([
      [2, () => this.#bare('GET', `${url}${random.pick(['', '/details', '/default', '/details.json'])}`)],
      [2, () => this.#json('PUT', url, { quota: limits() })],
      [1, () => this.#bare('DELETE', url)],
      [0.2, () => this.#bare('GET', '/v2.0/quotas')],
    ])();
  }

  #operator(project: string): Omit<Request, 'who'> {
    const random = this.#random;
    const fast = 'timeout=0.01';
    return this.#bare(
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
        `/v1/ports/${this.#id('port', project)}/counters?${fast}`,
        `/v1/security-group-rules/${this.#id('security_group_rule', project)}/counters?${fast}`,
        `/v1/security-group-rules/usage?${fast}&security_group_id=${this.#id('security_group', project)}`,
      ]),
    );
  }

  /** One of the routes that the API tells of itself. */
  #documented(project: string): Omit<Request, 'who'> {
    if (this.#routes.length === 0) return this.#anything(project);
    const random = this.#random;
    const { method, path, body } = random.pick(this.#routes);
    const url = path.replaceAll(/([^/]+)\/\{(\w+)\}/g, (_all, before: string, name: string) => {
      const subject = this.#subjects.find((one) => one.path.endsWith(before) || one.name === name);
      if (subject !== undefined) return `${before}/${this.#id(subject.name, project)}`;
      const word =
        name === 'project' ? encodeURIComponent(project) : random.pick(['host-1', 'host-2', 'red']);
      return `${before}/${before.endsWith('_rules') ? this.#id('qos_rule', project) : word}`;
    });
    if (body === null) return this.#bare(method, url);
    const named = (name: string, part: Schema): unknown =>
      part.properties === undefined && part.items?.properties === undefined
        ? valueFor(random, this.#known, project, name, { post: 'allowed', put: true, type: part })
        : fromSchema(random, part, named);
    return this.#json(method, url, fromSchema(random, body, named));
  }

  /** Any path, any verb, any body. */
  #anything(project: string): Omit<Request, 'who'> {
    const random = this.#random;
    const { name, path } = this.#subject();
    const strange = () => urlText(plain(hostile(random)).slice(0, 3000));
    const url = random.pick([
      `/v2.0/${path}`,
      `/v2.0/${path}/${this.#id(name, project)}`,
      `/v2.0/${path}/${strange()}`,
      `/v2.0/${path}/${this.#id(name, project)}/${strange()}`,
      `/v2.0/${strange()}`,
      `/${strange()}`,
      `/v2.0/${path}/%00`,
      `/v2.0/${path}/%ff%fe`,
      `/v2.0/${path}/%`,
      `/v2.0//${path}//`,
      `/v2.0/${path}?${'&'.repeat(random.below(50))}=&==`,
      `/v2.0/${path}?%=%&%ff=1`,
      `/v2.0/${path}.json`,
      `/v2.0/quotas/${strange()}/details`,
      `/v2.0/qos/policies/${strange()}/bandwidth_limit_rules/${strange()}`,
      `/v2.0/extensions/${strange()}`,
      `/v1/ports/${strange()}/counters?timeout=0.01`,
      `/v1/${strange()}`,
    ]);
    const method = random.pick<Method>(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']);
    if (random.chance(0.5) || method === 'HEAD') return this.#bare(method, url);
    return this.#json(method, url, random.pick<unknown>([hostile(random), { [name]: hostile(random) }]));
  }

  /** Sometimes headers, and the text of the body, are not what they should be. */
  #spoiled(request: Omit<Request, 'who'>): Omit<Request, 'who'> {
    const random = this.#random;
    let { body, headers } = request;
    if (random.chance(0.05)) {
      headers = {
        ...headers,
        'if-match': random.pick([
          `revision_number=${random.below(4)}`,
          `"revision_number=${random.below(4)}"`,
          'revision_number=x',
          '*',
          '',
          'revision_number=1, revision_number=2',
          `revision_number=${'9'.repeat(30)}`,
        ]),
      };
    }
    if (random.chance(0.01))
      headers = {
        ...headers,
        'content-type': random.pick([
          'text/plain',
          'x',
          'application/xml',
          'application/json; charset=latin1',
        ]),
      };
    if (body !== undefined && random.chance(0.02)) body = this.#torn(body);
    return { ...request, headers, body };
  }

  #torn(body: string): string {
    const random = this.#random;
    const at = random.below(body.length + 1);
    return random.pick([
      body.slice(0, at),
      `${body.slice(0, at)}${random.text(1, '{}[],:"\\\u0000')}${body.slice(at)}`,
      `${body}${body}`,
      body.replace(/"[^"]*"(?=[,}\]])/, () => `${'['.repeat(3000)}${']'.repeat(3000)}`),
      body.replace(/:"[^"]*"/, () => `:${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`),
      body.replace('{', '{"__proto__":{"admin":true},"constructor":{"prototype":{}},'),
      body.replace(/:("[^"]*"|\d+)/, ':1e999'),
      `\ufeff${body}`,
      '',
      'null',
      '[]',
      '0',
    ]);
  }
}
