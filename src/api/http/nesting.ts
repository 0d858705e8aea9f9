/**
 * How deep a JSON text is nested, judged before it is read: what walks values afterwards may then go as deep as they do.
 */

const quote = 0x22;
const backslash = 0x5c;
const openers = new Set([0x5b, 0x7b]);
const closers = new Set([0x5d, 0x7d]);

/** Whether lists and objects of the text lie in each other more than `most` deep. Of what is no JSON, anything is said. */
export function isNestedDeeper(text: string, most: number): boolean {
  // Each one opened takes a character, and one more closes it.
  if (text.length <= 2 * most) return false;
  let depth = 0;
  let within = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (within) {
      if (code === backslash) at += 1;
      else if (code === quote) within = false;
    } else if (code === quote) within = true;
    else if (openers.has(code)) {
      depth += 1;
      if (depth > most) return true;
    } else if (closers.has(code)) depth -= 1;
  }
  return false;
}
