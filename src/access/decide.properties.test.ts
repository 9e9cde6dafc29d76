import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACCESS_LEVELS, PERMISSIONS } from '#api/roles.ts';
import { ACTIONS } from './actions.ts';
import { decide } from './decide.ts';
import { createPolicyIndex } from './policy-index.ts';
import type { AccessRequest } from './request.ts';
import {
  arbitraryCredential,
  arbitraryIdentity,
  arbitraryPolicies,
  arbitraryPolicy,
  arbitraryRequest,
  arbitraryScope,
} from './testing/arbitraries.ts';
import {
  actionOf,
  credentialTarget,
  policyOf,
  requestOf,
  uncheckedPolicy,
} from './testing/builders.ts';
import { naiveDecide } from './testing/naive-decide.ts';
import type { AccessPolicy } from '#api/access-policy.ts';

const RUNS = { numRuns: 600 };
const allow = fc.constant('Allow' as const);
const deny = fc.constant('Deny' as const);

function isAllowed(policies: readonly AccessPolicy[], request: AccessRequest): boolean {
  return decide(createPolicyIndex(policies), request).allowed;
}

describe('decisions', () => {
  it('agree with the same rules written plainly', () => {
    const seen = { allowed: 0, denied: 0 };
    fc.assert(
      fc.property(arbitraryPolicies(), arbitraryRequest, (policies, request) => {
        const allowed = naiveDecide(policies, request);
        seen[allowed ? 'allowed' : 'denied'] += 1;
        expect(isAllowed(policies, request)).toBe(allowed);
      }),
      { numRuns: 2500 },
    );
    // Agreement about nothing but denials would say little.
    expect(seen.allowed).toBeGreaterThan(250);
  });

  it('never take access away when an Allow is added', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryPolicy(allow),
        arbitraryRequest,
        (policies, more, request) => {
          expect(isAllowed([...policies, more], request) || !isAllowed(policies, request)).toBe(
            true,
          );
        },
      ),
      RUNS,
    );
  });

  it('never give access when a Deny is added', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryPolicy(deny),
        arbitraryRequest,
        (policies, more, request) => {
          expect(isAllowed([...policies, more], request) && !isAllowed(policies, request)).toBe(
            false,
          );
        },
      ),
      RUNS,
    );
  });

  it('are the same, rules and all, whatever the order of policies and groups', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies().chain((policies) =>
          fc.tuple(
            fc.constant(policies),
            fc.shuffledSubarray(policies, { minLength: policies.length }),
          ),
        ),
        arbitraryRequest,
        ([policies, shuffled], request) => {
          const { username, groups } = request.identity;
          const reversed = { ...request, identity: { username, groups: groups.toReversed() } };
          expect(decide(createPolicyIndex(shuffled), reversed)).toEqual(
            decide(createPolicyIndex(policies), request),
          );
        },
      ),
      RUNS,
    );
  });

  it('follow the rank of levels: who may do something may do what needs less', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies(allow),
        arbitraryRequest,
        fc.constantFrom(...PERMISSIONS),
        (policies, request, permission) => {
          const answers = ACCESS_LEVELS.map((level) =>
            isAllowed(policies, { ...request, action: actionOf(permission, level) }),
          );
          expect(answers).toEqual(answers.toSorted((a, b) => Number(b) - Number(a)));
        },
      ),
      RUNS,
    );
  });

  it('raise the level of a read to what the credential asks for, by rank', () => {
    for (const [rank, accessLevel] of ACCESS_LEVELS.entries()) {
      for (const [needed, minimumAccessLevel] of ACCESS_LEVELS.entries()) {
        const target = credentialTarget({ minimumAccessLevel });
        const policies = [policyOf({ accessLevel })];
        expect(isAllowed(policies, requestOf({ target }))).toBe(rank >= needed);
        expect(isAllowed(policies, requestOf({ target, action: ACTIONS.mount }))).toBe(
          rank >= needed,
        );
        expect(isAllowed(policies, requestOf({ target, action: ACTIONS.update }))).toBe(rank >= 1);
      }
    }
  });

  it('allow each credential of a scope that they allow', () => {
    const seen = { covered: 0 };
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryRequest,
        arbitraryScope,
        arbitraryCredential,
        (policies, request, scope, credential) => {
          const { namespace, environment } = scope;
          const isIn =
            (namespace === '*' || credential.namespace === namespace) &&
            (environment === '*' || credential.environment === environment);
          if (!isIn || !isAllowed(policies, { ...request, target: scope })) return;
          seen.covered += 1;
          const { minimumAccessLevel: _, ...plain } = credential;
          const target = { kind: 'Credential' as const, credential: plain };
          expect(isAllowed(policies, { ...request, target })).toBe(true);
        },
      ),
      { numRuns: 2500 },
    );
    expect(seen.covered).toBeGreaterThan(50);
  });

  it('tell rules that are those of policies about the identity, sorted, one a policy', () => {
    fc.assert(
      fc.property(arbitraryPolicies(), arbitraryRequest, (policies, request) => {
        const { allowed, reason, rules, needs } = decide(createPolicyIndex(policies), request);
        const names = rules.map(({ policy }) => policy);
        expect(names).toEqual([...new Set(names)].toSorted());
        expect(rules.length > 0).toBe(reason === 'Allowed' || reason === 'Denied');
        expect(allowed).toBe(reason === 'Allowed');
        for (const rule of rules) {
          const { spec } =
            policies.find(({ metadata }) => metadata.name === rule.policy) ?? policyOf();
          expect(rule.effect).toBe(allowed ? 'Allow' : 'Deny');
          expect(spec.effect).toBe(rule.effect);
          expect(spec.subjects).toContainEqual(rule.subject);
          expect(needs.anyOf).toContain(rule.permission);
        }
      }),
      RUNS,
    );
  });

  it('let a policy alone decide as it does among others of no concern', () => {
    fc.assert(
      fc.property(
        arbitraryPolicy(),
        arbitraryPolicies(),
        arbitraryRequest,
        (policy, others, request) => {
          const strangers = others.map((other) => ({
            ...other,
            spec: { ...other.spec, subjects: [{ kind: 'User' as const, name: 'mallory' }] },
          }));
          expect(isAllowed([policy, ...strangers], request)).toBe(isAllowed([policy], request));
        },
      ),
      RUNS,
    );
  });
});

const JUNK = [null, 7, true, '', 'nothing-known', {}, [], [null], [7], { x: ['*'] }];

/** A policy, and the same one with a part that nobody understands. */
const damaged = (effect: 'Allow' | 'Deny') =>
  fc
    .tuple(
      arbitraryPolicy(fc.constant(effect)),
      fc.constantFrom(
        ['subjects'],
        ['roles'],
        ['permissions'],
        ['accessLevel'],
        ['environments'],
        ['credentials'],
        ['credentials', 'namespaces'],
        ['credentials', 'names'],
        ['credentials', 'exchanges'],
        ['credentials', 'selector'],
        ['credentials', 'selector', 'matchLabels'],
        ['credentials', 'selector', 'matchExpressions'],
        ['constraints'],
        ['constraints', 'sourceRanges'],
        ['constraints', 'times'],
        ['constraints', 'countries'],
        ['constraints', 'countries', 'deny'],
        ['constraints', 'countries', 'allow'],
      ),
      fc.constantFrom(...JUNK),
      fc.boolean(),
    )
    .filter(([policy, path]) => partAt(policy.spec, path) !== undefined)
    .map(([policy, path, junk, isAdded]) => {
      const present = partAt(policy.spec, path);
      const part = isAdded && Array.isArray(present) ? [...(present as unknown[]), junk] : junk;
      const spec = withPart(policy.spec, path, part) as Readonly<Record<string, unknown>>;
      return { policy, broken: uncheckedPolicy(spec, policy.metadata.name), path, part };
    });

function partAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
}

function withPart(value: unknown, [key = '', ...rest]: readonly string[], part: unknown): unknown {
  const object = value as Readonly<Record<string, unknown>>;
  return { ...object, [key]: rest.length === 0 ? part : withPart(object[key], rest, part) };
}

/** An empty list of these is understood: it is nobody, or no role. */
const MAY_BE_EMPTY = new Set(['subjects', 'roles', 'permissions']);
/** What is empty here is understood: it asks for nothing. */
const isUnderstood = (path: readonly string[], part: unknown): boolean =>
  (path.includes('selector') || path.join() === 'constraints') &&
  ['{}', '[]'].includes(JSON.stringify(part));

describe('a policy with a part that nobody understands', () => {
  it('allows nothing that it would not allow with that part', () => {
    fc.assert(
      fc.property(damaged('Allow'), arbitraryRequest, ({ policy, broken, path, part }, request) => {
        fc.pre(!isUnderstood(path, part));
        expect(isAllowed([broken], request) && !isAllowed([policy], request)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it('denies all that it would deny with that part', () => {
    const all = (request: AccessRequest) =>
      policyOf(
        {
          subjects: [{ kind: 'User', name: request.identity.username }],
          permissions: PERMISSIONS,
          accessLevel: 'Emergency',
          environments: ['Development', 'Staging', 'Production'],
        },
        'all',
      );
    fc.assert(
      fc.property(damaged('Deny'), arbitraryRequest, ({ policy, broken, path, part }, request) => {
        fc.pre(!(MAY_BE_EMPTY.has(path[0] ?? '') && Array.isArray(part) && part.length === 0));
        const isMore =
          isAllowed([all(request), broken], request) && !isAllowed([all(request), policy], request);
        expect(isMore).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it('never makes a decision throw', () => {
    fc.assert(
      fc.property(fc.anything(), arbitraryIdentity, (spec, identity) => {
        const policy = { ...policyOf(), spec } as unknown as AccessPolicy;
        expect(isAllowed([policy], requestOf({ identity }))).toBe(false);
      }),
      RUNS,
    );
  });
});
