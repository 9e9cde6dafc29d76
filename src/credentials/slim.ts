/** What informers keep of objects that can hold secrets of somebody else. */
import { LABELS } from '#api/names.ts';
import type { Namespace, Pod, Secret } from '#kube/objects.ts';

/** Whose it is and that it changed is all that is kept; values are read when they are needed. */
export function withoutData({ data: _data, ...secret }: Secret): Secret {
  const { annotations: _annotations, ...metadata } = secret.metadata;
  return { ...secret, metadata };
}

/** Members of a volume that never name a Secret; of what is not known here, all is kept. */
const SECRETLESS: ReadonlySet<string> = new Set([
  'name',
  'configMap',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'hostPath',
  'image',
  'persistentVolumeClaim',
]);

/**
 * What tells which Secrets a pod uses and since when its containers run, and what policies of the
 * network go by.
 */
export function slimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels } = metadata;
  const { serviceAccountName, hostNetwork, nodeName, imagePullSecrets } = spec ?? {};
  const slimContainers = (containers: NonNullable<Pod['spec']>['containers'] = []) =>
    containers.map((container) => ({
      name: container.name,
      // Plain values of an environment can be secrets of somebody else.
      env: (container.env ?? [])
        .filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined)
        .map((variable) => ({
          name: variable.name,
          valueFrom: { secretKeyRef: { name: variable.valueFrom?.secretKeyRef?.name ?? '' } },
        })),
      envFrom: (container.envFrom ?? []).filter(({ secretRef }) => secretRef !== undefined),
      volumeMounts: container.volumeMounts ?? [],
      ...(container.ports === undefined ? {} : { ports: container.ports }),
    }));
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(labels === undefined ? {} : { labels }),
    },
    spec: {
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
      ...(hostNetwork === undefined ? {} : { hostNetwork }),
      ...(nodeName === undefined ? {} : { nodeName }),
      containers: slimContainers(spec?.containers),
      initContainers: slimContainers(spec?.initContainers),
      ephemeralContainers: slimContainers(spec?.ephemeralContainers),
      volumes: (spec?.volumes ?? []).filter((volume) =>
        Object.keys(volume).some((member) => !SECRETLESS.has(member)),
      ),
      ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }),
    },
    ...(status === undefined ? {} : { status: slimStatus(status) }),
  };
}

function slimStatus(status: NonNullable<Pod['status']>): NonNullable<Pod['status']> {
  const {
    phase,
    startTime,
    podIPs,
    hostIPs,
    containerStatuses,
    initContainerStatuses,
    ephemeralContainerStatuses,
  } = status;
  const slim = (list: typeof containerStatuses = []) =>
    list.map(({ name, state }) => ({
      name,
      ...(state?.running === undefined ? {} : { state: { running: state.running } }),
    }));
  return {
    ...(phase === undefined ? {} : { phase }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(podIPs === undefined ? {} : { podIPs }),
    ...(hostIPs === undefined ? {} : { hostIPs }),
    containerStatuses: slim(containerStatuses),
    initContainerStatuses: slim(initContainerStatuses),
    ephemeralContainerStatuses: slim(ephemeralContainerStatuses),
  };
}

/**
 * Two namespaces are never guarded ones, whatever their labels say: admission is left out of them, so
 * that nobody would be asked there who writes credentials, or sets the label. In the operator's own a
 * source could name the keys of the vault, in kube-system those of the cluster.
 */
export function isNeverGuarded(namespace: string, operatorNamespace: string): boolean {
  return namespace === operatorNamespace || namespace === 'kube-system';
}

/** Without the label that says that it is guarded, where it never is. */
export function slimNamespace(
  { apiVersion, kind, metadata, status }: Namespace,
  operatorNamespace: string,
): Namespace {
  const { annotations: _annotations, labels = {}, ...kept } = metadata;
  const { [LABELS.guarded]: guarded, ...others } = labels;
  const isNever = isNeverGuarded(metadata.name, operatorNamespace);
  return {
    apiVersion,
    kind,
    metadata: { ...kept, labels: guarded === undefined || isNever ? others : labels },
    ...(status === undefined ? {} : { status }),
  };
}
