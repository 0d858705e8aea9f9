/** How long somebody may ask to be waited for: what the API takes and what commands let users ask of it. */

/** Seconds. */
export const longestWait = 3600;

/** The seconds that a text says, such as `2.5`: more than none and no more than the longest; null for all else. */
export function parseWait(text: string): number | null {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  return seconds > 0 && seconds <= longestWait ? seconds : null;
}
