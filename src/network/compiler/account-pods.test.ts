import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { podsOfAccount } from './account-pods.ts';
import { podOf } from './testing/builders.ts';
import type { Labels } from './conjunction.ts';
import type { NetworkPod } from '../cluster-facts.ts';

const STAMP = 'strongroom.dev/service-account';
let count = 0;

function pod(serviceAccount: string, labels: Labels, more: Partial<NetworkPod> = {}): NetworkPod {
  count += 1;
  return podOf(`pod-${count}`, labels, { serviceAccount, ...more });
}

describe('the pods of an account', () => {
  it.each<[string, readonly NetworkPod[], Labels | undefined]>([
    [
      'by the label that admission stamps',
      [pod('maker', { [STAMP]: 'maker', app: 'x' }), pod('taker', { app: 'x' })],
      { [STAMP]: 'maker' },
    ],
    [
      'by their own labels while one of them is not stamped',
      [pod('maker', { [STAMP]: 'maker', app: 'x' }), pod('maker', { app: 'x' })],
      { app: 'x' },
    ],
    [
      'by their own labels where another pod carries the stamp',
      [pod('maker', { [STAMP]: 'maker', app: 'x' }), pod('taker', { [STAMP]: 'maker' })],
      { app: 'x' },
    ],
    ['by the stamp where there are none yet', [pod('taker', { app: 'x' })], { [STAMP]: 'maker' }],
    [
      'not at all where there are none and another pod carries the stamp',
      [pod('taker', { [STAMP]: 'maker' })],
      undefined,
    ],
    [
      'by one label that is theirs alone, and what names programs before others',
      [
        pod('maker', { aaa: '1', app: 'x', 'app.kubernetes.io/name': 'x' }),
        pod('taker', { app: 'y' }),
      ],
      { 'app.kubernetes.io/name': 'x' },
    ],
    [
      'by two where none alone is theirs',
      [
        pod('maker', { app: 'x', tier: 'front', zone: 'a' }),
        pod('taker', { app: 'x', tier: 'back', zone: 'a' }),
        pod('other', { app: 'y', tier: 'front', zone: 'a' }),
      ],
      { app: 'x', tier: 'front' },
    ],
    [
      'by more than three where it takes them',
      [
        pod('maker', { a: '1', b: '1', c: '1', d: '1', e: '1' }),
        ...['a', 'b', 'c', 'd'].map((other) =>
          pod('taker', { a: '1', b: '1', c: '1', d: '1', e: '1', [other]: '2' }),
        ),
      ],
      { a: '1', b: '1', c: '1', d: '1' },
    ],
    [
      'never by what a roll-out makes up, or a release changes',
      [
        pod('maker', {
          'pod-template-hash': 'a',
          version: '1',
          app: 'x',
          'batch.kubernetes.io/job-name': 'j',
        }),
        pod('taker', { app: 'x' }),
      ],
      undefined,
    ],
    ['not without labels', [pod('maker', {}), pod('taker', { app: 'x' })], undefined],
    [
      'not where nobody else is, but they share nothing',
      [pod('maker', { a: '1' }), pod('maker', { a: '2' })],
      undefined,
    ],
    [
      'with hostNetwork or without, if it is not theirs the label is no use',
      [pod('maker', { app: 'x' }), pod('taker', { app: 'x' }, { hostNetwork: true })],
      undefined,
    ],
    [
      'with hostNetwork need not be selected',
      [pod('maker', { app: 'x' }), pod('maker', {}, { hostNetwork: true })],
      { app: 'x' },
    ],
    [
      'not by what every object has',
      [pod('maker', { constructor: 'x' }), pod('taker', {})],
      { constructor: 'x' },
    ],
  ])('are selected %s', (_, pods, labels) => {
    const found = podsOfAccount('maker', pods);
    expect(found.selectable ? found.labels : undefined).toEqual(labels);
    const reversed = podsOfAccount('maker', pods.toReversed());
    expect(reversed.selectable ? reversed.labels : undefined).toEqual(labels);
  });

  it('with a name too long for a label are selected by their own labels alone', () => {
    const long = 'm'.repeat(64);
    const found = podsOfAccount(long, [pod(long, { [STAMP]: long, app: 'x' })]);
    expect(found).toMatchObject({ selectable: true, labels: { app: 'x' } });
    expect(podsOfAccount(long, [])).toMatchObject({ selectable: false });
  });

  it('are selected all and alone, if at all, and always if their labels tell them apart', () => {
    const labels = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd', STAMP),
      fc.constantFrom('maker', '2'),
    );
    const account = fc.constantFrom('maker', 'taker');
    const seen = { selectable: 0, not: 0, several: 0 };
    fc.assert(
      fc.property(fc.array(fc.tuple(account, labels), { minLength: 1, maxLength: 5 }), (given) => {
        const pods = given.map(([name, one]) => pod(name, one));
        const own = pods.filter(({ serviceAccount }) => serviceAccount === 'maker');
        fc.pre(own.length > 0);
        const found = podsOfAccount('maker', pods);
        const has = (one: NetworkPod, by: Labels) =>
          Object.entries(by).every(([key, value]) => one.labels[key] === value);
        const shared = Object.fromEntries(
          Object.entries(own[0]?.labels ?? {}).filter(
            ([key, value]) => key !== STAMP && own.every((one) => one.labels[key] === value),
          ),
        );
        const isOwn = (by: Labels) =>
          Object.keys(by).length > 0 && pods.every((one) => has(one, by) === own.includes(one));
        seen[found.selectable ? 'selectable' : 'not'] += 1;
        const by = found.selectable ? found.labels : shared;
        if (found.selectable && Object.keys(by).length > 1) seen.several += 1;
        expect(isOwn(by)).toBe(found.selectable);
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(seen.selectable, seen.not, seen.several)).toBeGreaterThan(20);
  });
});
