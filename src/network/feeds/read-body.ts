/** A body as text, within limits of size before and after decompression. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FeedError } from './feed-error.ts';

/**
 * @param online called with each part of the text; false ends the reading
 * @throws FeedError for what is too large or not decodable; what the connection throws
 */
export async function readText(
  body: AsyncIterable<Uint8Array>,
  encoding: string,
  maxBytes: number,
  online: (text: string) => boolean,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of limited(decoded(limited(body, maxBytes), encoding), maxBytes)) {
    if (!online(decoder.decode(chunk, { stream: true }))) return;
  }
  online(decoder.decode());
}

async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
  }
}

export function tooLarge(maxBytes: number): FeedError {
  return new FeedError('Refused', `is larger than ${Math.floor(maxBytes / 2 ** 20)} MiB`);
}

async function* decoded(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<Uint8Array> {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      yield* chunks;
      return;
    case 'gzip':
    case 'x-gzip': {
      const gunzip = createGunzip();
      // Its errors come out of the iteration.
      pipeline(Readable.from(chunks), gunzip, () => undefined);
      try {
        for await (const chunk of gunzip) yield chunk as Uint8Array;
      } catch (error) {
        throw gzipFault(error);
      }
      return;
    }
    default:
      throw new FeedError('Refused', 'answers in an encoding that was not asked for');
  }
}

function gzipFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR') return new FeedError('Refused', 'is cut off: the gzip has no end');
  if (code === 'Z_DATA_ERROR') return new FeedError('Refused', 'answers with broken gzip');
  return error;
}
