import { createHash } from 'node:crypto';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Event, KubeObject } from '#kube/objects.ts';
import { EVENTS } from '#kube/resources.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

export interface EventInput {
  readonly object: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** Why, in UpperCamelCase. */
  readonly reason: string;
  /** What was done or tried, in UpperCamelCase. */
  readonly action: string;
  /** A sentence for people; at most 1024 characters are kept. */
  readonly note: string;
}

/** Writes Events in the background. Never blocks, never throws; what is too much is counted. */
export interface EventRecorder {
  emit(event: EventInput): void;
  /** Resolves when all that was emitted is written or given up. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly controller: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Within this time an equal Event is counted in its series instead of being a new one. */
const SERIES_MS = 6 * 60_000;
const MAX_SERIES = 4096;
const MAX_PENDING = 1000;
/** As the filter of client-go: 25 at once an object, then one every five minutes. */
const BURST = 25;
const REFILL_MS = 5 * 60_000;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, log } = options;
  const series = new Map<
    string,
    { readonly name: string; readonly firstMs: number; count: number }
  >();
  const budgets = new Map<string, { tokens: number; atMs: number }>();
  let pending = 0;
  let writes: Promise<void> = Promise.resolve();

  function isWithinBudget(object: string): boolean {
    const nowMs = clock.monotonicMs();
    const budget = budgets.get(object) ?? { tokens: BURST, atMs: nowMs };
    const tokens = Math.min(BURST, budget.tokens + (nowMs - budget.atMs) / REFILL_MS);
    budgets.delete(object);
    budgets.set(object, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: nowMs });
    evictOldest(budgets);
    return tokens >= 1;
  }

  async function write(input: EventInput): Promise<void> {
    const { object, type, reason, action } = input;
    const { namespace = 'default', name, uid } = object.metadata;
    const note = input.note.slice(0, 1024);
    const id = createHash('sha256')
      .update(JSON.stringify([object.kind, namespace, name, uid, type, reason, action, note]))
      .digest('hex');
    const nowMs = clock.now();
    const known = series.get(id);
    if (known !== undefined && nowMs - known.firstMs < SERIES_MS) {
      known.count += 1;
      const patch = { series: { count: known.count, lastObservedTime: microTime(nowMs) } };
      await client.mergePatch(EVENTS, { namespace, name: known.name }, patch);
      return;
    }
    const eventName = `${name}.${id.slice(0, 8)}${nowMs.toString(16)}`;
    series.delete(id);
    series.set(id, { name: eventName, firstMs: nowMs, count: 1 });
    evictOldest(series);
    const event: Event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: eventName, namespace },
      eventTime: microTime(nowMs),
      type,
      reason,
      action,
      note,
      regarding: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
      },
      reportingController: options.controller,
      reportingInstance: options.instance,
    };
    await client.create(EVENTS, event);
  }

  return {
    emit(input) {
      if (
        pending >= MAX_PENDING ||
        !isWithinBudget(input.object.metadata.uid ?? input.object.metadata.name)
      ) {
        log.debug(
          { reason: input.reason, name: input.object.metadata.name },
          'Event left out, too many',
        );
        return;
      }
      pending += 1;
      writes = writes
        .then(() => write(input))
        .catch((error: unknown) => {
          // Events are a courtesy: what must not be lost stands in status and in the audit records.
          log.debug(
            { reason: isKubeError(error) ? error.code : String(error) },
            'Event not written',
          );
        })
        .finally(() => {
          pending -= 1;
        });
    },
    flush: () => writes,
  };
}

function evictOldest(map: Map<string, unknown>): void {
  if (map.size <= MAX_SERIES) return;
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
