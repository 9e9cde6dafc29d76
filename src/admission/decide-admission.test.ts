import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { policyOf } from '#access/testing/builders.ts';
import { webhookConfigurations } from './configuration/webhooks.ts';
import { decideAdmission } from './decide-admission.ts';
import { resourceName } from './decision-record.ts';
import { createAdmissionMetrics } from './metrics.ts';
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

/** What the API server sends for a resource; of any other this test must be told. */
const KIND_OF: Readonly<Record<string, string>> = {
  exchangecredentials: 'ExchangeCredential',
  accesspolicies: 'AccessPolicy',
  ipblocks: 'IPBlock',
  emergencyaccesses: 'EmergencyAccess',
  namespaceaccesses: 'NamespaceAccess',
  namespaces: 'Namespace',
  pods: 'Pod',
  'pods/binding': 'Binding',
  bindings: 'Binding',
  'pods/exec': 'PodExecOptions',
  'pods/attach': 'PodAttachOptions',
  'pods/portforward': 'PodPortForwardOptions',
  'pods/proxy': 'PodProxyOptions',
  'services/proxy': 'ServiceProxyOptions',
  'nodes/proxy': 'NodeProxyOptions',
  secrets: 'Secret',
  serviceaccounts: 'ServiceAccount',
  'serviceaccounts/token': 'TokenRequest',
  podtemplates: 'PodTemplate',
  replicationcontrollers: 'ReplicationController',
  deployments: 'Deployment',
  statefulsets: 'StatefulSet',
  daemonsets: 'DaemonSet',
  replicasets: 'ReplicaSet',
  controllerrevisions: 'ControllerRevision',
  jobs: 'Job',
  cronjobs: 'CronJob',
  networkpolicies: 'NetworkPolicy',
  roles: 'Role',
  rolebindings: 'RoleBinding',
};

describe('whatever the API server is told to ask about has its rule', () => {
  const { validating, mutating } = webhookConfigurations({
    endpoint: { url: 'https://example.com' },
    caBundle: '',
    strictNamespaces: ['strict'],
    operatorNamespace: 'strongroom',
    operatorUsername: OPERATOR.username,
    isLabelledByPolicy: false,
    detectsCopies: true,
  });
  const asked = [...(validating.webhooks ?? []), ...(mutating.webhooks ?? [])].flatMap(
    ({ name, rules }) =>
      rules.flatMap(({ apiGroups, apiVersions, resources, operations }) =>
        apiGroups.flatMap((group) =>
          apiVersions.flatMap((version) =>
            resources.flatMap((path) =>
              operations.map((operation) => ({ name, group, version, path, operation })),
            ),
          ),
        ),
      ),
  );

  test.each(
    asked.map((one) => [`${one.name}: ${one.operation} ${one.group}/${one.path}`, one] as const),
  )('%s', (_, { group, version, path, operation }) => {
    const [resource = '', subResource = ''] = path.split('/');
    const kind = KIND_OF[path] ?? KIND_OF[resource] ?? '';
    const object = { apiVersion: 'v1', kind, metadata: { name: 'x', namespace: 'trading' } };
    const verdict = decideAdmission(
      {
        uid: 'review',
        kind: { group, version, kind },
        resource: { group, version, resource },
        ...(subResource !== '' && { subResource }),
        name: 'x',
        namespace: 'trading',
        operation: operation as AdmissionRequest['operation'],
        userInfo: userOf('alice'),
        object,
        oldObject: object,
        dryRun: false,
      },
      CONTEXT,
    );
    expect(verdict.message ?? '').not.toContain('is not understood by this version');
  });

  test('and a name in the metrics', async () => {
    const registry = new Registry();
    const metrics = createAdmissionMetrics(registry);
    for (const { group, version, path } of asked) {
      const [plural = '', subResource] = path.split('/');
      const resource = resourceName({
        resource: { group, version, resource: plural },
        ...(subResource !== undefined && { subResource }),
      });
      metrics.reviewed({ path: '/validate', resource, allowed: true, seconds: 0 });
    }
    expect(await registry.metrics()).not.toContain('resource="other"');
  });

  test('and it is asked about all of our kinds, each with its status', () => {
    const paths = new Set(
      asked.filter(({ group }) => group === 'strongroom.dev').map(({ path }) => path),
    );
    for (const plural of [
      'exchangecredentials',
      'accesspolicies',
      'ipblocks',
      'emergencyaccesses',
    ]) {
      expect([...paths]).toEqual(expect.arrayContaining([plural, `${plural}/status`]));
    }
    expect([...paths]).toContain('namespaceaccesses');
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
