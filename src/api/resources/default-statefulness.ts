/** Whether new security groups are stateful when the request does not say: at most one setting for each project. */
import type { DraftOf } from '../../model/attribute.ts';
import {
  type DefaultStatefulnessRecord,
  defaultStatefulnessAttributes,
  defaultStatefulnessVerbs,
} from '../../model/default-statefulness.ts';
import { refuse } from '../../model/faults.ts';
import { defaultStatefulnessMark, keys } from '../../model/keys.ts';
import type { Birth } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';
import { StoredResource } from './stored-resource.ts';

export function isStatefulByDefault({ defaultStatefulness: settings }: State, project: string): boolean {
  const [own] = settings.of(project);
  const [everybody] = settings.of('');
  return (own ?? everybody)?.record.stateful ?? true;
}

export class DefaultStatefulness extends StoredResource<
  DefaultStatefulnessRecord,
  typeof defaultStatefulnessAttributes
> {
  // In Neutron one and several have the same name.
  override readonly name = 'security_groups_default_statefulness';
  override readonly collection = this.name;
  override readonly path = 'security-groups-default-statefulness';
  override readonly table = defaultStatefulnessAttributes;
  override readonly verbs = defaultStatefulnessVerbs;
  protected override readonly missingCode = 'SecurityGroupDefaultStatefulnessNotFound';
  protected override readonly rowsIn = (state: State) => state.defaultStatefulness;
  override readonly capabilities: Capabilities<
    DefaultStatefulnessRecord,
    typeof defaultStatefulnessAttributes
  > = {
    update: (_change, { record }, patch) => ({ ...record, ...patch }),
  };

  override show({ project_id: owner, ...shown }: DefaultStatefulnessRecord) {
    const project = owner === '' ? null : owner;
    return { ...shown, project_id: project, tenant_id: project };
  }

  protected override createOne(
    change: Change,
    { stateful }: DraftOf<typeof defaultStatefulnessAttributes>,
    { id, project }: Birth,
    _caller: Caller,
    created: readonly DefaultStatefulnessRecord[],
  ): DefaultStatefulnessRecord {
    const isTaken = created.some((other) => other.project_id === project);
    if (isTaken || this.state.defaultStatefulness.countOf(project) > 0)
      refuse({ code: 'SecurityGroupDefaultStatefulnessAlreadyExists', project });
    const setting = { id, project_id: project, stateful };
    change.requireAbsent(defaultStatefulnessMark(project));
    change.put(defaultStatefulnessMark(project), id);
    change.put(keys.defaultStatefulness(id), setting);
    return setting;
  }

  override remove(change: Change, row: Row<DefaultStatefulnessRecord>): void {
    change.remove(defaultStatefulnessMark(row.record.project_id));
    change.remove(row.key);
  }
}
