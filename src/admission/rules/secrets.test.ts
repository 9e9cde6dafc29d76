import { describe, expect, it } from 'vitest';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { AdmissionRequest, UserInfo } from '../request.ts';
import {
  ALICE,
  BOB,
  MASTER,
  OPERATOR,
  SETTINGS,
  controller,
  credentialOf,
  requestFor,
} from '../testing/core-objects.ts';
import { emergencyOf } from '../testing/own-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { WorldParts } from '../testing/world-of.ts';
import type { Verdict } from '../verdict.ts';
import { secretRule } from './secrets.ts';

const PARTS: WorldParts = {
  policies: [
    policyOf(
      { subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }] },
      'maker',
    ),
    policyOf({ subjects: [{ kind: 'User', name: 'alice' }], accessLevel: 'Admin' }, 'alice'),
  ],
  credentials: [
    credentialOf('maker', {
      delivery: { secret: { name: 'maker-key' } },
      source: { secretRef: { name: 'import-me' } },
    }),
    {
      ...credentialOf('renamed', { delivery: { secret: { name: 'new-name' } } }),
      status: {
        delivery: {
          secretName: 'old-name',
          secretUid: 'u',
          version: 1,
          deliveredAt: '2026-11-24T11:00:00Z',
        },
      },
    },
  ],
};

function judge(request: AdmissionRequest, parts: WorldParts = {}): Verdict {
  const world = worldOf({ ...PARTS, ...parts });
  return secretRule(request, { world, settings: SETTINGS, nowMs: NOW });
}

type Json = Readonly<Record<string, unknown>>;

function secret(name: string, more: Json = {}, metadata: Json = {}): Json {
  return { metadata: { name, namespace: 'trading', ...metadata }, ...more };
}

const LABELS = { 'strongroom.dev/credential': 'maker' };
const MANAGED = secret('maker-key', { data: { k: 'djE=' } }, { labels: LABELS });
const CHANGED = secret('maker-key', { data: { k: 'djI=' } }, { labels: LABELS });
const UNLABELLED = secret('maker-key', { data: { k: 'djE=' } });

const WRITES: readonly (readonly [string, Parameters<typeof requestFor>[1]])[] = [
  ['create', { object: MANAGED }],
  ['change', { operation: 'UPDATE', oldObject: MANAGED, object: CHANGED }],
  ['take the label off', { operation: 'UPDATE', oldObject: MANAGED, object: UNLABELLED }],
  ['put the label on', { operation: 'UPDATE', oldObject: UNLABELLED, object: MANAGED }],
  ['write again', { operation: 'UPDATE', oldObject: MANAGED, object: MANAGED }],
  ['delete', { operation: 'DELETE', oldObject: MANAGED }],
  ['delete among others', { operation: 'DELETE', name: '', oldObject: MANAGED }],
];

describe.each(WRITES)('secretRule: to %s a managed Secret', (_what, write) => {
  const by = (userInfo: UserInfo): Verdict => judge(requestFor('secrets', { ...write, userInfo }));

  it('is for the operator alone', () => {
    expect(by(OPERATOR)).toEqual({ allowed: true });
    for (const userInfo of [ALICE, BOB, MASTER, controller('job-controller')]) {
      expect(by(userInfo)).toMatchObject({ allowed: false, reason: 'Reserved' });
    }
    expect(by(ALICE).message).toMatch(/^Secret trading\/maker-key/);
  });
});

describe('secretRule: exemptions', () => {
  const update = (userInfo: UserInfo, object: Json, oldObject: Json = MANAGED): boolean =>
    judge(requestFor('secrets', { operation: 'UPDATE', userInfo, oldObject, object })).allowed;
  const remove = (userInfo: UserInfo): boolean =>
    judge(requestFor('secrets', { operation: 'DELETE', userInfo, oldObject: MANAGED })).allowed;
  const namespaces = controller('namespace-controller');
  const collector = controller('generic-garbage-collector');
  const migrator = controller('storage-version-migrator-controller');

  it('lets the namespace controller and the garbage collector delete', () => {
    expect(remove(namespaces)).toBe(true);
    expect(remove(collector)).toBe(true);
    expect(remove(migrator)).toBe(false);
    expect(update(namespaces, CHANGED)).toBe(false);
    expect(update(collector, CHANGED)).toBe(false);
  });

  it('lets the garbage collector change owners and finalizers, and nothing else', () => {
    const data = { data: { k: 'djE=' } };
    const ownerReferences = [{ uid: 'u' }];
    const owned = secret('maker-key', data, { labels: LABELS, ownerReferences });
    const orphaned = secret('maker-key', data, { labels: LABELS, resourceVersion: '2' });
    expect(update(collector, orphaned, owned)).toBe(true);
    expect(update(collector, CHANGED, owned)).toBe(false);
    expect(update(collector, secret('maker-key', data), owned)).toBe(false);
    expect(update(migrator, orphaned, owned)).toBe(false);
    expect(update(namespaces, orphaned, owned)).toBe(false);
  });

  it('lets the storage-version migrator write again what is there', () => {
    const written = { labels: LABELS, resourceVersion: '2', managedFields: [] };
    const again = secret('maker-key', { data: { k: 'djE=' } }, written);
    expect(update(migrator, again)).toBe(true);
    expect(update(migrator, CHANGED)).toBe(false);
    expect(update(BOB, again)).toBe(false);
  });
});

describe('secretRule: names of deliveries', () => {
  it.each([
    ['maker-key', false],
    ['new-name', false],
    ['old-name', false],
    ['import-me', true],
    ['mine', true],
  ])('judges who creates %s', (name, isAllowed) => {
    const by = (userInfo: UserInfo): boolean =>
      judge(requestFor('secrets', { userInfo, name: '', object: secret(name) })).allowed;
    expect(by(ALICE)).toBe(isAllowed);
    expect(by(MASTER)).toBe(isAllowed);
    expect(by(OPERATOR)).toBe(true);
  });

  it('lets a Secret that stands in the way be changed and deleted', () => {
    const parts = { oldObject: UNLABELLED };
    expect(judge(requestFor('secrets', { ...parts, operation: 'DELETE' })).allowed).toBe(true);
    const object = secret('maker-key', { data: {} });
    expect(judge(requestFor('secrets', { ...parts, object, operation: 'UPDATE' })).allowed).toBe(
      true,
    );
  });
});

describe('secretRule: tokens that do not end', () => {
  const TYPE = 'kubernetes.io/service-account-token';
  const ofToken = (account: string, type: string = TYPE): Json =>
    secret('token', { type }, { annotations: { 'kubernetes.io/service-account.name': account } });

  it('need what the account may mount', () => {
    const by = (userInfo: UserInfo, object: Json): Verdict =>
      judge(requestFor('secrets', { userInfo, object }));
    expect(by(ALICE, ofToken('maker')).allowed).toBe(true);
    expect(by(MASTER, ofToken('maker')).allowed).toBe(true);
    expect(by(BOB, ofToken('maker'))).toMatchObject({
      allowed: false,
      reason: 'BeyondOwnRights',
    });
    expect(by(BOB, ofToken('poor')).allowed).toBe(true);
    expect(by(BOB, ofToken('maker', 'Opaque')).allowed).toBe(true);
  });

  it('are looked at again when they are for another account', () => {
    const to = (account: string): boolean =>
      judge(
        requestFor('secrets', {
          operation: 'UPDATE',
          userInfo: BOB,
          oldObject: ofToken('poor'),
          object: ofToken(account),
        }),
      ).allowed;
    expect(to('maker')).toBe(false);
    expect(to('poor')).toBe(true);
    const filled = {
      oldObject: ofToken('maker'),
      object: { ...ofToken('maker'), data: { token: '' } },
    };
    const request = requestFor('secrets', { ...filled, operation: 'UPDATE', userInfo: BOB });
    expect(judge(request).allowed).toBe(true);
  });

  it('are for no account of emergency access', () => {
    const object = ofToken('strongroom-emergency-night');
    for (const userInfo of [ALICE, MASTER]) {
      expect(judge(requestFor('secrets', { userInfo, object })).reason).toBe('Reserved');
    }
    expect(judge(requestFor('secrets', { userInfo: OPERATOR, object })).allowed).toBe(true);
  });

  it('say how a token of emergency access is had instead', () => {
    const request = requestFor('secrets', { object: ofToken('strongroom-emergency-night') });
    expect(judge(request).message).toContain('strongroom emergency token NAME -n trading');
    expect(judge(request, { emergencyAccesses: [emergencyOf()] }).message).toContain(
      'strongroom emergency token night -n trading',
    );
  });
});

it('leaves namespaces that are not guarded alone', () => {
  const namespaces = [{ name: 'trading', isGuarded: false }];
  const request = requestFor('secrets', { object: MANAGED });
  expect(judge(request, { namespaces }).allowed).toBe(true);
  expect(judge(request, { namespaces: [] }).allowed).toBe(false);
});
