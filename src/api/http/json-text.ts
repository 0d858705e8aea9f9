/** How values become JSON text that is kept or sent. */

/**
 * For text that is kept for long: values in the store, resources as readers see them. What JSON.stringify returns is a
 * chain of pieces, which takes half as much memory again and is walked anew whenever it is sent.
 */
export const jsonText = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString();

/** As JSON.stringify, and whole numbers of any size as such: they are bigints in `value`. */
export function exactText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(exactText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${exactText(item)}`)
    .join(',')}}`;
}
