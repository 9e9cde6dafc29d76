/**
 * A work queue of keys, after client-go's: a key waits at most once (dirty) and is worked on by at
 * most one worker (processing); added while it is worked on, it waits again afterwards. On top of
 * that: three priorities, turns between namespaces inside a priority, and delays.
 */
import type { Clock, Timer } from './clock.ts';
import type { RuntimeMetrics } from './metrics.ts';
import { createRetryLimiter } from './retry-limiter.ts';
import { namespaceOf } from './store.ts';

/** `urgent` before `normal` before `bulk`; relists and periodic work are `bulk`. */
export type Priority = 'urgent' | 'normal' | 'bulk';

const PRIORITIES = ['urgent', 'normal', 'bulk'] as const;
const RANK: Readonly<Record<Priority, number>> = { urgent: 0, normal: 1, bulk: 2 };

export interface WorkQueue {
  add(key: string, priority?: Priority): void;
  /** Adds the key later; of two times the earlier stands, of two priorities the higher. */
  addAfter(key: string, delayMs: number, priority?: Priority): void;
  /**
   * Adds the key after a failure: after the limiter's wait and at least `atLeastMs`. A key that is
   * being worked on keeps its priority unless told.
   */
  addRateLimited(key: string, priority?: Priority, atLeastMs?: number): void;
  /** Forgets the failures of a key. */
  forget(key: string): void;
  /** The next key; undefined once the queue is shut down and empty. */
  take(): Promise<string | undefined>;
  /** Must follow every `take`. */
  done(key: string): void;
  /** No key is taken in any more; those that wait now are still handed out. */
  shutDown(): void;
  readonly length: number;
}

export interface WorkQueueOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly metrics?: RuntimeMetrics;
}

interface Waiting {
  priority: Priority;
  readonly sinceMs: number;
}

interface Delayed {
  /** Monotonic. */
  readonly atMs: number;
  priority: Priority;
  readonly timer: Timer;
}

export function createWorkQueue({ name, clock, metrics }: WorkQueueOptions): WorkQueue {
  const waiting = new Map<string, Waiting>();
  const lanes = new Map(PRIORITIES.map((priority) => [priority, createLane()] as const));
  const processing = new Map<string, { readonly priority: Priority; readonly startedMs: number }>();
  /** Added again while being worked on. */
  const dirty = new Map<string, Priority>();
  const delayed = new Map<string, Delayed>();
  const limiter = createRetryLimiter(clock);
  const takers: ((key: string | undefined) => void)[] = [];
  let isShutDown = false;

  function add(key: string, priority: Priority = 'normal'): void {
    if (isShutDown) return;
    if (processing.has(key)) {
      dirty.set(key, higher(priority, dirty.get(key)));
      return;
    }
    const present = waiting.get(key);
    if (present !== undefined) {
      if (RANK[priority] < RANK[present.priority]) {
        lanes.get(present.priority)?.remove(key);
        present.priority = priority;
        lanes.get(priority)?.push(key);
      }
      return;
    }
    waiting.set(key, { priority, sinceMs: clock.monotonicMs() });
    lanes.get(priority)?.push(key);
    metrics?.queueAdded(name);
    handOut();
  }

  function next(): string | undefined {
    for (const priority of PRIORITIES) {
      const key = lanes.get(priority)?.shift();
      if (key !== undefined) return key;
    }
    return undefined;
  }

  function handOut(): void {
    while (takers.length > 0) {
      const key = next();
      if (key === undefined) {
        if (isShutDown) for (const taker of takers.splice(0)) taker(undefined);
        break;
      }
      const now = clock.monotonicMs();
      const { priority, sinceMs } = waiting.get(key) ?? { priority: 'normal', sinceMs: now };
      waiting.delete(key);
      processing.set(key, { priority, startedMs: now });
      metrics?.queueWaited(name, (now - sinceMs) / 1000);
      takers.shift()?.(key);
    }
    metrics?.queueDepth(name, waiting.size);
  }

  function addAfter(key: string, delayMs: number, priority: Priority = 'normal'): void {
    if (isShutDown) return;
    if (delayMs <= 0) {
      add(key, priority);
      return;
    }
    const atMs = clock.monotonicMs() + delayMs;
    const present = delayed.get(key);
    if (present !== undefined) {
      present.priority = higher(priority, present.priority);
      if (present.atMs <= atMs) return;
      present.timer.cancel();
    }
    const timer = clock.setTimeout(() => {
      delayed.delete(key);
      const leftMs = atMs - clock.monotonicMs();
      // Timers are capped; what is left is waited for anew.
      if (leftMs > 1) addAfter(key, leftMs, entry.priority);
      else add(key, entry.priority);
    }, delayMs);
    const entry: Delayed = { atMs, priority: higher(priority, present?.priority), timer };
    delayed.set(key, entry);
  }

  return {
    add,
    addAfter,
    addRateLimited(key, priority = processing.get(key)?.priority, atLeastMs = 0) {
      metrics?.queueRetried(name);
      addAfter(key, Math.max(atLeastMs, limiter.delayMs(key)), priority);
    },
    forget: limiter.forget,
    take() {
      return new Promise((resolve) => {
        takers.push(resolve);
        handOut();
      });
    },
    done(key) {
      const worked = processing.get(key);
      if (worked === undefined) return;
      processing.delete(key);
      metrics?.queueWorked(name, (clock.monotonicMs() - worked.startedMs) / 1000);
      const again = dirty.get(key);
      if (again !== undefined) {
        dirty.delete(key);
        add(key, again);
      }
    },
    shutDown() {
      isShutDown = true;
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      handOut();
    },
    get length() {
      return waiting.size;
    },
  };
}

function higher(a: Priority, b: Priority | undefined): Priority {
  return b !== undefined && RANK[b] < RANK[a] ? b : a;
}

/** Keys of one priority. Namespaces take turns, so that a thousand keys of one delay no other. */
function createLane(): {
  push(key: string): void;
  shift(): string | undefined;
  remove(key: string): void;
} {
  // Insertion order of the Map is the order of turns.
  const byNamespace = new Map<string, Set<string>>();
  return {
    push(key) {
      const namespace = namespaceOf(key);
      const keys = byNamespace.get(namespace);
      if (keys === undefined) byNamespace.set(namespace, new Set([key]));
      else keys.add(key);
    },
    shift() {
      for (const [namespace, keys] of byNamespace) {
        byNamespace.delete(namespace);
        for (const key of keys) {
          keys.delete(key);
          if (keys.size > 0) byNamespace.set(namespace, keys);
          return key;
        }
      }
      return undefined;
    },
    remove(key) {
      const namespace = namespaceOf(key);
      const keys = byNamespace.get(namespace);
      keys?.delete(key);
      if (keys?.size === 0) byNamespace.delete(namespace);
    },
  };
}
