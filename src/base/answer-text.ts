/**
 * What a peer answers over HTTP, as text, and no more of it than there is any use for: one that never stops talking
 * costs neither memory nor the turn of everybody else. Knows nothing of what answers mean.
 */

/** Reads at most `most` bytes, after decompression. Throws when there are more, or when the connection ends too early. */
export async function answerText(response: Response, most: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop in any way ends the connection.
  for await (const part of response.body ?? []) {
    length += part.byteLength;
    if (length > most) throw new Error(`an answer of more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
