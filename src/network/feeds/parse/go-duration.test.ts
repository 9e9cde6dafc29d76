import { expect, it } from 'vitest';
import { parseGoDuration } from './go-duration.ts';

it.each([
  ['3h59m57.641708614s', 14_397_642],
  ['143h58m15s', 518_295_000],
  ['4h0m0s', 14_400_000],
  ['1m', 60_000],
  ['1.5h', 5_400_000],
  ['250ms', 250],
  ['1500µs', 2],
  ['0s', 0],
  ['0', 0],
  ['-5m30s', -330_000],
])('reads %s', (text, expected) => {
  expect(parseGoDuration(text)).toBe(expected);
});

it.each(['', 'h', '5', '4 h', '1h 5m', '1d', '1h-5m', 'x1h', '1hx', '1h'.repeat(40), '.5h'])(
  'refuses %s',
  (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  },
);
