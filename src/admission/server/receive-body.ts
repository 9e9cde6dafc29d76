import type { IncomingMessage } from 'node:http';
import { SMALL_BODY_BYTES } from './limits.ts';
import type { ServerLimits } from './limits.ts';

export type ReceivedBody =
  | { readonly ok: true; readonly body: Uint8Array }
  /** HTTP; nothing of the rest is read. Without a status nobody is there any more. */
  | { readonly ok: false; readonly status?: 408 | 413 | 503; readonly message: string };

export interface BodyReceiver {
  /** Never rejects. Gives up when `signal` is aborted. */
  receive(request: IncomingMessage, signal: AbortSignal): Promise<ReceivedBody>;
}

/** Receives bodies within a limit for each and one for all that are on their way. */
export function createBodyReceiver(
  limits: Pick<ServerLimits, 'bodyBytes' | 'bufferedBytes'>,
): BodyReceiver {
  const { bodyBytes, bufferedBytes } = limits;
  const tooLarge: ReceivedBody = {
    ok: false,
    status: 413,
    message: `the body is larger than ${bodyBytes} bytes`,
  };
  let buffered = 0;

  return {
    async receive(request, signal) {
      const announced = Number(request.headers['content-length'] ?? 0);
      if (announced > bodyBytes) return tooLarge;
      const chunks: Buffer[] = [];
      let size = 0;
      const settled = Promise.withResolvers<ReceivedBody>();

      const onData = (chunk: Buffer): void => {
        chunks.push(chunk);
        size += chunk.length;
        buffered += chunk.length;
        if (size > bodyBytes) settled.resolve(tooLarge);
        else if (buffered > bufferedBytes && size > SMALL_BODY_BYTES) {
          settled.resolve({ ok: false, status: 503, message: 'too many large reviews at once' });
        }
      };
      const onEnd = (): void => settled.resolve({ ok: true, body: Buffer.concat(chunks, size) });
      const onGone = (): void =>
        settled.resolve({ ok: false, message: 'the client ended before its body did' });
      const onAbort = (): void =>
        settled.resolve({ ok: false, status: 408, message: 'the body did not come in time' });

      request.on('data', onData).once('end', onEnd).once('close', onGone).once('error', onGone);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      try {
        return await settled.promise;
      } finally {
        buffered -= size;
        request.off('data', onData).off('end', onEnd).off('close', onGone);
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}
