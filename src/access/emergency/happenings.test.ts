import { describe, expect, it } from 'vitest';
import type { EmergencyAccessStatus } from '#api/emergency-access.ts';
import { happenings } from './happenings.ts';
import { emergencyAccess } from './testing/builders.ts';

const approval = { username: 'bob', at: '2026-11-26T10:01:00Z', reason: 'go', self: false };
const requestedBy = { username: 'carol' };
const active: EmergencyAccessStatus = {
  state: 'Active',
  requestedBy,
  approvals: [approval],
  activatedAt: '2026-11-26T10:01:00Z',
  expiresAt: '2026-11-26T10:31:00Z',
  credentials: [{ name: 'maker', version: 3, rotated: false }],
};
const ended: EmergencyAccessStatus = {
  ...active,
  state: 'Revoked',
  endedAt: '2026-11-26T10:10:00Z',
  endedBy: 'bob',
};

describe('happenings', () => {
  it.each<
    readonly [string, EmergencyAccessStatus | undefined, EmergencyAccessStatus, readonly string[]]
  >([
    ['a request', undefined, { state: 'Pending', requestedBy }, ['EmergencyRequested by carol']],
    [
      'a request, its approval and its beginning at once',
      undefined,
      active,
      ['EmergencyRequested by carol', 'EmergencyApproved by bob', 'EmergencyActivated'],
    ],
    [
      'one more approval',
      { state: 'Pending', approvals: [approval] },
      { state: 'Pending', approvals: [approval, { ...approval, username: 'dave' }] },
      ['EmergencyApproved by dave'],
    ],
    [
      'an approval by the subject alone',
      { state: 'Pending' },
      { ...active, approvals: [{ ...approval, username: 'alice', self: true }] },
      ['EmergencySelfApproved! by alice', 'EmergencyActivated'],
    ],
    ['a use', active, { ...active, useCount: 1 }, ['EmergencyUsed by alice']],
    ['no further use', { ...active, useCount: 2 }, { ...active, useCount: 2 }, []],
    ['an early end', active, ended, ['EmergencyRevoked by bob', 'EmergencyReviewDue']],
    [
      'an end by time',
      active,
      { ...active, state: 'Expired', endedAt: '2026-11-26T10:31:00Z' },
      ['EmergencyExpired', 'EmergencyReviewDue'],
    ],
    [
      'a refusal, which needs no review',
      { state: 'Pending' },
      { state: 'Denied', endedBy: 'dave' },
      ['EmergencyDenied by dave'],
    ],
    [
      'a review',
      ended,
      { ...ended, review: { by: 'dave', at: '2026-11-26T11:00:00Z', finding: 'fine' } },
      ['EmergencyReviewed by dave'],
    ],
    ['nothing', ended, ended, []],
  ])('tells %s', (_, before, after, expected) => {
    const told = happenings(emergencyAccess({}, before), after);
    expect(
      told.map(
        ({ act, by }) =>
          `${act}${act === 'EmergencySelfApproved' ? '!' : ''}${by === undefined ? '' : ` by ${by}`}`,
      ),
    ).toEqual(expected);
  });

  it('warns of what somebody should look at', () => {
    const self = { ...active, approvals: [{ ...approval, username: 'alice', self: true }] };
    const types = happenings(emergencyAccess({}, { state: 'Pending' }), { ...self, useCount: 1 });
    expect(types.map(({ type }) => type)).toEqual(['Warning', 'Warning', 'Warning']);
  });
});
