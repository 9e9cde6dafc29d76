/**
 * What is exempt, and only for what it needs: parts of Kubernetes without which namespaces hang or
 * workloads stand still. Each has a test.
 */
import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '#access/reading.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { AdmissionRequest, UserInfo } from './request.ts';

export const KUBE_SYSTEM = 'system:serviceaccount:kube-system:';

export const NAMESPACE_CONTROLLER: string = `${KUBE_SYSTEM}namespace-controller`;
export const GARBAGE_COLLECTOR: string = `${KUBE_SYSTEM}generic-garbage-collector`;
export const STORAGE_VERSION_MIGRATOR: string = `${KUBE_SYSTEM}storage-version-migrator-controller`;

/** Deletion of what is left in a namespace, or of what belonged to something that is gone. */
export function isClusterDeletion({ operation, userInfo }: AdmissionRequest): boolean {
  if (operation !== 'DELETE') return false;
  return userInfo.username === NAMESPACE_CONTROLLER || userInfo.username === GARBAGE_COLLECTOR;
}

/** The garbage collector orphans an object, or lets it go: owners and finalizers, and nothing else. */
export function isCollectorUpdate(request: AdmissionRequest): boolean {
  return (
    request.userInfo.username === GARBAGE_COLLECTOR &&
    changesNothingBut(request, [...WRITTEN_BY_SERVER, 'ownerReferences', 'finalizers'])
  );
}

/** Written again as it was, so that it is stored in the newest form. */
export function isStorageMigration(request: AdmissionRequest): boolean {
  return (
    request.userInfo.username === STORAGE_VERSION_MIGRATOR &&
    changesNothingBut(request, WRITTEN_BY_SERVER)
  );
}

const WRITTEN_BY_SERVER: readonly string[] = ['resourceVersion', 'managedFields', 'generation'];

function changesNothingBut(
  { operation, object, oldObject }: AdmissionRequest,
  fields: readonly string[],
): boolean {
  if (operation !== 'UPDATE' || object === undefined || oldObject === undefined) return false;
  return isDeepStrictEqual(without(object, fields), without(oldObject, fields));
}

function without(object: KubeObject, fields: readonly string[]): object {
  const metadata = Object.entries(object.metadata).filter(([field]) => !fields.includes(field));
  return { ...object, metadata: Object.fromEntries(metadata) };
}

export function isKubelet({ username, groups }: UserInfo): boolean {
  return username.startsWith('system:node:') && groups.includes('system:nodes');
}

/** A kubelet asks for the token of a pod's ServiceAccount; that it runs there, the API server checks. */
export function isTokenOfPod({ userInfo, object }: AdmissionRequest): boolean {
  if (!isKubelet(userInfo) || object === undefined) return false;
  const { spec } = object as { readonly spec?: unknown };
  const bound = isRecord(spec) ? spec['boundObjectRef'] : undefined;
  return isRecord(bound) && bound['kind'] === 'Pod';
}

export const MIRROR = 'kubernetes.io/config.mirror';

/** A kubelet shows a pod of its own files, which has neither ServiceAccount nor Secrets: the API server sees to it. */
export function isMirrorPod({ userInfo, object, operation }: AdmissionRequest): boolean {
  if (operation !== 'CREATE' || !isKubelet(userInfo)) return false;
  return object?.metadata.annotations?.[MIRROR] !== undefined;
}

export interface OwnerKind {
  readonly kind: string;
  readonly apiVersion: string;
}

/** Controllers of kube-system, and of what kind the owners of the things are that they make. */
export const MAKERS: ReadonlyMap<string, OwnerKind> = new Map([
  ['replicaset-controller', { apiVersion: 'apps/v1', kind: 'ReplicaSet' }],
  ['statefulset-controller', { apiVersion: 'apps/v1', kind: 'StatefulSet' }],
  ['daemon-set-controller', { apiVersion: 'apps/v1', kind: 'DaemonSet' }],
  ['deployment-controller', { apiVersion: 'apps/v1', kind: 'Deployment' }],
  ['replication-controller', { apiVersion: 'v1', kind: 'ReplicationController' }],
  ['job-controller', { apiVersion: 'batch/v1', kind: 'Job' }],
  ['cronjob-controller', { apiVersion: 'batch/v1', kind: 'CronJob' }],
]);

/** A controller acts on a template that was reviewed when its owner was written. */
export function isMadeFromTemplate({ userInfo, object }: AdmissionRequest): boolean {
  if (!userInfo.username.startsWith(KUBE_SYSTEM)) return false;
  const maker = MAKERS.get(userInfo.username.slice(KUBE_SYSTEM.length));
  if (maker === undefined) return false;
  const owners = object?.metadata.ownerReferences ?? [];
  return owners.some(
    ({ controller, kind, apiVersion }) =>
      controller === true && kind === maker.kind && apiVersion === maker.apiVersion,
  );
}
