import { expect, it } from 'vitest';
import { emergencyAccountName } from './subject.ts';

it('gives no two EmergencyAccesses the same account, however long their names are', () => {
  const long = 'a'.repeat(253);
  const account = emergencyAccountName(long);
  expect(account).toHaveLength(253);
  // Somebody else can ask for one that is named as what the other was shortened to.
  const named = account.slice(emergencyAccountName('').length);
  expect(emergencyAccountName(named)).not.toBe(account);
  expect(emergencyAccountName(named).length).toBeLessThanOrEqual(253);
  expect(emergencyAccountName('night')).toBe('strongroom-emergency-night');
});
