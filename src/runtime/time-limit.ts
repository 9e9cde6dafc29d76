import type { Clock } from './clock.ts';

/**
 * Runs `work` with a signal that is aborted together with `parent`, or after `ms` by a TimeoutError,
 * and settles at that moment even where `work` takes no notice of the signal.
 */
export async function withTimeLimit<T>(
  clock: Clock,
  ms: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent?.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  const onParent = (): void => controller.abort(parent?.reason);
  parent?.addEventListener('abort', onParent, { once: true });
  const timer = clock.setTimeout(() => {
    controller.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError'));
  }, ms);
  try {
    return await new Promise<T>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      work(signal).then(resolve, reject);
    });
  } finally {
    timer.cancel();
    parent?.removeEventListener('abort', onParent);
  }
}
