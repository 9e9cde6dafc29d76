import { describe, expect, it } from 'vitest';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { AdmissionRequest } from '../request.ts';
import {
  ALICE,
  BOB,
  MASTER,
  OPERATOR,
  SETTINGS,
  credentialOf,
  kubelet,
  requestFor,
} from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { WorldParts } from '../testing/world-of.ts';
import type { Verdict } from '../verdict.ts';
import { tokenRule } from './tokens.ts';

const PARTS: WorldParts = {
  policies: [
    policyOf(
      { subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }] },
      'maker',
    ),
    policyOf({ subjects: [{ kind: 'User', name: 'alice' }] }, 'alice'),
  ],
  credentials: [credentialOf('maker')],
};

function judge(request: AdmissionRequest, parts: WorldParts = {}): Verdict {
  const world = worldOf({ ...PARTS, ...parts });
  return tokenRule(request, { world, settings: SETTINGS, nowMs: NOW });
}

function token(
  name: string,
  parts: Partial<AdmissionRequest> = {},
  spec: Readonly<Record<string, unknown>> = {},
): AdmissionRequest {
  return requestFor('serviceaccounts', {
    ...(parts as object),
    name,
    subResource: 'token',
    object: {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { audiences: ['https://kubernetes.default.svc'], expirationSeconds: 3600, ...spec },
    },
  });
}

const BOUND = { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'maker-1', uid: 'u' } };

describe('tokenRule', () => {
  it('needs what the account may mount', () => {
    expect(judge(token('maker'))).toEqual({ allowed: true, policies: ['alice'] });
    const verdict = judge(token('maker', { userInfo: BOB }));
    expect(verdict).toMatchObject({ allowed: false, reason: 'BeyondOwnRights' });
    expect(verdict.message).toContain(
      'a token of ServiceAccount trading/maker lets its holder act as the account, which AccessPolicy maker gives AccessSecrets at Read',
    );
    expect(judge(token('maker', { userInfo: MASTER })).allowed).toBe(true);
  });

  it('needs all else that the account may, too', () => {
    const lead = { kind: 'ServiceAccount', namespace: 'trading', name: 'lead' } as const;
    const override = {
      permissions: ['EmergencyOverride' as const],
      accessLevel: 'Emergency' as const,
      credentials: { namespaces: ['trading'] },
    };
    const approver = policyOf({ ...override, subjects: [lead] }, 'approver');
    const policies = [...(PARTS.policies ?? []), approver];
    const verdict = judge(token('lead'), { policies });
    expect(verdict).toMatchObject({ allowed: false, reason: 'BeyondOwnRights', code: 403 });
    expect(verdict.message).toContain(
      'a token of ServiceAccount trading/lead lets its holder act as the account, which AccessPolicy approver gives EmergencyOverride at Emergency over namespace trading, environment Production; who acts as an account needs all that it may do, and alice does not hold that',
    );
    const own = policyOf({ ...override, subjects: [{ kind: 'User', name: 'alice' }] }, 'own');
    expect(judge(token('lead'), { policies: [...policies, own] })).toEqual({
      allowed: true,
      policies: ['own'],
    });
    expect(judge(token('lead', { userInfo: MASTER }), { policies }).allowed).toBe(true);
    expect(judge(token('lead', { userInfo: kubelet('n') }, BOUND), { policies }).allowed).toBe(
      true,
    );
    expect(judge(token('poor', { userInfo: BOB }), { policies }).allowed).toBe(true);
  });

  it('lets anybody whom RBAC lets have tokens of accounts that may mount nothing', () => {
    expect(judge(token('poor', { userInfo: BOB }))).toEqual({ allowed: true });
  });

  it('lets kubelets have tokens of their pods, and of nothing else', () => {
    const userInfo = kubelet('node-1');
    expect(judge(token('maker', { userInfo }, BOUND)).allowed).toBe(true);
    expect(judge(token('maker', { userInfo })).allowed).toBe(false);
    const secret = { boundObjectRef: { kind: 'Secret', name: 's' } };
    expect(judge(token('maker', { userInfo }, secret)).allowed).toBe(false);
    const named = { username: 'system:node:node-1', groups: ['system:authenticated'] };
    expect(judge(token('maker', { userInfo: named }, BOUND)).allowed).toBe(false);
    expect(judge(token('maker', { userInfo: BOB }, BOUND)).allowed).toBe(false);
  });

  it('keeps the operator’s own accounts to itself, kubelets and system:masters', () => {
    const own = (userInfo: typeof BOB, spec = {}): boolean =>
      judge(token('strongroom-operator', { namespace: 'strongroom', userInfo }, spec)).allowed;
    expect(own(OPERATOR)).toBe(true);
    expect(own(MASTER)).toBe(true);
    expect(own(kubelet('node-1'), BOUND)).toBe(true);
    expect(own(ALICE)).toBe(false);
    expect(own(BOB, BOUND)).toBe(false);
  });

  it('leaves other namespaces and other requests alone', () => {
    const namespaces = [{ name: 'trading', isGuarded: false }];
    const request = token('maker', { userInfo: BOB });
    expect(judge(request, { namespaces }).allowed).toBe(true);
    expect(judge({ ...request, subResource: 'status' }).allowed).toBe(true);
  });
});

const MINUTE = 60_000;

function accessOf(
  status: EmergencyAccess['status'] = {},
  permissions: EmergencyAccess['spec']['permissions'] = ['AccessSecrets'],
): EmergencyAccess {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: { name: 'night', namespace: 'trading', uid: 'night-uid' },
    spec: {
      subject: { kind: 'User', name: 'alice' },
      reason: 'the market maker does not quote any more',
      target: { credentials: ['maker'] },
      permissions,
    },
    status: {
      state: 'Active',
      activatedAt: new Date(NOW - MINUTE).toISOString(),
      expiresAt: new Date(NOW + 30 * MINUTE).toISOString(),
      serviceAccount: 'strongroom-emergency-night',
      ...status,
    },
  };
}

const REVIEW = { by: 'carol', at: '2026-11-24T11:00:00Z', finding: 'fine' };
const ready = (status: 'True' | 'False'): EmergencyAccess['status'] => ({
  conditions: [
    { type: 'Ready', status, reason: 'x', message: '', lastTransitionTime: '2026-11-24T12:00:00Z' },
  ],
});

describe('tokenRule: emergency access', () => {
  const ask = (
    access: EmergencyAccess,
    spec: Readonly<Record<string, unknown>> = {},
    parts: Partial<AdmissionRequest> = {},
    name = 'strongroom-emergency-night',
  ): Verdict => judge(token(name, parts, spec), { emergencyAccesses: [access] });

  it.each<[number | undefined, boolean]>([
    [600, true],
    // Less what the API server takes it for after its end.
    [1725, true],
    [1726, false],
    [3600, false],
    [undefined, false],
    [Number.NaN, false],
  ])('gives a token of %s s for at most as long as it lasts', (expirationSeconds, isAllowed) => {
    const verdict = ask(accessOf(), { expirationSeconds });
    expect(verdict.allowed).toBe(isAllowed);
    expect(verdict.emergencyAccess).toBe(isAllowed ? 'night' : undefined);
  });

  it('says how long a token may be', () => {
    expect(ask(accessOf()).message).toContain('spec.expirationSeconds may be 1725 at most');
  });

  it('gives none that the API server would make a year of', () => {
    const access = accessOf({ expiresAt: new Date(NOW + 120 * MINUTE).toISOString() });
    expect(ask(access, { expirationSeconds: 3607 }).allowed).toBe(true);
    expect(ask(access, { expirationSeconds: 3607, ...BOUND }).allowed).toBe(false);
  });

  it.each<[string, EmergencyAccess]>([
    [
      'that ends in less than the shortest token',
      accessOf({ expiresAt: new Date(NOW + 674_000).toISOString() }),
    ],
    ['that is over', accessOf({ expiresAt: new Date(NOW - 1).toISOString() })],
    ['that was ended', accessOf({ state: 'Revoked' })],
    ['of another account', accessOf({ serviceAccount: 'strongroom-emergency-day' })],
    ['without AccessSecrets', accessOf({}, ['EmergencyOverride'])],
  ])('gives no token for one %s', (_what, access) => {
    expect(ask(access, { expirationSeconds: 600 })).toMatchObject({
      allowed: false,
      reason: 'EmergencyAccessNeeded',
    });
  });

  it('gives none to anybody else', () => {
    const spec = { expirationSeconds: 600 };
    expect(ask(accessOf(), spec, { userInfo: BOB }).allowed).toBe(false);
    expect(ask(accessOf(), spec, { userInfo: OPERATOR }).allowed).toBe(false);
    expect(ask(accessOf(), spec, { userInfo: kubelet('node-1') }).allowed).toBe(false);
  });

  it.each<[string, EmergencyAccess['status'], boolean]>([
    ['active', {}, false],
    ['ended and not reviewed', { state: 'Expired' }, false],
    ['approved', { state: 'Approved' }, false],
    ['reviewed', { state: 'Expired', review: REVIEW }, true],
    ['reviewed, and gone', { state: 'Expired', review: REVIEW, ...ready('True') }, true],
    [
      'reviewed, and not known to be gone',
      { state: 'Expired', review: REVIEW, ...ready('False') },
      false,
    ],
  ])('gives its subject no tokens of other accounts while it is %s', (_what, status, isAllowed) => {
    expect(ask(accessOf(status), {}, {}, 'maker').allowed).toBe(isAllowed);
    expect(ask(accessOf(status), {}, {}, 'poor').allowed).toBe(isAllowed);
  });

  it('does not hold back those whom somebody merely asked access for', () => {
    const { activatedAt: _, ...status } = accessOf().status ?? {};
    const pending: EmergencyAccess = { ...accessOf(), status: { ...status, state: 'Pending' } };
    expect(ask(pending, {}, {}, 'maker').allowed).toBe(true);
  });
});
