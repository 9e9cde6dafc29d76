import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabelSelector } from '#kube/objects.ts';
import { besideAll } from './beside.ts';
import { conjunctionOf, matches, selectorOf } from './conjunction.ts';
import { ALL_LABELS, arbitraryLabels, arbitrarySelector } from './testing/arbitrary-labels.ts';

const read = (selectors: readonly LabelSelector[]) =>
  selectors.map((one) => conjunctionOf(one)).filter((one) => one !== undefined);
const told = (selectors: readonly LabelSelector[]) =>
  besideAll(read(selectors), []).selectors.map(selectorOf);
const app = (...values: readonly string[]): LabelSelector => ({
  matchExpressions: [{ key: 'app', operator: 'In', values }],
});

describe('pods beside those that some selectors select', () => {
  it.each<[string, readonly LabelSelector[], readonly LabelSelector[]]>([
    ['all of them', [], [{}]],
    ['none beside everything', [{}, app('a')], []],
    [
      'those with another value, or without the label',
      [{ matchLabels: { app: 'a' } }],
      [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }],
    ],
    [
      'those of one selector for any number of values of one label',
      [app('b'), app('a', 'c')],
      [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a', 'b', 'c'] }] }],
    ],
    [
      'one selector a label of one that goes by several',
      [{ matchLabels: { app: 'a', tier: 'x' } }],
      [
        { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] },
        { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['x'] }] },
      ],
    ],
    [
      'without what a wider one covers',
      [{ matchLabels: { app: 'a', tier: 'x' } }, { matchLabels: { app: 'a' } }],
      [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }],
    ],
    [
      'those with the label beside those without it',
      [{ matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, app('a')],
      [
        {
          matchExpressions: [
            { key: 'app', operator: 'Exists' },
            { key: 'app', operator: 'NotIn', values: ['a'] },
          ],
        },
      ],
    ],
  ])('are %s', (_, others, expected) => {
    expect(told(others)).toEqual(expected);
  });

  it('are all selected, those to come too, and never one of the others', () => {
    fc.assert(
      fc.property(fc.array(arbitrarySelector, { maxLength: 3 }), (selectors) => {
        const others = read(selectors);
        const beside = besideAll(others, []).selectors;
        for (const labels of ALL_LABELS) {
          const isTaken = others.some((one) => matches(one, labels));
          expect(beside.some((one) => matches(one, labels))).toBe(!isTaken);
        }
      }),
      { numRuns: 500 },
    );
  });

  // As charts have it: each its own name and its own instance, so that 2^8 selectors would be needed.
  const charts = Array.from({ length: 8 }, (_, at) => ({
    matchLabels: { 'app.kubernetes.io/name': `n${at}`, 'app.kubernetes.io/instance': `i${at}` },
  }));

  it('are selected as they are where it would take too many selectors to select all', () => {
    const pods = [{ 'app.kubernetes.io/name': 'mine' }, { app: 'x', version: '1' }, {}];
    const { selectors, missed } = besideAll(read(charts), pods);
    expect(missed).toEqual([]);
    expect(selectors.map(selectorOf)).toEqual([
      {
        matchExpressions: [
          {
            key: 'app.kubernetes.io/name',
            operator: 'NotIn',
            values: charts.map((_, at) => `n${at}`),
          },
        ],
      },
    ]);
  });

  it('are never one of the others, however they are found', () => {
    const name = fc.constantFrom('n0', 'n1', 'n2', 'n7', 'mine');
    const instance = fc.constantFrom('i0', 'i1', 'i2', 'i7', 'mine');
    const labels = fc.record(
      { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': instance },
      { requiredKeys: [] },
    );
    const others = read(charts);
    const isFree = (one: Record<string, string>) => !others.some((other) => matches(other, one));
    fc.assert(
      fc.property(fc.array(labels), fc.array(labels), (pods, later) => {
        const free = pods.filter(isFree);
        const { selectors, missed } = besideAll(others, free);
        expect(missed).toEqual([]);
        for (const one of free) expect(selectors.some((each) => matches(each, one))).toBe(true);
        for (const one of later.filter((each) => !isFree(each))) {
          expect(selectors.some((each) => matches(each, one))).toBe(false);
        }
        expect(besideAll(others.toReversed(), free.toReversed()).selectors).toEqual(selectors);
      }),
      { numRuns: 500 },
    );
  });

  it('are told as missed where even the present ones take too many', () => {
    // Each pod has all labels but one of the pairs, so that none can share a selector.
    const pairs = Array.from({ length: 20 }, (_, at) => ({ matchLabels: { [`k${at}`]: 'x' } }));
    const both = pairs.map((one, at) => ({
      matchLabels: { ...one.matchLabels, [`l${at}`]: 'x' },
    }));
    const pods = both.map((_, mine) =>
      Object.fromEntries(
        both.flatMap((_other, at) => (at < mine ? [[`k${at}`, 'x']] : [[`l${at}`, 'x']])),
      ),
    );
    const { selectors, missed } = besideAll(read(both), pods);
    expect(selectors.length).toBe(16);
    expect(missed.length).toBe(4);
  });

  it('do not depend on the order of the selectors', () => {
    fc.assert(
      fc.property(
        fc.array(arbitrarySelector, { maxLength: 6 }),
        fc.array(arbitraryLabels, { maxLength: 6 }),
        (selectors, pods) => {
          const others = read(selectors);
          const free = pods.filter((one) => !others.some((other) => matches(other, one)));
          expect(besideAll(others.toReversed(), free.toReversed())).toEqual(
            besideAll(others, free),
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
