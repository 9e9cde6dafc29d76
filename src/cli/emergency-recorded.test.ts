import { describe, expect, it } from 'vitest';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import {
  CREATED_MS,
  decision,
  decisionsAnnotation,
  emergencyAccess,
} from '#access/emergency/testing/builders.ts';
import { checkCreatorRecorded, checkRecorded } from './emergency-recorded.ts';
import { CliError, exitCodeOf } from './errors.ts';

const lena = decision('approve', 'lena');
const withDecisions = (...all: readonly ReturnType<typeof decision>[]): EmergencyAccess =>
  emergencyAccess({}, undefined, decisionsAnnotation(all));

describe('checkRecorded', () => {
  it.each<readonly [string, EmergencyAccess, EmergencyAccess]>([
    ['the first', emergencyAccess(), withDecisions(lena)],
    [
      'after another one',
      withDecisions(decision('approve', 'bob')),
      withDecisions(decision('approve', 'bob'), lena),
    ],
    [
      'once more',
      withDecisions(lena),
      withDecisions(lena, decision('approve', 'lena', CREATED_MS)),
    ],
  ])('is content with a decision of the caller: %s', (_, before, written) => {
    expect(() => checkRecorded('approve', before, written, 'lena')).not.toThrow();
  });

  it.each<readonly [string, EmergencyAccess, EmergencyAccess]>([
    ['none at all', emergencyAccess(), emergencyAccess()],
    ['only an old one', withDecisions(lena), withDecisions(lena)],
    ['one of somebody else', emergencyAccess(), withDecisions(decision('approve', 'bob'))],
    ['one of another kind', emergencyAccess(), withDecisions(decision('deny', 'lena'))],
    [
      'no list',
      emergencyAccess(),
      emergencyAccess({}, undefined, { 'strongroom.dev/decisions': '{' }),
    ],
  ])('says that nothing counts where there is %s', (_, before, written) => {
    const check = () => checkRecorded('approve', before, written, 'lena');
    expect(check).toThrow(CliError);
    expect(check).toThrow(
      /admission did not record "approve" of lena on EmergencyAccess trading\/night, .*"strongroom doctor"/,
    );
    expect(exitCodeOf(thrownBy(check))).toBe(1);
  });
});

describe('checkCreatorRecorded', () => {
  it('says that a request without a stamp can never begin', () => {
    expect(() => checkCreatorRecorded(emergencyAccess())).not.toThrow();
    const unstamped = emergencyAccess({}, undefined, { 'strongroom.dev/created-by': '{}' });
    expect(() => checkCreatorRecorded(unstamped)).toThrow(
      /can never begin.*"strongroom doctor".*strongroom emergency end night -n trading/,
    );
  });
});

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
