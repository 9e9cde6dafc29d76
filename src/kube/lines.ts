/**
 * Splits a stream of bytes into lines. Bytes are collected and decoded a line at a time, so that a
 * chunk may end inside a UTF-8 sequence; a line may be of any length up to `maxBytes`.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number = 32 * 1024 * 1024,
): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      pending.push(chunk.subarray(start, end));
      const line = decoder.decode(join(pending));
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line !== '') yield line;
    }
    if (start < chunk.length) {
      // A copy: the sender may reuse its buffer.
      pending.push(chunk.slice(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > maxBytes) throw new RangeError(`a line is longer than ${maxBytes} bytes`);
    }
  }
  // What is left has no line end: the sender broke off inside a line.
  if (pendingBytes > 0) throw new Error('the stream ended inside a line');
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
