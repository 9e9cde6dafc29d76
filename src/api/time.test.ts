import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTime } from '#api/time.ts';

describe('isTime', () => {
  test.each([
    '2000-02-29T00:00:00Z',
    '2027-01-31T18:00:00+01:00',
    '2999-12-31T23:59:59.999999999-23:59',
  ])('takes %s', (text) => expect(isTime(text)).toBe(true));

  test.each([
    '2027-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2027-06-31T00:00:00Z',
    '2027-00-01T00:00:00Z',
    '1999-12-31T00:00:00Z',
    '2027-01-31T24:00:00Z',
    '2027-01-31t18:00:00z',
    '2027-01-31',
  ])('refuses %s', (text) => expect(isTime(text)).toBe(false));

  test('takes every time that this program writes itself', () => {
    const from = new Date('2000-01-01T00:00:00Z');
    const to = new Date('2999-12-31T23:59:59Z');
    fc.assert(
      fc.property(fc.date({ min: from, max: to, noInvalidDate: true }), (date) => {
        expect(isTime(date.toISOString())).toBe(true);
      }),
    );
  });
});
