import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import { serviceAccountIdentity } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import { createPolicyIndex } from '#access/policy-index.ts';
import { possibleIndex } from '#access/possible-access.ts';
import type { Target } from '#access/request.ts';
import {
  arbitraryCredential,
  arbitraryIdentity,
  arbitraryPolicies,
} from '#access/testing/arbitraries.ts';
import { NOW, actionOf, policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy, AccessPolicySpec, Subject } from '#api/access-policy.ts';
import { ACCESS_LEVELS, ENVIRONMENTS, PERMISSIONS } from '#api/roles.ts';
import { credentialOf } from './testing/core-objects.ts';
import { worldOf } from './testing/world-of.ts';
import { accountRights, describeRight, mayActAs } from './what-account-may.ts';

type Spec = Partial<AccessPolicySpec>;

const MAKER: Subject = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' };
const ALICE_SUBJECT: Subject = { kind: 'User', name: 'alice' };
const ALICE: Identity = { username: 'alice', groups: ['desk-mm', 'system:authenticated'] };
/** From three to four at night, UTC; it is noon. */
const AT_NIGHT = { times: [{ schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' }] };
const HERE: Spec = { credentials: { namespaces: ['trading'] } };
const THERE: Spec = { credentials: { namespaces: ['research'] } };
const BOTH: Spec = { credentials: { namespaces: ['research', 'trading'] } };
const EVERYWHERE: Spec = { credentials: { namespaces: ['*'] } };

/** What an approver has. */
const APPROVE: Spec = { permissions: ['EmergencyOverride'], accessLevel: 'Emergency', ...HERE };
const MANAGE: Spec = { permissions: ['ManageUsers'], accessLevel: 'Admin', ...HERE };
const READ: Spec = { permissions: ['AccessSecrets'], ...HERE };

const named = (name: string, more: Spec = {}): Spec => ({
  ...more,
  credentials: { namespaces: ['trading'], names: [name] },
});
const labelled = (desk: string): Spec => ({
  ...MANAGE,
  credentials: { namespaces: ['trading'], selector: { matchLabels: { desk } } },
});

function may(
  policies: readonly AccessPolicy[],
  identity: Identity = ALICE,
  account = 'maker',
): boolean {
  return mayActAs(worldOf({ policies }), identity, 'trading', account, NOW).isAllowed;
}

const given = (subject: Subject, spec: Spec, name: string): AccessPolicy =>
  policyOf({ ...spec, subjects: [subject] }, name);

describe('accountRights', () => {
  it('knows all accounts that no policy names as one, however many names are made up', () => {
    const policies = [
      given({ kind: 'Group', name: 'system:serviceaccounts:trading' }, MANAGE, 'all'),
      given(MAKER, READ, 'maker'),
    ];
    const index = createPolicyIndex(policies);
    const rights = accountRights(index, 'trading', 'made-up');
    expect(rights).toHaveLength(1);
    expect(accountRights(index, 'trading', 'made-up-too')).toBe(rights);
    expect(accountRights(index, 'trading', 'maker')).toHaveLength(2);
    expect(accountRights(index, 'research', 'made-up')).toEqual([]);
  });

  it('takes a policy about very many as one part, which another one must hold as a whole', () => {
    const some = (of: string, count: number): readonly string[] =>
      Array.from({ length: count }, (_, place) => `${of}-${place}`);
    const about = (...parts: readonly number[]): Spec => ({
      ...READ,
      credentials: { namespaces: some('ns', parts[0] ?? 0), names: some('key', parts[1] ?? 0) },
    });
    const maker = given(MAKER, about(250, 250), 'maker');
    expect(
      accountRights(createPolicyIndex([maker]), 'trading', 'maker').map(describeRight),
    ).toEqual([
      'AccessSecrets at Read over 250 namespaces, environment Production, 250 credentials',
    ]);
    const held = (...specs: readonly Spec[]): boolean =>
      may([maker, ...specs.map((spec, place) => given(ALICE_SUBJECT, spec, `p${place}`))]);
    expect(held(about(250, 250))).toBe(true);
    expect(held({ ...READ, ...EVERYWHERE })).toBe(true);
    expect(held(about(249, 250))).toBe(false);
    expect(held(about(250, 249))).toBe(false);
    const taken: Spec = {
      effect: 'Deny',
      credentials: { namespaces: ['ns-7'], names: ['key-7'] },
    };
    expect(held(about(250, 250), taken)).toBe(false);
    const others: Spec = { effect: 'Deny', credentials: { namespaces: ['elsewhere'] } };
    expect(held(about(250, 250), others)).toBe(true);
  });

  it.each<[string, Spec, readonly string[]]>([
    ['mounting', READ, ['AccessSecrets at Read over namespace trading, environment Production']],
    [
      'what an approver has',
      APPROVE,
      ['EmergencyOverride at Emergency over namespace trading, environment Production'],
    ],
    [
      'secrets here and elsewhere',
      { ...READ, ...BOTH },
      [
        'AccessSecrets at Read over namespace research, environment Production',
        'AccessSecrets at Read over namespace trading, environment Production',
      ],
    ],
    [
      'secrets everywhere',
      { ...READ, ...EVERYWHERE },
      ['AccessSecrets at Read over every namespace, environment Production'],
    ],
    [
      'secrets here at a level above mounting',
      { ...READ, accessLevel: 'Write' },
      ['AccessSecrets at Write over namespace trading, environment Production'],
    ],
    [
      'one credential, of two environments',
      named('maker', { ...MANAGE, environments: ['Production', 'Staging'] }),
      [
        'ManageUsers at Admin over namespace trading, environment Production, credential maker',
        'ManageUsers at Admin over namespace trading, environment Staging, credential maker',
      ],
    ],
    [
      'by exchange and labels',
      {
        ...MANAGE,
        credentials: { exchanges: ['Phemex'], selector: { matchLabels: { desk: 'mm' } } },
      },
      [
        'ManageUsers at Admin over every namespace, environment Production, exchange Phemex, the labels that it selects',
      ],
    ],
    [
      'under a constraint',
      { ...APPROVE, constraints: AT_NIGHT },
      ['EmergencyOverride at Emergency over namespace trading, environment Production'],
    ],
  ])('%s', (_, spec, expected) => {
    const index = createPolicyIndex([given(MAKER, spec, 'p')]);
    expect(accountRights(index, 'trading', 'maker').map(describeRight)).toEqual(expected);
    expect(accountRights(index, 'trading', 'maker')).toBe(accountRights(index, 'trading', 'maker'));
    expect(accountRights(index, 'trading', 'poor')).toEqual([]);
    expect(accountRights(index, 'research', 'maker')).toEqual([]);
  });

  it.each<[string, Spec, readonly string[]]>([
    ['all of it', { ...MANAGE, accessLevel: 'Read' }, []],
    ['from a level on', { ...MANAGE, accessLevel: 'Admin' }, ['ManageUsers at Write']],
    ['elsewhere', { ...MANAGE, ...THERE }, ['ManageUsers at Admin']],
    ['everywhere', { ...MANAGE, ...EVERYWHERE, accessLevel: 'Read' }, []],
    ['a part', named('one', MANAGE), ['ManageUsers at Admin']],
    ['under a constraint', { ...MANAGE, constraints: AT_NIGHT }, ['ManageUsers at Admin']],
    ['another permission', APPROVE, ['ManageUsers at Admin']],
  ])('what a Deny takes: %s', (_, deny, expected) => {
    const policies = [
      given(MAKER, MANAGE, 'allow'),
      given(MAKER, { ...deny, effect: 'Deny' }, 'deny'),
    ];
    const rights = accountRights(createPolicyIndex(policies), 'trading', 'maker');
    const told = rights.map((right) => describeRight(right).split(' over ')[0] ?? '');
    expect(told).toEqual(expected);
  });
});

describe('mayActAs', () => {
  it.each<[string, Spec, Spec | undefined, boolean]>([
    ['mounting, by somebody without a policy', READ, undefined, false],
    ['mounting, by who may mount the same', READ, READ, true],
    ['mounting all, by who may mount one', READ, named('maker', READ), false],
    ['mounting one, by who may mount all', named('maker', READ), READ, true],
    ['an approver, by somebody without a policy', APPROVE, undefined, false],
    ['an approver, by an approver', APPROVE, APPROVE, true],
    ['an approver, at a lower level', APPROVE, { ...APPROVE, accessLevel: 'Admin' }, false],
    ['an approver, elsewhere', APPROVE, { ...APPROVE, ...THERE }, false],
    ['an approver, everywhere', APPROVE, { ...APPROVE, ...EVERYWHERE }, true],
    ['everywhere, by one here', { ...MANAGE, ...EVERYWHERE }, { ...MANAGE, ...BOTH }, false],
    ['elsewhere, by one here', { ...MANAGE, ...THERE }, MANAGE, false],
    ['elsewhere, by one there', { ...MANAGE, ...THERE }, { ...MANAGE, ...THERE }, true],
    ['in another environment', MANAGE, { ...MANAGE, environments: ['Staging'] }, false],
    [
      'in two, by one of one',
      { ...MANAGE, environments: ['Production', 'Staging'] },
      MANAGE,
      false,
    ],
    [
      'in all environments, by one in two',
      { ...MANAGE, environments: ENVIRONMENTS },
      { ...MANAGE, environments: ENVIRONMENTS.slice(1) },
      false,
    ],
    [
      'in all environments, by one in all',
      { ...MANAGE, environments: ENVIRONMENTS },
      { ...MANAGE, environments: ENVIRONMENTS },
      true,
    ],
    ['in one environment, by one in all', MANAGE, { ...MANAGE, environments: ENVIRONMENTS }, true],
    ['with less permissions', { ...MANAGE, roles: ['Trader'] }, MANAGE, false],
    ['with more permissions', MANAGE, { ...MANAGE, roles: ['Trader'] }, true],
    ['one credential, by all', named('maker', MANAGE), MANAGE, true],
    ['all, by one credential', MANAGE, named('maker', MANAGE), false],
    ['one credential, by it', named('maker', MANAGE), named('maker', MANAGE), true],
    ['one credential, by another', named('maker', MANAGE), named('taker', MANAGE), false],
    ['labels, by the same', labelled('mm'), labelled('mm'), true],
    ['labels, by others', labelled('mm'), labelled('arb'), false],
    ['labels, by all', labelled('mm'), MANAGE, true],
    ['all, by labels', MANAGE, labelled('mm'), false],
    ['secrets elsewhere', { ...READ, ...BOTH }, READ, false],
    ['writing secrets, by who reads', { ...READ, accessLevel: 'Write' }, READ, false],
    ['network blocks', { ...HERE, permissions: ['ManageNetworkBlocks'] }, MANAGE, false],
    ['what is of no weight', { ...HERE, permissions: ['ReadMarketData'] }, undefined, false],
    ['now, by one at night', APPROVE, { ...APPROVE, constraints: AT_NIGHT }, false],
    ['at night, by nobody', { ...APPROVE, constraints: AT_NIGHT }, undefined, false],
    ['at night, by one always', { ...APPROVE, constraints: AT_NIGHT }, APPROVE, true],
  ])('%s', (_, account, requester, isAllowed) => {
    const policies = [
      given(MAKER, account, 'maker'),
      ...(requester === undefined ? [] : [given(ALICE_SUBJECT, requester, 'alice')]),
    ];
    expect(may(policies)).toBe(isAllowed);
    expect(may(policies.toReversed())).toBe(isAllowed);
    expect(may(policies, { username: 'root', groups: ['system:masters'] })).toBe(true);
    expect(may(policies, ALICE, 'poor')).toBe(true);
  });

  it('puts the policies of a requester together, each for what it gives', () => {
    const policies = [
      given(MAKER, { ...MANAGE, ...BOTH, environments: ['Production', 'Staging'] }, 'maker'),
      given(ALICE_SUBJECT, { ...MANAGE, environments: ['Production', 'Staging'] }, 'one'),
      given({ kind: 'Group', name: 'desk-mm' }, { ...MANAGE, ...THERE }, 'two'),
    ];
    expect(may(policies)).toBe(false);
    const third = { ...MANAGE, ...THERE, environments: ['Staging' as const] };
    expect(may([...policies, given(ALICE_SUBJECT, third, 'three')])).toBe(true);
    expect(may([...policies, given(ALICE_SUBJECT, third, 'three')], { ...ALICE, groups: [] })).toBe(
      false,
    );
  });

  it('takes all environments only from a policy about all of them, as decisions about any do', () => {
    const account = given(MAKER, { ...MANAGE, environments: ENVIRONMENTS }, 'maker');
    const inSome = (from: number, to: number) =>
      given(ALICE_SUBJECT, { ...MANAGE, environments: ENVIRONMENTS.slice(from, to) }, `${from}`);
    expect(may([account, inSome(0, 1), inSome(1, 3)])).toBe(false);
    expect(may([account, inSome(0, 3)])).toBe(true);
  });

  it('counts what every account has, which a requester has by the same policy', () => {
    const all: Subject = { kind: 'Group', name: 'system:authenticated' };
    const accounts: Subject = { kind: 'Group', name: 'system:serviceaccounts:trading' };
    expect(may([given(all, MANAGE, 'all')], ALICE, 'poor')).toBe(true);
    expect(may([given(accounts, MANAGE, 'accounts')], ALICE, 'poor')).toBe(false);
    expect(
      may([given(accounts, MANAGE, 'accounts')], serviceAccountIdentity('trading', 'x'), 'poor'),
    ).toBe(true);
  });

  it.each<[string, Subject, Spec, boolean]>([
    ['of the requester', ALICE_SUBJECT, { ...MANAGE, accessLevel: 'Read' }, false],
    ['of a part', ALICE_SUBJECT, named('one', MANAGE), false],
    ['above the level', ALICE_SUBJECT, { ...MANAGE, accessLevel: 'Emergency' }, true],
    ['of another permission', ALICE_SUBJECT, APPROVE, true],
    ['elsewhere', ALICE_SUBJECT, { ...MANAGE, ...THERE }, true],
    ['that may hold now', ALICE_SUBJECT, { ...MANAGE, constraints: { countries: {} } }, false],
    ['that does not hold now', ALICE_SUBJECT, { ...MANAGE, constraints: AT_NIGHT }, true],
    [
      'of both, of a part',
      { kind: 'Group', name: 'system:authenticated' },
      named('one', MANAGE),
      true,
    ],
    [
      'of both, of a part, under a constraint that may hold',
      { kind: 'Group', name: 'system:authenticated' },
      named('one', { ...MANAGE, constraints: { sourceRanges: ['10.0.0.0/8'] } }),
      false,
    ],
  ])('a Deny %s', (_, subject, deny, isAllowed) => {
    const policies = [
      given(MAKER, MANAGE, 'maker'),
      given(ALICE_SUBJECT, MANAGE, 'alice'),
      given(subject, { ...deny, effect: 'Deny' }, 'deny'),
    ];
    expect(may(policies)).toBe(isAllowed);
  });

  it('lets nobody who is nobody', () => {
    const all: Subject = { kind: 'Group', name: 'system:unauthenticated' };
    const policies = [given(MAKER, MANAGE, 'maker'), given(all, MANAGE, 'all')];
    const nobody = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
    expect(may(policies, nobody)).toBe(false);
  });

  it('lets nobody act as an account that may anything that they may not', () => {
    const level = fc.constantFrom(...ACCESS_LEVELS);
    const target: fc.Arbitrary<Target> = fc.oneof(
      arbitraryCredential.map((credential): Target => ({ kind: 'Credential', credential })),
      fc.record({
        kind: fc.constant('Scope' as const),
        namespace: fc.constantFrom('trading', 'research', '*'),
        environment: fc.constantFrom(...ENVIRONMENTS, '*' as const),
      }),
    );
    const asked = fc.tuple(fc.constantFrom(...PERMISSIONS), level, target);
    const seen = { allowed: 0, refused: 0, held: 0 };
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryIdentity,
        fc.constantFrom('maker', 'taker', 'poor'),
        fc.array(asked, { minLength: 30, maxLength: 30 }),
        (policies, identity, account, questions) => {
          const world = worldOf({ policies });
          const { isAllowed } = mayActAs(world, identity, 'trading', account, NOW);
          seen[isAllowed ? 'allowed' : 'refused'] += 1;
          if (!isAllowed) return;
          const index = world.policyIndex();
          const possible = possibleIndex(index, policies);
          const own = serviceAccountIdentity('trading', account);
          for (const [permission, at, about] of questions) {
            const action = actionOf(permission, at);
            const ask = { action, target: about, atMs: NOW };
            if (!decide(possible, { ...ask, identity: own }).allowed) continue;
            seen.held += 1;
            expect(decide(index, { ...ask, identity }).allowed).toBe(true);
          }
        },
      ),
      { numRuns: 1_000 },
    );
    expect(Math.min(seen.allowed, seen.refused, seen.held)).toBeGreaterThan(100);
  });
});

describe('of credentials', () => {
  it('never lets somebody without a policy near a credential that the account may use', () => {
    fc.assert(
      fc.property(arbitraryPolicies(), arbitraryCredential, (policies, facts) => {
        const { name, labels, namespace: _, ...spec } = facts;
        const credential = credentialOf(name, spec);
        const own = { ...credential, metadata: { ...credential.metadata, labels } };
        const world = worldOf({ policies, credentials: [own] });
        const stranger = { username: 'stranger', groups: [] };
        if (!mayActAs(world, stranger, 'trading', 'maker', NOW).isAllowed) return;
        const { allowed } = decide(possibleIndex(world.policyIndex(), policies), {
          identity: serviceAccountIdentity('trading', 'maker'),
          action: ACTIONS.retrieve,
          target: { kind: 'Credential', credential: factsOf(own) },
          atMs: NOW,
        });
        expect(allowed).toBe(false);
      }),
    );
  });
});
