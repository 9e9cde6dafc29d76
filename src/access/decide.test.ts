import { describe, expect, it } from 'vitest';
import type { AccessPolicySpec } from '#api/access-policy.ts';
import { PERMISSIONS } from '#api/roles.ts';
import { ACTIONS } from './actions.ts';
import { decide } from './decide.ts';
import { serviceAccountIdentity } from './identity.ts';
import { createPolicyIndex } from './policy-index.ts';
import type { AccessRequest, Target } from './request.ts';
import {
  actionOf,
  ALICE,
  credentialTarget,
  NOW,
  policyOf,
  requestOf,
  uncheckedPolicy,
} from './testing/builders.ts';

type Spec = Partial<AccessPolicySpec>;

function decideBy(specs: readonly Spec[], request: Partial<AccessRequest> = {}) {
  const policies = specs.map((spec, number) => policyOf(spec, `policy-${number}`));
  return decide(createPolicyIndex(policies), requestOf(request));
}

function isAllowed(spec: Spec, request: Partial<AccessRequest> = {}): boolean {
  return decideBy([spec], request).allowed;
}

/** Whether a Deny takes from alice what another policy gives her. */
function isDenied(spec: Readonly<Record<string, unknown>>, request: Partial<AccessRequest> = {}) {
  const deny = uncheckedPolicy({ effect: 'Deny', ...spec }, 'deny');
  const all = policyOf(
    {
      permissions: PERMISSIONS,
      accessLevel: 'Emergency',
      environments: ['Development', 'Staging', 'Production'],
    },
    'all',
  );
  return !decide(createPolicyIndex([all, deny]), requestOf(request)).allowed;
}

describe('decide', () => {
  it('denies what no policy gives, and says what it would need', () => {
    expect(decide(createPolicyIndex([]), requestOf({ action: ACTIONS.rotate }))).toEqual({
      allowed: false,
      reason: 'NotGranted',
      rules: [],
      needs: { anyOf: ['AccessSecrets'], level: 'Admin' },
    });
  });

  it('tells the policy that allows, by which subject, and where the permission stands', () => {
    const specs: readonly Spec[] = [
      { permissions: [], roles: ['SystemAdmin'], accessLevel: 'Admin' },
      { subjects: [{ kind: 'Group', name: 'desk-mm' }] },
      { subjects: [{ kind: 'User', name: 'bob' }] },
    ];
    const rule = { effect: 'Allow', permission: 'AccessSecrets' };
    expect(decideBy(specs)).toMatchObject({
      allowed: true,
      reason: 'Allowed',
      rules: [
        { ...rule, policy: 'policy-0', grantedBy: 'role SystemAdmin', level: 'Admin' },
        { ...rule, policy: 'policy-1', grantedBy: 'permissions', level: 'Read' },
      ],
    });
  });

  it('lets a Deny win over every Allow, and tells the Denies alone', () => {
    const { allowed, reason, rules } = decideBy([
      {},
      { effect: 'Deny', credentials: { names: ['maker'] } },
      { accessLevel: 'Emergency' },
    ]);
    expect([allowed, reason]).toEqual([false, 'Denied']);
    expect(rules).toMatchObject([{ policy: 'policy-1', effect: 'Deny' }]);
  });

  it('needs all parts from one policy', () => {
    const specs: readonly Spec[] = [
      { accessLevel: 'Admin', environments: ['Staging'] },
      { accessLevel: 'Read', environments: ['Production'] },
      { permissions: ['ViewAuditLogs'], accessLevel: 'Admin' },
    ];
    expect(decideBy(specs, { action: ACTIONS.rotate }).allowed).toBe(false);
    expect(decideBy(specs).allowed).toBe(true);
  });

  it('takes by a Deny its level and those above, and leaves those below', () => {
    const specs: readonly Spec[] = [
      { accessLevel: 'Emergency' },
      { effect: 'Deny', accessLevel: 'Admin' },
    ];
    expect(decideBy(specs).allowed).toBe(true);
    expect(decideBy(specs, { action: ACTIONS.update }).allowed).toBe(true);
    expect(decideBy(specs, { action: ACTIONS.rotate }).reason).toBe('Denied');
  });

  it('decides each permission by itself where one is enough', () => {
    const view = { action: ACTIONS.view };
    const specs: readonly Spec[] = [
      { permissions: ['AccessSecrets', 'PlaceOrders'] },
      { effect: 'Deny', permissions: ['AccessSecrets'] },
    ];
    expect(decideBy(specs, view).rules).toMatchObject([{ permission: 'PlaceOrders' }]);
    const all: Spec = { effect: 'Deny', permissions: PERMISSIONS };
    expect(decideBy([...specs, all], view).reason).toBe('Denied');
    // A Deny of what nobody gave is not what stands in the way.
    const other: Spec = { effect: 'Deny', permissions: ['PlaceOrders'] };
    expect(decideBy([other], view).reason).toBe('NotGranted');
  });

  it.each([
    { username: 'system:anonymous', groups: ['system:unauthenticated'] },
    { username: 'system:anonymous', groups: [] },
    { username: 'alice', groups: ['system:unauthenticated'] },
  ])('gives nothing to whom nobody verified: $username $groups', (identity) => {
    const allow: Spec = {
      subjects: [
        { kind: 'User', name: 'system:anonymous' },
        { kind: 'Group', name: 'system:unauthenticated' },
        { kind: 'User', name: 'alice' },
      ],
    };
    expect(decideBy([allow], { identity })).toMatchObject({ allowed: false, reason: 'NotGranted' });
  });

  it('holds back nobody in system:masters, and no one else for it', () => {
    const deny: Spec = { effect: 'Deny', subjects: [{ kind: 'Group', name: 'system:masters' }] };
    const identity = { username: 'root', groups: ['system:masters'] };
    expect(decideBy([deny], { identity }).reason).toBe('SystemMasters');
    const impostor = { username: 'system:masters', groups: ['System:Masters'] };
    expect(decideBy([], { identity: impostor }).allowed).toBe(false);
  });

  it('denies a credential that nobody knows', () => {
    const target: Target = { kind: 'Unknown', namespace: 'trading', name: 'maker' };
    expect(decideBy([{}], { target }).reason).toBe('UnknownCredential');
  });
});

describe('subjects', () => {
  const maker = serviceAccountIdentity('trading', 'maker');

  it.each<[string, Spec['subjects'], AccessRequest['identity'], boolean]>([
    ['a user by name', [{ kind: 'User', name: 'alice' }], ALICE, true],
    ['not a group by the name of a user', [{ kind: 'Group', name: 'alice' }], ALICE, false],
    ['not a user by the name of a group', [{ kind: 'User', name: 'desk-mm' }], ALICE, false],
    ['no other case', [{ kind: 'User', name: 'Alice' }], ALICE, false],
    ['no look-alike', [{ kind: 'User', name: 'аlice' }], ALICE, false],
    ['no wide letters', [{ kind: 'User', name: 'ａlice' }], ALICE, false],
    ['no space around', [{ kind: 'User', name: 'alice ' }], ALICE, false],
    [
      'no other form of the same letter',
      [{ kind: 'User', name: 'jos\u00e9' }],
      { username: 'jose\u0301', groups: [] },
      false,
    ],
    [
      'a ServiceAccount',
      [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }],
      maker,
      true,
    ],
    [
      'a ServiceAccount by its username',
      [{ kind: 'User', name: 'system:serviceaccount:trading:maker' }],
      maker,
      true,
    ],
    [
      'no ServiceAccount of another namespace',
      [{ kind: 'ServiceAccount', namespace: 'research', name: 'maker' }],
      maker,
      false,
    ],
    [
      'the ServiceAccounts of a namespace by their group',
      [{ kind: 'Group', name: 'system:serviceaccounts:trading' }],
      maker,
      true,
    ],
    ['nothing of every object', [{ kind: 'User', name: 'constructor' }], ALICE, false],
  ])('are %s', (_, subjects, identity, expected) => {
    expect(isAllowed({ subjects: subjects ?? [] }, { identity })).toBe(expected);
    expect(isAllowed({ subjects: [] }, { identity })).toBe(false);
  });

  it('are found among thousands of groups', () => {
    const groups = Array.from({ length: 5000 }, (_, number) => `group-${number}`);
    const spec: Spec = { subjects: [{ kind: 'Group', name: 'group-4999' }] };
    const identity = { username: 'alice', groups };
    expect(isAllowed(spec, { identity })).toBe(true);
    expect(isAllowed(spec, { identity: { username: 'alice', groups: groups.slice(0, -1) } })).toBe(
      false,
    );
    const deny: Spec = { ...spec, effect: 'Deny' };
    expect(decideBy([spec, deny], { identity }).reason).toBe('Denied');
  });

  it.each([
    ['a kind that nobody knows', { kind: 'Device', name: 'alice' }],
    ['a ServiceAccount without namespace', { kind: 'ServiceAccount', name: 'maker' }],
    ['a user with a namespace', { kind: 'User', name: 'alice', namespace: 'trading' }],
    ['no name', { kind: 'User', name: '' }],
    ['a name with colons', { kind: 'ServiceAccount', namespace: 'a:b', name: 'c' }],
    ['nothing', null],
  ])('as %s are nobody to an Allow and anyone to a Deny', (_, subject) => {
    const policy = uncheckedPolicy({ subjects: [subject] });
    const index = createPolicyIndex([policy]);
    expect(decide(index, requestOf()).allowed).toBe(false);
    expect(decide(index, requestOf({ identity: maker })).allowed).toBe(false);
    expect(index.policies[0]?.faults).toHaveLength(1);
    expect(isDenied({ subjects: [subject] })).toBe(true);
  });
});

describe('credentials', () => {
  it.each<[string, Spec['credentials'], Parameters<typeof credentialTarget>[0], boolean]>([
    ['all parts match', { namespaces: ['trading'], names: ['maker'] }, {}, true],
    ['one does not', { namespaces: ['trading'], names: ['taker'] }, {}, false],
    ['the exchange is one of them', { exchanges: ['Binance', 'Hyperliquid'] }, {}, true],
    ['every exchange', { exchanges: ['*'] }, {}, true],
    ['every namespace among others', { namespaces: ['research', '*'] }, {}, true],
    ['a selector without parts', { selector: {} }, {}, true],
    ['a selector that fits nothing', { selector: { matchLabels: { desk: 'x' } } }, {}, false],
    ['a label of every object', { selector: { matchLabels: { constructor: 'x' } } }, {}, false],
    ['no namespace that begins alike', { namespaces: ['trad'] }, {}, false],
    ['no pattern', { namespaces: ['trad*'] }, {}, false],
    ['no other case', { names: ['Maker'] }, {}, false],
    ['no environment of another', { namespaces: ['*'] }, { environment: 'Staging' }, false],
  ])('are selected: %s', (_, credentials, facts, expected) => {
    const spec = { credentials: credentials ?? {} };
    expect(isAllowed(spec, { target: credentialTarget(facts) })).toBe(expected);
    expect(isDenied(spec, { target: credentialTarget(facts) })).toBe(expected);
  });

  it('without an exchange are selected by `*` alone', () => {
    const target: Target = {
      kind: 'Credential',
      credential: { namespace: 'trading', name: 'db', labels: {}, environment: 'Production' },
    };
    expect(isAllowed({ credentials: { exchanges: ['Hyperliquid'] } }, { target })).toBe(false);
    expect(isAllowed({ credentials: { exchanges: ['*'] } }, { target })).toBe(true);
  });

  it.each([
    ['nothing at all', {}],
    ['no object', 'all'],
    ['no list', { namespaces: 'trading' }],
    ['an empty list', { names: [] }],
    ['an exchange that nobody knows', { exchanges: ['Hyperliquíd'] }],
    ['a part that nobody knows', { namespaces: ['*'], tier: 'gold' }],
    [
      'an operator that nobody knows',
      { selector: { matchExpressions: [{ key: 'desk', operator: 'Like', values: ['mm'] }] } },
    ],
    ['In without values', { selector: { matchExpressions: [{ key: 'desk', operator: 'In' }] } }],
    ['a selector of another kind', { selector: { desk: 'mm' } }],
  ])('as %s are none to an Allow and all to a Deny', (_, credentials) => {
    const index = createPolicyIndex([uncheckedPolicy({ credentials })]);
    expect(decide(index, requestOf()).allowed).toBe(false);
    expect(index.policies[0]?.faults).not.toEqual([]);
    expect(isDenied({ credentials })).toBe(true);
  });
});

describe('a scope', () => {
  const scope = (namespace: string, environment: (Target & { kind: 'Scope' })['environment']) => ({
    target: { kind: 'Scope' as const, namespace, environment },
  });
  const everywhere: Spec = { environments: ['Production', 'Staging', 'Development'] };

  it('is allowed by what covers all of it', () => {
    expect(isAllowed({}, scope('trading', 'Production'))).toBe(true);
    expect(isAllowed({}, scope('*', 'Production'))).toBe(true);
    expect(isAllowed({}, scope('trading', '*'))).toBe(false);
    expect(isAllowed(everywhere, scope('*', '*'))).toBe(true);
    const trading: Spec = { ...everywhere, credentials: { namespaces: ['trading'] } };
    expect(isAllowed(trading, scope('trading', '*'))).toBe(true);
    expect(isAllowed(trading, scope('*', 'Production'))).toBe(false);
    expect(isAllowed(trading, scope('research', 'Production'))).toBe(false);
    for (const narrow of [
      { names: ['maker'] },
      { exchanges: ['Hyperliquid'] as const },
      { selector: {} },
    ]) {
      const spec: Spec = { credentials: { namespaces: ['trading'], ...narrow } };
      expect(isAllowed(spec, scope('trading', 'Production'))).toBe(false);
    }
    const star: Spec = { credentials: { names: ['*'], exchanges: ['*'] } };
    expect(isAllowed(star, scope('*', 'Production'))).toBe(true);
  });

  it('is not covered by several policies together', () => {
    const parts = everywhere.environments?.map((one): Spec => ({ environments: [one] })) ?? [];
    expect(decideBy(parts, scope('trading', '*')).allowed).toBe(false);
  });

  it('is denied by what overlaps it', () => {
    const one = { namespaces: ['trading'], names: ['maker'] };
    for (const target of [
      scope('trading', 'Production'),
      scope('*', 'Production'),
      scope('*', '*'),
    ]) {
      expect(isDenied({ credentials: one }, target)).toBe(true);
    }
    expect(isDenied({ credentials: one }, scope('research', 'Production'))).toBe(false);
    expect(isDenied({ credentials: one }, scope('trading', 'Staging'))).toBe(false);
  });
});

describe('constraints', () => {
  const weekdays = { schedule: '0 9 * * 1-5', duration: '8h', timeZone: 'UTC' };
  const inside = { sourceAddress: '10.20.0.7' };

  it.each<[string, Spec['constraints'], Partial<AccessRequest>, 'Met' | 'NotMet' | 'Unknown']>([
    ['an address inside', { sourceRanges: ['10.20.0.0/16'] }, inside, 'Met'],
    ['one outside', { sourceRanges: ['10.21.0.0/16'] }, inside, 'NotMet'],
    ['one that is not known', { sourceRanges: ['10.20.0.0/16'] }, {}, 'Unknown'],
    ['one that is none', { sourceRanges: ['0.0.0.0/0'] }, { sourceAddress: 'x' }, 'Unknown'],
    ['a time inside', { times: [weekdays] }, {}, 'Met'],
    ['a time outside', { times: [{ ...weekdays, schedule: '0 9 * * 6' }] }, {}, 'NotMet'],
    ['a time that is none', { times: [weekdays] }, { atMs: Number.NaN }, 'Unknown'],
    ['a country let in', { countries: { allow: ['CH'] } }, { country: 'CH' }, 'Met'],
    ['another one', { countries: { allow: ['CH'] } }, { country: 'SG' }, 'NotMet'],
    ['one kept out', { countries: { deny: ['KP'] } }, { country: 'KP' }, 'NotMet'],
    ['one not kept out', { countries: { deny: ['KP'] } }, { country: 'CH' }, 'Met'],
    ['one that is not known', { countries: { deny: ['KP'] } }, {}, 'Unknown'],
    ['one that is none', { countries: { deny: ['KP'] } }, { country: 'kp' }, 'Unknown'],
    ['two kinds', { sourceRanges: ['10.0.0.0/8'], times: [weekdays] }, inside, 'Met'],
    [
      'two kinds, one not met and one not known',
      { sourceRanges: ['10.0.0.0/8'], times: [{ ...weekdays, schedule: '0 9 * * 6' }] },
      {},
      'NotMet',
    ],
  ])('%s', (_, constraints, request, verdict) => {
    const spec = { ...(constraints && { constraints }) };
    expect(isAllowed(spec, request)).toBe(verdict === 'Met');
    expect(isDenied(spec, request)).toBe(verdict !== 'NotMet');
  });

  it.each([
    ['a range without length', { sourceRanges: ['10.20.0.7'] }],
    ['a range that is too long', { sourceRanges: ['10.20.0.0/33'] }],
    ['no range', { sourceRanges: [] }],
    ['a schedule of six fields', { times: [{ ...weekdays, schedule: '0 0 9 * * 1-5' }] }],
    ['a schedule that never comes', { times: [{ ...weekdays, schedule: '0 9 30 2 *' }] }],
    ['a word for a schedule', { times: [{ ...weekdays, schedule: '@daily' }] }],
    ['no duration', { times: [{ ...weekdays, duration: '0s' }] }],
    ['a duration of days', { times: [{ ...weekdays, duration: '1d' }] }],
    ['a time zone that nobody knows', { times: [{ ...weekdays, timeZone: 'Mars/Olympus' }] }],
    ['a country that is none', { countries: { allow: ['UK'] } }],
    ['a country that is none kept out', { countries: { deny: ['UK'] } }],
    ['countries that say nothing', { countries: {} }],
    ['a kind that nobody knows', { devices: ['known'] }],
    ['no object', 'always'],
  ])('as %s are never met for an Allow, and always for a Deny', (_, constraints) => {
    const index = createPolicyIndex([uncheckedPolicy({ constraints })]);
    const request = requestOf({ sourceAddress: '10.20.0.7', country: 'CH' });
    expect(decide(index, request).allowed).toBe(false);
    expect(index.policies[0]?.faults).not.toEqual([]);
    expect(isDenied({ constraints }, request)).toBe(true);
  });

  it('let what is understood of a list count', () => {
    const constraints = { sourceRanges: ['10.20.0.0/16', 'everywhere'] };
    const index = createPolicyIndex([uncheckedPolicy({ constraints })]);
    expect(decide(index, requestOf(inside)).allowed).toBe(true);
    expect(decide(index, requestOf({ sourceAddress: '8.8.8.8' })).allowed).toBe(false);
    expect(isDenied({ constraints }, { sourceAddress: '8.8.8.8' })).toBe(true);
  });

  it('open and close at the instant', () => {
    const opens = Date.parse('2026-11-24T09:00:00Z');
    const at = (atMs: number) => isAllowed({ constraints: { times: [weekdays] } }, { atMs });
    expect([at(opens - 1), at(opens)]).toEqual([false, true]);
    expect([at(opens + 8 * 3_600_000 - 1), at(opens + 8 * 3_600_000)]).toEqual([true, false]);
    expect(at(NOW)).toBe(true);
  });
});

describe('what nobody knows', () => {
  it('of an effect denies', () => {
    const index = createPolicyIndex([policyOf({}, 'all'), uncheckedPolicy({ effect: 'Audit' })]);
    expect(decide(index, requestOf()).reason).toBe('Denied');
  });

  it.each([
    ['permission', { permissions: ['AccessSecret'] }],
    ['role', { permissions: [], roles: ['Root'] }],
    ['role that every object has', { permissions: [], roles: ['constructor'] }],
    ['level', { accessLevel: 'Root' }],
    ['environment', { environments: ['production'] }],
    ['environments', { environments: [] }],
  ])('of a %s grants nothing, and denies everything', (_, spec) => {
    const index = createPolicyIndex([uncheckedPolicy(spec)]);
    expect(decide(index, requestOf()).allowed).toBe(false);
    expect(index.policies[0]?.faults).toHaveLength(1);
    expect(isDenied(spec)).toBe(true);
    expect(isDenied(spec, { action: ACTIONS['transfer-funds'] })).toBe(
      !('accessLevel' in spec || 'environments' in spec),
    );
  });

  it('of a request is granted by nothing', () => {
    const specs: readonly Spec[] = [
      {
        permissions: PERMISSIONS,
        accessLevel: 'Emergency',
        environments: ['Development', 'Staging', 'Production'],
      },
    ];
    const unknown = 'Unknown' as 'Read';
    const target = credentialTarget({ environment: 'Testing' as 'Staging' });
    expect(decideBy(specs, { target }).allowed).toBe(false);
    const guarded = credentialTarget({ minimumAccessLevel: unknown });
    expect(decideBy(specs, { target: guarded }).allowed).toBe(false);
    expect(decideBy(specs, { action: actionOf('AccessSecrets', unknown) }).allowed).toBe(false);
    expect(decideBy(specs, { action: actionOf('Everything' as 'AccessSecrets') }).allowed).toBe(
      false,
    );
    const deny: Spec = { effect: 'Deny', environments: ['Staging'], accessLevel: 'Emergency' };
    const action = actionOf('AccessSecrets', unknown);
    expect(decideBy([...specs, deny], { target, action }).reason).toBe('Denied');
  });
});
