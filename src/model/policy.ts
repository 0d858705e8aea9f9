/**
 * Access rules as data: a rule lists the standings that satisfy it, a resource has one rule for each verb, and rows of
 * attribute tables may add rules. Evaluates a rule for one caller and one target; looks nothing up.
 */
import type { AccessRule, Standing } from './access.ts';
import type { AttributeTable, RequestDraft } from './attribute.ts';

export interface Verbs {
  readonly create: AccessRule;
  readonly read: AccessRule;
  readonly update: AccessRule;
  readonly delete: AccessRule;
}

export type Verb = keyof Verbs;

/** What a rule asks of the caller. A higher role has the lower ones: an admin is a manager is a member is a reader. */
export interface Persona {
  readonly project: string;
  readonly admin: boolean;
  readonly service: boolean;
  readonly manager: boolean;
  readonly member: boolean;
  readonly reader: boolean;
}

export interface AccessTarget {
  readonly project: string;
  /** The owner of its parent; null when it has none. */
  readonly parent: string | null;
  readonly shared: boolean;
  readonly external: boolean;
}

function has(standing: Standing, persona: Persona, target: AccessTarget): boolean {
  switch (standing) {
    case 'anybody':
      return persona.reader;
    case 'manager':
      return persona.manager && persona.project === target.project;
    case 'member':
      return persona.member && persona.project === target.project;
    case 'reader':
      return persona.reader && persona.project === target.project;
    case 'parent-manager':
      return persona.manager && persona.project === target.parent;
    case 'parent-member':
      return persona.member && persona.project === target.parent;
    case 'parent-reader':
      return persona.reader && persona.project === target.parent;
    case 'shared':
      return target.shared;
    case 'sharing-member':
      return persona.member && target.shared;
    case 'external':
      return target.external;
    default:
      return persona[standing];
  }
}

export const allows = (rule: AccessRule, persona: Persona, target: AccessTarget): boolean =>
  rule.some((standing) => has(standing, persona, target));

/** A rule that a request falls under, by Neutron's name for it. */
interface Applied {
  readonly name: string;
  readonly rule: AccessRule;
  /** Rules about keys of a list's items. */
  readonly parts: readonly Applied[];
}

type Writing = 'create' | 'update';

/** Neutron applies no rule to an attribute that is sent with its default. */
const isDefault = (verb: Writing, fallback: unknown, value: unknown): boolean =>
  verb === 'create' && fallback !== undefined && JSON.stringify(value) === JSON.stringify(fallback);

function rulesOfAttributes(
  table: AttributeTable,
  verb: Writing,
  name: string,
  draft: RequestDraft,
): readonly Applied[] {
  return Object.entries(draft).flatMap(([attribute, value]) => {
    const row = Object.hasOwn(table, attribute) ? table[attribute] : undefined;
    const rule = row?.rights?.[verb];
    if (row === undefined || rule === undefined || isDefault(verb, row.fallback, value)) return [];
    if (row.rights?.values?.(value) === false) return [];
    const full = `${name}:${attribute}`;
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    const parts = Object.entries(row.rights?.items ?? {}).flatMap(([key, of]) =>
      items.some((item) => typeof item === 'object' && item !== null && Object.hasOwn(item, key))
        ? [{ name: `${full}:${key}`, rule: of[verb], parts: [] }]
        : [],
    );
    return [{ name: full, rule, parts }];
  });
}

const textOf = ({ name, parts }: Applied): string =>
  parts.length === 0 ? `rule:${name}` : `(rule:${name} and (${parts.map(textOf).join(' and ')}))`;

const satisfied = (applied: Applied, persona: Persona, target: AccessTarget): boolean =>
  allows(applied.rule, persona, target) && applied.parts.every((part) => satisfied(part, persona, target));

/**
 * The rules that a request falls under, as Neutron writes them down, when they are not all satisfied; null when they
 * are. `draft` is empty for verbs that carry none.
 */
export function disallowed(
  resource: { readonly name: string; readonly table: AttributeTable; readonly verbs: Verbs },
  verb: Verb,
  persona: Persona,
  target: AccessTarget,
  draft: RequestDraft = {},
): string | null {
  const name = `${verb === 'read' ? 'get' : verb}_${resource.name}`;
  const main = { name, rule: resource.verbs[verb], parts: [] };
  const attributes =
    verb === 'create' || verb === 'update' ? rulesOfAttributes(resource.table, verb, name, draft) : [];
  if ([main, ...attributes].every((applied) => satisfied(applied, persona, target))) return null;
  return attributes.reduce((text, applied) => `(${text} and ${textOf(applied)})`, textOf(main));
}
