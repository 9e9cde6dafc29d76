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
import { worldOf } from '../testing/world-of.ts';
import type { Verdict } from '../verdict.ts';
import { serviceAccountRule } from './service-accounts.ts';

const world = worldOf({
  policies: [policyOf({ subjects: [{ kind: 'User', name: 'alice' }] }, 'alice')],
  credentials: [credentialOf('maker')],
});

function judge(request: AdmissionRequest): Verdict {
  return serviceAccountRule(request, { world, settings: SETTINGS, nowMs: NOW });
}

type Json = Readonly<Record<string, unknown>>;

const account = (more: Json = {}, name = 'bot'): Json => ({
  metadata: { name, namespace: 'trading' },
  ...more,
});

describe.each(['imagePullSecrets', 'secrets'])('serviceAccountRule: %s', (field) => {
  const naming = (...names: readonly string[]): Json =>
    account({ [field]: names.map((name) => ({ name })) });
  const create = (userInfo: UserInfo, object: Json): Verdict =>
    judge(requestFor('serviceaccounts', { userInfo, object }));

  it('may name a guarded Secret if whoever writes it may mount it', () => {
    expect(create(ALICE, naming('other', 'maker'))).toEqual({ allowed: true, policies: ['alice'] });
    expect(create(MASTER, naming('maker')).allowed).toBe(true);
    expect(create(OPERATOR, naming('maker')).allowed).toBe(true);
    const verdict = create(BOB, naming('other', 'maker'));
    expect(verdict).toMatchObject({ allowed: false, reason: 'NotGranted' });
    expect(verdict.message).toContain(
      `ServiceAccount trading/bot would give its pods the Secret maker (${field}[1].name), which is that of trading/maker; bob needs AccessSecrets at Read for trading/maker`,
    );
    expect(create(BOB, naming('other'))).toEqual({ allowed: true });
  });

  it('is judged by what an update adds', () => {
    const update = (oldObject: Json, object: Json): boolean =>
      judge(
        requestFor('serviceaccounts', { operation: 'UPDATE', userInfo: BOB, oldObject, object }),
      ).allowed;
    expect(update(account(), naming('maker'))).toBe(false);
    expect(update(naming('maker'), naming('maker', 'other'))).toBe(true);
    expect(update(naming('maker'), account())).toBe(true);
  });
});

describe('serviceAccountRule: accounts of emergency access', () => {
  const NAME = 'strongroom-emergency-night';
  const object = account({}, NAME);

  it('are for the operator alone', () => {
    for (const parts of [
      { object },
      { name: '', object },
      { operation: 'UPDATE', oldObject: object, object },
      { operation: 'DELETE', name: '', oldObject: object },
    ] as const) {
      const by = (userInfo: UserInfo): Verdict =>
        judge(requestFor('serviceaccounts', { ...parts, userInfo }));
      expect(by(OPERATOR)).toEqual({ allowed: true });
      for (const userInfo of [ALICE, MASTER, BOB]) expect(by(userInfo).reason).toBe('Reserved');
    }
  });

  it('are deleted with their namespace', () => {
    const remove = (name: string): boolean =>
      judge(
        requestFor('serviceaccounts', {
          operation: 'DELETE',
          userInfo: controller(name),
          oldObject: object,
        }),
      ).allowed;
    expect(remove('namespace-controller')).toBe(true);
    expect(remove('generic-garbage-collector')).toBe(true);
    expect(remove('service-account-controller')).toBe(false);
  });
});

describe('serviceAccountRule: what it lets pass', () => {
  it('other accounts, deletions, and other namespaces', () => {
    expect(judge(requestFor('serviceaccounts', { userInfo: BOB, object: account() })).allowed).toBe(
      true,
    );
    const parts = { operation: 'DELETE', userInfo: BOB, oldObject: account() } as const;
    expect(judge(requestFor('serviceaccounts', parts)).allowed).toBe(true);
    const elsewhere = worldOf({ namespaces: [{ name: 'trading', isGuarded: false }] });
    const request = requestFor('serviceaccounts', {
      userInfo: BOB,
      object: account({}, 'strongroom-emergency-x'),
    });
    const context = { world: elsewhere, settings: SETTINGS, nowMs: NOW };
    expect(serviceAccountRule(request, context).allowed).toBe(true);
  });

  it('what is no list of Secrets', () => {
    const object = account({ imagePullSecrets: 'maker', secrets: [null, 7, { name: 7 }] });
    expect(judge(requestFor('serviceaccounts', { userInfo: BOB, object })).allowed).toBe(true);
  });
});
