import type { WatchEvent } from '#kube/client.ts';
import { KubeError, errorFromStatus } from '#kube/errors.ts';
import { splitLines } from '#kube/lines.ts';
import type { KubeObject, Status } from '#kube/objects.ts';
import { networkError } from '#kube/transport.ts';

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

interface RawEvent {
  readonly type?: unknown;
  readonly object?: unknown;
}

export interface DecodeOptions {
  /** Named in errors. */
  readonly name: string;
  readonly idleTimeoutMs: number;
  /** Ends the connection; `signal` is the one it was opened with. */
  readonly abort: (reason: KubeError) => void;
  readonly signal: AbortSignal;
  /** Whether the server's messages may be quoted in errors. */
  readonly quotable: boolean;
}

/**
 * Decodes the events of a watch. The connection is ended when no byte has come for `idleTimeoutMs`:
 * a half-open one never ends by itself.
 */
export async function* decodeWatch<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
  { name, idleTimeoutMs, abort, signal, quotable }: DecodeOptions,
): AsyncGenerator<WatchEvent<T>, void, void> {
  const onIdle = (): void =>
    abort(new KubeError('ERR_KUBE_TIMEOUT', `${name}: silent for ${idleTimeoutMs} ms`));
  let timer = setTimeout(onIdle, idleTimeoutMs);
  async function* alive(): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of chunks) {
      // Runs only while we wait for the server: a slow reader is no silent connection.
      clearTimeout(timer);
      yield chunk;
      timer = setTimeout(onIdle, idleTimeoutMs);
    }
  }
  try {
    for await (const line of splitLines(alive())) {
      yield decodeEvent<T>(name, line, quotable);
    }
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) {
      throw new KubeError('ERR_KUBE_PROTOCOL', `${name}: what came is not a watch`, {
        cause: error,
      });
    }
    throw networkError({ name }, error, signal);
  } finally {
    clearTimeout(timer);
  }
}

function decodeEvent<T extends KubeObject>(
  name: string,
  line: string,
  quotable: boolean,
): WatchEvent<T> {
  let raw: RawEvent;
  try {
    raw = JSON.parse(line) as RawEvent;
  } catch {
    // No cause: the parser's message quotes the line.
    throw new KubeError('ERR_KUBE_PROTOCOL', `${name}: an event is not JSON`);
  }
  const { type, object } = raw;
  if (typeof object !== 'object' || object === null) {
    throw new KubeError('ERR_KUBE_PROTOCOL', `${name}: an event without an object`);
  }
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: object as T };
    case 'BOOKMARK': {
      const { metadata } = object as T;
      return {
        type,
        resourceVersion: metadata.resourceVersion ?? '',
        initialEventsEnd: metadata.annotations?.[INITIAL_EVENTS_END] === 'true',
      };
    }
    case 'ERROR': {
      const status = object as Status;
      return {
        type,
        error: errorFromStatus(name, status.code ?? 500, status, undefined, quotable),
      };
    }
    default:
      throw new KubeError('ERR_KUBE_PROTOCOL', `${name}: an event of unknown type`);
  }
}
