import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabelSelector } from '#kube/objects.ts';
import { both, complementOf, conjunctionOf, implies, matches, selectorOf } from './conjunction.ts';
import { ALL_LABELS, arbitrarySelector } from './testing/arbitrary-labels.ts';

/** Every set of labels that there is in the tests, as far as a selector selects it. */
const selectedBy = (selector: LabelSelector): readonly boolean[] => {
  const conjunction = conjunctionOf(selector);
  return ALL_LABELS.map((labels) => conjunction !== undefined && matches(conjunction, labels));
};

describe('a selector', () => {
  it.each<[LabelSelector, Record<string, string>, boolean]>([
    [{}, {}, true],
    [{}, { app: 'maker' }, true],
    [{ matchLabels: { app: 'maker' } }, { app: 'maker', tier: 'front' }, true],
    [{ matchLabels: { app: 'maker' } }, { app: 'taker' }, false],
    [{ matchLabels: { app: 'maker' } }, {}, false],
    [{ matchLabels: { constructor: 'x' } }, {}, false],
    [{ matchExpressions: [{ key: 'constructor', operator: 'DoesNotExist' }] }, {}, true],
    [
      { matchExpressions: [{ key: 'app', operator: 'In', values: ['a', 'b'] }] },
      { app: 'b' },
      true,
    ],
    [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['a', 'b'] }] }, {}, false],
    [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }, {}, true],
    [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }, { app: 'a' }, false],
    [{ matchExpressions: [{ key: 'app', operator: 'Exists' }] }, { app: '' }, true],
    [{ matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, { app: '' }, false],
  ])('%j of labels %j is %s', (selector, labels, expected) => {
    const conjunction = conjunctionOf(selector);
    expect(conjunction !== undefined && matches(conjunction, labels)).toBe(expected);
  });

  it('that nothing can match is none', () => {
    const selector: LabelSelector = {
      matchLabels: { app: 'a' },
      matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }],
    };
    expect(conjunctionOf(selector)).toBeUndefined();
  });

  it('selects the same when it was read and written', () => {
    fc.assert(
      fc.property(arbitrarySelector, (selector) => {
        const conjunction = conjunctionOf(selector);
        fc.pre(conjunction !== undefined);
        expect(selectedBy(selectorOf(conjunction))).toEqual(selectedBy(selector));
        expect(conjunctionOf(selectorOf(conjunction))).toEqual(conjunction);
      }),
      { numRuns: 2000 },
    );
  });

  it('and the union of its complements divide all labels', () => {
    fc.assert(
      fc.property(arbitrarySelector, (selector) => {
        const conjunction = conjunctionOf(selector);
        fc.pre(conjunction !== undefined);
        const others = complementOf(conjunction).map((part) => selectedBy(selectorOf(part)));
        const beside = ALL_LABELS.map((_, index) => others.some((one) => one[index] === true));
        expect(beside).toEqual(selectedBy(selector).map((is) => !is));
      }),
      { numRuns: 2000 },
    );
  });

  it('and another one select in common what both of them select', () => {
    const seen = { nothing: 0, implied: 0 };
    fc.assert(
      fc.property(arbitrarySelector, arbitrarySelector, (one, other) => {
        const [a, b] = [conjunctionOf(one), conjunctionOf(other)];
        fc.pre(a !== undefined && b !== undefined);
        const common = both(a, b);
        const [inOne, inOther] = [selectedBy(one), selectedBy(other)];
        const expected = inOne.map((is, index) => is && inOther[index] === true);
        if (common === undefined) seen.nothing += 1;
        expect(
          common === undefined ? expected.map(() => false) : selectedBy(selectorOf(common)),
        ).toEqual(expected);
        const isWithin = inOne.every((is, index) => !is || inOther[index] === true);
        if (implies(a, b)) seen.implied += 1;
        // Values that the tests have no labels of may tell the two apart, never the other way round.
        expect(implies(a, b) && !isWithin).toBe(false);
      }),
      { numRuns: 4000 },
    );
    expect(seen.nothing).toBeGreaterThan(100);
    expect(seen.implied).toBeGreaterThan(100);
  });
});
