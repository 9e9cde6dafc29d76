import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DurationError, isDuration, parseDuration } from '#api/duration.ts';

describe('parseDuration', () => {
  test.each([
    ['0s', 0],
    ['1s', 1000],
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h', 3_600_000],
    ['60m', 3_600_000],
    ['1h0m0s', 3_600_000],
    ['1h30m', 5_400_000],
    ['1h2m3s', 3_723_000],
    ['720h', 2_592_000_000],
    ['999999h999999m999999s', 999_999 * 3_661_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    ' ',
    '1',
    'h',
    '1d',
    '1.5h',
    '-1h',
    '+1h',
    '1h ',
    '1H',
    '1m1h',
    '1h1h',
    '1000000h',
    '1ms',
    '١h',
    '1h\n',
  ])('refuses %j', (text) => {
    expect(isDuration(text)).toBe(false);
    expect(() => parseDuration(text)).toThrow(DurationError);
  });

  test('does not repeat the text', () => {
    expect(() => parseDuration('hunter2')).toThrow(expect.not.stringContaining('hunter2'));
  });
});

describe('properties', () => {
  test('hours, minutes and seconds say the same in any split', () => {
    fc.assert(
      fc.property(fc.nat(9999), fc.nat(59), fc.nat(59), (h, m, s) => {
        expect(parseDuration(`${h}h${m}m${s}s`)).toBe(((h * 60 + m) * 60 + s) * 1000);
        expect(parseDuration(`${h}h${m * 60 + s}s`)).toBe(parseDuration(`${h}h${m}m${s}s`));
      }),
    );
  });

  test('a text is read exactly if it is a duration', () => {
    const unit = fc.constantFrom('0', '1', '9', 'h', 'm', 's', '.', '-', ' ');
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        expect(reads(text)).toBe(isDuration(text));
      }),
    );
  });
});

function reads(text: string): boolean {
  try {
    return parseDuration(text) >= 0;
  } catch (error) {
    if (error instanceof DurationError) return false;
    throw error;
  }
}
