import { describe, expect, it } from 'vitest';
import { findCondition, setCondition } from './conditions.ts';
import type { Condition } from './conditions.ts';

const T0 = Date.parse('2026-11-24T10:00:00.123Z');
const T1 = Date.parse('2026-11-24T11:00:00.999Z');
const ready = { type: 'Ready', status: 'True', reason: 'Delivered', message: '' } as const;
const stalled = { type: 'Stalled', status: 'False', reason: 'Well', message: '' } as const;

function listOf(...conditions: Omit<Condition, 'lastTransitionTime'>[]): readonly Condition[] {
  return conditions.reduce<readonly Condition[]>((list, c) => setCondition(list, c, T0), []);
}

describe('setCondition', () => {
  it('adds a condition at the end, with the time to the second', () => {
    expect(listOf(ready, stalled)).toEqual([
      { ...ready, lastTransitionTime: '2026-11-24T10:00:00Z' },
      { ...stalled, lastTransitionTime: '2026-11-24T10:00:00Z' },
    ]);
  });

  it.each([
    ['the status', { ...ready, status: 'False' as const }, '2026-11-24T11:00:00Z'],
    ['the status to Unknown', { ...ready, status: 'Unknown' as const }, '2026-11-24T11:00:00Z'],
    ['the reason', { ...ready, reason: 'Other' }, '2026-11-24T10:00:00Z'],
    ['the message', { ...ready, message: 'more' }, '2026-11-24T10:00:00Z'],
    ['the generation', { ...ready, observedGeneration: 2 }, '2026-11-24T10:00:00Z'],
    ['nothing', ready, '2026-11-24T10:00:00Z'],
  ])('keeps its place and, changing %s, its transition time at %s', (_, next, time) => {
    const list = listOf(ready, stalled);
    expect(setCondition(list, next, T1)).toEqual([{ ...next, lastTransitionTime: time }, list[1]]);
  });

  it('leaves the list it was given as it is', () => {
    const list = listOf(ready);
    const before = structuredClone(list);
    setCondition(list, { ...ready, status: 'False' }, T1);
    expect(list).toEqual(before);
  });
});

describe('findCondition', () => {
  it('finds by type, also in no list at all', () => {
    expect(findCondition(listOf(ready, stalled), 'Stalled')?.reason).toBe('Well');
    expect(findCondition(listOf(ready), 'Stalled')).toBeUndefined();
    expect(findCondition(undefined, 'Ready')).toBeUndefined();
  });
});
