import { describe, expect, test } from 'vitest';
import { isTimeZone } from '#api/time-zone.ts';

describe('isTimeZone', () => {
  test.each(Intl.supportedValuesOf('timeZone'))('takes %s', (name) => {
    expect(isTimeZone(name)).toBe(true);
  });
  test.each(['UTC', 'Asia/Kolkata', 'Asia/Calcutta', 'Europe/Kyiv', 'US/Eastern', 'Etc/UTC'])(
    'takes %s, also where another name is the present one',
    (name) => expect(isTimeZone(name)).toBe(true),
  );
  test.each(['', 'Local', 'EST', '+01:00', 'Etc/GMT+5', 'Europe/ZURICH', 'Mars/Base', 'utc'])(
    'refuses %j',
    (name) => expect(isTimeZone(name)).toBe(false),
  );
});
