import { describe, expect, it } from 'vitest';
import { compileSelector } from './label-selector.ts';

const LABELS = { desk: 'mm', tier: '' };
const requirement = (key: string, operator: string, values?: readonly string[]) => ({
  matchExpressions: [{ key, operator, ...(values && { values }) }],
});

describe('a label selector', () => {
  it.each([
    [{}, true],
    [{ matchLabels: {} }, true],
    [{ matchLabels: { desk: 'mm' } }, true],
    [{ matchLabels: { desk: 'MM' } }, false],
    [{ matchLabels: { desk: 'mm', tier: 'x' } }, false],
    [{ matchLabels: { tier: '' } }, true],
    [{ matchLabels: { absent: '' } }, false],
    [{ matchLabels: { toString: 'x' } }, false],
    [requirement('desk', 'In', ['arb', 'mm']), true],
    [requirement('desk', 'In', ['arb']), false],
    [requirement('absent', 'In', ['arb']), false],
    [requirement('desk', 'NotIn', ['arb']), true],
    [requirement('desk', 'NotIn', ['mm']), false],
    [requirement('absent', 'NotIn', ['mm']), true],
    [requirement('tier', 'Exists'), true],
    [requirement('absent', 'Exists'), false],
    [requirement('valueOf', 'Exists'), false],
    [requirement('absent', 'DoesNotExist'), true],
    [requirement('desk', 'DoesNotExist'), false],
    [{ matchLabels: { desk: 'mm' }, ...requirement('desk', 'DoesNotExist') }, false],
  ])('%j: %s', (selector, expected) => {
    expect(compileSelector(selector)?.(LABELS)).toBe(expected);
  });

  it.each([
    null,
    [],
    'desk=mm',
    { desk: 'mm' },
    { matchLabels: { desk: 1 } },
    { matchLabels: [] },
    { matchExpressions: {} },
    { matchExpressions: [null] },
    requirement('', 'Exists'),
    requirement('desk', 'In'),
    requirement('desk', 'NotIn', []),
    requirement('desk', 'Exists', ['mm']),
    requirement('desk', 'in', ['mm']),
    { matchExpressions: [{ key: 'desk', operator: 'In', values: [1] }] },
    { matchExpressions: [{ key: 'desk', operator: 'Exists', not: true }] },
  ])('%j is none', (selector) => expect(compileSelector(selector)).toBeUndefined());
});
