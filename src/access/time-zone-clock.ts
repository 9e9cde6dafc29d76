/** What the clock on the wall shows in a time zone. */

export interface Clock {
  /** Milliseconds that the clock is ahead of UTC at an instant. */
  offsetAt(atMs: number): number;
}

/** Making one is slow, and there are only so many zones. */
const clocks = new Map<string, Clock>();

/** @throws RangeError for a zone that nobody knows */
export function clockIn(timeZone: string): Clock {
  const present = clocks.get(timeZone);
  if (present !== undefined) return present;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const clock: Clock = {
    offsetAt(atMs) {
      const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
      for (const { type, value } of format.formatToParts(atMs)) shown[type] = Number(value);
      const { year = 0, month = 1, day, hour, minute, second } = shown;
      return Date.UTC(year, month - 1, day, hour, minute, second) - toSecond(atMs);
    },
  };
  clocks.set(timeZone, clock);
  return clock;
}

/** The wall-clock time, as if of UTC, that a clock put forward leaves out, and when it is. */
export interface Gap {
  readonly atMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** Each time between two instants that the clock is put forward. */
export function* gapsBetween({ offsetAt }: Clock, fromMs: number, toMs: number): Generator<Gap> {
  let before = offsetAt(fromMs);
  for (let start = toSecond(fromMs); start < toMs; start += DAY_MS) {
    const after = offsetAt(start + DAY_MS);
    if (after > before) {
      const atMs = changeBetween(offsetAt, start, start + DAY_MS, before);
      yield { atMs, fromMs: atMs + before, toMs: atMs + after };
    }
    before = after;
  }
}

/** The first second at which the offset is no longer `before`. */
function changeBetween(
  offsetAt: Clock['offsetAt'],
  fromMs: number,
  toMs: number,
  before: number,
): number {
  let [low, high] = [fromMs, toMs];
  while (high - low > SECOND_MS) {
    const middle = toSecond((low + high) / 2);
    if (offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

function toSecond(ms: number): number {
  return Math.floor(ms / SECOND_MS) * SECOND_MS;
}
