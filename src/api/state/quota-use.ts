/**
 * How much projects use of their quotas, and the check that each creation passes. A request that creates under a limit
 * writes the quota's note, on the condition that no other request has written it meanwhile. So two requests, on any
 * servers, cannot both take the last place.
 */
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { type QuotaLimits, type QuotaResource, quotaResources, unlimited } from '../../model/quota.ts';
import type { Change } from './change.ts';
import type { State } from './state.ts';

/** What a quota is judged by. */
interface Context {
  readonly view: { readonly state: State };
  /** The limits of projects that were given none. */
  readonly quotas: QuotaLimits;
}

/** How many the project has. */
export const usedOf = (state: State, project: string, resource: QuotaResource): number =>
  state.counted[resource].countOf(project);

/** The project's limits: those that were set, and the server's for the rest. */
export const limitsOf = ({ view, quotas }: Context, project: string): QuotaLimits => ({
  ...quotas,
  ...view.state.quotas.get(project)?.record.limits,
});

/** The lane of requests that use a project's quotas: without it they would wait for each other one by one. */
export const quotaLane = (project: string): string => `quota ${project}`;

/** Makes it a condition that the project's limits stay as they were read. */
function requireSameLimits(change: Change, { view }: Context, project: string): void {
  const row = view.state.quotas.get(project);
  if (row === undefined) change.requireAbsent(keys.quota(project));
  else change.requireUnchanged(row);
}

/**
 * Counts what the change is going to create against the project's quotas. Throws one `OverQuota` for all resources that
 * exceed their limits.
 */
export function takeQuota(
  change: Change,
  context: Context,
  project: string,
  counts: Readonly<Partial<Record<QuotaResource, number>>>,
): void {
  const limits = limitsOf(context, project);
  const overs: string[] = [];
  for (const resource of quotaResources) {
    const count = counts[resource] ?? 0;
    if (count === 0) continue;
    const limit = limits[resource];
    const key = keys.quotaUse(resource, project);
    const taken = (change.taken.get(key) ?? 0) + count;
    change.taken.set(key, taken);
    if (limit === unlimited) continue;
    if (usedOf(context.view.state, project, resource) + taken > limit) {
      overs.push(resource);
      continue;
    }
    change.claim(key);
    change.requireQuiet(key);
    change.put(key, '');
  }
  if (overs.length > 0) refuse({ code: 'OverQuota', overs });
  requireSameLimits(change, context, project);
}

/** As `takeQuota`, one for each of the projects that the drafts of a request are for. */
export function takeQuotaForEach(
  change: Change,
  context: Context,
  resource: QuotaResource,
  projects: readonly string[],
): void {
  for (const project of new Set(projects)) {
    takeQuota(change, context, project, {
      [resource]: projects.filter((other) => other === project).length,
    });
  }
}
