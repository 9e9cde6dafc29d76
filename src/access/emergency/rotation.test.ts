import { describe, expect, it } from 'vitest';
import type { EmergencyAccess, EmergencyState } from '#api/emergency-access.ts';
import { rotationDue } from './rotation.ts';
import { emergencyAccess } from './testing/builders.ts';

function ended(
  name: string,
  endedAt: string,
  rotated: boolean,
  state: EmergencyState = 'Expired',
): EmergencyAccess {
  const access = emergencyAccess(
    {},
    { state, endedAt, credentials: [{ name: 'maker', version: 3, rotated }] },
  );
  return { ...access, metadata: { ...access.metadata, name, uid: name } };
}

const [ten, eleven] = ['2026-11-26T10:00:00Z', '2026-11-26T11:00:00Z'];

describe('rotationDue', () => {
  it.each<readonly [string, readonly EmergencyAccess[], string | undefined, string | undefined]>([
    ['nothing where nothing was reachable', [], undefined, undefined],
    ['the one that has ended', [ended('a', ten, false)], undefined, 'a'],
    ['nothing while it is active', [ended('a', ten, false, 'Active')], undefined, undefined],
    ['nothing once it is rotated', [ended('a', ten, true)], undefined, undefined],
    ['no more, once it is rotated', [ended('a', ten, true)], 'a', undefined],
    ['the one that ended last', [ended('a', eleven, false), ended('b', ten, false)], 'b', 'a'],
    ['the one that is still due', [ended('a', eleven, true), ended('b', ten, false)], 'a', 'b'],
    ['what it says of one that is gone', [], 'gone', 'gone'],
    ['what it says of one that is gone, beside others', [ended('a', ten, true)], 'gone', 'gone'],
  ])('is %s', (_, accesses, present, expected) => {
    expect(rotationDue(accesses, 'maker', present)).toBe(expected);
  });

  it('is not about other credentials', () => {
    expect(rotationDue([ended('a', ten, false)], 'hedge', undefined)).toBeUndefined();
  });
});
