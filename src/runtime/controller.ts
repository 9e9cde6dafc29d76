import { randomUUID } from 'node:crypto';
import { isKubeError } from '#kube/errors.ts';
import type { Clock } from './clock.ts';
import { describeError } from './describe-error.ts';
import type { Logger } from './log.ts';
import type { RuntimeMetrics } from './metrics.ts';
import { createWorkQueue } from './queue.ts';
import type { Priority } from './queue.ts';

/** What a reconciliation asks for next. Expected outcomes are returned; a throw is a `retry`. */
export type Result =
  | { readonly kind: 'done' }
  /** Look again after a time, without a failure. */
  | { readonly kind: 'after'; readonly ms: number }
  /** Try again after a wait that grows. */
  | { readonly kind: 'retry'; readonly error: unknown }
  /** Trying again cannot help until something changes. */
  | { readonly kind: 'terminal'; readonly error: unknown };

/** The reason of the signal of a reconciliation that took too long. */
export class ReconcileTimeoutError extends Error {
  override readonly name = 'ReconcileTimeoutError';
  readonly code = 'ERR_RECONCILE_TIMEOUT' as const;
  readonly retryable = true;

  constructor(timeoutMs: number) {
    super(`reconciliation took longer than ${timeoutMs} ms`);
  }
}

export interface ReconcileContext {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly reconcileId: string;
}

export interface Controller {
  readonly name: string;
  enqueue(key: string, priority?: Priority): void;
  enqueueAfter(key: string, ms: number, priority?: Priority): void;
  /** Works until `signal` is aborted, then finishes what is under way. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ControllerOptions {
  readonly name: string;
  readonly reconcile: (key: string, context: ReconcileContext) => Promise<Result>;
  /** Keys worked on at once; 4 unless told. */
  readonly concurrency?: number;
  /** After this a reconciliation's signal is aborted; 2 minutes unless told. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
}

export function createController(options: ControllerOptions): Controller {
  const { name, reconcile, concurrency = 4, timeoutMs = 120_000, clock, metrics } = options;
  const queue = createWorkQueue({ name, clock, ...(metrics === undefined ? {} : { metrics }) });

  async function workOn(key: string, signal: AbortSignal): Promise<void> {
    const reconcileId = randomUUID();
    const log = options.log.child({ controller: name, key, reconcileID: reconcileId });
    const startedMs = clock.monotonicMs();
    const timeout = new AbortController();
    const timer = clock.setTimeout(
      () => timeout.abort(new ReconcileTimeoutError(timeoutMs)),
      timeoutMs,
    );
    let result: Result;
    try {
      const both = AbortSignal.any([signal, timeout.signal]);
      result = await reconcile(key, { signal: both, log, reconcileId });
    } catch (error) {
      result = { kind: 'retry', error };
    } finally {
      timer.cancel();
    }
    // Cut short by the end of the process: no failure, and nobody tries again here.
    if (result.kind === 'retry' && signal.aborted) return;
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    switch (result.kind) {
      case 'done':
        queue.forget(key);
        metrics?.reconciled(name, 'success', seconds);
        break;
      case 'after':
        queue.forget(key);
        queue.addAfter(key, result.ms, 'bulk');
        metrics?.reconciled(name, 'requeue_after', seconds);
        break;
      case 'retry':
        metrics?.reconciled(name, 'error', seconds);
        log.warn({ reason: describeError(result.error) }, 'Reconciliation failed, trying again');
        queue.addRateLimited(
          key,
          undefined,
          isKubeError(result.error) ? result.error.retryAfterMs : 0,
        );
        break;
      case 'terminal':
        queue.forget(key);
        metrics?.reconciled(name, 'terminal_error', seconds);
        log.warn(
          { reason: describeError(result.error) },
          'Reconciliation cannot succeed until something changes',
        );
        break;
    }
  }

  async function worker(signal: AbortSignal): Promise<void> {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      try {
        // After the signal nothing new is begun; a restart finds it by its first list.
        if (!signal.aborted) await workOn(key, signal);
      } finally {
        queue.done(key);
      }
    }
  }

  return {
    name,
    enqueue: (key, priority) => queue.add(key, priority),
    enqueueAfter: (key, ms, priority) => queue.addAfter(key, ms, priority),
    async run(signal) {
      const stop = (): void => queue.shutDown();
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      await Promise.all(Array.from({ length: concurrency }, () => worker(signal)));
    },
  };
}
