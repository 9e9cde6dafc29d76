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

/**
 * Decodes the events of a watch. `abort` ends the connection when no byte has come for
 * `idleTimeoutMs`: a half-open connection never ends by itself.
 */
export async function* decodeWatch<T extends KubeObject>(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  idleTimeoutMs: number,
  abort: (reason: KubeError) => void,
  quotable: boolean,
): AsyncGenerator<WatchEvent<T>, void, void> {
  let idle: KubeError | undefined;
  const onIdle = (): void => {
    idle = new KubeError('ERR_KUBE_TIMEOUT', `${name}: silent for ${idleTimeoutMs} ms`);
    abort(idle);
  };
  let timer = setTimeout(onIdle, idleTimeoutMs);
  async function* alive(): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of chunks) {
      clearTimeout(timer);
      timer = setTimeout(onIdle, idleTimeoutMs);
      yield chunk;
    }
  }
  try {
    for await (const line of splitLines(alive())) {
      yield decodeEvent<T>(name, line, quotable);
    }
  } catch (error) {
    throw idle ?? networkError({ name }, error);
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
