/**
 * Splits a stream of bytes into lines. Bytes are collected and decoded a line at a time, so that a
 * chunk may end inside a UTF-8 sequence; a line may be of any length up to `maxBytes`. Empty lines
 * are left out.
 *
 * @throws RangeError for a longer line, TypeError for one that is not UTF-8, and Error with the code
 *   ERR_STREAM_PREMATURE_CLOSE when the stream ends inside a line.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number = 32 * 1024 * 1024,
): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      if (pendingBytes + end - start > maxBytes) throw tooLong(maxBytes);
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
      if (pendingBytes > maxBytes) throw tooLong(maxBytes);
    }
  }
  if (pendingBytes > 0) {
    throw Object.assign(new Error('the stream ended inside a line'), {
      code: 'ERR_STREAM_PREMATURE_CLOSE',
    });
  }
}

function tooLong(maxBytes: number): RangeError {
  return new RangeError(`a line is longer than ${maxBytes} bytes`);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
