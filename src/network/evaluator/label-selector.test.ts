import { describe, expect, it } from 'vitest';
import type { LabelSelector } from '#kube/objects.ts';
import { matchesSelector } from './label-selector.ts';

const expression = (
  key: string,
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist',
  ...values: readonly string[]
): LabelSelector => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }],
});

describe('matchesSelector', () => {
  const labels = { app: 'maker', tier: '' };

  it.each<readonly [what: string, selector: LabelSelector | undefined, isMatch: boolean]>([
    ['an absent selector', undefined, false],
    ['an empty selector', {}, true],
    ['empty parts', { matchLabels: {}, matchExpressions: [] }, true],
    ['a label', { matchLabels: { app: 'maker' } }, true],
    ['another value', { matchLabels: { app: 'feed' } }, false],
    ['one label of two', { matchLabels: { app: 'maker', env: 'prod' } }, false],
    ['an empty value', { matchLabels: { tier: '' } }, true],
    ['an empty value of a label that is not there', { matchLabels: { env: '' } }, false],
    ['a label that all objects seem to have', { matchLabels: { constructor: '' } }, false],
    ['In', expression('app', 'In', 'feed', 'maker'), true],
    ['In with other values', expression('app', 'In', 'feed'), false],
    ['In without the label', expression('env', 'In', 'prod', ''), false],
    ['NotIn', expression('app', 'NotIn', 'feed'), true],
    ['NotIn with the value', expression('app', 'NotIn', 'feed', 'maker'), false],
    // "…and all resources with no labels with the tier key."
    ['NotIn without the label', expression('env', 'NotIn', 'prod'), true],
    ['Exists', expression('tier', 'Exists'), true],
    ['Exists without the label', expression('env', 'Exists'), false],
    ['Exists of what all objects seem to have', expression('constructor', 'Exists'), false],
    ['DoesNotExist', expression('env', 'DoesNotExist'), true],
    ['DoesNotExist with the label', expression('tier', 'DoesNotExist'), false],
    [
      'both parts, one of which is not met',
      { matchLabels: { app: 'maker' }, ...expression('tier', 'DoesNotExist') },
      false,
    ],
    [
      'two expressions, one of which is not met',
      {
        matchExpressions: [
          { key: 'app', operator: 'Exists' },
          { key: 'env', operator: 'Exists' },
        ],
      },
      false,
    ],
  ])('%s', (_, selector, isMatch) => {
    expect(matchesSelector(selector, labels)).toBe(isMatch);
  });
});
