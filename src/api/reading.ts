/**
 * A row as a reader sees it: single attributes for filters and order, the whole as an object or as JSON. Only the
 * text is kept with the row, since an object beside each record would take more memory than the record.
 */
import type { Owned } from '../model/standard-attributes.ts';
import { jsonText } from './json-text.ts';
import type { Resource } from './resource.ts';
import type { Row } from './table.ts';

export class Reading<R extends Owned> {
  readonly #resource: Resource<R>;
  readonly #row: Row<R>;

  constructor(resource: Resource<R>, row: Row<R>) {
    this.#resource = resource;
    this.#row = row;
  }

  /** The value of one attribute; undefined when the resource has no such attribute. */
  get(attribute: string): unknown {
    const { record } = this.#row;
    const compute = this.#resource.computed?.[attribute];
    if (compute !== undefined) return compute(record);
    const plain = Object.hasOwn(record, attribute) && this.#resource.replaced?.has(attribute) !== true;
    return plain ? record[attribute as keyof R] : this.#body()[attribute];
  }

  /** JSON of the attributes in `fields`, of all when that is null. */
  text(fields: ReadonlySet<string> | null): string {
    if (fields === null) return (this.#row.shown ??= jsonText(this.#body()));
    return JSON.stringify(
      Object.fromEntries(Object.entries(this.#body()).filter(([name]) => fields.has(name))),
    );
  }

  #body(): Readonly<Record<string, unknown>> {
    return this.#resource.show(this.#row.record);
  }
}
