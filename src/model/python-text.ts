/**
 * Values as Neutron's error texts print them (Python's str and repr), because clients match on those texts.
 */
function repr(value: unknown, depth: number): string {
  if (typeof value === 'string') return value.includes("'") ? `"${value}"` : `'${value}'`;
  return pythonText(value, depth + 1);
}

/** A limit against exhausting the stack. */
const maxDepth = 20;

/** Python's `str(value)` of a JSON value. */
export function pythonText(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return value;
  if (depth > maxDepth) return '...';
  if (Array.isArray(value)) return `[${value.map((item) => repr(item, depth)).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${repr(key, depth)}: ${repr(item, depth)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
