import { describe, expect, it } from 'vitest';
import { CLOCK_TOLERANCE_MS, activeFor, isActive, isReviewDue, remainingMs } from './active.ts';
import { CREATED_MS, MINUTE_MS, emergencyAccess, toTime } from './testing/builders.ts';

const start = CREATED_MS;
const end = CREATED_MS + 30 * MINUTE_MS;
const times = { activatedAt: toTime(start), expiresAt: toTime(end) };
const active = emergencyAccess({}, { state: 'Active', ...times });

describe('isActive', () => {
  it.each([
    ['at its beginning', start, true],
    ['a moment before its end', end - 1, true],
    ['at its end, whatever its status still says', end, false],
    ['long after', end + 365 * 86_400_000, false],
    ['on a replica whose clock is a little late', start - CLOCK_TOLERANCE_MS, true],
    ['with a clock that was set back', start - CLOCK_TOLERANCE_MS - 1, false],
  ])('%s', (_, nowMs, expected) => {
    expect(isActive(active, nowMs)).toBe(expected);
    expect(remainingMs(active, nowMs)).toBe(expected ? end - nowMs : 0);
  });

  it.each(['Pending', 'Approved', 'Expired', 'Revoked', 'Denied'] as const)(
    'is false in the state %s',
    (state) => {
      expect(isActive(emergencyAccess({}, { state, ...times }), start)).toBe(false);
    },
  );

  it.each([
    ['no status', undefined],
    ['no beginning', { state: 'Active', expiresAt: times.expiresAt }],
    ['no end', { state: 'Active', activatedAt: times.activatedAt }],
    ['an end that is no time', { state: 'Active', ...times, expiresAt: 'never' }],
  ] as const)('is false with %s', (_, status) => {
    expect(isActive(emergencyAccess({}, status), start)).toBe(false);
  });

  it('is false for one that is being deleted', () => {
    const metadata = { ...active.metadata, deletionTimestamp: toTime(start) };
    expect(isActive({ ...active, metadata }, start)).toBe(false);
  });
});

describe('activeFor', () => {
  const account = emergencyAccess(
    { subject: { kind: 'ServiceAccount', name: 'robot' } },
    { state: 'Active', ...times },
  );
  it.each([
    ['alice', [active]],
    ['Alice', []],
    ['robot', []],
    ['system:serviceaccount:trading:robot', [account]],
    ['system:serviceaccount:other:robot', []],
    ['', []],
  ])('finds those of %s', (username, expected) => {
    expect(activeFor([active, account], username, start)).toEqual(expected);
  });

  it('finds none that are over', () => {
    expect(activeFor([active], 'alice', end)).toEqual([]);
  });
});

describe('isReviewDue', () => {
  const review = { by: 'bob', at: toTime(end), finding: 'as it was said' };
  it.each([
    ['Expired', true],
    ['Revoked', true],
    ['Denied', false],
    ['Active', false],
    ['Pending', false],
  ] as const)('of one that was active and is %s now', (state, expected) => {
    expect(isReviewDue(emergencyAccess({}, { state, ...times }))).toBe(expected);
    expect(isReviewDue(emergencyAccess({}, { state, ...times, review }))).toBe(false);
    expect(isReviewDue(emergencyAccess({}, { state }))).toBe(false);
  });
});
