/**
 * Quotas: how many of each resource a project may have. Which resources are counted, what their limits are when
 * nobody chose, and what a request may ask for.
 */
import { type AttributeTable, draftForUpdate } from './attribute.ts';
import { integerBetween, isObject, toBoolean, toInteger } from './checks.ts';

/** In the words of Neutron, which are also the order that it shows them in. */
export const quotaResources = [
  'network',
  'subnet',
  'subnetpool',
  'port',
  'security_group',
  'security_group_rule',
  'rbac_policy',
  'router',
] as const;

export type QuotaResource = (typeof quotaResources)[number];

/** -1: no limit. */
export type QuotaLimits = Readonly<Record<QuotaResource, number>>;

/** The limits of one project that somebody set. */
export interface QuotaRecord {
  readonly project_id: string;
  readonly limits: Partial<QuotaLimits>;
}

export const unlimited = -1;

export const noQuotas: QuotaLimits = {
  network: unlimited,
  subnet: unlimited,
  subnetpool: unlimited,
  port: unlimited,
  security_group: unlimited,
  security_group_rule: unlimited,
  rbac_policy: unlimited,
  router: unlimited,
};

/** What projects have in Neutron. */
export const usualQuotas: QuotaLimits = {
  network: 100,
  subnet: 100,
  subnetpool: unlimited,
  port: 500,
  security_group: 10,
  security_group_rule: 100,
  rbac_policy: 10,
  router: 10,
};

const limit = {
  post: 'refused',
  put: true,
  convert: toInteger,
  validate: integerBetween(unlimited, 2 ** 31 - 1),
} as const;

export const quotaAttributes: AttributeTable = Object.fromEntries(
  quotaResources.map((name) => [
    name,
    { ...limit, about: `How many of \`${name}\` the project may have; -1 for any number.` },
  ]),
);

export interface QuotaDraft {
  readonly limits: Partial<QuotaLimits>;
  /** Limits below what is in use are refused. */
  readonly checked: boolean;
}

/** What the body of an update asks for. `force` says what holds without `check_limit`. */
export function quotaDraft(body: unknown): QuotaDraft {
  if (!isObject(body)) return { limits: draftForUpdate(quotaAttributes, 'quota', body), checked: false };
  const { force: _, check_limit: check, ...limits } = body;
  return {
    limits: draftForUpdate(quotaAttributes, 'quota', limits),
    checked: check !== undefined && check !== null && toBoolean(check),
  };
}
