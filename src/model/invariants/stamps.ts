/** What holds of every record that has an id, an owner, stamps or tags. */
import { projectId, text } from '../checks.ts';
import { tagList } from '../tags.ts';

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const short = text(255);
const maxTags = 50;

function* stampProblems(record: Readonly<Record<string, unknown>>): Iterable<string> {
  const { revision_number: revision, created_at: created, updated_at: updated } = record;
  if (!Number.isSafeInteger(revision) || Number(revision) < 1) yield `revision ${String(revision)} is none`;
  if (!time.test(String(created)) || !time.test(String(updated))) yield 'it is not said when it was changed';
  else if (String(updated) < String(created)) yield 'it was changed before it was made';
  // The gateways of routers are nobody's.
  const nobodys = record['device_owner'] === 'network:router_gateway' && record['project_id'] === '';
  if (!nobodys && projectId(record['project_id']) !== null) yield 'its owner is no project';
}

/** `id` is what its key ends with; undefined where that is no id. */
export function* commonProblems(
  record: Readonly<Record<string, unknown>>,
  id: string | undefined,
): Iterable<string> {
  if (id !== undefined && Object.hasOwn(record, 'id') && record['id'] !== id)
    yield `its id is ${String(record['id'])}`;
  if (Object.hasOwn(record, 'revision_number')) yield* stampProblems(record);
  for (const name of ['name', 'description'])
    if (typeof record[name] === 'string' && short(record[name]) !== null) yield `its ${name} is too long`;
  const { tags } = record;
  if (tags === undefined) return;
  if (tagList(tags) !== null || !Array.isArray(tags) || tags.length > maxTags) yield 'its tags are none';
  else if (tags.toSorted().join('\0') !== tags.join('\0')) yield 'its tags are not in order';
}
