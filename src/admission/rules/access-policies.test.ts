import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  arbitraryIdentity,
  arbitraryPolicies,
  arbitraryPolicy,
} from '#access/testing/arbitraries.ts';
import { policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy, AccessPolicySpec } from '#api/access-policy.ts';
import type { Pod } from '#kube/objects.ts';
import { OPERATOR, MASTER, controller } from '../testing/core-objects.ts';
import { annotated, contextOf, giving, requestOf, review, userOf } from '../testing/own-objects.ts';
import type { Change } from '../testing/own-objects.ts';
import type { UserInfo } from '../request.ts';
import { bootstrapSpec } from './access-policies.ts';

const ROOT = userOf('root', 'security');
const BOSS = giving('root', 'ManageUsers', 'Admin');
const carol = [{ kind: 'User' as const, name: 'carol' }];

/** A policy for carol, of one sensitive permission or none. */
const grant = (spec: Partial<AccessPolicySpec> = {}, name = 'grant'): AccessPolicy =>
  policyOf({ subjects: carol, permissions: ['PlaceOrders'], ...spec }, name);

describe('who may write an AccessPolicy', () => {
  const scoped = giving('sub', 'ManageUsers', 'Admin', {
    environments: ['Production'],
    credentials: { namespaces: ['trading'] },
  });
  const weak = giving('weak', 'ManageUsers', 'Write');
  const narrow = giving('narrow', 'ManageUsers', 'Admin', {
    credentials: { namespaces: ['trading'], names: ['maker'] },
  });
  const context = contextOf({ policies: [BOSS, scoped, weak, narrow] });

  const HERE: Partial<AccessPolicySpec> = { credentials: { namespaces: ['trading'] } };
  test.each<[string, Partial<AccessPolicySpec>, readonly string[]]>([
    ['of its scope', HERE, ['root', 'sub']],
    [
      'of less than its scope',
      { credentials: { namespaces: ['trading'], names: ['maker'], exchanges: ['OKX'] } },
      ['root', 'sub'],
    ],
    ['of another namespace', { credentials: { namespaces: ['research'] } }, ['root']],
    [
      'of one namespace too many',
      { credentials: { namespaces: ['trading', 'research'] } },
      ['root'],
    ],
    ['of every namespace', { credentials: { namespaces: ['*'] } }, ['root']],
    ['of names everywhere', { credentials: { names: ['maker'] } }, ['root']],
    ['of exchanges everywhere', { credentials: { exchanges: ['OKX'] } }, ['root']],
    ['of labels everywhere', { credentials: { selector: { matchLabels: { a: 'b' } } } }, ['root']],
    ['of another environment', { ...HERE, environments: ['Staging'] }, ['root']],
    ['of one environment too many', { ...HERE, environments: ['Production', 'Staging'] }, ['root']],
    ['that denies in its scope', { ...HERE, effect: 'Deny' }, ['root', 'sub']],
    [
      'that denies elsewhere',
      { credentials: { namespaces: ['research'] }, effect: 'Deny' },
      ['root'],
    ],
    [
      'about the network alone',
      { ...HERE, permissions: [], network: { egress: {} } },
      ['root', 'sub'],
    ],
    [
      'about the network of pods elsewhere',
      {
        ...HERE,
        subjects: [{ kind: 'ServiceAccount', namespace: 'research', name: 'x' }],
        network: { egress: {} },
      },
      ['root'],
    ],
    [
      'about the network of pods here',
      {
        ...HERE,
        subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'x' }],
        network: { egress: {} },
      },
      ['root', 'sub'],
    ],
  ])('one %s', (_, spec, allowed) => {
    const after = grant(spec);
    const before = {
      ...after,
      spec: { ...after.spec, rateLimits: [{ name: 'x', requests: 1, window: '1s' }] },
    };
    for (const username of ['root', 'sub', 'weak', 'narrow', 'carol', 'nobody']) {
      const by = userOf(username);
      const isAllowed = allowed.includes(username);
      for (const change of [{ after }, { before: after }, { before, after }]) {
        const verdict = review({ by, ...change }, context);
        const isSelf = verdict.reason === 'SelfGrant';
        expect([username, verdict.allowed || isSelf]).toEqual([username, isAllowed]);
        expect(review({ by, ...change, dryRun: true }, context)).toEqual(verdict);
        expect(verdict.message ?? 'AccessPolicy grant').toContain('AccessPolicy grant');
      }
    }
  });

  test('both as it was and as it would be count', () => {
    const [here, elsewhere] = [grant(HERE), grant({ credentials: { namespaces: ['research'] } })];
    const by = userOf('sub');
    expect(review({ by, before: here, after: elsewhere }, context).allowed).toBe(false);
    expect(review({ by, before: elsewhere, after: here }, context).allowed).toBe(false);
    expect(review({ by, before: here, after: here }, context).allowed).toBe(true);
  });

  test('nothing changed needs nothing; a label needs ManageUsers', () => {
    const before = grant();
    const after = { ...before, metadata: { ...before.metadata, labels: { a: 'b' } } };
    const by = userOf('nobody');
    expect(review({ by, before, after: before }, context).allowed).toBe(true);
    expect(review({ by, before, after }, context).allowed).toBe(false);
    expect(review({ by: ROOT, before, after }, context).allowed).toBe(true);
    const noted = annotated(before, { 'example.com/x': '1' });
    expect(review({ by, before, after: noted }, context).allowed).toBe(false);
  });

  test('one that is stored and not understood is changed by who may write all of them', () => {
    const before = grant({ ...HERE, environments: ['Moon' as 'Production'] });
    expect(review({ by: userOf('sub'), before, after: grant(HERE) }, context).allowed).toBe(false);
    expect(review({ by: ROOT, before, after: grant(HERE) }, context).allowed).toBe(true);
  });

  test('a new one that is not understood is invalid, also from system:masters', () => {
    const after = grant({ ...HERE, roles: ['Wizard' as 'Trader'] });
    for (const by of [ROOT, MASTER]) {
      expect(review({ by, after }, context)).toMatchObject({ reason: 'Invalid', code: 422 });
    }
  });

  test('nobody, without any policy; system:masters with a word', () => {
    const after = grant();
    expect(review({ by: ROOT, after }, contextOf()).reason).toBe('NotGranted');
    const verdict = review({ by: MASTER, after }, contextOf());
    expect(verdict.allowed).toBe(true);
    expect(verdict.warnings?.join()).toContain('nobody but system:masters may write others');
    expect(review({ by: MASTER, after: BOSS }, contextOf()).warnings?.join()).toContain(
      'This is the first AccessPolicy',
    );
    expect(review({ by: MASTER, after }, context).warnings?.join()).not.toContain('first');
  });

  test.each<[string, UserInfo]>([
    ['the operator', OPERATOR],
    ['the garbage collector', controller('generic-garbage-collector')],
  ])('%s may delete', (_, by) => {
    expect(review({ by, before: BOSS }, context).allowed).toBe(true);
  });

  test('the garbage collector may not write', () => {
    const by = controller('generic-garbage-collector');
    expect(review({ by, after: grant() }, context).allowed).toBe(false);
    expect(
      review({ by, before: grant(), after: grant({ roles: ['Trader'] }) }, context).allowed,
    ).toBe(false);
  });

  test.each([
    ['root', true],
    ['sub', false],
    ['nobody', false],
  ])('that cannot be read is deleted by who manages everything: %s', (name, isAllowed) => {
    const broken = { ...grant(HERE), spec: [] as unknown as AccessPolicySpec };
    const verdict = review({ by: userOf(name), before: broken }, context);
    expect(verdict.allowed).toBe(isAllowed);
  });
});

describe('what is given only by who has it', () => {
  const keys = (level: 'Read' | 'Admin', spec: Partial<AccessPolicySpec> = {}) =>
    giving('root', 'AccessSecrets', level, spec);

  test.each<[string, readonly AccessPolicy[], Partial<AccessPolicySpec>, boolean]>([
    ['AccessSecrets without it', [], { permissions: ['AccessSecrets'] }, false],
    ['AccessSecrets with it', [keys('Read')], { permissions: ['AccessSecrets'] }, true],
    [
      'AccessSecrets at a higher level',
      [keys('Read')],
      { permissions: ['AccessSecrets'], accessLevel: 'Admin' },
      false,
    ],
    ['AccessSecrets at a lower level', [keys('Admin')], { permissions: ['AccessSecrets'] }, true],
    ['AccessSecrets by a role', [], { permissions: [], roles: ['SystemAdmin'] }, false],
    [
      'AccessSecrets from elsewhere',
      [keys('Read', { credentials: { namespaces: ['research'] } })],
      { permissions: ['AccessSecrets'], credentials: { namespaces: ['trading'] } },
      false,
    ],
    [
      'AccessSecrets from another environment',
      [keys('Read', { environments: ['Staging'] })],
      { permissions: ['AccessSecrets'] },
      false,
    ],
    [
      'AccessSecrets of some names, everywhere',
      [keys('Read', { credentials: { names: ['maker'] } })],
      { permissions: ['AccessSecrets'], credentials: { names: ['maker'] } },
      false,
    ],
    ['ManageUsers', [], { permissions: ['ManageUsers'], accessLevel: 'Admin' }, true],
    [
      'ManageUsers at Emergency',
      [],
      { permissions: ['ManageUsers'], accessLevel: 'Emergency' },
      false,
    ],
    ['EmergencyOverride without it', [], { permissions: ['EmergencyOverride'] }, false],
    [
      'EmergencyOverride with it',
      [giving('root', 'EmergencyOverride', 'Read')],
      { permissions: ['EmergencyOverride'] },
      true,
    ],
    ['TransferFunds without it', [], { permissions: ['TransferFunds'] }, false],
    [
      'TransferFunds with it',
      [giving('root', 'TransferFunds', 'Emergency')],
      { permissions: ['TransferFunds'], accessLevel: 'Emergency' },
      true,
    ],
    [
      'what is not sensitive',
      [],
      {
        permissions: ['PlaceOrders', 'ManageNetworkBlocks', 'ViewAuditLogs'],
        accessLevel: 'Emergency',
      },
      true,
    ],
    ['a Deny of it', [], { permissions: ['TransferFunds'], effect: 'Deny' }, true],
    [
      'what is held at all times now, under other constraints',
      [keys('Read', { constraints: { times: [{ schedule: '0 0 * * *', duration: '24h' }] } })],
      { permissions: ['AccessSecrets'] },
      false,
    ],
    [
      'what is held under the same constraints',
      [keys('Read', { constraints: { times: [{ schedule: '0 0 * * *', duration: '24h' }] } })],
      {
        permissions: ['AccessSecrets'],
        constraints: { times: [{ schedule: '0 0 * * *', duration: '24h' }] },
      },
      true,
    ],
    [
      'what is held from somewhere, which nobody knows',
      [keys('Read', { constraints: { sourceRanges: ['10.0.0.0/8'] } })],
      { permissions: ['AccessSecrets'], constraints: { sourceRanges: ['10.0.0.0/8'] } },
      false,
    ],
  ])('%s', (_, held, spec, isAllowed) => {
    const context = contextOf({ policies: [BOSS, ...held] });
    const verdict = review({ by: ROOT, after: grant(spec) }, context);
    expect(verdict.reason).toBe(isAllowed ? undefined : 'BeyondOwnRights');
    expect(verdict.message ?? 'to give it at all').toMatch(/to give \w+ at \w+/);
    // A change that gives it is no easier than making it.
    const before = grant({ permissions: ['PlaceOrders'] });
    expect(review({ by: ROOT, before, after: grant(spec) }, context).allowed).toBe(isAllowed);
    // To take it away needs no more than ManageUsers.
    expect(review({ by: ROOT, before: grant({ ...spec, effect: 'Allow' }) }, context).allowed).toBe(
      true,
    );
  });

  test('narrowing gives nothing', () => {
    const context = contextOf({ policies: [BOSS] });
    const before = grant({
      permissions: ['AccessSecrets', 'TransferFunds'],
      accessLevel: 'Admin',
      subjects: [...carol, { kind: 'Group', name: 'desk' }],
    });
    const narrower: readonly Partial<AccessPolicySpec>[] = [
      { subjects: carol },
      { permissions: ['AccessSecrets'] },
      { accessLevel: 'Read' },
      { credentials: { namespaces: ['trading'] } },
      { credentials: { namespaces: ['*'], names: ['maker'] } },
      { credentials: { namespaces: ['*'], selector: { matchLabels: { a: 'b' } } } },
      { constraints: { sourceRanges: ['10.0.0.0/8'] } },
    ];
    for (const spec of narrower) {
      const after = { ...before, spec: { ...before.spec, ...spec } };
      expect([spec, review({ by: ROOT, before, after }, context).allowed]).toEqual([spec, true]);
      // And the other way round it does.
      const verdict = review({ by: ROOT, before: after, after: before }, context);
      expect([spec, verdict.reason]).toEqual([spec, 'BeyondOwnRights']);
    }
  });
});

describe('to oneself', () => {
  const by = userOf('root', 'security');
  const bot: UserInfo = {
    username: 'system:serviceaccount:trading:bot',
    groups: ['system:serviceaccounts', 'system:authenticated'],
  };
  const context = contextOf({
    policies: [BOSS, giving('system:serviceaccount:trading:bot', 'ManageUsers', 'Admin')],
  });

  test.each<[string, UserInfo, Partial<AccessPolicySpec>, boolean]>([
    ['by name', by, { subjects: [{ kind: 'User', name: 'root' }] }, false],
    ['by a group', by, { subjects: [...carol, { kind: 'Group', name: 'security' }] }, false],
    [
      'by the group of all',
      by,
      { subjects: [{ kind: 'Group', name: 'system:authenticated' }] },
      false,
    ],
    ['by another group', by, { subjects: [{ kind: 'Group', name: 'desk' }] }, true],
    [
      'as a ServiceAccount',
      bot,
      { subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'bot' }] },
      false,
    ],
    [
      'as a User of a ServiceAccount’s name',
      bot,
      { subjects: [{ kind: 'User', name: bot.username }] },
      false,
    ],
    [
      'a network for one’s own pods',
      bot,
      {
        permissions: [],
        network: { egress: {} },
        subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'bot' }],
      },
      false,
    ],
    ['a Deny', by, { subjects: [{ kind: 'User', name: 'root' }], effect: 'Deny' }, true],
    ['nothing at all', by, { subjects: [{ kind: 'User', name: 'root' }], permissions: [] }, true],
  ])('%s', (_, who, spec, isAllowed) => {
    const after = grant(spec);
    for (const before of [undefined, grant({ permissions: ['ViewRiskMetrics'] })]) {
      const verdict = review({ by: who, ...(before && { before }), after }, context);
      expect(verdict.reason).toBe(isAllowed ? undefined : 'SelfGrant');
    }
  });

  test('one may narrow what one has, and not widen it', () => {
    const before = grant({
      subjects: [{ kind: 'User', name: 'root' }],
      permissions: ['PlaceOrders', 'ViewRiskMetrics'],
    });
    const after = grant({
      subjects: [{ kind: 'User', name: 'root' }],
      permissions: ['PlaceOrders'],
    });
    expect(review({ by, before, after }, context).allowed).toBe(true);
    expect(review({ by, before: after, after: before }, context).reason).toBe('SelfGrant');
  });

  test('nobody takes a Deny off themselves', () => {
    const before = grant({ subjects: [{ kind: 'Group', name: 'security' }], effect: 'Deny' });
    const weaker = grant({
      subjects: [{ kind: 'Group', name: 'security' }],
      effect: 'Deny',
      accessLevel: 'Admin',
    });
    const stronger = grant({
      subjects: [{ kind: 'Group', name: 'security' }],
      effect: 'Deny',
      roles: ['Trader'],
    });
    const other = contextOf({ policies: [BOSS, giving('dan', 'ManageUsers', 'Admin'), before] });
    expect(review({ by, before }, other).reason).toBe('SelfGrant');
    expect(review({ by, before, after: weaker }, other).reason).toBe('SelfGrant');
    expect(
      review({ by, before, after: { ...before, spec: { ...before.spec, effect: 'Allow' } } }, other)
        .reason,
    ).toBe('SelfGrant');
    expect(review({ by, before, after: stronger }, other).allowed).toBe(true);
    expect(review({ by: userOf('dan'), before }, other).allowed).toBe(true);
  });

  test('nobody gives a Deny about themselves an owner to go with', () => {
    const before = grant({ subjects: [{ kind: 'Group', name: 'security' }], effect: 'Deny' });
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'n' }];
    const after = { ...before, metadata: { ...before.metadata, ownerReferences } };
    expect(review({ by, before, after }, context).reason).toBe('SelfGrant');
    expect(review({ by, after }, context).reason).toBe('SelfGrant');
    const owned = { ...after, metadata: { ...after.metadata, labels: { a: 'b' } } };
    // Who owns it already is not asked about again.
    expect(review({ by, before: after, after: owned }, context).allowed).toBe(true);
    const other = userOf('system:serviceaccount:trading:bot');
    expect(review({ by: other, before, after }, context).allowed).toBe(true);
  });

  test('who takes a Deny off must have what it gives back', () => {
    const denied = grant({ effect: 'Deny', permissions: ['AccessSecrets'] });
    const allow = grant({ permissions: ['AccessSecrets'], accessLevel: 'Admin' }, 'allow');
    const take = (...more: readonly AccessPolicy[]) =>
      review({ by, before: denied }, contextOf({ policies: [BOSS, denied, ...more] })).allowed;
    expect(take()).toBe(false);
    expect(take(giving('root', 'AccessSecrets', 'Read'))).toBe(true);
    // Carol gets Admin back.
    expect(take(giving('root', 'AccessSecrets', 'Read'), allow)).toBe(false);
    expect(take(giving('root', 'AccessSecrets', 'Admin'), allow)).toBe(true);
  });
});

describe('the last administrator', () => {
  const root = userOf('root', 'security');
  const second = giving('dan', 'ManageUsers', 'Admin');
  const group = giving('x', 'ManageUsers', 'Admin', {
    subjects: [{ kind: 'Group', name: 'security' }],
  });
  const night = giving('dan', 'ManageUsers', 'Admin', {
    constraints: { times: [{ schedule: '0 0 * * *', duration: '8h' }] },
  });
  const local = giving('dan', 'ManageUsers', 'Admin', { credentials: { namespaces: ['trading'] } });
  const deny = (spec: Partial<AccessPolicySpec>) =>
    grant(
      { effect: 'Deny', permissions: ['ManageUsers'], environments: ['Production'], ...spec },
      'deny',
    );
  const rootSubject = [{ kind: 'User' as const, name: 'root' }];

  test.each<[string, readonly AccessPolicy[], Change, boolean]>([
    ['deletes the only one', [BOSS], { by: root, before: BOSS }, false],
    ['deletes one of two', [BOSS, second], { by: root, before: BOSS }, true],
    ['leaves one for the night', [BOSS, night], { by: root, before: BOSS }, false],
    ['leaves one for a namespace', [BOSS, local], { by: root, before: BOSS }, false],
    ['leaves a group', [BOSS, group], { by: root, before: BOSS }, true],
    [
      'narrows it to a namespace',
      [BOSS],
      {
        by: root,
        before: BOSS,
        after: { ...BOSS, spec: { ...BOSS.spec, credentials: { namespaces: ['trading'] } } },
      },
      false,
    ],
    [
      'lowers its level',
      [BOSS],
      { by: root, before: BOSS, after: { ...BOSS, spec: { ...BOSS.spec, accessLevel: 'Write' } } },
      false,
    ],
    [
      'puts a constraint on it',
      [BOSS],
      {
        by: root,
        before: BOSS,
        after: { ...BOSS, spec: { ...BOSS.spec, constraints: { sourceRanges: ['10.0.0.0/8'] } } },
      },
      false,
    ],
    [
      'takes its subjects away',
      [BOSS],
      { by: root, before: BOSS, after: { ...BOSS, spec: { ...BOSS.spec, subjects: [] } } },
      false,
    ],
    [
      'makes it a Deny',
      [BOSS],
      { by: root, before: BOSS, after: { ...BOSS, spec: { ...BOSS.spec, effect: 'Deny' } } },
      false,
    ],
    ['denies by name', [BOSS], { by: root, after: deny({ subjects: rootSubject }) }, false],
    [
      'denies by a group of theirs',
      [BOSS],
      { by: root, after: deny({ subjects: [{ kind: 'Group', name: 'security' }] }) },
      false,
    ],
    [
      'denies at night',
      [BOSS],
      {
        by: root,
        after: deny({
          subjects: rootSubject,
          constraints: { times: [{ schedule: '0 0 * * *', duration: '8h' }] },
        }),
      },
      false,
    ],
    [
      'denies in one namespace',
      [BOSS],
      {
        by: root,
        after: deny({ subjects: rootSubject, credentials: { namespaces: ['trading'] } }),
      },
      false,
    ],
    [
      'denies everybody',
      [BOSS, second, group],
      { by: root, after: deny({ subjects: [{ kind: 'Group', name: 'system:authenticated' }] }) },
      false,
    ],
    [
      'denies a group that they are not in',
      [BOSS],
      { by: root, after: deny({ subjects: [{ kind: 'Group', name: 'contractors' }] }) },
      true,
    ],
    [
      'denies another permission',
      [BOSS],
      { by: root, after: deny({ subjects: rootSubject, permissions: ['PlaceOrders'] }) },
      true,
    ],
    [
      'denies one of two',
      [BOSS, second],
      { by: root, after: deny({ subjects: rootSubject }) },
      true,
    ],
    [
      'gives it an owner to go with',
      [BOSS],
      {
        by: root,
        before: BOSS,
        after: {
          ...BOSS,
          metadata: {
            ...BOSS.metadata,
            ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'n' }],
          },
        },
      },
      false,
    ],
    ['deletes something else', [BOSS, grant()], { by: root, before: grant() }, true],
  ])('%s', (_, policies, change, isAllowed) => {
    const context = contextOf({ policies });
    const verdict = review(change, context);
    expect(verdict.reason).toBe(isAllowed ? undefined : 'LastAdministrator');
    expect(review({ ...change, by: MASTER }, context).allowed).toBe(true);
  });

  test('does not go with many that are deleted at once, when each could be the last', () => {
    const context = contextOf({ policies: [BOSS, second, grant()] });
    const many = (before: AccessPolicy) => ({ ...requestOf({ by: root, before }), name: '' });
    const verdict = review(many(BOSS), context);
    expect(verdict.reason).toBe('LastAdministrator');
    expect(verdict.message).toContain('AccessPolicy root-manageusers-admin');
    expect(verdict.message).toContain('by its name');
    expect(review(many(second), context).reason).toBe('LastAdministrator');
    expect(review(many(grant()), context).allowed).toBe(true);
    expect(review({ by: root, before: BOSS }, context).allowed).toBe(true);
  });

  test('is lost by nobody who was not sure to have it', () => {
    const context = contextOf({
      policies: [
        BOSS,
        deny({ subjects: rootSubject }),
        giving('eve', 'ManageUsers', 'Admin', {
          credentials: { namespaces: ['*'] },
          constraints: { times: [{ schedule: '0 0 * * *', duration: '24h' }] },
        }),
      ],
    });
    expect(review({ by: userOf('eve'), before: BOSS }, context).allowed).toBe(true);
  });
});

describe('the bootstrap policy of the chart', () => {
  const subjects = [{ kind: 'Group' as const, name: 'security' }];
  const settings = { bootstrapSubjects: subjects };
  const after: AccessPolicy = {
    ...policyOf(bootstrapSpec(subjects), 'strongroom-bootstrap'),
    spec: bootstrapSpec(subjects),
  };
  const helm = userOf('deployer');

  test('is made by whoever installs, as the operator was configured, and only while there is none', () => {
    expect(review({ by: helm, after }, contextOf({}, settings)).allowed).toBe(true);
    expect(review({ by: helm, after }, contextOf({ policies: [BOSS] }, settings)).allowed).toBe(
      false,
    );
    expect(review({ by: helm, after }, contextOf()).allowed).toBe(false);
    const other = { ...after, spec: bootstrapSpec([{ kind: 'User', name: 'deployer' }]) };
    expect(review({ by: helm, after: other }, contextOf({}, settings)).allowed).toBe(false);
    const named = { ...after, metadata: { ...after.metadata, name: 'other' } };
    expect(review({ by: helm, after: named }, contextOf({}, settings)).allowed).toBe(false);
    expect(review({ by: helm, before: after, after: other }, contextOf({}, settings)).allowed).toBe(
      false,
    );
  });
});

describe('warnings', () => {
  const context = contextOf({ policies: [BOSS] });
  test.each<[string, Partial<AccessPolicySpec>, string | undefined]>([
    [
      'grants nothing',
      { permissions: [], roles: [] },
      'grants nothing: it has neither roles nor permissions',
    ],
    ['denies nothing', { permissions: [], effect: 'Deny' }, 'denies nothing'],
    ['names nobody', { subjects: [] }, 'names no subject'],
    [
      'selects everything',
      { credentials: { namespaces: ['*'] } },
      'selects every credential of Production',
    ],
    ['selects some', { credentials: { namespaces: ['trading'] } }, undefined],
    [
      'is about the network',
      { permissions: [], credentials: { namespaces: ['trading'] }, network: {} },
      undefined,
    ],
    [
      'names a look-alike',
      { credentials: { namespaces: ['trading'] }, subjects: [{ kind: 'User', name: 'rооt' }] },
      'is easily taken for User root',
    ],
    [
      'names a group of two scripts',
      { credentials: { namespaces: ['trading'] }, subjects: [{ kind: 'Group', name: 'dеsk' }] },
      'mixes Latin and Cyrillic',
    ],
    [
      'names what nobody sees',
      { credentials: { namespaces: ['trading'] }, subjects: [{ kind: 'User', name: 'bob\u200b' }] },
      'nobody sees',
    ],
  ])('one that %s', (_, spec, expected) => {
    const { allowed, warnings } = review({ by: ROOT, after: grant(spec) }, context);
    expect(allowed).toBe(true);
    expect(warnings === undefined).toBe(expected === undefined);
    expect(warnings?.join(' ') ?? '').toContain(expected ?? '');
    for (const warning of warnings ?? []) expect(warning.length).toBeLessThanOrEqual(256);
  });
});

test('tells of pods that run already as an account that gets its first right', () => {
  const pod = (name: string, phase = 'Running'): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'trading' },
    spec: { serviceAccountName: 'maker', containers: [] },
    status: { phase },
  });
  const account = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' } as const;
  const spec = { credentials: { namespaces: ['trading'] }, subjects: [account] };
  const told = (pods: readonly Pod[], policies = [BOSS], more: Partial<AccessPolicySpec> = {}) =>
    review(
      { by: ROOT, after: grant({ ...spec, ...more }) },
      contextOf({ policies, pods }),
    ).warnings?.join(' ');
  expect(told([pod('one'), pod('two'), pod('over', 'Succeeded')])).toContain(
    'Pod one and 1 more run already as ServiceAccount trading/maker',
  );
  expect(told([pod('over', 'Succeeded')])).toBeUndefined();
  expect(told([pod('one')], [BOSS], { effect: 'Deny' })).toBeUndefined();
  // Whoever made them since had to hold the same.
  const before = policyOf({ subjects: [account], permissions: ['ReadMarketData'] }, 'before');
  expect(told([pod('one')], [BOSS, before])).toBeUndefined();
});

describe('for all policies and people', () => {
  const before = fc.option(arbitraryPolicy(), { nil: undefined });

  test('a Deny more never allows more, and a dry run decides the same', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryPolicy(fc.constant('Deny' as const)),
        arbitraryIdentity,
        before,
        arbitraryPolicy(),
        (policies, deny, { username, groups }, old, made) => {
          const by = { username, groups: [...groups] };
          const after = old === undefined ? made : { ...made, metadata: old.metadata };
          const change = { by, before: old, after };
          const verdict = review(change, contextOf({ policies }));
          expect(review({ ...change, dryRun: true }, contextOf({ policies }))).toEqual(verdict);
          // Who is not an administrator any more cannot be the last one.
          if (verdict.allowed || verdict.reason === 'LastAdministrator') return;
          const others = [...policies, { ...deny, metadata: { name: 'a-deny' } }];
          expect(review(change, contextOf({ policies: others })).allowed).toBe(false);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('an update is no easier than deleting the old one and making the new one, but to narrow it', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryIdentity,
        arbitraryPolicy(),
        arbitraryPolicy(),
        (policies, { username, groups }, old, made) => {
          const by = { username, groups: [...groups] };
          const context = contextOf({
            policies: [...policies, giving(username, 'ManageUsers', 'Admin')],
          });
          const after = { ...made, metadata: old.metadata };
          if (!review({ by, before: old, after }, context).allowed) return;
          const [removed, created] = [
            review({ by, before: old }, context),
            review({ by, after }, context),
          ];
          const narrows = ['SelfGrant', 'BeyondOwnRights', undefined];
          expect(narrows).toContain(removed.reason);
          expect(narrows).toContain(created.reason);
        },
      ),
      { numRuns: 150 },
    );
  });
});
