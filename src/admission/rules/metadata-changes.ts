import { isDeepStrictEqual } from 'node:util';
import { ANNOTATIONS } from '#api/names.ts';
import type { KubeObject, ObjectMeta } from '#kube/objects.ts';

/** Keys whose values differ, also where only one side has them; sorted. */
export function changedKeys(before: object, after: object): readonly string[] {
  const [one, other] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const keys = new Set([...one.keys(), ...other.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(one.get(key), other.get(key))).sort();
}

/** What the server keeps or counts itself, or what is looked at by itself. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  'annotations',
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generateName',
  'generation',
  'managedFields',
  'name',
  'namespace',
  'resourceVersion',
  'selfLink',
  'uid',
]);

/** Members of metadata that differ, but for annotations: labels, finalizers, ownerReferences. */
export function changedMetadata(before: ObjectMeta, after: ObjectMeta): readonly string[] {
  return changedKeys(withoutEmpty(before), withoutEmpty(after));
}

function withoutEmpty(metadata: ObjectMeta): object {
  const parts = Object.entries(metadata).filter(
    ([key, value]: [string, unknown]) => !NOT_COMPARED.has(key) && !isEmpty(value),
  );
  return Object.fromEntries(parts);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Whether two versions of an object say the same: all but what the server and admission write. */
export function isUnchanged(
  before: KubeObject | undefined,
  after: KubeObject | undefined,
): boolean {
  if (before === undefined || after === undefined) return false;
  return (
    changedMetadata(before.metadata, after.metadata).length === 0 &&
    changedAnnotations(before.metadata, after.metadata).length === 0 &&
    changedKeys(withoutServersPart(before), withoutServersPart(after)).length === 0
  );
}

const STAMPS: ReadonlySet<string> = new Set([ANNOTATIONS.createdBy, ANNOTATIONS.requestedBy]);

/** Names of annotations that differ, but for those that admission writes and checks by themselves. */
export function changedAnnotations(before: ObjectMeta, after: ObjectMeta): readonly string[] {
  return changedKeys(before.annotations ?? {}, after.annotations ?? {}).filter(
    (name) => !STAMPS.has(name),
  );
}

/** `status` is written through its own subresource: here the server takes it from what is stored. */
function withoutServersPart(object: KubeObject): object {
  const parts = Object.entries(object).filter(([key]) => key !== 'metadata' && key !== 'status');
  return Object.fromEntries(parts);
}
