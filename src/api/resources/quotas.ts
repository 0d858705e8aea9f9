/**
 * `/v2.0/quotas`: the limits of projects, what they use of them, and setting them. `quota-use.ts` enforces them.
 * Rejected: the generic router. A `PUT` creates a quota, every project has one to show, and a list takes no filters.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isObject } from '../../model/checks.ts';
import { badRequest, refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import {
  type QuotaDraft,
  type QuotaRecord,
  quotaDraft,
  quotaResources,
  unlimited,
} from '../../model/quota.ts';
import { readBody, refuseBody } from '../http/body.ts';
import { refuseMethod, refuseRequest } from '../http/request-faults.ts';
import type { Context } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { describes, undescribed } from '../openapi/operation.ts';
import { limitsOf, usedOf } from '../state/quota-use.ts';
import { quotaOperations } from './quota-operations.ts';

type OfProject = { Params: { project: string } };

/** The projects' ids are part of store keys. */
const projectPattern = /^[!-~]{1,255}$/;

function requireAdmin(caller: Caller, action: string): void {
  if (!caller.admin) refuseRequest({ code: 'PolicyNotAuthorized', rules: `rule:${action}` });
}

function requireReader(caller: Caller, project: string): void {
  if (caller.project !== project) requireAdmin(caller, 'get_quota');
}

export function registerQuotas(app: FastifyInstance, context: Context): void {
  const many = '/v2.0/quotas';
  const one = `${many}/:project`;

  app.get(many, describes(quotaOperations.list), async (request) => {
    requireAdmin(callerOf(request), 'get_quota');
    const projects = [...context.view.state.quotas.keys()];
    return {
      quotas: projects.map((project) => ({
        ...limitsOf(context, project),
        project_id: project,
        tenant_id: project,
      })),
    };
  });

  // Names that clients use to learn their own project's id.
  for (const word of ['tenant', 'project']) {
    app.get(`${many}/${word}`, describes(quotaOperations.own(word)), async (request) => ({
      [word]: { [`${word}_id`]: callerOf(request).project },
    }));
  }

  app.get<OfProject>(one, describes(quotaOperations.show), async (request) => {
    const { project } = request.params;
    requireReader(callerOf(request), project);
    return { quota: limitsOf(context, project) };
  });

  app.get<OfProject>(`${one}/default`, describes(quotaOperations.usual), async (request) => {
    requireReader(callerOf(request), request.params.project);
    return { quota: context.quotas };
  });

  for (const word of ['details', 'details.json']) {
    app.get<OfProject>(`${one}/${word}`, describes(quotaOperations.details), async (request) => {
      const { project } = request.params;
      requireReader(callerOf(request), project);
      return { quota: detailsOf(context, project) };
    });
  }

  app.put<OfProject>(one, describes(quotaOperations.update), async (request) => {
    requireAdmin(callerOf(request), 'update_quota');
    const { project } = request.params;
    if (!projectPattern.test(project)) badRequest(`'${project}' is not a valid project id`);
    const draft = quotaDraft(quotaOfBody(request));
    await setQuotas(context, project, draft);
    return { quota: limitsOf(context, project) };
  });

  app.delete<OfProject>(one, describes(quotaOperations.remove), async (request, reply) => {
    refuseBody(request);
    requireAdmin(callerOf(request), 'delete_quota');
    const { project } = request.params;
    await context.committer.commit((change) => {
      const row = context.view.state.quotas.get(project);
      if (row === undefined) return refuse({ code: 'TenantQuotaNotFound', project });
      change.replace(row);
      change.remove(row.key);
    });
    return reply.code(204).send();
  });

  app.post(many, undescribed, async () => refuseRequest({ code: 'NoPost' }));
  app.route({ method: ['PUT', 'DELETE', 'PATCH'], url: many, handler: refuseMethod });
  app.route({ method: ['POST', 'PATCH'], url: one, handler: refuseMethod });
}

function quotaOfBody(request: FastifyRequest): unknown {
  const body = readBody(request);
  return isObject(body) && Object.hasOwn(body, 'quota')
    ? body['quota']
    : badRequest("Unable to find 'quota' in request body");
}

/** Nothing is reserved ahead of its creation here. */
const detailsOf = (context: Context, project: string): Record<string, unknown> => {
  const limits = limitsOf(context, project);
  return Object.fromEntries(
    quotaResources.map((resource) => [
      resource,
      { limit: limits[resource], used: usedOf(context.view.state, project, resource), reserved: 0 },
    ]),
  );
};

async function setQuotas(context: Context, project: string, { limits, checked }: QuotaDraft): Promise<void> {
  await context.committer.commit((change) => {
    const { state } = context.view;
    const key = keys.quota(project);
    const row = state.quotas.get(project);
    if (Object.keys(limits).length === 0) return;
    if (row === undefined) {
      change.claim(key);
      change.requireAbsent(key);
    } else change.replace(row);
    for (const resource of quotaResources) {
      const limit = limits[resource] ?? unlimited;
      if (!checked || limit === unlimited) continue;
      const used = usedOf(state, project, resource);
      if (used > limit) {
        badRequest(
          `Quota limit ${limit} for ${resource} must be greater than or equal to already used ${used}`,
        );
      }
      change.requireQuiet(keys.quotaUse(resource, project));
    }
    const after: QuotaRecord = { project_id: project, limits: { ...row?.record.limits, ...limits } };
    change.put(key, after);
  });
}
