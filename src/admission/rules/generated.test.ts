import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#kube/objects.ts';
import { MASTER, OPERATOR, controller } from '../testing/core-objects.ts';
import {
  contextOf,
  blockOf,
  emergencyOf,
  requestOf,
  review,
  userOf,
} from '../testing/own-objects.ts';
import { credentialOf } from '../testing/core-objects.ts';
import { policyOf } from '#access/testing/builders.ts';

const CONTEXT = contextOf();
const KINDS = [
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
] as const;
const LABELS = [
  ['app.kubernetes.io/managed-by', 'strongroom'],
  ['strongroom.dev/policy-uid', 'uid'],
  ['strongroom.dev/emergency-access', 'uid'],
] as const;

const plural: Readonly<Record<string, string>> = {
  NetworkPolicy: 'networkpolicies',
  Role: 'roles',
  RoleBinding: 'rolebindings',
};
const judge = (change: Parameters<typeof requestOf>[0]) => {
  const request = requestOf(change);
  return review(
    { ...request, resource: { ...request.resource, resource: plural[request.kind.kind] ?? '' } },
    CONTEXT,
  );
};

describe.each(KINDS)('%s %s', (apiVersion, kind) => {
  const of = (labels: Readonly<Record<string, string>>, more: object = {}): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name: 'x', namespace: 'trading', labels },
    ...more,
  });

  test.each(LABELS)('with the label %s is the operator’s', (label, value) => {
    const [own, foreign] = [of({ [label]: value }), of({ app: 'x' })];
    const by = userOf('alice');
    for (const change of [
      { after: own },
      { before: own },
      { before: own, after: of({ [label]: value }, { spec: {} }) },
      { before: own, after: foreign },
      { before: foreign, after: own },
    ]) {
      const verdict = judge({ by, ...change });
      expect(verdict).toMatchObject({ allowed: false, reason: 'Reserved' });
      expect(verdict.message).toContain(`${kind} trading/x: label ${label}`);
      expect(judge({ by: OPERATOR, ...change }).allowed).toBe(true);
      expect(judge({ by: MASTER, ...change }).allowed).toBe(false);
    }
    for (const name of ['namespace-controller', 'generic-garbage-collector']) {
      expect(judge({ by: controller(name), before: own }).allowed).toBe(true);
      expect(judge({ by: controller(name), before: own, after: foreign }).allowed).toBe(false);
    }
    const migrator = controller('storage-version-migrator-controller');
    expect(judge({ by: migrator, before: own, after: own }).allowed).toBe(true);
    expect(judge({ by: migrator, before: own, after: foreign }).allowed).toBe(false);
  });

  test('of others is theirs', () => {
    const by = userOf('alice');
    const helm = of({ 'app.kubernetes.io/managed-by': 'Helm' });
    for (const change of [{ after: helm }, { before: helm }, { before: helm, after: of({}) }]) {
      expect(judge({ by, ...change }).allowed).toBe(true);
    }
  });
});

describe('status', () => {
  test.each([
    ['ExchangeCredential', credentialOf('maker')],
    ['AccessPolicy', policyOf()],
    ['IPBlock', blockOf()],
    ['EmergencyAccess', emergencyOf()],
  ])('of an %s is the operator’s', (kind, before) => {
    const after = { ...before, status: { observedGeneration: 1 } };
    const change = { before, after, subResource: 'status' };
    const verdict = review({ by: userOf('alice'), ...change }, CONTEXT);
    expect(verdict).toMatchObject({ allowed: false, reason: 'NotGranted' });
    expect(verdict.message).toContain(kind);
    for (const name of ['generic-garbage-collector', 'namespace-controller']) {
      expect(review({ by: controller(name), ...change }, CONTEXT).allowed).toBe(false);
    }
    expect(review({ by: OPERATOR, ...change }, CONTEXT).allowed).toBe(true);
    expect(review({ by: MASTER, ...change }, CONTEXT).allowed).toBe(true);
  });
});

describe('NamespaceAccess', () => {
  const table = {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'NamespaceAccess',
    metadata: { name: 'strongroom', namespace: 'trading' },
    spec: { secrets: {}, rules: [] },
  };
  const wider = { ...table, spec: { ...table.spec, incomplete: true } };

  test('is the operator’s, and goes with its namespace', () => {
    for (const change of [{ after: table }, { before: table, after: wider }, { before: table }]) {
      expect(review({ by: userOf('alice'), ...change }, CONTEXT).allowed).toBe(false);
      expect(review({ by: MASTER, ...change }, CONTEXT).allowed).toBe(false);
      expect(review({ by: OPERATOR, ...change }, CONTEXT).allowed).toBe(true);
    }
    const by = controller('namespace-controller');
    expect(review({ by, before: table }, CONTEXT).allowed).toBe(true);
    expect(review({ by, before: table, after: wider }, CONTEXT).allowed).toBe(false);
    const migrator = controller('storage-version-migrator-controller');
    expect(review({ by: migrator, before: table, after: table }, CONTEXT).allowed).toBe(true);
    expect(review({ by: migrator, before: table, after: wider }, CONTEXT).allowed).toBe(false);
  });
});
