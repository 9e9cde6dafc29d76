/**
 * What every cluster has: the bindings that the API server itself makes when it starts. They are
 * known one by one and not by a pattern, since a pattern is what somebody would hide behind. All of
 * a binding must be as the API server makes it; who was added to one is reported like anybody else.
 */
import type { Subject } from '#api/access-policy.ts';
import { SYSTEM_MASTERS } from '#access/identity.ts';
import type { RoleBinding } from '#kube/objects.ts';

export const SYSTEM_NAMESPACE = 'kube-system';

const user = (name: string): Subject => ({ kind: 'User', name });
const group = (name: string): Subject => ({ kind: 'Group', name });
const controller = (name: string): Subject => ({
  kind: 'ServiceAccount',
  namespace: SYSTEM_NAMESPACE,
  name,
});

/** Of Kubernetes 1.34 to 1.37. A later one that brings more is found by the integration test. */
export const CONTROLLERS: readonly string[] = [
  'attachdetach-controller',
  'certificate-controller',
  'clusterrole-aggregation-controller',
  'cronjob-controller',
  'daemon-set-controller',
  'deployment-controller',
  'device-taint-eviction-controller',
  'disruption-controller',
  'endpoint-controller',
  'endpointslice-controller',
  'endpointslicemirroring-controller',
  'ephemeral-volume-controller',
  'expand-controller',
  'generic-garbage-collector',
  'horizontal-pod-autoscaler',
  'job-controller',
  'kube-apiserver-serving-clustertrustbundle-publisher',
  'legacy-service-account-token-cleaner',
  'namespace-controller',
  'node-controller',
  'persistent-volume-binder',
  'pod-garbage-collector',
  'podcertificaterequestcleaner',
  'pv-protection-controller',
  'pvc-protection-controller',
  'replicaset-controller',
  'replication-controller',
  'resource-claim-controller',
  'resourcequota-controller',
  'root-ca-cert-publisher',
  'route-controller',
  'selinux-warning-controller',
  'service-account-controller',
  'service-cidrs-controller',
  'service-controller',
  'statefulset-controller',
  'storage-version-migrator-controller',
  'ttl-after-finished-controller',
  'ttl-controller',
  'validatingadmissionpolicy-status-controller',
  'volumeattributesclass-protection-controller',
];

/** ClusterRoleBindings, each to the ClusterRole of its own name. */
const STOCK: ReadonlyMap<string, Subject> = new Map([
  ['system:kube-controller-manager', user('system:kube-controller-manager')],
  ['system:kube-scheduler', user('system:kube-scheduler')],
  ['system:volume-scheduler', user('system:kube-scheduler')],
  // Without subjects where the node authorizer is on; older clusters name the group in it.
  ['system:node', group('system:nodes')],
  ...CONTROLLERS.map((name) => [`system:controller:${name}`, controller(name)] as const),
]);

/** Whether a subject has a right through this binding in every cluster. */
export function isStock(
  kind: 'RoleBinding' | 'ClusterRoleBinding',
  { metadata, roleRef }: RoleBinding,
  subject: Subject,
): boolean {
  // Nothing that RBAC says adds to what they have.
  if (subject.kind === 'Group' && subject.name === SYSTEM_MASTERS) return true;
  if (kind !== 'ClusterRoleBinding') return false;
  if (roleRef.kind !== 'ClusterRole' || roleRef.name !== metadata.name) return false;
  const expected = STOCK.get(metadata.name);
  return (
    expected !== undefined &&
    expected.kind === subject.kind &&
    expected.name === subject.name &&
    expected.namespace === subject.namespace
  );
}

interface Operator {
  readonly operatorNamespace: string;
  readonly operatorServiceAccount: string;
}

const NODE_AGENT = 'strongroom-node-agent';

/**
 * Whether the operator's ServiceAccount has a right through a binding of the chart, or through the
 * one that it makes in each guarded namespace, or the node agents' one has through the chart's. What
 * others give them on top is reported.
 */
export function isOfOperator(
  kind: 'RoleBinding' | 'ClusterRoleBinding',
  { metadata, roleRef }: RoleBinding,
  subject: Subject,
  { operatorNamespace, operatorServiceAccount }: Operator,
): boolean {
  const to = `${roleRef.kind} ${roleRef.name}`;
  const isOperator =
    subject.kind === 'ServiceAccount' &&
    subject.namespace === operatorNamespace &&
    subject.name === operatorServiceAccount;
  if (!isOperator) {
    // May write ConfigMaps there; admission, by the chart too, leaves it its own report.
    return (
      kind === 'RoleBinding' &&
      subject.kind === 'ServiceAccount' &&
      subject.name === NODE_AGENT &&
      metadata.namespace === operatorNamespace &&
      metadata.name === NODE_AGENT &&
      to === `Role ${NODE_AGENT}`
    );
  }
  if (kind === 'ClusterRoleBinding') {
    return metadata.name === 'strongroom-operator' && to === 'ClusterRole strongroom-operator';
  }
  return (
    (metadata.name === 'strongroom' && to === 'ClusterRole strongroom-guarded-namespace') ||
    (metadata.name === 'strongroom-operator' &&
      metadata.namespace === operatorNamespace &&
      to === 'Role strongroom-operator')
  );
}
