import { describe, expect, it } from 'vitest';
import { parseDuration } from '#api/duration.ts';
import { compileWindow } from './schedule.ts';

/** Gaps of an hour, half an hour and two, at midnight and at other hours, on both hemispheres. */
const ZONES = [
  'Europe/Zurich',
  'Europe/London',
  'Europe/Dublin',
  'Europe/Chisinau',
  'America/New_York',
  'America/St_Johns',
  'America/Havana',
  'America/Santiago',
  'America/Nuuk',
  'America/Scoresbysund',
  'Atlantic/Azores',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Asia/Beirut',
  'Asia/Jerusalem',
  'Australia/Sydney',
  'Australia/Lord_Howe',
  'Pacific/Auckland',
  'Pacific/Chatham',
  'Pacific/Norfolk',
  'Antarctica/Troll',
];

interface Case {
  readonly schedule: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Opens at both of a time that comes twice. */
  readonly isWild?: true;
}

const range = (from: number, to: number, step = 1): readonly number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);

/** What the fields stand for, written out by hand. */
const CASES: readonly Case[] = [
  ...range(0, 4).flatMap((hour): readonly Case[] => [
    { schedule: `0 ${hour} * * *`, minutes: [0], hours: [hour] },
    { schedule: `30 ${hour} * * *`, minutes: [30], hours: [hour] },
  ]),
  { schedule: '45 23 * * *', minutes: [45], hours: [23] },
  { schedule: '5 20-23 * * *', minutes: [5], hours: [20, 21, 22, 23] },
  { schedule: '15,45 0-3 * * *', minutes: [15, 45], hours: [0, 1, 2, 3] },
  { schedule: '0 * * * *', minutes: [0], hours: range(0, 23), isWild: true },
  { schedule: '*/20 1-3 * * *', minutes: [0, 20, 40], hours: [1, 2, 3], isWild: true },
  { schedule: '10 */6 * * *', minutes: [10], hours: [0, 6, 12, 18], isWild: true },
  { schedule: '0 0-23/2 * * *', minutes: [0], hours: range(0, 22, 2), isWild: true },
];

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Each change of the clock from 2025 to 2027. */
function transitionsOf(timeZone: string): readonly Temporal.ZonedDateTime[] {
  const found: Temporal.ZonedDateTime[] = [];
  let at = Temporal.ZonedDateTime.from({ timeZone, year: 2025, month: 1, day: 1 });
  for (;;) {
    const next = at.getTimeZoneTransition('next');
    if (next === null || next.year > 2026) return found;
    found.push(next);
    at = next;
  }
}

/** When a wall-clock time comes: at the end of the gap that it falls into; the first of two, or both. */
function startsAt(
  time: Temporal.PlainDateTime,
  timeZone: string,
  isWild = false,
): readonly number[] {
  const [earlier, later] = (['earlier', 'later'] as const).map((disambiguation) =>
    time.toZonedDateTime(timeZone, { disambiguation }),
  );
  if (earlier === undefined || later === undefined) return [];
  if (!later.toPlainDateTime().equals(time)) {
    const end = earlier.getTimeZoneTransition('next');
    return end === null ? [] : [end.epochMilliseconds];
  }
  return isWild
    ? [earlier.epochMilliseconds, later.epochMilliseconds]
    : [earlier.epochMilliseconds];
}

function startsAround(instant: Temporal.ZonedDateTime, { minutes, hours, isWild }: Case) {
  const day = instant.toPlainDate();
  const starts = range(-4, 4).flatMap((days) =>
    hours.flatMap((hour) =>
      minutes.flatMap((minute) =>
        startsAt(day.add({ days }).toPlainDateTime({ hour, minute }), instant.timeZoneId, isWild),
      ),
    ),
  );
  return [...new Set(starts)].toSorted((a, b) => a - b);
}

describe.each(ZONES)('windows in %s, around changes of the clock', (timeZone) => {
  const transitions = transitionsOf(timeZone);

  it.each(CASES)('$schedule', (one) => {
    const wrong: string[] = [];
    for (const duration of ['20m', '1h', '25h']) {
      const window = compileWindow({ schedule: one.schedule, duration, timeZone });
      const length = parseDuration(duration);
      for (const transition of transitions) {
        const starts = startsAround(transition, one);
        const around = transition.epochMilliseconds;
        const near = starts.filter((start) => Math.abs(start - around) < 30 * HOUR_MS);
        const probes = [
          ...near.flatMap((start) => [start - 1, start, start + length - 1, start + length]),
          ...range(-12, 12).map((step) => around + step * 13 * MINUTE_MS),
        ];
        for (const probe of probes.filter((probe) => Math.abs(probe - around) < 48 * HOUR_MS)) {
          const expected = starts.some((start) => start <= probe && probe < start + length);
          if (window?.isOpen(probe) !== expected) {
            wrong.push(`${duration} at ${new Date(probe).toISOString()}: not ${expected}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('has some', () => expect(transitions.length).toBeGreaterThan(0));
});

describe('a window', () => {
  it('gives the same answer in whatever order it is asked', () => {
    const parts = { schedule: '0 9 * * 1-5', duration: '8h', timeZone: 'Europe/Zurich' };
    const start = Date.parse('2026-03-20T00:00:00Z');
    const probes = range(0, 400).map((step) => start + ((step * 7919) % 400) * 31 * MINUTE_MS);
    const window = compileWindow(parts);
    const fresh = probes.map((probe) => compileWindow(parts)?.isOpen(probe));
    expect(probes.map((probe) => window?.isOpen(probe))).toEqual(fresh);
    expect(new Set(fresh)).toEqual(new Set([true, false]));
  });

  it('that is always open stays open while the clock is put back or forward', () => {
    for (const schedule of ['0 * * * *', '*/30 * * * *']) {
      const window = compileWindow({ schedule, duration: '1h', timeZone: 'Europe/Zurich' });
      for (const day of ['2026-10-24T20:00:00Z', '2026-03-28T20:00:00Z']) {
        const closed = range(0, 120).filter(
          (step) => window?.isOpen(Date.parse(day) + step * 5 * MINUTE_MS) !== true,
        );
        expect(closed).toEqual([]);
      }
    }
  });

  it('may be longer than the time between two starts, and than any time', () => {
    const hourly = compileWindow({ schedule: '0 * * * *', duration: '999999h' });
    expect(hourly?.isOpen(Date.parse('2026-11-24T12:00:00Z'))).toBe(true);
  });

  it('says what it is', () => {
    const parts = { schedule: '0 9 * * 1-5', duration: '8h', timeZone: 'Europe/Zurich' };
    expect(compileWindow(parts)?.text).toBe('for 8h from each "0 9 * * 1-5" in Europe/Zurich');
  });

  it.each([
    null,
    '0 9 * * *',
    {},
    { schedule: '0 9 * * *' },
    { duration: '8h' },
    { schedule: '0 9 * *', duration: '8h' },
    { schedule: '0 0 9 * * *', duration: '8h' },
    { schedule: '0 9 * * 8', duration: '8h' },
    { schedule: '61 9 * * *', duration: '8h' },
    { schedule: '@daily', duration: '8h' },
    { schedule: '0 9 L * *', duration: '8h' },
    { schedule: '0 9 31 2 *', duration: '8h' },
    { schedule: '0 9 * * *', duration: '8 hours' },
    { schedule: '0 9 * * *', duration: '0h' },
    { schedule: '0 9 * * *', duration: '8h', timeZone: 'Local' },
    { schedule: '0 9 * * *', duration: '8h', timeZone: 'Europe/Bern' },
    { schedule: '0 9 * * *', duration: '8h', from: '2026-01-01' },
  ])('is none: %j', (window) => expect(compileWindow(window)).toBeUndefined());
});
