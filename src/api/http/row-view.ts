/**
 * A row as a reader sees it: single attributes for filters and order, or the whole as JSON. The row keeps one text for each
 * kind of reader. Rejected: keeping an object too, which would take more memory than the record.
 */
import type { Owned } from '../../model/standard-attributes.ts';
import type { Visibility } from '../identity/access.ts';
import type { Row } from '../state/table.ts';
import { exactText, jsonText } from './json-text.ts';
import type { Resource } from './resource.ts';

export class RowView<R extends Owned> {
  readonly #resource: Resource<R>;
  readonly #row: Row<R>;
  readonly #visibility: Visibility;

  constructor(resource: Resource<R>, row: Row<R>, visibility: Visibility) {
    this.#resource = resource;
    this.#row = row;
    this.#visibility = visibility;
  }

  /** The value of one attribute; undefined when the resource has no such attribute or hides it from the reader. */
  get(attribute: string): unknown {
    const { hidden, reader } = this.#visibility;
    if (hidden.has(attribute)) return undefined;
    const { record } = this.#row;
    const { computed, sharing, tags } = this.#resource.capabilities;
    const compute = computed?.[attribute];
    if (compute !== undefined) return compute(record, reader);
    if (attribute === 'shared' && sharing !== undefined) return sharing.isShared(record, reader.project);
    const plain = Object.hasOwn(record, attribute);
    if (attribute === 'tags' && tags !== undefined && !plain) return [];
    return plain ? record[attribute as keyof R] : this.#body()[attribute];
  }

  /** JSON of the attributes in `fields`, of all when that is null. */
  text(fields: ReadonlySet<string> | null): string {
    if (fields === null) return this.#wholeText();
    return this.#write(Object.fromEntries(Object.entries(this.#body()).filter(([name]) => fields.has(name))));
  }

  #write(body: unknown): string {
    return this.#resource.capabilities.exact === true ? exactText(body) : jsonText(body);
  }

  #wholeText(): string {
    const { kind, reader } = this.#visibility;
    const row = this.#row;
    const shared = this.#resource.capabilities.sharing?.isShared(row.record, reader.project) === true;
    if (kind === 0 && !shared) return (row.shown ??= this.#write(this.#body()));
    const texts = (row.shownOtherwise ??= []);
    return (texts[2 * kind + Number(shared)] ??= this.#write(this.#body()));
  }

  #body(): Readonly<Record<string, unknown>> {
    const { hidden, reader } = this.#visibility;
    const body = this.#resource.show(this.#row.record, reader);
    if (hidden.size === 0) return body;
    return Object.fromEntries(Object.entries(body).filter(([name]) => !hidden.has(name)));
  }
}
