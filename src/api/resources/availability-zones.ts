/** `/v2.0/availability_zones`: the zones that hosts are in. They come and go with the hosts. */
import {
  type AvailabilityZone,
  availabilityZoneAttributes,
  availabilityZoneVerbs,
  zonesOf,
} from '../../model/availability-zone.ts';
import { badRequest } from '../../model/faults.ts';
import type { Context, Resource } from '../http/resource.ts';
import type { Row } from '../state/table.ts';

export class AvailabilityZones implements Resource<AvailabilityZone> {
  readonly name = 'availability_zone';
  readonly collection = 'availability_zones';
  readonly path = 'availability_zones';
  readonly table = availabilityZoneAttributes;
  readonly verbs = availabilityZoneVerbs;
  readonly capabilities = {};
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** They have names, no ids. */
  find(): undefined {
    return undefined;
  }

  /** Made at each call, because they show whether hosts are live. */
  candidates(): Iterable<Row<AvailabilityZone>> {
    const { state } = this.#context.view;
    const { hosts, agentNotes } = state;
    return zonesOf(
      hosts.values(),
      (host) => agentNotes.get(host),
      ({ name }) => state.isLive(name),
    ).map((record) => ({
      key: '',
      record,
      modRevision: 0,
      shown: null,
      shownOtherwise: null,
    }));
  }

  missing(id: string) {
    return { code: 'AvailabilityZoneNotFound', zone: id } as const;
  }

  show({ name, resource, state }: AvailabilityZone): Record<string, unknown> {
    return { name, resource, state };
  }

  create(): never {
    return badRequest('Availability zones come with the hosts that are in them');
  }

  write(): void {}

  remove(): void {}
}
