/** Requests of all kinds: valid, almost valid, hostile. Their targets come from the catalogue and from answers. */
import type { Schema } from '../../../src/model/schema.ts';
import { Aims, canBeMade, canChange } from './aims.ts';
import type { Route } from './document.ts';
import { Drafts, usualBoldness } from './drafts.ts';
import type { Known } from './known.ts';
import { mayWrite, people, projects } from './people.ts';
import { queryOf } from './queries.ts';
import type { Random } from './random.ts';
import { type Asked, bare, json, type Method, plain, type Request } from './request.ts';
import { SideRequests } from './side-requests.ts';
import { spoiled } from './spoiling.ts';
import type { Subject } from './subjects.ts';
import { fromSchema, hostile, urlText, valueFor } from './values.ts';

/** The resources that attributes refer to, when their names do not show it. */
const targets: Readonly<Record<string, string>> = {
  security_groups: 'security_group',
  remote_group_id: 'security_group',
  remote_address_group_id: 'address_group',
  qos_policy_id: 'policy',
  fixed_ips: 'subnet',
  object_id: 'network',
};

/** How many of a resource there may be before removal is preferred. */
const plenty = 60;

export class Requests {
  readonly #random: Random;
  readonly #subjects: readonly Subject[];
  readonly #known: Known;
  /** Beside the catalogue's. */
  readonly #routes: readonly Route[];
  readonly #aims: Aims;
  readonly #drafts: Drafts;
  readonly #side: SideRequests;

  constructor(random: Random, subjects: readonly Subject[], known: Known, routes: readonly Route[] = []) {
    this.#random = random;
    this.#subjects = subjects;
    this.#known = known;
    this.#routes = routes;
    this.#aims = new Aims(random, subjects, known);
    this.#drafts = new Drafts(random, known);
    this.#side = new SideRequests(random, subjects, this.#aims, this.#drafts);
  }

  next(): Request {
    const random = this.#random;
    const who = random.chance(0.01)
      ? null
      : random.weighted(people.map((one) => [mayWrite(one) ? 3 : 1, one] as const));
    const project = who?.project ?? 'nobody';
    const make = random.weighted<() => Asked>([
      [36, () => this.#create(project)],
      [18, () => this.#update(project)],
      [12, () => this.#remove(project)],
      [8, () => this.#show(project)],
      [10, () => this.#list(project)],
      [5, () => this.#side.tags(project)],
      [3, () => this.#act(project)],
      [5, () => this.#side.qosRules(project)],
      [2, () => this.#side.quotas(project)],
      [2, () => this.#side.operator(project)],
      [5, () => this.#anything(project)],
      [8, () => this.#documented(project)],
    ]);
    return { who, ...spoiled(random, make()) };
  }

  /** Requests that compete: a few kinds, by callers of one project, some of them repeated. */
  burst(size: number): readonly Request[] {
    const random = this.#random;
    const project = random.pick(projects);
    const able = people.filter((one) => mayWrite(one) && (one.project === project || random.chance(0.15)));
    const admins = people.filter((one) => one.roles.includes('admin'));
    const kinds = Array.from({ length: 2 + random.below(2) }, () =>
      random.weighted<() => Asked>([
        [5, this.#repeated((subject) => this.#create(project, subject), canBeMade)],
        [3, this.#repeated((subject) => this.#remove(project, subject), canBeMade)],
        [3, this.#repeated((subject) => this.#update(project, subject), canChange)],
        [1, () => this.#side.tags(project)],
        [1, () => this.#act(project)],
        [1, () => this.#side.qosRules(project)],
        [1, () => this.#side.quotas(project)],
        [1, () => this.#list(project)],
      ]),
    );
    this.#drafts.bold = random.chance(0.5) ? 0.8 : 0.1;
    if (random.chance(0.5)) kinds.splice(0, kinds.length, ...this.#useAndRemove(project));
    const requests: Request[] = [];
    while (requests.length < size) {
      const one = { who: random.pick(random.chance(0.8) ? able : admins), ...random.pick(kinds)() };
      for (let times = random.chance(0.3) ? 2 + random.below(3) : 1; times > 0; times--) requests.push(one);
    }
    this.#drafts.bold = usualBoldness;
    return requests.slice(0, size);
  }

  /** Things that refer to one other, and the removal of that one. */
  #useAndRemove(project: string): readonly (() => Asked)[] {
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
    const use = (): Asked => {
      const draft = this.#drafts.draft(user.table, project, 'post');
      const id = this.#known.id(random, target.name, project);
      draft[attribute] =
        attribute === 'security_groups' ? [id] : attribute === 'fixed_ips' ? [{ subnet_id: id }] : id;
      if (attribute === 'object_id') draft['object_type'] = target.name;
      return json('POST', `/v2.0/${user.path}`, { [user.name]: draft });
    };
    return [use, use, () => this.#remove(project, target)];
  }

  #repeated(make: (subject: Subject) => Asked, able: (subject: Subject) => boolean) {
    const subject = this.#aims.subject(able);
    return () => make(subject);
  }

  #create(project: string, subject = this.#aims.subject(canBeMade)): Asked {
    if (this.#known.count(subject.name) > plenty) return this.#remove(project, subject);
    const { name, collection, path, table } = subject;
    const draft = () => this.#drafts.draft(table, project, 'post');
    const body = this.#random.chance(0.15)
      ? { [collection]: Array.from({ length: 1 + this.#random.below(4) }, draft) }
      : { [name]: draft() };
    return json('POST', `/v2.0/${path}`, body);
  }

  #update(project: string, subject = this.#aims.subject(canChange)): Asked {
    const { name, path, table } = subject;
    const url = `/v2.0/${path}/${this.#aims.id(name, project)}`;
    return json('PUT', url, { [name]: this.#drafts.draft(table, project, 'put') });
  }

  #remove(project: string, subject = this.#aims.subject()): Asked {
    return bare('DELETE', `/v2.0/${subject.path}/${this.#aims.id(subject.name, project)}`);
  }

  #show(project: string): Asked {
    const { name, path, table } = this.#aims.subject();
    const url = `/v2.0/${path}/${this.#aims.id(name, project)}`;
    const query = this.#random.chance(0.2) ? `?${queryOf(this.#random, this.#known, table, project)}` : '';
    return bare(this.#random.chance(0.05) ? 'HEAD' : 'GET', `${url}${query}`);
  }

  #list(project: string): Asked {
    const { path, table } = this.#aims.subject();
    const query = queryOf(this.#random, this.#known, table, project);
    return bare('GET', `/v2.0/${path}${query === '' ? '' : `?${query}`}`);
  }

  #act(project: string): Asked {
    const random = this.#random;
    const able = this.#subjects.filter((one) => one.actions.length > 0);
    if (able.length === 0) return this.#list(project);
    const { name, path, table, actions } = random.pick(able);
    const draft = this.#drafts.draft(table, project, 'post');
    const single = {
      subnet_id: this.#known.id(random, 'subnet', project),
      ...(random.chance(0.3) ? { port_id: this.#known.id(random, 'port', project) } : {}),
    };
    const body = random.pick<unknown>([draft, { [name]: draft }, single, hostile(random)]);
    return json('PUT', `/v2.0/${path}/${this.#aims.id(name, project)}/${random.pick(actions)}`, body);
  }

  /** One of the routes in the API's document. */
  #documented(project: string): Asked {
    if (this.#routes.length === 0) return this.#anything(project);
    const random = this.#random;
    const { method, path, body } = random.pick(this.#routes);
    const url = path.replaceAll(/([^/]+)\/\{(\w+)\}/g, (_all, before: string, name: string) => {
      const subject = this.#subjects.find((one) => one.path.endsWith(before) || one.name === name);
      if (subject !== undefined) return `${before}/${this.#aims.id(subject.name, project)}`;
      const word =
        name === 'project' ? encodeURIComponent(project) : random.pick(['host-1', 'host-2', 'red']);
      return `${before}/${before.endsWith('_rules') ? this.#aims.id('qos_rule', project) : word}`;
    });
    if (body === null) return bare(method, url);
    const named = (name: string, part: Schema): unknown =>
      part.properties === undefined && part.items?.properties === undefined
        ? valueFor(random, this.#known, project, name, { post: 'allowed', put: true, type: part })
        : fromSchema(random, part, named);
    return json(method, url, fromSchema(random, body, named));
  }

  /** Any path, any verb, any body. */
  #anything(project: string): Asked {
    const random = this.#random;
    const { name, path } = this.#aims.subject();
    const strange = () => urlText(plain(hostile(random)).slice(0, 3000));
    const url = random.pick([
      `/v2.0/${path}`,
      `/v2.0/${path}/${this.#aims.id(name, project)}`,
      `/v2.0/${path}/${strange()}`,
      `/v2.0/${path}/${this.#aims.id(name, project)}/${strange()}`,
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
    if (random.chance(0.5) || method === 'HEAD') return bare(method, url);
    return json(method, url, random.pick<unknown>([hostile(random), { [name]: hostile(random) }]));
  }
}
