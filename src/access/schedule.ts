/**
 * Windows of time that open by a cron schedule in a time zone and stay open for a duration. Clocks
 * that are put forward skip some starts: such a window opens at the first instant after. Clocks that
 * are put back repeat some: a window at a fixed time opens at the first alone; one whose minute or
 * hour is `*` or has a step opens at both, since `0 * * * *` for an hour must stay open all along.
 *
 * Croner does all of it but for skipped starts, which it leaves out where there are wildcards, and
 * where the clock is put forward to midnight. These are looked for here.
 */
import { Cron } from 'croner';
import { isDuration, parseDuration } from '#api/duration.ts';
import { isSchedule } from '#api/schedule.ts';
import { isTimeZone } from '#api/time-zone.ts';
import { isRecord, quote } from './reading.ts';
import { clockIn, gapsBetween } from './time-zone-clock.ts';

export interface CompiledWindow {
  /** For people, such as `for 8h from each "0 9 * * 1-5" in Europe/Zurich`. */
  readonly text: string;
  isOpen(atMs: number): boolean;
}

const SECOND_MS = 1000;

/** Undefined for a schedule, duration or time zone that cannot be read, or that never comes. */
export function compileWindow(window: unknown): CompiledWindow | undefined {
  if (!isRecord(window)) return undefined;
  const { schedule, duration, timeZone = 'UTC', ...rest } = window;
  if (typeof schedule !== 'string' || typeof duration !== 'string') return undefined;
  if (typeof timeZone !== 'string' || Object.keys(rest).length > 0) return undefined;
  if (!isSchedule(schedule) || !isDuration(duration) || !isTimeZone(timeZone)) return undefined;
  const durationMs = parseDuration(duration);
  if (durationMs === 0) return undefined;
  try {
    const starts = startsOf(schedule, timeZone);
    if (mayNeverStart(schedule) && starts(0) === undefined) return undefined;
    return {
      text: `for ${duration} from each "${quote(schedule)}" in ${timeZone}`,
      isOpen: createMemo(starts, durationMs),
    };
  } catch {
    return undefined;
  }
}

/** The first start after an instant. */
type Starts = (afterMs: number) => number | undefined;

function startsOf(schedule: string, timeZone: string): Starts {
  const options = { mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true } as const;
  const cron = new Cron(schedule, { ...options, timezone: timeZone });
  const next = (afterMs: number) => cron.nextRun(new Date(afterMs))?.getTime();
  if (timeZone === 'UTC') return next;
  const wall = new Cron(schedule, { ...options, timezone: 'UTC' });
  const clock = clockIn(timeZone);
  return (afterMs) => {
    const start = next(afterMs);
    if (start === undefined) return undefined;
    for (const gap of gapsBetween(clock, afterMs, start)) {
      const skipped = wall.nextRun(new Date(gap.fromMs - SECOND_MS))?.getTime();
      const isSkipped = skipped !== undefined && skipped < gap.toMs;
      if (isSkipped && gap.atMs > afterMs) return Math.min(gap.atMs, start);
    }
    return start;
  };
}

/** Such as the 30th of February. To find that out takes long; others always come. */
function mayNeverStart(schedule: string): boolean {
  const [, , day, month, weekday] = schedule.split(' ');
  return day !== '*' && month !== '*' && weekday === '*';
}

/** Keeps the answer for as long as it holds: time goes on, and most questions are about now. */
function createMemo(starts: Starts, durationMs: number): CompiledWindow['isOpen'] {
  let fromMs = 0;
  let untilMs = 0;
  let isOpen = false;
  return (atMs) => {
    if (atMs >= fromMs && atMs < untilMs) return isOpen;
    // The earliest window that is still open: to its end the answer holds.
    const after = Math.max(Math.floor((atMs - durationMs) / SECOND_MS) * SECOND_MS, 0);
    const start = starts(after) ?? Number.POSITIVE_INFINITY;
    isOpen = start <= atMs;
    fromMs = isOpen ? start : atMs;
    untilMs = isOpen ? start + durationMs : start;
    return isOpen;
  };
}
