import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessPolicySpec } from '#api/access-policy.ts';
import { decide } from './decide.ts';
import { createPolicyIndex } from './policy-index.ts';
import { possibleIndex } from './possible-access.ts';
import { arbitraryPolicies, arbitraryRequest } from './testing/arbitraries.ts';
import { policyOf, requestOf, uncheckedPolicy } from './testing/builders.ts';

const OFFICE = { constraints: { sourceRanges: ['10.0.0.0/8'] } };
const DENY: Partial<AccessPolicySpec> = { effect: 'Deny' };

function mayEver(specs: readonly Partial<AccessPolicySpec>[]): boolean {
  const policies = specs.map((spec, place) => policyOf(spec, `policy-${place}`));
  const possible = possibleIndex(createPolicyIndex(policies), policies);
  return decide(possible, requestOf()).allowed;
}

describe('possibleIndex', () => {
  it.each<[string, readonly Partial<AccessPolicySpec>[], boolean]>([
    ['an Allow', [{}], true],
    ['an Allow under a constraint', [OFFICE], true],
    ['an Allow and a Deny', [{}, DENY], false],
    ['an Allow under a constraint and a Deny', [OFFICE, DENY], false],
    ['an Allow and a Deny under a constraint', [{}, { ...DENY, ...OFFICE }], true],
    ['a Deny under a constraint alone', [{ ...DENY, ...OFFICE }], false],
    ['a Deny whose constraints say nothing', [{}, { ...DENY, constraints: {} }], false],
    ['nothing', [], false],
  ])('takes %s for what it may be', (_what, specs, expected) => {
    expect(mayEver(specs)).toBe(expected);
  });

  it('takes a constraint that is not understood for one that may be met', () => {
    const policies = [uncheckedPolicy({ constraints: { moon: 'full' } })];
    const index = createPolicyIndex(policies);
    expect(decide(index, requestOf()).allowed).toBe(false);
    expect(decide(possibleIndex(index, policies), requestOf()).allowed).toBe(true);
  });

  it('is made once for an index', () => {
    const policies = [policyOf(OFFICE)];
    const index = createPolicyIndex(policies);
    expect(possibleIndex(index, policies)).toBe(possibleIndex(index, policies));
  });

  it('allows whatever is allowed under any circumstances', () => {
    fc.assert(
      fc.property(arbitraryPolicies(), arbitraryRequest, (policies, request) => {
        const index = createPolicyIndex(policies);
        const { allowed } = decide(index, request);
        const ever = decide(possibleIndex(index, policies), request).allowed;
        expect({ allowed, ever }).toEqual({ allowed, ever: allowed || ever });
      }),
      { numRuns: 300 },
    );
  });
});
