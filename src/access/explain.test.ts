import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessPolicySpec } from '#api/access-policy.ts';
import { ACTIONS } from './actions.ts';
import { decide } from './decide.ts';
import { explain } from './explain.ts';
import type { Miss } from './explain.ts';
import { createPolicyIndex } from './policy-index.ts';
import type { AccessRequest } from './request.ts';
import { arbitraryPolicies, arbitraryRequest } from './testing/arbitraries.ts';
import { policyOf, requestOf } from './testing/builders.ts';

type Spec = Partial<AccessPolicySpec>;

function missesOf(spec: Spec, request: Partial<AccessRequest> = {}): readonly Miss[] {
  const index = createPolicyIndex([policyOf(spec)]);
  return explain(index, requestOf(request)).considered[0]?.misses ?? [];
}

describe('explain', () => {
  it.each<[Spec, Partial<AccessRequest>, Miss]>([
    [
      { subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }] },
      {},
      { part: 'Subject', text: 'it is about ServiceAccount trading/maker' },
    ],
    [
      { permissions: ['PlaceOrders'] },
      {},
      { part: 'Permission', text: 'it gives none of AccessSecrets' },
    ],
    [
      { accessLevel: 'Write' },
      { action: ACTIONS.rotate },
      { part: 'Level', text: 'it gives AccessSecrets up to Write; this needs Admin' },
    ],
    [
      { effect: 'Deny', accessLevel: 'Admin' },
      {},
      { part: 'Level', text: 'it denies AccessSecrets from Admin on; this needs Read' },
    ],
    [
      { environments: ['Staging', 'Development'] },
      {},
      { part: 'Environment', text: 'it is about Staging, Development, not Production' },
    ],
    [
      { credentials: { namespaces: ['research'], names: ['taker'] } },
      {},
      { part: 'Credential', text: 'it selects namespaces research; names taker' },
    ],
    [
      { credentials: { names: ['maker'] } },
      { target: { kind: 'Scope', namespace: 'trading', environment: 'Production' } },
      {
        part: 'Credential',
        text: 'it selects every namespace; names maker (all of it is asked about)',
      },
    ],
    [
      { constraints: { sourceRanges: ['10.20.0.0/16'] } },
      { sourceAddress: '8.8.8.8' },
      { part: 'Constraint', text: 'only from 10.20.0.0/16' },
    ],
    [
      { constraints: { countries: { deny: ['KP', 'IR'] } } },
      {},
      {
        part: 'Constraint',
        text: 'only not from the countries KP, IR, which is not known here',
      },
    ],
    [
      {},
      { target: { kind: 'Unknown', namespace: 'trading', name: 'maker' } },
      { part: 'Credential', text: 'trading/maker is not known' },
    ],
  ])('names what does not fit: %j', (spec, request, miss) => {
    expect(missesOf(spec, request)).toEqual([miss]);
  });

  it('names every part that does not fit, and each constraint', () => {
    const parts = missesOf(
      {
        subjects: [{ kind: 'User', name: 'bob' }],
        environments: ['Staging'],
        credentials: { names: ['taker'] },
        constraints: { sourceRanges: ['10.0.0.0/8'], countries: { allow: ['CH'] } },
      },
      { action: ACTIONS.rotate },
    ).map(({ part }) => part);
    expect(parts).toEqual([
      'Subject',
      'Level',
      'Environment',
      'Credential',
      'Constraint',
      'Constraint',
    ]);
  });

  it('names the Allows that come nearest, and none where a Deny decided', () => {
    const policies = [
      policyOf({ subjects: [{ kind: 'User', name: 'bob' }], environments: ['Staging'] }, 'far'),
      policyOf({ accessLevel: 'Write' }, 'near'),
      policyOf({ subjects: [{ kind: 'User', name: 'bob' }], accessLevel: 'Admin' }, 'other'),
    ];
    const request = requestOf({ action: ACTIONS.rotate });
    expect(explain(createPolicyIndex(policies), request).wouldAllow).toEqual(['near', 'other']);
    const deny = policyOf({ effect: 'Deny' }, 'deny');
    expect(explain(createPolicyIndex([...policies, deny]), request).wouldAllow).toEqual([]);
  });

  it('agrees with the decision that it explains', () => {
    fc.assert(
      fc.property(arbitraryPolicies(), arbitraryRequest, (policies, request) => {
        const index = createPolicyIndex(policies);
        const { decision, considered } = explain(index, request);
        expect(decision).toEqual(decide(index, request));
        expect(considered).toHaveLength(policies.length);
        const applying = new Set(
          considered.filter(({ applies }) => applies).map(({ policy }) => policy),
        );
        for (const { policy } of decision.rules) expect(applying).toContain(policy);
        // With one permission to decide about, what applies is just what decides.
        const isOne = request.action.anyOf.length === 1;
        const hasDeny = considered.some(({ applies, effect }) => applies && effect === 'Deny');
        expect(decision.allowed).toBe(isOne ? applying.size > 0 && !hasDeny : decision.allowed);
      }),
      { numRuns: 500 },
    );
  });
});
