import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deadlineMs } from './deadline.ts';

test.each([
  ['5s', 4500],
  ['2s', 1800],
  ['30s', 29_500],
  ['1m0s', 29_500],
  ['500ms', 450],
  ['1.5s', 1350],
  ['1s500ms', 1350],
  ['10h', 29_500],
  [null, 9500],
  ['', 9500],
  ['0s', 9500],
  ['-5s', 9500],
  ['5', 9500],
  ['5s ', 9500],
  ['five', 9500],
  ['1s'.repeat(1000), 9500],
])('a timeout of %j leaves %d ms', (timeout, expected) => {
  expect(deadlineMs(timeout)).toBe(expected);
});

test('whatever is asked, there is some time and never more than 30 s', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789.hmsuµn-+ ')) }),
      (timeout) => {
        const ms = deadlineMs(timeout);
        expect(ms).toBeGreaterThan(0);
        expect(ms).toBeLessThan(30_000);
      },
    ),
  );
});
