import type {
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  DaemonSet,
  EndpointSlice,
  Event,
  KubeObject,
  Lease,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Role,
  RoleBinding,
  Secret,
  SelfSubjectReview,
  Service,
  ServiceAccount,
  ServiceCidr,
  SubjectAccessReview,
  TokenRequest,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';

function core<T extends KubeObject>(kind: string, plural: string, namespaced = true): Resource<T> {
  return { group: '', version: 'v1', kind, plural, namespaced };
}

export const SECRETS: Resource<Secret> = core('Secret', 'secrets');
export const CONFIG_MAPS: Resource<ConfigMap> = core('ConfigMap', 'configmaps');
export const SERVICE_ACCOUNTS: Resource<ServiceAccount> = core('ServiceAccount', 'serviceaccounts');
/** For `create` with the subresource `token`, named as the ServiceAccount. */
export const TOKEN_REQUESTS: Resource<TokenRequest> = core('TokenRequest', 'serviceaccounts');
export const PODS: Resource<Pod> = core('Pod', 'pods');
export const NAMESPACES: Resource<Namespace> = core('Namespace', 'namespaces', false);

export const NODES: Resource<Node> = core('Node', 'nodes', false);
export const SERVICES: Resource<Service> = core('Service', 'services');

export const ENDPOINT_SLICES: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};

export const SERVICE_CIDRS: Resource<ServiceCidr> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
};

export const DAEMON_SETS: Resource<DaemonSet> = {
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  namespaced: true,
};

export const LEASES: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

export const EVENTS: Resource<Event> = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

function rbac<T extends KubeObject>(
  kind: string,
  plural: string,
  namespaced: boolean,
): Resource<T> {
  return { group: 'rbac.authorization.k8s.io', version: 'v1', kind, plural, namespaced };
}

export const ROLES: Resource<Role> = rbac('Role', 'roles', true);
export const ROLE_BINDINGS: Resource<RoleBinding> = rbac('RoleBinding', 'rolebindings', true);
export const CLUSTER_ROLES: Resource<ClusterRole> = rbac('ClusterRole', 'clusterroles', false);
export const CLUSTER_ROLE_BINDINGS: Resource<ClusterRoleBinding> = rbac(
  'ClusterRoleBinding',
  'clusterrolebindings',
  false,
);

export const NETWORK_POLICIES: Resource<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
};

export const SUBJECT_ACCESS_REVIEWS: Resource<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
};

export const SELF_SUBJECT_REVIEWS: Resource<SelfSubjectReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
};

function admission<T extends KubeObject>(kind: string, plural: string): Resource<T> {
  return { group: 'admissionregistration.k8s.io', version: 'v1', kind, plural, namespaced: false };
}

export const VALIDATING_WEBHOOKS: Resource<ValidatingWebhookConfiguration> = admission(
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
);
export const MUTATING_WEBHOOKS: Resource<MutatingWebhookConfiguration> = admission(
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
);
export const VALIDATING_POLICIES: Resource<ValidatingAdmissionPolicy> = admission(
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
);
export const VALIDATING_POLICY_BINDINGS: Resource<ValidatingAdmissionPolicyBinding> = admission(
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
);
/** Served since Kubernetes 1.36: ask discovery first. */
export const MUTATING_POLICIES: Resource<MutatingAdmissionPolicy> = admission(
  'MutatingAdmissionPolicy',
  'mutatingadmissionpolicies',
);
/** Served since Kubernetes 1.36: ask discovery first. */
export const MUTATING_POLICY_BINDINGS: Resource<MutatingAdmissionPolicyBinding> = admission(
  'MutatingAdmissionPolicyBinding',
  'mutatingadmissionpolicybindings',
);
