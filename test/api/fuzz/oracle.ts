/**
 * Rules for every answer: it must not fail, reveal internals, or show or change another project's records.
 * The oracle uses the store's records and its own rules of visibility, not the policy's tables.
 */

import type { Changed, Held, Json, Mirror } from './mirror.ts';
import { mayWrite, type Person, seesAll } from './people.ts';
import { faultsOfRefusal, isFailure } from './refusals.ts';
import type { Request } from './request.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const inside =
  /node_modules|\.[jt]s:\d+|\bat [\w.<>]+ \(|TypeError|ReferenceError|RangeError|SyntaxError|Cannot read|FST_ERR|\/(src|dist)\/|\blmdb\b/;

/** Attributes that a record keeps from its creation to its end. */
const constants = ['id', 'project_id', 'created_at', 'network_id', 'security_group_id', 'vni', 'key'];

const kindOf = (key: string): string => key.split('/')[0] ?? '';
const projectOf = (held: Held | null | undefined): string | null =>
  typeof held?.record?.['project_id'] === 'string' ? held.record['project_id'] : null;

export class Oracle {
  readonly #mirror: Mirror;
  /** Records that the request deleted, which its caller may have seen. */
  #gone = new Map<string, Held>();

  constructor(mirror: Mirror) {
    this.#mirror = mirror;
  }

  /** All faults of an answer. */
  complaints(request: Request, answer: Answer): readonly string[] {
    const changes = this.#mirror.takeChanges();
    this.#gone = new Map(changes.flatMap(({ key, before }) => (before === null ? [] : [[key, before]])));
    return [
      ...this.#ofForm(request, answer),
      ...this.#ofReading(request, answer),
      ...changes.flatMap((change) => [...this.#ofHistory(change)]),
      ...this.#ofWriting(request, answer, changes),
    ];
  }

  *#ofForm({ method, url }: Request, { status, text }: Answer): Iterable<string> {
    if (isFailure(url, status, text)) yield `status ${status}`;
    const leak = inside.exec(text);
    if (leak !== null) yield `the answer reveals internals: ${leak[0]}`;
    if (method === 'HEAD' || text === '' || url.startsWith('/metrics')) return;
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      yield 'the answer is no JSON';
      return;
    }
    if (status >= 400) yield* faultsOfRefusal(status, body);
  }

  /** A changed record keeps its identity, and its revision grows by one. */
  *#ofHistory({ key, before, after }: Changed): Iterable<string> {
    const [old, now] = [before?.record, after?.record];
    if (old === undefined || old === null || now === undefined || now === null) return;
    for (const name of constants)
      if (old[name] !== now[name])
        yield `${key}: ${name} was ${String(old[name])} and is ${String(now[name])}`;
    const [from, to] = [old['revision_number'], now['revision_number']];
    if (typeof from === 'number' && !(typeof to === 'number' && to > from) && before?.text !== after?.text)
      yield `${key}: revision ${from} was followed by ${String(to)}`;
  }

  *#ofReading({ who, url, body }: Request, { text }: Answer): Iterable<string> {
    if (text === '' || (who !== null && seesAll(who))) return;
    const sent = decoded(`${url} ${body ?? ''}`);
    const asked = new Set(sent.match(uuid));
    for (const id of new Set(text.match(uuid))) {
      if (asked.has(id)) continue;
      const held = this.#mirror.byId(id);
      if (held === undefined || (who !== null && (this.#sees(who, held) || this.#isToldOf(who, id))))
        continue;
      yield `the answer names ${held.key}, of which ${who?.name ?? 'nobody'} may not know`;
    }
    for (const shown of objectsOf(text)) {
      const held = this.#mirror.byId(String(shown['id']));
      if (held === undefined || Object.keys(shown).length < 3) continue;
      if (who === null || !this.#sees(who, held))
        yield `the answer shows ${held.key} to ${who?.name ?? 'nobody'}`;
      const hidden = Object.keys(shown).find(
        (name) =>
          (name.startsWith('binding:') && name !== 'binding:vnic_type') ||
          name === 'trusted' ||
          name === 'vni' ||
          name === 'key' ||
          name === 'hints',
      );
      if (hidden !== undefined) yield `the answer shows ${hidden} to ${who?.name ?? 'nobody'}`;
    }
  }

  *#ofWriting(
    { who, method, url }: Request,
    { status }: Answer,
    changes: readonly Changed[],
  ): Iterable<string> {
    const real = changes.filter(({ before, after }) => before?.text !== after?.text);
    if (method === 'GET' || method === 'HEAD') {
      for (const { key, before } of real)
        if (before !== null || !/^(default-groups|groups|rules|uses|asks|answers)\/|^sync-target$/.test(key))
          yield `reading ${url} changed ${key}`;
    } else if (status >= 400) {
      for (const { key } of real) yield `a refused request changed ${key}`;
    }
    if (who !== null && seesAll(who)) return;
    for (const change of real) {
      for (const id of this.#unknownTo(who, change, real))
        yield `${who?.name ?? 'nobody'} made ${change.key} refer to ${id}`;
      if (!this.#mayChange(who, change, real, method === 'GET'))
        yield `${who?.name ?? 'nobody'} changed ${change.key} of ${projectOf(change.before ?? change.after)}`;
    }
  }

  /** Ids that a record refers to since the request, and that its caller cannot know. */
  #unknownTo(who: Person | null, { before, after }: Changed, all: readonly Changed[]): readonly string[] {
    if (who === null || after?.record === null || after === null) return [];
    const held = new Set(before?.text.match(uuid));
    return [...new Set(after.text.match(uuid))].filter((id) => {
      const named = this.#mirror.byId(id);
      if (held.has(id) || named === undefined || this.#sees(who, named)) return false;
      // The request itself created it, as a router creates its gateway's port, which has no project.
      if (all.some((one) => one.key === named.key && one.before === null)) return false;
      // Rules that administrators put into every new group.
      return !this.#mirror.under('default-rules/').some(({ text }) => text.includes(id));
    });
  }

  #at(key: string): Held | undefined {
    return this.#mirror.held.get(key) ?? this.#gone.get(key);
  }

  /** Whether an RBAC policy or the thing itself lets the project in. */
  #isOpen(held: Held, project: string): boolean {
    if (held.record?.['shared'] === true) return true;
    const policies = [...this.#mirror.under('rbac/'), ...this.#gone.values()];
    return policies.some(
      ({ key, record }) =>
        kindOf(key) === 'rbac' &&
        record?.['object_id'] === held.record?.['id'] &&
        (record?.['target_tenant'] === '*' || record?.['target_tenant'] === project),
    );
  }

  #sees(who: Person, held: Held): boolean {
    const own = projectOf(held) === who.project;
    const [kind = '', parent = ''] = held.key.split('/');
    switch (kind) {
      case 'subnets':
        return own || this.#seesAt(who, `networks/${parent}`);
      case 'ports':
        return own || projectOf(this.#at(`networks/${parent}`)) === who.project;
      case 'rules':
        return own || this.#seesAt(who, `groups/${parent}`);
      case 'default-rules':
        return true;
      default:
        return own || this.#isOpen(held, who.project);
    }
  }

  #seesAt(who: Person, key: string): boolean {
    const held = this.#at(key);
    return held !== undefined && this.#sees(who, held);
  }

  /** Whether a visible record names it: a port its groups, a network its subnets. */
  #isToldOf(who: Person, id: string): boolean {
    const naming = [...this.#mirror.held.values(), ...this.#gone.values()].filter(
      ({ record, text }) => record !== null && text.includes(id),
    );
    return naming.some(
      (held) =>
        this.#sees(who, held) ||
        this.#hasPortOn(who, held) ||
        this.#leadsBy(who, held) ||
        this.#hasSubnetOf(who, held),
    );
  }

  /** Networks show the scope of the pool of their subnets. */
  #hasSubnetOf(who: Person, { key, record }: Held): boolean {
    return (
      key.startsWith('subnet-pools/') &&
      this.#mirror
        .under('subnets/')
        .some((subnet) => subnet.record?.['subnetpool_id'] === record?.['id'] && this.#sees(who, subnet))
    );
  }

  /** Routers tell where their gateways are, also where administrators put them on a network that is not seen. */
  #leadsBy(who: Person, { key, record }: Held): boolean {
    const routers = [...this.#mirror.under('routers/'), ...this.#gone.values()];
    return (
      kindOf(key) === 'ports' &&
      routers.some((router) => router.record?.['gateway'] === record?.['id'] && this.#sees(who, router))
    );
  }

  /** Ports tell of their network's QoS policy, also where administrators put them on a network that is not seen. */
  #hasPortOn(who: Person, { key }: Held): boolean {
    return (
      kindOf(key) === 'networks' &&
      this.#mirror.under(`ports/${key.slice('networks/'.length)}/`).some((port) => this.#sees(who, port))
    );
  }

  #mayChange(who: Person | null, change: Changed, all: readonly Changed[], reading: boolean): boolean {
    const { key, before, after } = change;
    const kind = kindOf(key);
    if (who === null) return false;
    // A project gets its default group when any of its members lists groups.
    if (reading && after !== null && ['groups', 'rules'].includes(kind))
      return projectOf(after) === who.project;
    if (
      /^(uses|taken|vni|port-key|port-networks|stateless|default-groups|default-qos|default-statefulness-of)\//.test(
        key,
      )
    )
      return true;
    if (reading && ['asks', 'answers', 'sync-target'].includes(kind)) return true;
    if (!mayWrite(who)) return false;
    const own = projectOf(before ?? after) === who.project;
    const parent = key.split('/')[1] ?? '';
    // Administrators may give a project a policy on what is another's; it is a part of that.
    if (all.some((one) => isPolicyOn(one, change, who.project))) return true;
    const ownNetwork = projectOf(this.#at(`networks/${parent}`)) === who.project;
    switch (kind) {
      case 'networks':
        return own || (onlyStamps(before, after) && all.some((one) => isSubnetOf(one, parent, who.project)));
      case 'subnets':
        return own || ownNetwork;
      case 'qos':
        // Members of projects that share a policy may tag it, as in Neutron.
        return own || (onlyTags(before, after) && before !== null && this.#isOpen(before, who.project));
      case 'ports':
        return (
          own ||
          (ownNetwork && (after === null || onlyAddresses(before, after))) ||
          all.some((one) => isGatewayOf(one, before ?? after, who.project))
        );
      case 'groups':
        return (
          own ||
          (onlyStamps(before, after) && all.some((one) => isRuleOf(one, parent) && namesGone(one, all)))
        );
      case 'rules':
        return own || projectOf(this.#at(`groups/${parent}`)) === who.project || namesGone(change, all);
      case 'rbac':
        return (
          own || (after === null && all.some((one) => one.after === null && isOwn(one, change, who.project)))
        );
      case 'bindings':
      case 'link-locals':
        return after === null;
      case 'quotas':
      case 'default-rules':
      case 'hosts':
      case 'agent-notes':
        return false;
      case 'default-external-network':
      case 'default-subnet-pools':
        // It was deleted with the record that it named.
        return (
          after === null &&
          all.some((one) => one.key.endsWith(`/${before?.text}`) && projectOf(one.before) === who.project)
        );
      default:
        return own;
    }
  }
}

/** Whether this is the project's own policy on the thing that changed. */
const isPolicyOn = (policy: Changed, { before }: Changed, project: string): boolean =>
  policy.key.startsWith('rbac/') &&
  projectOf(policy.before) === project &&
  policy.before?.record?.['object_id'] === before?.record?.['id'];

/** Whether this is the project's own thing that the policy was about. */
const isOwn = ({ before }: Changed, policy: Changed, project: string): boolean =>
  projectOf(before) === project && before?.record?.['id'] === policy.before?.record?.['object_id'];

/** Whether this is the project's own subnet of a network; administrators may put one anywhere. */
const isSubnetOf = ({ key, before, after }: Changed, network: string, project: string): boolean =>
  key.startsWith(`subnets/${network}/`) && projectOf(before ?? after) === project;

/** Whether the port is or was the gateway of the project's own router. */
const isGatewayOf = ({ key, before, after }: Changed, port: Held | null, project: string): boolean =>
  key.startsWith('routers/') &&
  projectOf(before ?? after) === project &&
  port?.record?.['device_owner'] === 'network:router_gateway' &&
  [before, after].some((router) => router?.record?.['gateway'] === port.record?.['id']);

const isRuleOf = ({ key, after }: Changed, group: string): boolean =>
  key.startsWith(`rules/${group}/`) && after === null;

/** A rule that went with the group it named. */
function namesGone({ before, after }: Changed, all: readonly Changed[]): boolean {
  const remote = before?.record?.['remote_group_id'];
  return after === null && all.some((one) => one.key === `groups/${String(remote)}` && one.after === null);
}

const stamps = new Set(['updated_at', 'revision_number']);

function sameBut(before: Held | null, after: Held | null, names: ReadonlySet<string>): boolean {
  if (before?.record === null || before === null || after?.record === null || after === null) return false;
  const rest = (record: Json | null) =>
    JSON.stringify(Object.entries(record ?? {}).filter(([name]) => !names.has(name)));
  return rest(before.record) === rest(after.record);
}

const onlyStamps = (before: Held | null, after: Held | null): boolean => sameBut(before, after, stamps);
const onlyTags = (before: Held | null, after: Held | null): boolean =>
  sameBut(before, after, new Set([...stamps, 'tags']));
/** A network's owner adds and removes prefixes on which ports have addresses of themselves. */
const onlyAddresses = (before: Held | null, after: Held | null): boolean =>
  sameBut(before, after, new Set([...stamps, 'fixed_ips']));

function decoded(text: string): string {
  try {
    return `${text} ${decodeURIComponent(text)}`;
  } catch {
    return text;
  }
}

/** All objects with an id in a JSON text. */
function objectsOf(text: string): readonly Json[] {
  const found: Json[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item);
    else if (typeof value === 'object' && value !== null) {
      if (typeof (value as Json)['id'] === 'string') found.push(value as Json);
      for (const item of Object.values(value)) walk(item);
    }
  };
  try {
    walk(JSON.parse(text));
  } catch {
    return [];
  }
  return found;
}
