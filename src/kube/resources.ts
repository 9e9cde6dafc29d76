import type {
  ConfigMap,
  Event,
  KubeObject,
  Lease,
  Namespace,
  Pod,
  RoleBinding,
  Secret,
  SelfSubjectReview,
} from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';

function core<T extends KubeObject>(kind: string, plural: string, namespaced = true): Resource<T> {
  return { group: '', version: 'v1', kind, plural, namespaced };
}

export const SECRETS: Resource<Secret> = core('Secret', 'secrets');
export const CONFIG_MAPS: Resource<ConfigMap> = core('ConfigMap', 'configmaps');
export const PODS: Resource<Pod> = core('Pod', 'pods');
export const NAMESPACES: Resource<Namespace> = core('Namespace', 'namespaces', false);

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

export const ROLE_BINDINGS: Resource<RoleBinding> = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
};

export const SELF_SUBJECT_REVIEWS: Resource<SelfSubjectReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
};
