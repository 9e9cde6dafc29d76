import { describe, expect, test } from 'vitest';
import { policyOf } from '#access/testing/builders.ts';
import { decideAdmission } from './decide-admission.ts';
import type { AdmissionRequest } from './request.ts';
import { MASTER, OPERATOR, credentialOf, requestFor } from './testing/core-objects.ts';
import {
  blockOf,
  contextOf,
  emergencyOf,
  namespaceOf,
  requestOf,
  review,
  userOf,
} from './testing/own-objects.ts';

const CONTEXT = contextOf();
const probe = <T extends { readonly metadata: object }>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, labels: { 'strongroom.dev/probe': '' } },
});

describe('the label of the probe', () => {
  const OBJECTS = [credentialOf('maker'), policyOf(), blockOf(), emergencyOf(), namespaceOf()];

  test.each(OBJECTS.map((object) => [object.kind, object] as const))(
    'is refused on any %s, for everybody',
    (_, object) => {
      for (const by of [userOf('alice'), MASTER, OPERATOR]) {
        for (const dryRun of [false, true]) {
          const refused = { allowed: false, reason: 'Reserved', code: 403 };
          expect(review({ by, after: probe(object), dryRun }, CONTEXT)).toMatchObject(refused);
          expect(
            review({ by, before: object, after: probe(object), dryRun }, CONTEXT),
          ).toMatchObject(refused);
        }
      }
      // What got through before admission was there can be put right.
      expect(review({ by: MASTER, before: probe(object) }, CONTEXT).allowed).toBe(true);
    },
  );

  test('also on pods', () => {
    const object = probe({ metadata: {}, spec: { containers: [] } });
    expect(decideAdmission(requestFor('pods', { object, userInfo: MASTER }), CONTEXT).reason).toBe(
      'Reserved',
    );
  });
});

describe('what is not understood is refused', () => {
  const known = requestOf({
    by: userOf('alice'),
    before: credentialOf('maker'),
    after: credentialOf('maker'),
  });
  const of = (parts: Partial<AdmissionRequest>): AdmissionRequest => ({ ...known, ...parts });
  const { object: _object, ...withoutObject } = known;
  const { oldObject: _old, ...withoutOld } = known;

  test.each<[string, AdmissionRequest]>([
    [
      'a resource of ours that is not known',
      of({ resource: { ...known.resource, resource: 'vaults' } }),
    ],
    ['a version that is not known', of({ resource: { ...known.resource, version: 'v1' } })],
    ['another group', of({ resource: { ...known.resource, group: 'example.com' } })],
    ['a kind that is not the resource’s', of({ kind: { ...known.kind, kind: 'IPBlock' } })],
    ['the scale of what has none', of({ subResource: 'scale' })],
    ['a subresource that is not known', of({ subResource: 'approve' })],
    ['to connect to what nobody connects to', of({ operation: 'CONNECT' })],
    ['the deletion of a status', of({ subResource: 'status', operation: 'DELETE' })],
    ['an update without the new object', withoutObject],
    ['an update without the old object', withoutOld],
    ['a deletion without the old object', { ...withoutOld, operation: 'DELETE' }],
    ['a creation without an object', { ...withoutObject, operation: 'CREATE' }],
    ['ConfigMaps', of({ resource: { group: '', version: 'v1', resource: 'configmaps' } })],
    ['a property of all objects', of({ resource: { ...known.resource, resource: '__proto__' } })],
    [
      'pods of another version',
      requestFor('pods', { resource: { group: '', version: 'v2', resource: 'pods' }, object: {} }),
    ],
    ['pods that are bound', requestFor('pods', { subResource: 'binding', object: {} })],
    ['the deletion of a pod', requestFor('pods', { operation: 'DELETE', oldObject: {} })],
  ])('%s', (_, request) => {
    // Also from system:masters: nobody could tell what it would let through.
    for (const userInfo of [request.userInfo, MASTER, OPERATOR]) {
      const refused = { allowed: false, reason: 'NotUnderstood', code: 422 };
      expect(decideAdmission({ ...request, userInfo }, CONTEXT)).toMatchObject(refused);
    }
  });
});

describe('every resource that is reviewed has its rule', () => {
  const WRITES = ['CREATE', 'UPDATE'] as const;

  test.each([
    'pods',
    'serviceaccounts',
    'secrets',
    'replicationcontrollers',
    'podtemplates',
    'deployments',
    'statefulsets',
    'daemonsets',
    'replicasets',
    'jobs',
    'cronjobs',
  ])('%s', (resource) => {
    for (const operation of WRITES) {
      const old = operation === 'UPDATE' ? { oldObject: {} } : {};
      const verdict = decideAdmission(
        requestFor(resource, { operation, object: {}, ...old }),
        CONTEXT,
      );
      expect(verdict.message ?? '').not.toContain('is not understood by this version');
    }
  });

  test.each([
    ['pods', 'exec', 'PodExecOptions'],
    ['pods', 'attach', 'PodAttachOptions'],
    ['pods', 'portforward', 'PodPortForwardOptions'],
    ['pods', 'proxy', 'PodProxyOptions'],
    ['services', 'proxy', 'ServiceProxyOptions'],
    ['nodes', 'proxy', 'NodeProxyOptions'],
  ])('%s/%s', (resource, subResource, kind) => {
    const request = requestFor(resource, { operation: 'CONNECT', subResource, object: {} });
    const verdict = decideAdmission(
      { ...request, kind: { group: '', version: 'v1', kind } },
      CONTEXT,
    );
    expect(verdict.message ?? '').not.toContain('is not understood by this version');
  });

  test('serviceaccounts/token', () => {
    const request = requestFor('serviceaccounts', { subResource: 'token', object: { spec: {} } });
    const kind = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' };
    expect(decideAdmission({ ...request, kind }, CONTEXT).message ?? '').not.toContain(
      'this version',
    );
  });
});

describe('system:masters', () => {
  test('pass, and are told what a rule would have said', () => {
    const verdict = review(
      { by: MASTER, before: emergencyOf({ status: { state: 'Active' } }) },
      CONTEXT,
    );
    expect(verdict.allowed).toBe(true);
    expect(verdict.warnings?.[0]).toMatch(/^Let through for system:masters alone: EmergencyAccess/);
    expect(verdict.warnings?.[0]?.length).toBeLessThanOrEqual(256);
    expect(verdict.reason).toBeUndefined();
  });

  test('do not forge who created something', () => {
    const request = requestOf({ by: MASTER, after: credentialOf('maker') });
    expect(decideAdmission(request, CONTEXT).reason).toBe('Invalid');
  });
});

test('a copy in a Secret outside of guarded namespaces is a finding, and nothing is refused', () => {
  const value = 'a-value-of-more-than-sixteen-bytes';
  const context = contextOf({
    namespaces: [{ name: 'trading', isGuarded: false }],
    values: { [value]: 'vault/maker' },
  });
  const object = { data: { key: Buffer.from(value).toString('base64') } };
  const verdict = decideAdmission(requestFor('secrets', { object }), context);
  expect(verdict).toMatchObject({ allowed: true, findings: [{ type: 'ManagedValueCopied' }] });
  const guarded = contextOf({ values: { [value]: 'vault/maker' } });
  expect(decideAdmission(requestFor('secrets', { object }), guarded).findings).toHaveLength(1);
});
