import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessPolicySpec } from '#api/access-policy.ts';
import { ACTIONS } from './actions.ts';
import { decide } from './decide.ts';
import { createPolicyIndex } from './policy-index.ts';
import { arbitraryPolicies, arbitraryRequest } from './testing/arbitraries.ts';
import { credentialTarget, NOW, policyOf } from './testing/builders.ts';
import { identityOf, whoCan } from './who-can.ts';

const request = { action: ACTIONS.retrieve, target: credentialTarget(), atMs: NOW };

function answers(specs: readonly Partial<AccessPolicySpec>[], asked = request) {
  const policies = specs.map((spec, number) => policyOf(spec, `policy-${number}`));
  return whoCan(createPolicyIndex(policies), asked).map(
    ({ subject: { kind, name }, allowed, conditional }) =>
      [`${kind} ${name}`, allowed, ...(conditional === undefined ? [] : [conditional])] as const,
  );
}

describe('whoCan', () => {
  const bob = { kind: 'User', name: 'bob' } as const;
  const desk = { kind: 'Group', name: 'desk' } as const;
  const maker = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' } as const;

  it('answers for every subject that a policy names', () => {
    expect(
      answers([{ subjects: [bob, maker] }, { subjects: [desk], accessLevel: 'Read' }]),
    ).toEqual([
      ['Group desk', true],
      ['ServiceAccount maker', true],
      ['User bob', true],
    ]);
    const rotate = { ...request, action: ACTIONS.rotate };
    expect(answers([{}, { subjects: [desk], accessLevel: 'Admin' }], rotate)).toEqual([
      ['Group desk', true],
      ['User alice', false],
    ]);
  });

  it('knows the groups of ServiceAccounts, and that everybody is authenticated', () => {
    const group = (name: string) => ({ kind: 'Group', name }) as const;
    expect(
      answers([
        { subjects: [group('system:serviceaccounts:trading')] },
        { subjects: [bob, maker], permissions: [] },
      ]),
    ).toContainEqual(['ServiceAccount maker', true]);
    const all = [
      { subjects: [group('system:authenticated')] },
      { subjects: [bob], permissions: [] },
    ];
    expect(answers(all)).toContainEqual(['User bob', true]);
  });

  it('tells the constraints that the answer hangs on', () => {
    const sourceRanges = ['10.20.0.0/16'];
    const times = [{ schedule: '0 9 * * 1-5', duration: '8h' }];
    expect(answers([{ constraints: { sourceRanges } }])).toEqual([
      ['User alice', false, 'from 10.20.0.0/16'],
    ]);
    expect(answers([{ constraints: { sourceRanges } }, { constraints: { times } }])).toEqual([
      ['User alice', true, 'for 8h from each "0 9 * * 1-5" in UTC; or from 10.20.0.0/16'],
    ]);
    expect(answers([{ constraints: { sourceRanges } }, {}])).toEqual([['User alice', true]]);
    expect(answers([{ constraints: { sourceRanges } }, { effect: 'Deny' }])).toEqual([
      ['User alice', false],
    ]);
  });

  it('says for each what a decision about it says', () => {
    fc.assert(
      fc.property(arbitraryPolicies(), arbitraryRequest, (policies, asked) => {
        const index = createPolicyIndex(policies);
        for (const { subject, allowed, rules } of whoCan(index, asked)) {
          const decision = decide(index, { ...asked, identity: identityOf(subject) });
          expect({ allowed, rules }).toEqual({ allowed: decision.allowed, rules: decision.rules });
        }
      }),
      { numRuns: 300 },
    );
  });
});
