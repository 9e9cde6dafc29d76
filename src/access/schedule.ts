/**
 * Windows of time that open by a cron schedule in a time zone. A start that does not exist, since
 * clocks are put forward over it, is the first instant after; one that exists twice is the first.
 */
import { Cron } from 'croner';
import { parseDuration } from '#api/duration.ts';
import type { TimeWindow } from '#api/access-policy.ts';

export interface CompiledWindow {
  isOpen(atMs: number): boolean;
}

/** Undefined for a schedule, duration or time zone that cannot be read. */
export function compileWindow(window: TimeWindow): CompiledWindow | undefined {
  let cron: Cron;
  let durationMs: number;
  try {
    if (window.schedule.trim().split(/\s+/).length !== 5) return undefined;
    cron = new Cron(window.schedule, { timezone: window.timeZone ?? 'UTC', paused: true });
    // A time zone is looked up when it is first needed.
    cron.nextRun(new Date(0));
    durationMs = parseDuration(window.duration);
  } catch {
    return undefined;
  }
  /** The answer holds from `fromMs` until before `untilMs`. */
  let known = { fromMs: 0, untilMs: 0, isOpen: false };

  function look(atMs: number): typeof known {
    // The reference itself is left out of the runs before it.
    const last = cron
      .previousRuns(1, new Date(atMs + 1))
      .at(0)
      ?.getTime();
    const next = cron.nextRun(new Date(atMs))?.getTime() ?? Number.POSITIVE_INFINITY;
    const end = last === undefined ? undefined : last + durationMs;
    if (last !== undefined && end !== undefined && atMs < end) {
      return { fromMs: last, untilMs: end, isOpen: true };
    }
    return { fromMs: Math.max(end ?? 0, 0), untilMs: next, isOpen: false };
  }

  return {
    isOpen(atMs) {
      if (!Number.isFinite(atMs)) return false;
      if (atMs < known.fromMs || atMs >= known.untilMs) known = look(atMs);
      return known.isOpen;
    },
  };
}
