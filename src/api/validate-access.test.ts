import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateAccessPolicy } from '#api/validate.ts';
import { BAD_POLICIES, GOOD_POLICIES, policy } from '../../test/samples/access-policies.ts';
import { CANARY } from '../../test/samples/exchange-credentials.ts';

describe('validateAccessPolicy', () => {
  test.each(Object.entries(GOOD_POLICIES))('finds nothing wrong with %s', (_what, object) => {
    expect(validateAccessPolicy(object)).toEqual([]);
  });

  test.each(BAD_POLICIES)('refuses $what', ({ object, path, message }) => {
    const faults = validateAccessPolicy(object);
    expect(faults).toContainEqual({ path, message: expect.stringContaining(message) });
    // One mistake is one fault, so that nobody looks for a second one.
    expect(faults).toHaveLength(1);
    expect(JSON.stringify(faults.map((fault) => fault.message))).not.toContain(CANARY);
  });

  test('names every fault of an object, not the first alone', () => {
    const object = policy({ subjects: [], roles: ['Intern'], environments: undefined });
    expect(validateAccessPolicy(object).map(({ path }) => path)).toEqual([
      'spec.subjects',
      'spec.roles[0]',
      'spec.environments',
    ]);
  });

  test('refuses another kind', () => {
    expect(validateAccessPolicy({ ...policy(), kind: 'ExchangeCredential' })).toEqual([
      { path: 'kind', message: 'must be one of AccessPolicy' },
    ]);
  });

  test('takes an object as the API server returns it', () => {
    const object = {
      ...policy(),
      metadata: { name: 'market-making', uid: 'e1b0', managedFields: [{ manager: 'kubectl' }] },
      status: {
        observedGeneration: 1,
        subjects: 1,
        findingCount: 1,
        findings: [{ type: 'SelectsNothing', severity: 'Info', message: 'it selects nothing' }],
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'UpToDate',
            message: '',
            lastTransitionTime: '2026-11-24T17:00:00Z',
          },
        ],
      },
    };
    expect(validateAccessPolicy(object)).toEqual([]);
  });

  test('answers for any JSON at all', () => {
    const member = fc.constantFrom(
      'subjects',
      'roles',
      'environments',
      'credentials',
      'constraints',
      'rateLimits',
    );
    fc.assert(
      fc.property(fc.jsonValue(), member, (value, name) => {
        expect(validateAccessPolicy(value)).not.toEqual([]);
        expect(() => validateAccessPolicy(policy({ [name]: value }))).not.toThrow();
        expect(() => validateAccessPolicy(policy({ [name]: [value] }))).not.toThrow();
      }),
    );
  });
});
