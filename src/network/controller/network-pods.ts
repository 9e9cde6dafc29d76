import type { Namespace, Pod } from '#kube/objects.ts';
import type { NetworkNamespace, NetworkPod } from '../cluster-facts.ts';

/** Pods that have ended give their addresses to others, and are left out. */
export function networkPods(pods: readonly Pod[]): readonly NetworkPod[] {
  return pods
    .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
    .map(networkPod);
}

const made = new WeakMap<Pod, NetworkPod>();

/** The same object for the same pod: what is found out about one is kept by it. */
function networkPod(pod: Pod): NetworkPod {
  const present = made.get(pod);
  if (present !== undefined) return present;
  const { metadata, spec, status } = pod;
  const next: NetworkPod = {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    labels: metadata.labels ?? {},
    serviceAccount: spec?.serviceAccountName ?? 'default',
    addresses: (status?.podIPs ?? []).map(({ ip }) => ip),
    nodeAddresses: (status?.hostIPs ?? []).map(({ ip }) => ip),
    hostNetwork: spec?.hostNetwork ?? false,
    ports: [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].flatMap(
      ({ ports = [] }) =>
        ports.flatMap(({ name, containerPort, protocol }) =>
          name === undefined ? [] : { name, port: containerPort, protocol: protocol ?? 'TCP' },
        ),
    ),
  };
  made.set(pod, next);
  return next;
}

export function networkNamespace({ metadata }: Namespace): NetworkNamespace {
  return {
    name: metadata.name,
    labels: { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name },
  };
}
