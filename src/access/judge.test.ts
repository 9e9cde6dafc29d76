import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { createPolicyIndex } from '#access/policy-index.ts';
import type { Target } from '#access/request.ts';
import type { AccessPolicy, Constraints } from '#api/access-policy.ts';
import { answerText, judgeOf } from '#access/judge.ts';

const IDENTITY = { username: 'alice', groups: ['desk'] };
const MAKER: Target = {
  kind: 'Credential',
  credential: { namespace: 'trading', name: 'maker', labels: {}, environment: 'Production' },
};
const NOON = Date.parse('2026-11-24T12:00:00Z');
const OFFICE: Constraints = { sourceRanges: ['10.0.0.0/8'] };
const NIGHT: Constraints = { times: [{ schedule: '0 22 * * *', duration: '6h' }] };

function policy(name: string, spec: Partial<AccessPolicy['spec']>): AccessPolicy {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name },
    spec: {
      subjects: [{ kind: 'User', name: 'alice' }],
      permissions: ['AccessSecrets'],
      environments: ['Production'],
      credentials: { namespaces: ['trading'] },
      ...spec,
    },
  };
}

const judge = (policies: readonly AccessPolicy[], sourceAddress?: string) =>
  judgeOf(
    createPolicyIndex(policies),
    IDENTITY,
  )({
    action: ACTIONS.retrieve,
    target: MAKER,
    atMs: NOON,
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
  });

describe('judge', () => {
  it.each([
    ['nothing', [], /^no$/],
    ['an Allow', [policy('a', {})], /^yes$/],
    ['a constrained Allow', [policy('a', { constraints: OFFICE })], /^only from 10\.0\.0\.0\/8$/],
    ['one of each', [policy('a', { constraints: OFFICE }), policy('b', {})], /^yes$/],
    [
      'two constrained Allows',
      [policy('a', { constraints: OFFICE }), policy('b', { constraints: NIGHT })],
      /^only .*10\.0\.0\.0\/8.*; or .*22/,
    ],
    ['a Deny', [policy('a', {}), policy('d', { effect: 'Deny' })], /^no$/],
    [
      'a constrained Deny',
      [policy('a', {}), policy('d', { effect: 'Deny', constraints: NIGHT })],
      /^yes, but not .*22/,
    ],
    [
      'both under constraints',
      [policy('a', { constraints: OFFICE }), policy('d', { effect: 'Deny', constraints: NIGHT })],
      /^only .*10\.0\.0\.0\/8, but not .*22/,
    ],
    [
      'a Deny of another level',
      [policy('a', {}), policy('d', { effect: 'Deny', accessLevel: 'Write' })],
      /^yes$/,
    ],
    [
      'an Allow of another group',
      [policy('a', { subjects: [{ kind: 'Group', name: 'Desk' }] })],
      /^no$/,
    ],
  ] as const)('puts %s into words', (_, policies, text) => {
    expect(answerText(judge(policies))).toMatch(text);
  });

  it('names the policies that would allow it', () => {
    const policies = [policy('a', { constraints: OFFICE })];
    expect(judge(policies).rules).toMatchObject([{ policy: 'a', permission: 'AccessSecrets' }]);
    expect(judge(policies).decision.allowed).toBe(false);
    expect(judge(policies, '10.1.1.1').decision.allowed).toBe(true);
  });

  it('claims that an answer always holds only where it does', () => {
    const spec = fc.record({
      effect: fc.constantFrom('Allow' as const, 'Deny' as const),
      subjects: fc.constantFrom(
        [{ kind: 'User' as const, name: 'alice' }],
        [{ kind: 'Group' as const, name: 'desk' }],
        [{ kind: 'Group' as const, name: 'other' }],
      ),
      permissions: fc.subarray(['AccessSecrets', 'ReadMarketData', 'PlaceOrders'] as const, {
        minLength: 1,
      }),
      accessLevel: fc.constantFrom('Read' as const, 'Write' as const, 'Admin' as const),
      constraints: fc.constantFrom({}, OFFICE, NIGHT, { ...OFFICE, ...NIGHT }),
    });
    fc.assert(
      fc.property(
        fc.array(spec, { maxLength: 5 }),
        fc.constantFrom(ACTIONS.retrieve, ACTIONS.view, ACTIONS.rotate),
        (specs, action) => {
          const policies = specs.map(({ constraints, ...rest }, at) =>
            policy(`p${at}`, {
              ...rest,
              ...(Object.keys(constraints).length === 0 ? {} : { constraints }),
            }),
          );
          const index = createPolicyIndex(policies);
          const answers = [NOON, NOON + 11 * 3_600_000].flatMap((atMs) =>
            ['10.0.0.1', '192.0.2.1', undefined].map((sourceAddress) => {
              const request = {
                action,
                target: MAKER,
                atMs,
                ...(sourceAddress === undefined ? {} : { sourceAddress }),
              };
              const { decision, condition } = judgeOf(index, IDENTITY)(request);
              expect(decision).toEqual(decide(index, { ...request, identity: IDENTITY }));
              return { allowed: decision.allowed, condition };
            }),
          );
          // The condition does not hang on when and from where it is asked.
          expect(new Set(answers.map(({ condition }) => condition)).size).toBe(1);
          const verdicts = new Set(answers.map(({ allowed }) => allowed)).size;
          expect(answers[0]?.condition !== undefined || verdicts === 1).toBe(true);
        },
      ),
    );
  });
});
