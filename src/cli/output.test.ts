import { describe, expect, it } from 'vitest';
import { age, table } from '#cli/output.ts';

describe('table', () => {
  it('aligns columns and leaves no blanks at line ends', () => {
    expect(
      table(
        ['NAME', 'READY'],
        [
          ['maker', 'True'],
          ['a', ''],
        ],
      ),
    ).toBe('NAME   READY\nmaker  True\na');
  });
});

describe('age', () => {
  it.each([
    [-5, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [3_600_000, '1h'],
    [3_900_000, '1h5m'],
    [36_000_000, '10h'],
    [200_000_000, '2d'],
  ])('shows %d ms as %s', (ms, text) => {
    expect(age(ms)).toBe(text);
  });
});

describe('names that others chose', () => {
  it.each([
    ['a line break', 'a\nUser root', String.raw`a\u{a}User root`],
    ['a terminal sequence', '\u001B[2Ka', String.raw`\u{1b}[2Ka`],
    ['a turn of direction', 'a\u202Eb', String.raw`a\u{202e}b`],
    ['what is not seen', 'a\u200Bb', String.raw`a\u{200b}b`],
    ['letters of any script', 'zoë-日本', 'zoë-日本'],
  ])('show %s', (_, name, shown) => {
    expect(table(['NAME', 'X'], [[name, 'y']]).split('\n')[1]).toBe(`${shown}  y`);
  });
});
