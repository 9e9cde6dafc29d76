import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessPolicy, AccessPolicySpec, Finding, Subject } from '#api/access-policy.ts';
import { findPolicyFaults } from './policy-findings.ts';
import type { PolicyWorld } from './policy-findings.ts';
import { createPolicyIndex } from './policy-index.ts';
import type { CredentialFacts } from './request.ts';

const alice: Subject = { kind: 'User', name: 'alice' };
const desk: Subject = { kind: 'Group', name: 'desk-mm' };
const maker: Subject = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' };

function policy(name: string, spec: Partial<AccessPolicySpec> = {}): AccessPolicy {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name },
    spec: {
      subjects: [alice],
      roles: ['Trader'],
      environments: ['Production'],
      credentials: { namespaces: ['trading'] },
      ...spec,
    },
  };
}

function fact(namespace: string, name: string, more: Partial<CredentialFacts> = {}) {
  return { namespace, name, labels: {}, environment: 'Production' as const, ...more };
}

const CREDENTIALS: readonly CredentialFacts[] = [
  fact('trading', 'maker', { exchange: 'Hyperliquid', labels: { desk: 'mm' } }),
  fact('trading', 'taker', { exchange: 'Binance' }),
  fact('risk', 'database'),
];

function world(policies: readonly AccessPolicy[], more: Partial<PolicyWorld> = {}): PolicyWorld {
  return {
    index: createPolicyIndex(policies),
    credentials: CREDENTIALS,
    namespaces: [
      { name: 'trading', guarded: true, environment: 'Production' },
      { name: 'risk', guarded: true },
      { name: 'lab', guarded: false },
      { name: 'staging', guarded: true, environment: 'Staging' },
    ],
    serviceAccountExists: (namespace, name) => namespace === 'trading' && name === 'maker',
    operator: { namespace: 'strongroom-system', serviceAccount: 'strongroom-operator' },
    ...more,
  };
}

/** What is found about the first policy, beside the others. */
function faults(first: AccessPolicy, ...others: readonly AccessPolicy[]): readonly Finding[] {
  return findPolicyFaults(first, world([first, ...others]));
}

function typesOf(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ type }) => type);
}

describe('a policy as it should be', () => {
  it('has no finding', () => {
    expect(faults(policy('desk'))).toEqual([]);
    expect(faults(policy('desk', { subjects: [maker, desk], roles: ['SecurityAdmin'] }))).toEqual(
      [],
    );
    expect(faults(policy('no', { effect: 'Deny' }), policy('desk'))).toEqual([]);
  });
});

interface Expected extends Partial<Finding> {
  readonly type: string;
}

type Row = readonly [what: string, spec: Partial<AccessPolicySpec>, findings: readonly Expected[]];

describe('one policy by itself', () => {
  it.each<Row>([
    [
      'a ServiceAccount that does not exist',
      { subjects: [maker, { kind: 'ServiceAccount', namespace: 'trading', name: 'gone' }] },
      [
        {
          type: 'SubjectNotFound',
          severity: 'Warning',
          namespace: 'trading',
          subject: 'ServiceAccount trading/gone',
        },
      ],
    ],
    [
      'a ServiceAccount by its username',
      { subjects: [{ kind: 'User', name: 'system:serviceaccount:risk:maker' }] },
      [{ type: 'SubjectNotFound', namespace: 'risk' }],
    ],
    [
      'a ServiceAccount of a namespace that is not guarded',
      { subjects: [{ kind: 'ServiceAccount', namespace: 'lab', name: 'maker' }] },
      [
        {
          type: 'AccountNotGuarded',
          namespace: 'lab',
          subject: 'ServiceAccount lab/maker',
          severity: 'Warning',
          message:
            'Whoever may create pods or tokens in lab has what this policy gives in trading, since namespace lab is not guarded, so that admission asks nobody there. Let nobody do that who must not have it, guard lab, or name a ServiceAccount of a guarded namespace.',
        },
        { type: 'SubjectNotFound', namespace: 'lab' },
      ],
    ],
    [
      'a ServiceAccount of another guarded namespace, where admission asks for this one too',
      {
        subjects: [maker],
        credentials: { namespaces: ['trading', 'risk'] },
      },
      [],
    ],
    [
      'all ServiceAccounts of a namespace that is not guarded',
      { subjects: [{ kind: 'Group', name: 'system:serviceaccounts:lab' }] },
      [{ type: 'AccountNotGuarded', namespace: 'lab' }],
    ],
    [
      'ServiceAccounts that nothing is given',
      {
        effect: 'Deny',
        subjects: [{ kind: 'Group', name: 'system:serviceaccounts:lab' }],
      },
      [],
    ],
    [
      'a namespace that does not exist, one that is not guarded',
      { credentials: { namespaces: ['trading', 'nowhere', 'lab'] } },
      [
        { type: 'NamespaceNotFound', namespace: 'nowhere' },
        { type: 'NamespaceNotGuarded', namespace: 'lab' },
      ],
    ],
    [
      'a name that is in another namespace only',
      { credentials: { namespaces: ['trading'], names: ['maker', 'database'] } },
      [
        {
          type: 'CredentialNotFound',
          message: 'No ExchangeCredential is called database in trading (yet).',
        },
      ],
    ],
    [
      'a name in any namespace',
      { credentials: { names: ['maker', 'gone'] } },
      [
        {
          type: 'CredentialNotFound',
          message: 'No ExchangeCredential is called gone in any namespace (yet).',
        },
      ],
    ],
    [
      'labels that nothing has',
      { credentials: { selector: { matchLabels: { desk: 'fx' } } } },
      [{ type: 'SelectsNothing', severity: 'Info' }],
    ],
    [
      'a namespace of another environment',
      { credentials: { namespaces: ['staging'] } },
      [
        {
          type: 'SelectsNothing',
          message:
            'No credential that exists is selected. The namespaces are of Staging, the policy is for Production.',
        },
      ],
    ],
    [
      'another environment than that of what is selected',
      { environments: ['Development'], credentials: { namespaces: ['risk'] } },
      [{ type: 'SelectsNothing' }],
    ],
    [
      'everything',
      { credentials: { namespaces: ['*'] } },
      [{ type: 'SelectsEverything', severity: 'Warning' }],
    ],
    [
      'everything by another part',
      { credentials: { names: ['*'], exchanges: ['*'] } },
      [{ type: 'SelectsEverything' }],
    ],
    [
      'a Deny on everything',
      { effect: 'Deny', credentials: { namespaces: ['*'] } },
      [{ type: 'SelectsEverything', severity: 'Info' }],
    ],
    [
      'every namespace, narrowed',
      { credentials: { namespaces: ['*'], exchanges: ['Binance'] } },
      [],
    ],
    ['every namespace, narrowed', { credentials: { namespaces: ['*'], names: ['maker'] } }, []],
    [
      'every namespace, narrowed',
      { credentials: { namespaces: ['*'], selector: { matchLabels: { desk: 'mm' } } } },
      [],
    ],
    ['no role', { roles: [] }, [{ type: 'GrantsNothing' }]],
    ['no subject', { subjects: [] }, [{ type: 'GrantsNothing' }]],
    [
      'a role that nobody knows',
      { roles: ['Superuser' as 'Trader'] },
      [{ type: 'GrantsNothing' }, { type: 'PartNotUnderstood' }],
    ],
    [
      'the operator',
      {
        effect: 'Deny',
        subjects: [
          { kind: 'Group', name: 'system:authenticated' },
          { kind: 'Group', name: 'system:serviceaccounts' },
          { kind: 'Group', name: 'system:serviceaccounts:strongroom-system' },
          { kind: 'Group', name: 'system:serviceaccounts:trading' },
        ],
      },
      [
        { type: 'NamesOperator', severity: 'Warning', subject: 'Group system:authenticated' },
        { type: 'NamesOperator', subject: 'Group system:serviceaccounts' },
        { type: 'NamesOperator', subject: 'Group system:serviceaccounts:strongroom-system' },
      ],
    ],
    [
      'the operator by its username, allowed',
      {
        subjects: [
          { kind: 'User', name: 'system:serviceaccount:strongroom-system:strongroom-operator' },
        ],
      },
      [{ type: 'SubjectNotFound' }, { type: 'NamesOperator', severity: 'Info' }],
    ],
    [
      'a name with a letter of another script',
      { subjects: [{ kind: 'User', name: 'ali\u0441e' }] },
      [
        {
          type: 'ConfusableName',
          message:
            'The name mixes Latin and Cyrillic letters (U+0441). Names are compared exactly: check that the right one is meant.',
        },
      ],
    ],
    [
      'two names of one policy that differ by case',
      { subjects: [desk, { kind: 'Group', name: 'Desk-MM' }] },
      [
        { type: 'ConfusableName', subject: 'Group Desk-MM' },
        { type: 'ConfusableName', subject: 'Group desk-mm' },
      ],
    ],
    [
      'one name as a user and as a group',
      { subjects: [desk, { kind: 'User', name: 'desk-mm' }] },
      [],
    ],
    [
      'rate limits',
      { rateLimits: [{ name: 'orders', requests: 100, window: '60s' }] },
      [{ type: 'RateLimitsNotEnforced', severity: 'Info' }],
    ],
  ])('%s', (_what, spec, expected) => {
    expect(faults(policy('one', spec))).toEqual(
      expected.map((finding) => expect.objectContaining(finding)),
    );
  });

  it('says everything about the worst of policies without throwing', () => {
    const worst = { ...policy('worst'), spec: {} } as AccessPolicy;
    expect(typesOf(faults(worst))).toEqual([
      'GrantsNothing',
      'PartNotUnderstood',
      'SelectsNothing',
    ]);
  });
});

describe('contradicted by a Deny', () => {
  const contradictions = (allow: AccessPolicy, deny: AccessPolicy) =>
    faults(allow, deny).filter(({ type }) => type === 'ContradictedByDeny');
  const deny = (spec: Partial<AccessPolicySpec>) => policy('no', { effect: 'Deny', ...spec });

  it.each<
    readonly [what: string, allow: Partial<AccessPolicySpec>, deny: Partial<AccessPolicySpec>]
  >([
    ['the same', {}, {}],
    [
      'more than it grants',
      {},
      { roles: ['Trader', 'RiskAnalyst'], credentials: { namespaces: ['*'] } },
    ],
    [
      'a group that holds its subject',
      { subjects: [maker] },
      { subjects: [{ kind: 'Group', name: 'system:serviceaccounts' }] },
    ],
    [
      'each credential by name',
      { credentials: { names: ['maker'] } },
      { credentials: { names: ['maker'] } },
    ],
  ])('all of it: %s', (_what, allow, denied) => {
    expect(contradictions(policy('yes', allow), deny(denied))).toEqual([
      {
        type: 'ContradictedByDeny',
        severity: 'Warning',
        via: 'AccessPolicy no',
        message:
          'AccessPolicy no denies all of it, and a Deny always wins: this policy gives nothing.',
      },
    ]);
  });

  it.each<
    readonly [what: string, allow: Partial<AccessPolicySpec>, deny: Partial<AccessPolicySpec>]
  >([
    ['one permission', {}, { roles: [], permissions: ['PlaceOrders'] }],
    ['one of its subjects', { subjects: [alice, desk] }, { subjects: [alice] }],
    ['a higher level', { accessLevel: 'Admin' }, { accessLevel: 'Write' }],
    ['one credential', {}, { credentials: { names: ['taker'] } }],
    ['at some times', {}, { constraints: { sourceRanges: ['10.0.0.0/8'] } }],
    [
      'what is yet to come',
      { credentials: { namespaces: ['*'] }, environments: ['Staging'] },
      { credentials: { namespaces: ['staging'] }, environments: ['Staging'] },
    ],
    ['perhaps, by a group', {}, { subjects: [desk] }],
    [
      'some of a group',
      { subjects: [{ kind: 'Group', name: 'system:authenticated' }] },
      { subjects: [alice] },
    ],
  ])('some of it: %s', (_what, allow, denied) => {
    const found = contradictions(policy('yes', allow), deny(denied));
    expect(found).toEqual([expect.objectContaining({ severity: 'Info', via: 'AccessPolicy no' })]);
  });

  it.each<
    readonly [what: string, allow: Partial<AccessPolicySpec>, deny: Partial<AccessPolicySpec>]
  >([
    ['another subject', {}, { subjects: [{ kind: 'User', name: 'bob' }] }],
    ['another permission', {}, { roles: [], permissions: ['TransferFunds'] }],
    ['a level that it does not grant', {}, { accessLevel: 'Write' }],
    ['another environment', {}, { environments: ['Staging'] }],
    ['another namespace', {}, { credentials: { namespaces: ['risk'] } }],
    [
      'another credential',
      { credentials: { names: ['maker'] } },
      { credentials: { names: ['taker'] } },
    ],
    ['a group that its ServiceAccount cannot be in', { subjects: [maker] }, { subjects: [desk] }],
  ])('not by %s', (_what, allow, denied) => {
    expect(contradictions(policy('yes', allow), deny(denied))).toEqual([]);
  });
});

describe('granted to an administrator', () => {
  const admin = (spec: Partial<AccessPolicySpec> = {}) =>
    policy('admins', {
      roles: [],
      permissions: ['ManageUsers'],
      accessLevel: 'Admin',
      ...spec,
    });
  const grants = (
    grant: Partial<AccessPolicySpec>,
    by: AccessPolicy = admin(),
  ): readonly Finding[] =>
    faults(policy('grant', { roles: [], permissions: ['AccessSecrets'], ...grant }), by).filter(
      ({ type }) => type === 'GrantsToAdministrator',
    );

  it('who does not hold it', () => {
    expect(grants({})).toEqual([
      {
        type: 'GrantsToAdministrator',
        severity: 'Warning',
        subject: 'User alice',
        via: 'AccessPolicy admins',
        message:
          'User alice may write policies by admins and gets here what it does not hold there: AccessSecrets. Nobody may grant to themselves or beyond their scope; who wrote this policy is not known before admission is in force, so check that it was somebody else who may.',
      },
    ]);
  });

  const holder = (spec: Partial<AccessPolicySpec> = {}) =>
    admin({ permissions: ['ManageUsers', 'AccessSecrets'], ...spec });

  it.each<
    readonly [what: string, grant: Partial<AccessPolicySpec>, by: AccessPolicy, isFound: boolean]
  >([
    ['who holds it there', {}, holder(), false],
    ['who holds it everywhere', {}, holder({ credentials: { namespaces: ['*'] } }), false],
    ['beyond the namespaces', { credentials: { namespaces: ['trading', 'risk'] } }, holder(), true],
    ['beyond every namespace', { credentials: { namespaces: ['*'] } }, holder(), true],
    ['beyond the environments', { environments: ['Production', 'Staging'] }, holder(), true],
    ['beyond the level', { accessLevel: 'Emergency' }, holder(), true],
    ['beyond the names', {}, holder({ credentials: { names: ['maker'] } }), true],
    [
      'within the names',
      { credentials: { selector: { matchLabels: { desk: 'mm' } } } },
      holder({ credentials: { names: ['maker'] } }),
      false,
    ],
    ['another of the four', { permissions: ['TransferFunds'] }, holder(), true],
    ['none of the four', { permissions: ['PlaceOrders'] }, holder(), false],
    ['who may not write policies', {}, admin({ accessLevel: 'Write' }), false],
    ['who is denied to write them', {}, admin({ effect: 'Deny' }), false],
    ['somebody else', { subjects: [desk] }, admin(), false],
    [
      'a group with administrators in it',
      { subjects: [{ kind: 'Group', name: 'system:authenticated' }] },
      admin(),
      true,
    ],
    [
      'a ServiceAccount that is one by a group',
      { subjects: [maker] },
      admin({ subjects: [{ kind: 'Group', name: 'system:serviceaccounts:trading' }] }),
      true,
    ],
    ['a Deny', { effect: 'Deny' }, admin(), false],
  ])('%s', (_what, grant, by, isFound) => {
    expect(grants(grant, by)).toHaveLength(isFound ? 1 : 0);
  });

  it('is no matter of what the same policy gives', () => {
    const both = holder({ permissions: ['ManageUsers', 'AccessSecrets', 'TransferFunds'] });
    expect(typesOf(faults(both))).not.toContain('GrantsToAdministrator');
  });
});

describe('a name like that of another policy', () => {
  it.each([
    ['case', 'Alice'],
    ['a look-alike', '\u0430lice'],
    ['width', '\uFF41lice'],
  ])('%s', (_what, name) => {
    const other = policy('other', { subjects: [{ kind: 'User', name }] });
    expect(faults(policy('one'), other)).toEqual([
      expect.objectContaining({
        type: 'ConfusableName',
        subject: 'User alice',
        message: expect.stringContaining(`taken for User ${name} of AccessPolicy other`),
      }),
    ]);
  });
});

describe('whatever the policies', () => {
  const subjects = fc.subarray<Subject>(
    [
      alice,
      desk,
      maker,
      { kind: 'User', name: 'Alice' },
      { kind: 'Group', name: 'system:authenticated' },
      { kind: 'ServiceAccount', namespace: 'risk', name: 'maker' },
    ],
    { minLength: 1, maxLength: 3 },
  );
  const specs: fc.Arbitrary<AccessPolicySpec> = fc.record({
    subjects,
    effect: fc.constantFrom('Allow' as const, 'Allow' as const, 'Deny' as const),
    roles: fc.subarray(['Trader', 'SecurityAdmin', 'Unknown' as 'Trader'], { maxLength: 2 }),
    permissions: fc.subarray(['AccessSecrets', 'ManageUsers', 'TransferFunds']),
    accessLevel: fc.constantFrom('Read', 'Write', 'Admin', 'Emergency'),
    environments: fc.subarray(['Development', 'Staging', 'Production'], { minLength: 1 }),
    credentials: fc.oneof(
      fc.record({ namespaces: fc.subarray(['trading', 'risk', 'lab', 'gone', '*']) }),
      fc.record({ names: fc.subarray(['maker', 'gone'], { minLength: 1 }) }),
      fc.record({ exchanges: fc.subarray(['Binance' as const, '*' as const], { minLength: 1 }) }),
      fc.constant({ selector: { matchLabels: { desk: 'mm' } } }),
    ),
  });
  const sets = fc
    .array(specs, { minLength: 1, maxLength: 6 })
    .map((list) => list.map((spec, number) => policy(`p${number}`, spec)));

  it('the order of policies, credentials and namespaces does not matter', () => {
    fc.assert(
      fc.property(sets, (policies) => {
        const there = world(policies);
        const turned = {
          ...world(policies.toReversed()),
          credentials: CREDENTIALS.toReversed(),
          namespaces: there.namespaces.toReversed(),
        };
        for (const one of policies) {
          expect(findPolicyFaults(one, turned)).toEqual(findPolicyFaults(one, there));
        }
      }),
    );
  });

  it('another Allow without administrators adds nothing but names', () => {
    fc.assert(
      fc.property(sets, (policies) => {
        const other = policy('zz', { subjects: [{ kind: 'User', name: 'zed' }] });
        for (const one of policies) {
          expect(findPolicyFaults(one, world([...policies, other]))).toEqual(
            findPolicyFaults(one, world(policies)),
          );
        }
      }),
    );
  });

  it('every finding ends as a sentence and holds no more than a few names', () => {
    fc.assert(
      fc.property(sets, (policies) => {
        for (const one of policies) {
          for (const { message } of findPolicyFaults(one, world(policies))) {
            expect(message).toMatch(/\.$/);
            expect(message.length).toBeLessThan(700);
          }
        }
      }),
    );
  });
});
