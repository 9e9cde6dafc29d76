import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { objectName } from './object-names.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

describe('names of objects', () => {
  it.each([
    ['egress', undefined, 'strongroom-egress'],
    ['egress', 'v4-192-0-0-0-4', 'strongroom-egress-v4-192-0-0-0-4'],
    ['egress desk,trading', undefined, 'strongroom-egress-desk-trading-xa7bbbe937a0e'],
  ])('of %s and %s can be read', (key, part, expected) => {
    expect(objectName(key, part)).toBe(expected);
  });

  const key = fc.oneof(
    fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/),
    fc.string({
      minLength: 1,
      maxLength: 253,
      unit: fc.constantFrom('a', 'b', '-', '.', 'A', '*'),
    }),
    fc.string({ minLength: 1, maxLength: 60 }),
    // One that differs from another one at its end only.
    fc.integer({ min: 0, max: 9 }).map((end) => `${'n'.repeat(252)}${end}`),
  );
  const part = fc.constantFrom(
    undefined,
    'v4-0-0-0-0-0',
    'v4-192-0-0-0-4',
    `v6-${'2001'.repeat(8)}-128`,
    `v6-${'2001'.repeat(7)}2002-128`,
  );

  it('are DNS labels, whatever the key', () => {
    fc.assert(
      fc.property(key, part, (one, suffix) => {
        expect(objectName(one, suffix)).toMatch(LABEL);
      }),
    );
  });

  it('tell groups and their parts apart', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { minLength: 2, maxLength: 20 }), part, (keys, suffix) => {
        expect(new Set(keys.map((one) => objectName(one, suffix))).size).toBe(keys.length);
      }),
    );
  });

  it('cannot be made to look like one that was cut', () => {
    const long = 'a'.repeat(253);
    const cut = objectName(long).slice('strongroom-'.length);
    expect(objectName(cut)).not.toBe(objectName(long));
  });
});
