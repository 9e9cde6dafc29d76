import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signDecision, verifyDecision } from './stamp.ts';
import type { StampedDecision } from './stamp.ts';

const KEY = new Uint8Array(32).fill(7);
const DECISION: StampedDecision = {
  uid: '11111111-1111-4111-8111-111111111111',
  act: 'approve',
  username: 'bob',
  userUid: 'b0b',
  groups: ['desk', 'system:authenticated'],
  reason: 'The exchange stopped answering',
  at: '2026-11-26T03:00:00Z',
};

describe('stamps of decisions', () => {
  test('a stamp is 43 characters and verifies', () => {
    const stamp = signDecision(KEY, DECISION);
    expect(stamp).toMatch(/^[\w-]{43}$/);
    expect(verifyDecision(KEY, DECISION, stamp)).toBe(true);
  });

  test.each<[string, Partial<StampedDecision>]>([
    ['another object', { uid: '22222222-2222-4222-8222-222222222222' }],
    ['another act', { act: 'deny' }],
    ['another person', { username: 'mallory' }],
    ['another person of that name', { userUid: 'other' }],
    ['a person without a uid', { userUid: undefined }],
    ['other groups', { groups: ['desk'] }],
    ['groups joined', { groups: ['desk,system:authenticated'] }],
    ['no groups told', { groups: undefined }],
    ['another reason', { reason: 'because' }],
    ['another time', { at: '2026-11-26T03:00:01Z' }],
  ])('does not hold for %s', (_, change) => {
    expect(verifyDecision(KEY, { ...DECISION, ...change }, signDecision(KEY, DECISION))).toBe(
      false,
    );
  });

  test('does not hold under another key', () => {
    const other = new Uint8Array(32).fill(8);
    expect(verifyDecision(other, DECISION, signDecision(KEY, DECISION))).toBe(false);
  });

  test('members cannot be shifted into each other', () => {
    const one = signDecision(KEY, { ...DECISION, username: 'bob","b0b', userUid: 'x' });
    expect(verifyDecision(KEY, { ...DECISION, username: 'bob', userUid: 'b0b","x' }, one)).toBe(
      false,
    );
  });

  test.each(['', 'x', '='.repeat(43), 'A'.repeat(42), 'A'.repeat(44), '\u0000', 'ä'.repeat(43)])(
    'what is no stamp does not hold: %j',
    (stamp) => {
      expect(verifyDecision(KEY, DECISION, stamp)).toBe(false);
    },
  );

  test('only one writing of the same bytes is a stamp', () => {
    const stamp = signDecision(KEY, DECISION);
    expect(verifyDecision(KEY, DECISION, `${stamp}=`)).toBe(false);
    expect(verifyDecision(KEY, DECISION, `${stamp}\n`)).toBe(false);
    const standard = stamp.replaceAll('-', '+').replaceAll('_', '/');
    expect(verifyDecision(KEY, DECISION, standard)).toBe(standard === stamp);
  });

  test('a short key is refused', () => {
    expect(() => signDecision(new Uint8Array(16), DECISION)).toThrow(RangeError);
    expect(() => verifyDecision(new Uint8Array(), DECISION, 'x')).toThrow(RangeError);
  });

  test('two different decisions never share a stamp', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    const decision = fc.record(
      {
        uid: text,
        act: text,
        username: text,
        userUid: text,
        groups: fc.array(text, { maxLength: 3 }),
        reason: text,
        at: text,
      },
      { requiredKeys: ['uid', 'act', 'username', 'reason', 'at'] },
    );
    fc.assert(
      fc.property(decision, decision, (one, other) => {
        const isSame = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
        expect(verifyDecision(KEY, other, signDecision(KEY, one))).toBe(isSame);
        expect(verifyDecision(KEY, one, signDecision(KEY, one))).toBe(true);
      }),
    );
  });
});

function sorted(decision: StampedDecision): unknown {
  return Object.entries(decision).toSorted(([a], [b]) => a.localeCompare(b));
}
