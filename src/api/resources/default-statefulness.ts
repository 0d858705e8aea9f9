/** What new security groups are, stateful or not, when their maker does not say: at most one setting for a project. */
import type { Draft } from '../../model/attribute.ts';
import {
  type DefaultStatefulnessRecord,
  defaultStatefulnessAttributes,
  defaultStatefulnessVerbs,
} from '../../model/default-statefulness.ts';
import { refuse } from '../../model/faults.ts';
import { defaultStatefulnessMark, keys } from '../../model/keys.ts';
import { type Filters, rowsById } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';

export function isStatefulByDefault({ defaultStatefulness: settings }: State, project: string): boolean {
  const [own] = settings.of(project);
  const [everybody] = settings.of('');
  return (own ?? everybody)?.record.stateful ?? true;
}

export class DefaultStatefulness implements Resource<DefaultStatefulnessRecord> {
  // In Neutron one and several have the same name.
  readonly name = 'security_groups_default_statefulness';
  readonly collection = this.name;
  readonly path = 'security-groups-default-statefulness';
  readonly table = defaultStatefulnessAttributes;
  readonly verbs = defaultStatefulnessVerbs;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<DefaultStatefulnessRecord> | undefined {
    return this.#context.view.state.defaultStatefulness.get(id);
  }

  candidates(filters: Filters): Iterable<Row<DefaultStatefulnessRecord>> {
    const { defaultStatefulness } = this.#context.view.state;
    return rowsById(filters, (id) => defaultStatefulness.get(id)) ?? defaultStatefulness.all();
  }

  missing(id: string) {
    return { code: 'SecurityGroupDefaultStatefulnessNotFound', id } as const;
  }

  show({ project_id: owner, ...shown }: DefaultStatefulnessRecord): Record<string, unknown> {
    const project = owner === '' ? null : owner;
    return { ...shown, project_id: project, tenant_id: project };
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly DefaultStatefulnessRecord[] {
    const { state } = this.#context.view;
    const projects = new Set<string>();
    return drafts.map((draft) => {
      const project = ownerOf(draft, caller);
      if (projects.has(project) || state.defaultStatefulness.countOf(project) > 0)
        refuse({ code: 'SecurityGroupDefaultStatefulnessAlreadyExists', project });
      projects.add(project);
      const { stateful } = draft as unknown as Pick<DefaultStatefulnessRecord, 'stateful'>;
      const setting = { id: this.#context.newId(), project_id: project, stateful };
      change.requireAbsent(defaultStatefulnessMark(project));
      change.put(defaultStatefulnessMark(project), setting.id);
      change.put(keys.defaultStatefulness(setting.id), setting);
      return setting;
    });
  }

  update(
    _change: Change,
    { record }: Row<DefaultStatefulnessRecord>,
    draft: Draft,
  ): DefaultStatefulnessRecord {
    return { ...record, ...(draft as Partial<Pick<DefaultStatefulnessRecord, 'stateful'>>) };
  }

  remove(change: Change, row: Row<DefaultStatefulnessRecord>): void {
    change.remove(defaultStatefulnessMark(row.record.project_id));
    change.remove(row.key);
  }
}
