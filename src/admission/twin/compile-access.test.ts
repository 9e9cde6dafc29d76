import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import type { Identity } from '#access/identity.ts';
import { createPolicyIndex } from '#access/policy-index.ts';
import {
  arbitraryCredential,
  arbitraryIdentity,
  arbitraryPolicies,
  arbitraryRequest,
} from '#access/testing/arbitraries.ts';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { CredentialFacts } from '#access/request.ts';
import { worldOf } from '../testing/world-of.ts';
import { OTHER_ACCOUNTS, mayActAs } from '../what-account-may.ts';
import { ANYONE, MAX_RULES, compileNamespaceAccess, isStrict } from './compile-access.ts';
import { mayUse } from '../testing/judge-by-rule.ts';

function credentialOf(
  { namespace, name, labels, ...spec }: CredentialFacts,
  secret = `${name}-keys`,
): ExchangeCredential {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { namespace, name, labels },
    spec: {
      ...spec,
      type: 'ApiKey',
      owner: 'desk',
      source: { secretRef: { name: 'import-me' } },
      delivery: { secret: { name: secret } },
    },
  };
}

const maker = credentialOf({
  namespace: 'trading',
  name: 'maker',
  labels: {},
  environment: 'Production',
});

function policy(name: string, spec: Record<string, unknown>): AccessPolicy {
  return policyOf(
    {
      subjects: [{ kind: 'User', name: 'alice' }],
      permissions: ['AccessSecrets'],
      accessLevel: 'Read',
      environments: ['Production'],
      credentials: { namespaces: ['trading'] },
      ...spec,
    },
    name,
  );
}

const times = [{ schedule: '0 9 * * *', duration: '8h', timeZone: 'UTC' }];

describe('compileNamespaceAccess', () => {
  it('names whoever may use a Secret, and who may not', () => {
    const index = createPolicyIndex([
      policy('a', {}),
      policy('b', { subjects: [{ kind: 'Group', name: 'desk' }], constraints: { times } }),
      policy('c', { subjects: [{ kind: 'User', name: 'bob' }], effect: 'Deny' }),
      policy('d', {
        subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }],
        effect: 'Deny',
        constraints: { times },
      }),
      policy('e', { subjects: [{ kind: 'Group', name: 'other' }], permissions: ['PlaceOrders'] }),
    ]);
    const spec = compileNamespaceAccess(index, 'trading', [maker]);
    expect(spec).toEqual({
      secrets: { 'import-me': [0], 'maker-keys': [0] },
      rules: [
        {
          subjects: {
            'Group:desk': 'MayAllow',
            'User:alice': 'Allow',
            'User:bob': 'Deny',
            'User:system:serviceaccount:trading:maker': 'MayDeny',
          },
        },
      ],
    });
    expect(isStrict(spec)).toBe(true);
  });

  it.each([
    ['Read', undefined, true],
    ['Read', 'Write', false],
    ['Admin', 'Write', true],
  ] as const)('level %s for a credential of %s: %s', (level, minimumAccessLevel, isGranted) => {
    const credential = {
      ...maker,
      spec: { ...maker.spec, ...(minimumAccessLevel && { minimumAccessLevel }) },
    };
    const { rules } = compileNamespaceAccess(
      createPolicyIndex([policy('a', { accessLevel: level })]),
      'trading',
      [credential],
    );
    expect(rules?.[0]?.subjects).toEqual(isGranted ? { 'User:alice': 'Allow' } : {});
  });

  it('takes a Deny that nobody understands for one about anybody', () => {
    const index = createPolicyIndex([
      policy('a', {}),
      policy('b', { subjects: [{ kind: 'Robot', name: 'x' }], effect: 'Deny' }),
    ]);
    const { rules = [] } = compileNamespaceAccess(index, 'trading', [maker]);
    expect(rules[0]?.subjects).toEqual({ 'User:alice': 'Allow', [ANYONE]: 'Deny' });
    expect(rules[0] && mayUse(rules[0], { username: 'alice', groups: [] })).toBe('No');
  });

  it('asks for all credentials behind a Secret, the status included', () => {
    const taker = credentialOf(
      { namespace: 'trading', name: 'taker', labels: {}, environment: 'Staging' },
      'maker-keys',
    );
    const moved = {
      ...maker,
      status: { delivery: { secretName: 'old-name' } },
    } as unknown as ExchangeCredential;
    const { secrets, rules } = compileNamespaceAccess(
      createPolicyIndex([policy('a', {})]),
      'trading',
      [moved, taker],
    );
    expect(rules).toEqual([{ subjects: { 'User:alice': 'Allow' } }, { subjects: {} }]);
    expect(secrets).toEqual({ 'import-me': [0, 1], 'maker-keys': [0, 1], 'old-name': [0] });
  });

  it('says who holds what an account may', () => {
    const account = (name: string) => ({ kind: 'ServiceAccount', namespace: 'trading', name });
    const manage = { permissions: ['ManageUsers'], accessLevel: 'Admin' };
    const index = createPolicyIndex([
      policy('a', { ...manage, subjects: [account('lead')] }),
      policy('b', { ...manage, subjects: [{ kind: 'User', name: 'alice' }] }),
      policy('c', {
        ...manage,
        subjects: [{ kind: 'Group', name: 'desk' }],
        constraints: { times },
      }),
      policy('d', { ...manage, subjects: [{ kind: 'User', name: 'bob' }], effect: 'Deny' }),
      policy('e', { subjects: [account('maker')] }),
      policy('f', { ...manage, subjects: [{ kind: 'User', name: 'low' }], accessLevel: 'Write' }),
    ]);
    const spec = compileNamespaceAccess(index, 'trading', []);
    expect(spec).toEqual({
      secrets: {},
      rules: [],
      accounts: { lead: [0], maker: [1] },
      accountRules: [
        {
          right: 'ManageUsers at Admin over namespace trading, environment Production',
          subjects: {
            'Group:desk': 'MayAllow',
            'User:alice': 'Allow',
            'User:bob': 'Deny',
            'User:system:serviceaccount:trading:lead': 'Allow',
          },
        },
        {
          right: 'AccessSecrets at Read over namespace trading, environment Production',
          subjects: { 'User:system:serviceaccount:trading:maker': 'Allow' },
        },
      ],
    });
    expect(isStrict(spec)).toBe(true);
    expect(compileNamespaceAccess(index, 'research', [])).toEqual({ secrets: {}, rules: [] });
  });

  it('names the accounts that differ from the others', () => {
    const read = { permissions: ['ReadMarketData'] };
    const manage = { permissions: ['ManageUsers'] };
    const account = (name: string) => ({ kind: 'ServiceAccount', namespace: 'trading', name });
    const everybody = [{ kind: 'Group', name: 'system:serviceaccounts' }];
    const { accounts, accountRules } = compileNamespaceAccess(
      createPolicyIndex([
        policy('a', { ...read, subjects: everybody }),
        policy('b', { ...manage, subjects: [account('lead')] }),
        policy('c', { ...read, subjects: [account('poor')], effect: 'Deny' }),
        policy('d', { ...read, subjects: [account('same')] }),
      ]),
      'trading',
      [],
    );
    expect(accounts).toEqual({ '*': [0], lead: [0, 1], poor: [] });
    expect(accountRules).toHaveLength(2);
  });

  it('is incomplete where an account may more than CEL could ask about', () => {
    const names = Array.from({ length: MAX_RULES + 1 }, (_, place) => `c${place}`);
    const subjects = [{ kind: 'ServiceAccount', namespace: 'trading', name: 'lead' }];
    const indexOf = (count: number) =>
      createPolicyIndex(
        names.slice(0, count).flatMap((name) => [
          policy(`own-${name}`, {
            subjects,
            permissions: ['ManageUsers'],
            credentials: { namespaces: ['trading'], names: [name] },
          }),
          policy(name, {
            subjects: [{ kind: 'User', name }],
            permissions: ['ManageUsers'],
            credentials: { namespaces: ['trading'], names: [name] },
          }),
        ]),
      );
    const spec = compileNamespaceAccess(indexOf(names.length), 'trading', []);
    expect(spec).toEqual({ incomplete: true });
    const less = compileNamespaceAccess(indexOf(MAX_RULES), 'trading', []);
    expect(less.accountRules).toHaveLength(MAX_RULES);
  });

  it('is the same text for the same policies in any order', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        fc.uniqueArray(arbitraryCredential, { selector: ({ name }) => name, maxLength: 4 }),
        (policies, credentials) => {
          const list = credentials.map((facts) => credentialOf({ ...facts, namespace: 'trading' }));
          const one = compileNamespaceAccess(createPolicyIndex(policies), 'trading', list);
          const other = compileNamespaceAccess(
            createPolicyIndex(policies.toReversed()),
            'trading',
            list.toReversed(),
          );
          expect(JSON.stringify(other)).toBe(JSON.stringify(one));
        },
      ),
    );
  });

  it('says that it is incomplete where CEL or etcd could not take it', () => {
    const many = Array.from({ length: MAX_RULES + 1 }, (_, place) => `c${place}`);
    const index = createPolicyIndex(
      many.map((name) =>
        policy(name, {
          subjects: [{ kind: 'User', name }],
          credentials: { namespaces: ['trading'], names: [name] },
        }),
      ),
    );
    const credentials = many.map((name) =>
      credentialOf({ namespace: 'trading', name, labels: {}, environment: 'Production' }, 'shared'),
    );
    const spec = compileNamespaceAccess(index, 'trading', credentials);
    expect(spec).toEqual({ incomplete: true });
    expect(isStrict(spec)).toBe(true);
    expect(isStrict(compileNamespaceAccess(index, 'trading', credentials.slice(1)))).toBe(false);
    expect(isStrict({ secrets: {}, rules: [], formerSecrets: ['keys'] })).toBe(true);

    const names = Array.from({ length: 10_000 }, (_, place) => `${'x'.repeat(100)}${place}`);
    const wide = createPolicyIndex([
      policy('a', { subjects: names.map((name) => ({ kind: 'User', name })) }),
    ]);
    expect(compileNamespaceAccess(wide, 'trading', [maker])).toEqual({ incomplete: true });
  });
});

describe('judging by a compiled rule', () => {
  it('never says the opposite of the evaluator, and decides whatever is certain', () => {
    const seen = { Yes: 0, No: 0, Undecided: 0 };
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryCredential,
        arbitraryIdentity,
        arbitraryRequest,
        (policies, facts, identity, { atMs, sourceAddress, country }) => {
          const index = createPolicyIndex(policies);
          const credential = credentialOf(facts);
          const { rules = [] } = compileNamespaceAccess(index, 'trading', [credential]);
          const [rule = { subjects: {} }] = rules;
          const { allowed } = decide(index, {
            identity,
            action: ACTIONS.mount,
            target: { kind: 'Credential', credential: factsOf(credential) },
            atMs,
            ...(sourceAddress === undefined ? {} : { sourceAddress }),
            ...(country === undefined ? {} : { country }),
          });
          const answer = mayUse(rule, identity);
          seen[answer] += 1;
          // Somebody's constraint is in the way, or the answer would be certain.
          return answer === 'Undecided'
            ? policies.some(({ spec }) => spec.constraints !== undefined)
            : (answer === 'Yes') === allowed;
        },
      ),
      { numRuns: 3_000 },
    );
    expect(Math.min(seen.Yes, seen.No, seen.Undecided)).toBeGreaterThan(5);
  });

  it('lets the same act as an account as the webhook does, or leaves it to it', () => {
    const seen = { Yes: 0, No: 0, Undecided: 0 };
    const accounts = fc.constantFrom('maker', 'taker', 'poor');
    fc.assert(
      fc.property(arbitraryPolicies(), arbitraryIdentity, accounts, (policies, identity, name) => {
        const world = worldOf({ policies });
        const spec = compileNamespaceAccess(world.policyIndex(), 'trading', []);
        const places = spec.accounts?.[name] ?? spec.accounts?.[OTHER_ACCOUNTS] ?? [];
        const answers = places.map((place) => {
          const rule = spec.accountRules?.[place];
          return rule === undefined ? 'No' : mayUse(rule, identity);
        });
        const answer = answers.includes('No')
          ? 'No'
          : answers.includes('Undecided')
            ? 'Undecided'
            : 'Yes';
        seen[answer] += 1;
        const { isAllowed } = mayActAs(world, identity, 'trading', name, NOW);
        return answer === 'Undecided' ? isStrict(spec) : isAllowed === (answer === 'Yes');
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(seen.Yes, seen.No, seen.Undecided)).toBeGreaterThan(20);
  });

  it.each<[Identity, string]>([
    [{ username: 'x', groups: ['system:masters'] }, 'Yes'],
    [{ username: 'system:anonymous', groups: [] }, 'No'],
    [{ username: 'alice', groups: ['system:unauthenticated'] }, 'No'],
    [{ username: 'alice', groups: [] }, 'Yes'],
    [{ username: 'User:alice', groups: ['User:alice'] }, 'No'],
  ])('%j: %s', (identity, answer) => {
    expect(mayUse({ subjects: { 'User:alice': 'Allow' } }, identity)).toBe(answer);
  });
});
