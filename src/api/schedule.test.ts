import { Cron } from 'croner';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SCHEDULE_PATTERN, isSchedule } from '#api/schedule.ts';

/** Whether the library that evaluates schedules takes it. */
function isTaken(schedule: string): boolean {
  try {
    new Cron(schedule, { paused: true, mode: '5-part', timezone: 'UTC' }).nextRun();
    return true;
  } catch {
    return false;
  }
}

describe('isSchedule', () => {
  test('takes nothing that cannot be evaluated', () => {
    const shaped = fc.stringMatching(new RegExp(SCHEDULE_PATTERN));
    fc.assert(
      fc.property(shaped, (schedule) => {
        expect(isSchedule(schedule) && !isTaken(schedule)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  const FIELDS = [
    { at: 0, from: 0, to: 59 },
    { at: 1, from: 0, to: 23 },
    { at: 2, from: 1, to: 31 },
    { at: 3, from: 1, to: 12 },
    { at: 4, from: 0, to: 7 },
  ];
  const withField = (at: number, text: string): string =>
    ['*', '*', '*', '*', '*'].with(at, text).join(' ');

  test.each(FIELDS)('knows every range of field $at that runs backwards', ({ at, from, to }) => {
    for (let first = from; first <= to; first += 1) {
      for (let last = from; last <= to; last += 1) {
        const range = `${first}-${last}`;
        expect([range, isSchedule(withField(at, range))]).toEqual([range, first <= last]);
        expect(isSchedule(withField(at, `*,${range}/1,*`))).toBe(first <= last);
      }
    }
  });

  test.each(FIELDS)('knows every number of field $at', ({ at, from, to }) => {
    for (let number = 0; number <= 100; number += 1) {
      const isIn = number >= from && number <= to;
      expect([number, isSchedule(withField(at, `${number}`))]).toEqual([number, isIn]);
    }
  });

  test.each([
    [3, 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')],
    [4, 'SUN MON TUE WED THU FRI SAT'.split(' ')],
  ])('knows the names of field %i and their order', (at, names) => {
    for (const [first, one] of names.entries()) {
      for (const [last, other] of names.entries()) {
        const range = `${one}-${other}`;
        // Sunday ends a week as well as it begins one.
        const isForward = first <= last || other === 'SUN';
        expect([range, isSchedule(withField(at, range))]).toEqual([range, isForward]);
        expect([range, isTaken(withField(at, range))]).toEqual([range, isForward]);
      }
    }
  });
});
