import { describe, expect, it } from 'vitest';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { UserInfo } from '../request.ts';
import {
  ALICE,
  BOB,
  MASTER,
  SETTINGS,
  controller,
  credentialOf,
  requestFor,
} from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { Verdict } from '../verdict.ts';
import { workloadRule } from './workloads.ts';

const LABEL = 'strongroom.dev/service-account';
const MAKER = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' } as const;
const POLICIES = [
  policyOf({ subjects: [MAKER] }, 'maker'),
  policyOf({ subjects: [{ kind: 'User', name: 'alice' }] }, 'alice'),
];
const world = worldOf({ policies: POLICIES, credentials: [credentialOf('maker')] });

type Json = Readonly<Record<string, unknown>>;

function judge(request: ReturnType<typeof requestFor>, in_ = world): Verdict {
  return workloadRule(request, { world: in_, settings: SETTINGS, nowMs: NOW });
}

const WORKLOADS = [
  'deployments',
  'statefulsets',
  'daemonsets',
  'replicasets',
  'jobs',
  'cronjobs',
  'replicationcontrollers',
  'podtemplates',
] as const;

function workload(resource: string, spec: Json, labels: Json = {}, more: Json = {}): Json {
  const template = { metadata: { labels }, spec: { containers: [{ name: 'bot' }], ...spec } };
  if (resource === 'podtemplates') return { ...more, template };
  if (resource === 'cronjobs') return { ...more, spec: { jobTemplate: { spec: { template } } } };
  return { ...more, spec: { template } };
}

const USES = { envFrom: [{ secretRef: { name: 'maker' } }] };
const OWN: Json = { serviceAccountName: 'maker', containers: [{ name: 'bot', ...USES }] };

describe.each(WORKLOADS)('workloadRule for %s', (resource) => {
  const by = (userInfo: UserInfo, spec: Json, labels: Json = {}): Verdict =>
    judge(requestFor(resource, { userInfo, object: workload(resource, spec, labels) }));

  it('asks for all else that the account may', () => {
    const spec = { permissions: ['ManageUsers' as const], credentials: { namespaces: ['*'] } };
    const lead = { kind: 'ServiceAccount', namespace: 'trading', name: 'lead' } as const;
    const policies = [
      policyOf({ ...spec, subjects: [lead] }, 'lead'),
      policyOf({ ...spec, subjects: [{ kind: 'User', name: 'alice' }] }, 'alice'),
    ];
    const object = workload(resource, { serviceAccountName: 'lead' });
    const asked = (userInfo: UserInfo): Verdict =>
      judge(requestFor(resource, { userInfo, object }), worldOf({ policies }));
    expect(asked(ALICE)).toMatchObject({ allowed: true, policies: ['alice'] });
    expect(asked(BOB)).toMatchObject({ allowed: false, reason: 'BeyondOwnRights' });
    expect(asked(MASTER).allowed).toBe(true);
  });

  it('lets who may mount run what may mount', () => {
    expect(by(ALICE, OWN)).toMatchObject({ allowed: true, policies: ['maker', 'alice'] });
    expect(by(MASTER, OWN).allowed).toBe(true);
  });

  it('refuses an account that may not', () => {
    const verdict = by(ALICE, { ...OWN, serviceAccountName: 'poor' });
    expect(verdict).toMatchObject({ allowed: false, reason: 'NotGranted' });
    expect(verdict.message).toMatch(/^the template of \w+ trading\/maker uses the Secret maker/);
  });

  it('refuses who may not, although the template names no Secret', () => {
    const verdict = by(BOB, { serviceAccountName: 'maker' });
    expect(verdict).toMatchObject({ allowed: false, reason: 'BeyondOwnRights' });
    expect(by(BOB, { serviceAccountName: 'poor' }).allowed).toBe(true);
  });

  it('refuses what runs something else, and lets pass what does not', () => {
    const change = (spec: Json, before: Json, more: Json = {}, subResource = ''): boolean =>
      judge(
        requestFor(resource, {
          operation: 'UPDATE',
          userInfo: BOB,
          subResource,
          oldObject: workload(resource, before),
          object: workload(resource, spec, {}, more),
        }),
      ).allowed;
    const other = { ...OWN, containers: [{ name: 'bot', image: 'print-the-key', ...USES }] };
    expect(change(OWN, OWN, { metadata: { name: 'maker', labels: { a: 'b' } } })).toBe(true);
    expect(change(other, OWN)).toBe(false);
    expect(change(other, OWN, {}, 'scale')).toBe(true);
    expect(change(other, OWN, {}, 'status')).toBe(true);
    expect(change(OWN, {})).toBe(false);
    expect(change({}, OWN)).toBe(true);
  });

  it('refuses the label of another account in the template', () => {
    expect(by(ALICE, OWN, { [LABEL]: 'risk' }).reason).toBe('Reserved');
    expect(by(ALICE, OWN, { [LABEL]: 'maker' }).allowed).toBe(true);
    expect(by(BOB, {}, { [LABEL]: 'maker' }).reason).toBe('Reserved');
    expect(by(BOB, {}, { [LABEL]: 'default' }).allowed).toBe(true);
  });

  it('refuses emergency accounts and names that are too long', () => {
    expect(by(MASTER, { serviceAccountName: 'strongroom-emergency-a' }).reason).toBe('Reserved');
    expect(by(ALICE, { serviceAccountName: 'a'.repeat(64) }).reason).toBe('Invalid');
  });

  it('lets a deletion pass, and other namespaces', () => {
    const object = workload(resource, { ...OWN, serviceAccountName: 'poor' });
    expect(judge(requestFor(resource, { operation: 'DELETE', oldObject: object })).allowed).toBe(
      true,
    );
    const elsewhere = worldOf({ namespaces: [{ name: 'trading', isGuarded: false }] });
    expect(judge(requestFor(resource, { object }), elsewhere).allowed).toBe(true);
  });

  it('refuses what has no template', () => {
    expect(judge(requestFor(resource, { object: { spec: {} } })).reason).toBe('NotUnderstood');
  });
});

describe('workloadRule: controllers', () => {
  it.each([
    ['deployment-controller', 'replicasets', 'apps/v1', 'Deployment'],
    ['cronjob-controller', 'jobs', 'batch/v1', 'CronJob'],
  ])('does not ask the %s again', (name, resource, apiVersion, kind) => {
    const owner = { apiVersion, kind, name: 'maker', uid: 'u', controller: true };
    const by = (userInfo: UserInfo, owners: readonly object[], spec: Json = OWN): boolean => {
      const metadata = { name: 'maker-1', ownerReferences: owners };
      const object = workload(resource, spec, {}, { metadata });
      return judge(requestFor(resource, { userInfo, object })).allowed;
    };
    expect(by(controller(name), [owner])).toBe(true);
    expect(by(controller(name), [])).toBe(false);
    expect(by(controller(name), [{ ...owner, kind: 'Rollout' }])).toBe(false);
    expect(by(BOB, [owner])).toBe(false);
    expect(by(controller(name), [owner], { ...OWN, serviceAccountName: 'poor' })).toBe(false);
  });
});
