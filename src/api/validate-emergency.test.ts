import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateEmergencyAccess } from '#api/validate.ts';
import {
  BAD_EMERGENCIES,
  GOOD_EMERGENCIES,
  emergency,
} from '../../test/samples/emergency-accesses.ts';
import { CANARY } from '../../test/samples/exchange-credentials.ts';

describe('validateEmergencyAccess', () => {
  test.each(Object.entries(GOOD_EMERGENCIES))('finds nothing wrong with %s', (_what, object) => {
    expect(validateEmergencyAccess(object)).toEqual([]);
  });

  test.each(BAD_EMERGENCIES)('refuses $what', ({ object, path, message }) => {
    const faults = validateEmergencyAccess(object);
    expect(faults).toContainEqual({ path, message: expect.stringContaining(message) });
    // One mistake is one fault, so that nobody looks for a second one.
    expect(faults).toHaveLength(1);
    expect(JSON.stringify(faults.map((fault) => fault.message))).not.toContain(CANARY);
  });

  test('names every fault of an object, not the first alone', () => {
    const object = emergency({
      subject: { kind: 'User', name: 'ali\u200bce' },
      reason: 'quick',
      duration: '1m',
    });
    expect(validateEmergencyAccess(object).map(({ path }) => path)).toEqual([
      'spec.subject.name',
      'spec.reason',
      'spec.duration',
    ]);
  });

  test('takes an object as the API server returns it', () => {
    const at = '2027-01-31T18:00:00Z';
    const object = {
      ...emergency(),
      metadata: {
        name: 'stuck-orders',
        namespace: 'trading',
        uid: 'e1b0',
        annotations: { 'strongroom.dev/approve': 'I know of it' },
        managedFields: [{ manager: 'kubectl' }],
      },
      status: {
        observedGeneration: 1,
        state: 'Expired',
        requestedBy: { username: 'alice' },
        approvalsNeeded: 1,
        approvals: [{ username: 'bob', uid: 'b', at, reason: 'I know of it', self: false }],
        activatedAt: at,
        expiresAt: at,
        endedAt: at,
        serviceAccount: 'strongroom-emergency-stuck-orders',
        credentials: [{ name: 'maker', version: 3, rotated: false }],
        uses: [{ replica: 'strongroom-0', count: 2, lastUsedAt: at }],
        useCount: 2,
        review: { by: 'carol', at, finding: 'as it was asked for' },
      },
    };
    expect(validateEmergencyAccess(object)).toEqual([]);
  });

  test('answers for any JSON at all', () => {
    const member = fc.constantFrom('subject', 'reason', 'ticket', 'target', 'permissions');
    fc.assert(
      fc.property(fc.jsonValue(), member, (value, name) => {
        expect(validateEmergencyAccess(value)).not.toEqual([]);
        expect(() => validateEmergencyAccess(emergency({ [name]: value }))).not.toThrow();
        expect(() => validateEmergencyAccess(emergency({ [name]: [value] }))).not.toThrow();
      }),
    );
  });
});
