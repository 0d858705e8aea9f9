/**
 * All resources of the API, in the order in which documents list them. Routes, tags and documents follow from their
 * tables.
 */
import type { FastifyInstance } from 'fastify';
import type { Taggable } from '../../model/records.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import type { Context, Resource } from '../http/resource.ts';
import { registerResource } from '../http/resource-router.ts';
import { registerTags } from '../http/tags.ts';
import type { ResourceNames } from '../versions.ts';
import { AddressGroups } from './address-groups.ts';
import { AddressScopes } from './address-scopes.ts';
import { Agents } from './agents.ts';
import { AvailabilityZones } from './availability-zones.ts';
import { DefaultGroupRules } from './default-group-rules.ts';
import { DefaultStatefulness } from './default-statefulness.ts';
import { IpAvailabilities } from './ip-availabilities.ts';
import { Networks } from './networks.ts';
import { Ports } from './ports.ts';
import { QosPolicies } from './qos-policies.ts';
import { RbacPolicies } from './rbac-policies.ts';
import { Routers } from './routers.ts';
import { SecurityGroupRules } from './security-group-rules.ts';
import { SecurityGroups } from './security-groups.ts';
import { SubnetPools } from './subnet-pools.ts';
import { Subnets } from './subnets.ts';

/** Called with each resource. */
type Use = <R extends Owned & Taggable>(resource: Resource<R>) => void;

export function forEachResource(context: Context, use: Use): void {
  use(new Networks(context));
  use(new Subnets(context));
  use(new Ports(context));
  use(new SecurityGroups(context));
  use(new SecurityGroupRules(context));
  use(new AddressGroups(context));
  use(new RbacPolicies(context));
  use(new QosPolicies(context));
  use(new DefaultGroupRules(context));
  use(new DefaultStatefulness(context));
  use(new SubnetPools(context));
  use(new AddressScopes(context));
  use(new IpAvailabilities(context));
  use(new Agents(context));
  use(new Routers(context));
  use(new AvailabilityZones(context));
}

/** Registers the routes of all resources; returns their names. */
export function registerResources(app: FastifyInstance, context: Context): readonly ResourceNames[] {
  const names: ResourceNames[] = [];
  forEachResource(context, (resource) => {
    names.push(resource);
    registerResource(app, context, resource);
    const { tags } = resource.capabilities;
    if (tags === undefined) return;
    registerTags(app, context, resource);
    for (const alias of tags.aliases ?? []) registerTags(app, context, resource, alias);
  });
  return names;
}
