/**
 * Reads the text of a peer's HTTP answer up to a limit. A peer that never stops sending costs neither memory
 * nor other requests' time. Knows nothing of what answers mean.
 */

/**
 * Reads at most `maxBytes`, counted after decompression. Throws when there are more, or when the connection
 * ends too early.
 */
export async function answerText(response: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop in any way ends the connection.
  for await (const part of response.body ?? []) {
    length += part.byteLength;
    if (length > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
