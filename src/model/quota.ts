/**
 * Quotas: how many of each resource a project may have. The resources that are counted, their default limits, and the drafts
 * of requests.
 */
import { type AttributeTable, draftForUpdate } from './attribute.ts';
import { integerBetween, isObject, toBoolean, toInteger } from './checks.ts';

/**
 * The resources that are counted, by Neutron's names and in Neutron's order: their default limit in Neutron, and their
 * plural for texts.
 */
const counted = {
  network: { usual: 100, plural: 'networks' },
  subnet: { usual: 100, plural: 'subnets' },
  subnetpool: { usual: -1, plural: 'subnet pools' },
  port: { usual: 500, plural: 'ports' },
  security_group: { usual: 10, plural: 'security groups' },
  security_group_rule: { usual: 100, plural: 'security-group rules' },
  rbac_policy: { usual: 10, plural: 'RBAC policies' },
  router: { usual: 10, plural: 'routers' },
} as const;

export type QuotaResource = keyof typeof counted;

export const quotaResources = Object.keys(counted) as readonly QuotaResource[];

const ofEach = <V>(value: (resource: QuotaResource) => V): Readonly<Record<QuotaResource, V>> =>
  Object.fromEntries(quotaResources.map((name) => [name, value(name)])) as Record<QuotaResource, V>;

export const quotaPlurals = ofEach((name): string => counted[name].plural);

/** -1: no limit. */
export type QuotaLimits = Readonly<Record<QuotaResource, number>>;

/** The limits of one project that somebody set. */
export interface QuotaRecord {
  readonly project_id: string;
  readonly limits: Partial<QuotaLimits>;
}

export const unlimited = -1;

export const noQuotas: QuotaLimits = ofEach(() => unlimited);

/** What projects have in Neutron. */
export const usualQuotas: QuotaLimits = ofEach((name) => counted[name].usual);

const limit = {
  post: 'refused',
  put: true,
  convert: toInteger,
  validate: integerBetween(unlimited, 2 ** 31 - 1),
} as const;

export const quotaAttributes: AttributeTable = Object.fromEntries(
  quotaResources.map((name) => [
    name,
    { ...limit, about: `How many ${quotaPlurals[name]} the project may have; -1 for any number.` },
  ]),
);

export interface QuotaDraft {
  readonly limits: Partial<QuotaLimits>;
  /** Limits below what is in use are refused. */
  readonly checked: boolean;
}

/** What the body of an update asks for. `check_limit` says what holds without `force`. */
export function quotaDraft(body: unknown): QuotaDraft {
  if (!isObject(body)) return { limits: draftForUpdate(quotaAttributes, 'quota', body), checked: true };
  const { force, check_limit: _, ...limits } = body;
  return {
    limits: draftForUpdate(quotaAttributes, 'quota', limits),
    checked: force === undefined || force === null || !toBoolean(force),
  };
}
