/** How long a caller may ask the API to wait. Commands that pass the request on use the same limit. */

/** Seconds. */
export const maxWait = 3600;

/** The seconds in a text such as `2.5`: more than 0, at most `maxWait`; null for any other text. */
export function parseWait(text: string): number | null {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  return seconds > 0 && seconds <= maxWait ? seconds : null;
}
