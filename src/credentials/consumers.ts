/**
 * Which pods have a delivered Secret, and what can be known about the version each of them has.
 * What a process really read cannot be seen from outside, and nothing here pretends to: a container
 * that started after the delivery has the version; a volume is assumed to, once the kubelet had
 * time; anything else is unknown or stale.
 */
import type { Consumer } from '#api/exchange-credential.ts';
import type { Container, ContainerStatus, Pod } from '#kube/objects.ts';

export interface DeliveredVersion {
  readonly version: number;
  readonly deliveredAtMs: number;
}

export interface ConsumersInput {
  readonly pods: readonly Pod[];
  readonly secretName: string;
  /** Undefined while nothing is delivered. */
  readonly delivered: DeliveredVersion | undefined;
  /** After this a volume is assumed to show a new version. */
  readonly propagationMs: number;
  readonly nowMs: number;
  /** UIDs of pods whose ServiceAccount may not mount the credential. */
  readonly withoutRight?: ReadonlySet<string>;
}

export interface Consumers {
  /** At most 100, in a stable order. */
  readonly consumers: readonly Consumer[];
  /** Pods, all of them. */
  readonly count: number;
  /** When the list changes by time alone, in ms since the epoch. */
  readonly nextMs?: number;
}

const MAX_LISTED = 100;
/** Kubernetes writes start times in whole seconds, cut off. */
const START_PRECISION_MS = 1000;

export function findConsumers(input: ConsumersInput): Consumers {
  const found = input.pods
    .filter(isLive)
    .flatMap((pod) => usesOf(pod, input.secretName).map((use) => consumerOf(pod, use, input)))
    .sort(byPod);
  const listed = found.slice(0, MAX_LISTED);
  const settlesAtMs = (input.delivered?.deliveredAtMs ?? 0) + input.propagationMs;
  const waits = found.some(({ use, evidence }) => isUpdated(use) && evidence === 'Unknown');
  return {
    consumers: listed,
    count: new Set(found.map(({ podUid }) => podUid)).size,
    ...(waits && settlesAtMs > input.nowMs ? { nextMs: settlesAtMs } : {}),
  };
}

/** Names of the Secrets that a pod mounts or reads: those whose use is shown. */
export function secretsUsedBy({ spec }: Pod): readonly string[] {
  const names = [
    ...(spec?.volumes ?? []).flatMap(({ secret, projected }) => [
      secret?.secretName,
      ...(projected?.sources ?? []).map((source) => source.secret?.name),
    ]),
    ...containersOf(spec).flatMap(environmentSecrets),
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
}

interface Use {
  readonly use: Consumer['use'];
  readonly container?: string;
}

interface Volume {
  readonly name: string;
  readonly use: Consumer['use'];
}

function usesOf({ spec }: Pod, secretName: string): readonly Use[] {
  const containers = containersOf(spec);
  const volumes = (spec?.volumes ?? []).flatMap(
    ({ name, secret, projected }): readonly Volume[] => {
      if (secret?.secretName === secretName) return [{ name, use: 'Volume' }];
      const isProjected = projected?.sources?.some((s) => s.secret?.name === secretName) ?? false;
      return isProjected ? [{ name, use: 'ProjectedVolume' }] : [];
    },
  );
  const mounted = volumes.flatMap((volume): readonly Use[] => {
    const mounts = containers.flatMap(({ name: container, volumeMounts = [] }) =>
      volumeMounts
        .filter(({ name }) => name === volume.name)
        .map(({ subPath, subPathExpr }) => ({
          container,
          use: (subPath ?? subPathExpr ?? '') === '' ? volume.use : ('SubPath' as const),
        })),
    );
    // The kubelet puts a volume into place even when no container mounts it.
    return mounts.length === 0 ? [{ use: volume.use }] : mounts;
  });
  const read = containers
    .filter((container) => environmentSecrets(container).includes(secretName))
    .map(({ name: container }) => ({ container, use: 'Environment' as const }));
  const unique = new Map(
    [...mounted, ...read].map((use) => [`${use.container ?? ''}/${use.use}`, use]),
  );
  return [...unique.values()];
}

function environmentSecrets({ env = [], envFrom = [] }: Container): readonly string[] {
  return [
    ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
    ...envFrom.map(({ secretRef }) => secretRef?.name),
  ].filter((name) => name !== undefined);
}

function containersOf(spec: Pod['spec']): readonly Container[] {
  return [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
}

/** A pod that has ended holds nothing any more. */
export function isLive({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

function consumerOf(pod: Pod, { use, container }: Use, input: ConsumersInput): Consumer {
  const startedAt = startOf(pod, container);
  const about = {
    pod: pod.metadata.name,
    podUid: pod.metadata.uid ?? '',
    ...(container === undefined ? {} : { container }),
    use,
    ...(input.withoutRight?.has(pod.metadata.uid ?? '') === true ? { withoutRight: true } : {}),
    since: startedAt ?? pod.metadata.creationTimestamp ?? new Date(input.nowMs).toISOString(),
  };
  const { delivered } = input;
  if (startedAt === undefined || delivered === undefined) {
    return { ...about, evidence: 'Unknown' };
  }
  const { version, deliveredAtMs } = delivered;
  const startedAtMs = Date.parse(startedAt);
  if (startedAtMs >= deliveredAtMs) {
    return { ...about, version, evidence: 'StartedAfterDelivery' };
  }
  if (isUpdated(use)) {
    return input.nowMs >= deliveredAtMs + input.propagationMs
      ? { ...about, version, evidence: 'PropagationAssumed' }
      : { ...about, evidence: 'Unknown' };
  }
  // It may have started in the same second, before or after.
  const isSurelyBefore = startedAtMs + START_PRECISION_MS <= deliveredAtMs;
  return { ...about, evidence: isSurelyBefore ? 'Stale' : 'Unknown' };
}

/** Whether the kubelet brings a new version to a container that runs. */
function isUpdated(use: Consumer['use']): boolean {
  return use === 'Volume' || use === 'ProjectedVolume';
}

/** When the container runs since; for the pod as a whole, when it was started. */
function startOf({ status }: Pod, container: string | undefined): string | undefined {
  if (container === undefined) return status?.startTime;
  const statuses: readonly ContainerStatus[] = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  return statuses.find(({ name }) => name === container)?.state?.running?.startedAt;
}

function byPod(a: Consumer, b: Consumer): number {
  return compare(a.pod, b.pod) || compare(a.container, b.container) || compare(a.use, b.use);
}

function compare(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
