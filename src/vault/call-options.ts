import type { CallOptions } from '#kube/client.ts';

/** Call options with a signal, or none: an optional property must not hold `undefined`. */
export function withSignal(signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? {} : { signal };
}
