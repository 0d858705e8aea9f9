/**
 * JSON text that is kept for long: values in the store, resources as readers see them. What JSON.stringify returns is
 * a chain of pieces, which takes half as much memory again and is walked anew whenever it is sent.
 */
export const jsonText = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString();
