import { createHash } from 'node:crypto';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Event, KubeObject } from '#kube/objects.ts';
import { EVENTS } from '#kube/resources.ts';
import { aborted } from './aborted.ts';
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

/**
 * Writes Events (events.k8s.io/v1) in the background. Never blocks and never throws: what is too
 * much, or cannot be written, is left out. Events are a courtesy; what must not be lost stands in
 * status and in audit records.
 */
export interface EventRecorder {
  emit(event: EventInput): void;
  /** Resolves when all that was emitted is written or given up, or when `signal` is aborted. */
  flush(signal?: AbortSignal): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly controller: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Within this time after the first, an equal Event is counted in its series instead of being new. */
const SERIES_MS = 6 * 60_000;
/** Series and objects that are remembered; the oldest is forgotten first. */
const MAX_REMEMBERED = 4096;
const MAX_PENDING = 1000;
/** As the filter of client-go: 25 writes at once for an object, then one every five minutes. */
const BURST = 25;
const REFILL_MS = 5 * 60_000;
/** Less than the default of a call: one stalled write holds up all that follow. */
const TIMEOUT_MS = 10_000;
/** The API server's limits, in bytes. */
const MAX_NAME = 253;
const MAX_NOTE = 1024;

interface Series {
  readonly input: EventInput;
  readonly namespace: string;
  /** Name of the Event. */
  readonly name: string;
  readonly firstMs: number;
  count: number;
  lastMs: number;
  isWritten: boolean;
  /** A write is in the queue; it will write the count of its own time. */
  isQueued: boolean;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, log } = options;
  const known = new Map<string, Series>();
  const budgets = new Map<string, { readonly tokens: number; readonly atMs: number }>();
  let pending = 0;
  let writes: Promise<void> = Promise.resolve();

  function spend(object: KubeObject): boolean {
    const { namespace, name, uid } = object.metadata;
    const key = uid ?? JSON.stringify([object.kind, namespace, name]);
    const nowMs = clock.monotonicMs();
    const budget = budgets.get(key) ?? { tokens: BURST, atMs: nowMs };
    const tokens = Math.min(BURST, budget.tokens + (nowMs - budget.atMs) / REFILL_MS);
    remember(budgets, key, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: nowMs });
    return tokens >= 1;
  }

  /** The series that an Event belongs to, with the Event counted. */
  function count(input: EventInput): Series {
    const { namespace = 'default', name, uid } = input.object.metadata;
    const { kind } = input.object;
    const { type, reason, action, note } = input;
    const id = createHash('sha256')
      .update(JSON.stringify([kind, namespace, name, uid, type, reason, action, note]))
      .digest('hex');
    const nowMs = clock.now();
    const present = known.get(id);
    if (present !== undefined && nowMs - present.firstMs < SERIES_MS) {
      present.count += 1;
      present.lastMs = nowMs;
      return present;
    }
    const started: Series = {
      input,
      namespace,
      name: eventName(name, `${id.slice(0, 8)}${nowMs.toString(16)}`),
      firstMs: nowMs,
      count: 1,
      lastMs: nowMs,
      isWritten: false,
      isQueued: false,
    };
    remember(known, id, started);
    return started;
  }

  async function write(series: Series): Promise<void> {
    series.isQueued = false;
    const { namespace, name, count, lastMs } = series;
    const call = { timeoutMs: TIMEOUT_MS };
    const repeated = { series: { count, lastObservedTime: microTime(lastMs) } };
    if (series.isWritten) {
      try {
        await client.mergePatch(EVENTS, { namespace, name }, repeated, call);
        return;
      } catch (error) {
        if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
        // Its time to live is over, or somebody has cleared up: once more from the start.
      }
    }
    const event = eventOf(series, options);
    await client.create(EVENTS, count === 1 ? event : { ...event, ...repeated }, call);
    series.isWritten = true;
  }

  return {
    emit(input) {
      const series = count(input);
      if (series.isQueued) return;
      if (pending >= MAX_PENDING || !spend(input.object)) {
        const { name } = input.object.metadata;
        log.debug({ reason: input.reason, name }, 'Event left out, too many');
        return;
      }
      pending += 1;
      series.isQueued = true;
      writes = writes
        .then(() => write(series))
        .catch((error: unknown) => {
          const reason = isKubeError(error) ? error.code : String(error);
          log.debug({ reason }, 'Event not written');
        })
        .finally(() => {
          pending -= 1;
        });
    },

    async flush(signal) {
      await (signal === undefined ? writes : Promise.race([writes, aborted(signal)]));
    },
  };
}

function eventOf(
  { input, namespace, name, firstMs }: Series,
  { controller, instance }: EventRecorderOptions,
): Event {
  const { object, type, reason, action, note } = input;
  const { uid, namespace: objectNamespace } = object.metadata;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace },
    eventTime: microTime(firstMs),
    type,
    reason,
    action,
    note: truncate(note, MAX_NOTE),
    regarding: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name: object.metadata.name,
      ...(objectNamespace === undefined ? {} : { namespace: objectNamespace }),
      ...(uid === undefined ? {} : { uid }),
    },
    reportingController: controller,
    reportingInstance: truncate(instance, 128),
  };
}

/** The object's name, shortened where needed, and a suffix of letters and digits. */
function eventName(objectName: string, suffix: string): string {
  const prefix = objectName.slice(0, MAX_NAME - suffix.length - 1).replace(/[^a-z0-9]+$/, '');
  return `${prefix}.${suffix}`;
}

/** At most `maxBytes` of UTF-8, without a broken character at the end. */
function truncate(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  return bytes.toString('utf8', 0, maxBytes - 3).replace(/\uFFFD+$/, '') + '…';
}

/** Sets a key as the newest, and forgets the oldest one beyond the limit. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_REMEMBERED) return;
  const { value: oldest } = map.keys().next();
  if (oldest !== undefined) map.delete(oldest);
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
