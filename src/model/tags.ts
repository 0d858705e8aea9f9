/**
 * Tags: short texts that users add to records. The check of lists of tags, and the change of a record's tags. Most records
 * have none, and then no `tags` key.
 */
import type { Check } from './attribute.ts';
import { isObject, text } from './checks.ts';
import { invalidInput, refuse } from './faults.ts';
import { pythonText } from './python-text.ts';
import type { Taggable } from './records.ts';
import { arrayOf } from './schema.ts';

const maxLength = 255;
/** How many one resource may have. */
const maxCount = 50;

const tagText = text(maxLength);

/** A list of different texts of acceptable length; the reason otherwise. */
export const tagList: Check<readonly string[]> = (value) => {
  if (!Array.isArray(value)) return `'${pythonText(value)}' is not a list`;
  const items: readonly unknown[] = value;
  const twice = items.filter((item, at) => items.indexOf(item) < at);
  if (twice.length > 0)
    return `Duplicate items in the list: '${[...new Set(twice)].map((item) => pythonText(item)).join(', ')}'`;
  for (const item of items) {
    const reason = tagText(item);
    if (reason !== null) return reason;
  }
  return null;
};

/** The row of tags in attribute tables. They are written through their own paths. */
const row = {
  put: false,
  filter: 'tags',
  type: { ...arrayOf({ type: 'string', maxLength: maxLength }), uniqueItems: true, maxItems: maxCount },
  about: 'Short texts that users hang on it.',
} as const;

export const tagsAttribute = { ...row, post: 'refused' } as const;

/** Ports may be made with tags. */
export const tagsAtBirth = { ...row, post: 'allowed', fallback: [], validate: tagList } as const;

export const tagsOf = (record: Taggable): readonly string[] => record.tags ?? [];

/** One tag of a URL. */
export function checkTag(tag: string): void {
  const reason = tagText(tag);
  if (reason !== null) invalidInput(reason);
}

/** The list that a body of the tags' own paths carries. */
export function tagsOfBody(body: unknown): readonly string[] {
  if (!isObject(body) || !Object.hasOwn(body, 'tags')) return invalidInput('Invalid tags body');
  const reason = tagList(body['tags']);
  return reason === null ? (body['tags'] as readonly string[]) : invalidInput(reason);
}

/** Sorted, so that the same tags are the same list however they came about. Refuses more than fit. */
export function orderedTags(resource: string, tags: readonly string[]): readonly string[] {
  if (tags.length > maxCount) refuse({ code: 'TooManyTags', resource, limit: maxCount });
  return tags.toSorted();
}

/** The same object when it has exactly these tags already. */
export function withTags<R extends Taggable>(resource: string, record: R, tags: readonly string[]): R {
  const sorted = orderedTags(resource, tags);
  const held = tagsOf(record);
  if (held.length === sorted.length && sorted.every((tag, at) => tag === held[at])) return record;
  return { ...record, tags: sorted };
}
