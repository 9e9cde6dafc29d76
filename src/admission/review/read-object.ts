import type { KubeObject } from '#kube/objects.ts';
import type { GroupVersionKind } from '../request.ts';
import { checkTextMap, isObject, member, objectAt, ReviewFault, textOrEmpty } from './members.ts';
import type { JsonObject } from './members.ts';

const MAX_NAME = 1024;
const MAX_FINALIZER = 1024;

/** Members of metadata that hold text, where they are there. */
const TEXTS = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
] as const;

/**
 * An object of a review as rules may read it: it is of the kind that the review names, its metadata
 * has the types of `ObjectMeta`, and its name is a string (empty where the server is to make one up,
 * and for options of CONNECT, which have no metadata). Everything else is as it came. Throws
 * ReviewFault.
 */
export function readObject(
  request: JsonObject,
  name: 'object' | 'oldObject',
  kind: GroupVersionKind,
): KubeObject | undefined {
  if (member(request, name) === undefined) return undefined;
  const place = `request.${name}.`;
  const object = objectAt(request, name, 'request.');
  const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
  if (member(object, 'apiVersion') !== apiVersion || member(object, 'kind') !== kind.kind) {
    throw new ReviewFault(`request.${name} is not of the kind that request.kind names`);
  }
  const given = member(object, 'metadata') === undefined ? {} : objectAt(object, 'metadata', place);
  return { ...object, apiVersion, kind: kind.kind, metadata: readMetadata(given, place) };
}

function readMetadata(given: JsonObject, above: string): KubeObject['metadata'] {
  const place = `${above}metadata.`;
  for (const text of TEXTS) textOrEmpty(given, text, place, MAX_NAME);
  const generation = member(given, 'generation');
  if (generation !== undefined && typeof generation !== 'number') {
    throw new ReviewFault(`${place}generation must be a number`);
  }
  checkTextMap(given, 'labels', place);
  checkTextMap(given, 'annotations', place);
  checkFinalizers(given, place);
  checkOwners(given, place);
  // Null is as good as absent to the API server; to rules it is absent.
  const present = Object.entries(given).filter(([, value]) => value !== null);
  const metadata = Object.fromEntries(present) as Partial<KubeObject['metadata']>;
  return { ...metadata, name: metadata.name ?? '' };
}

function checkFinalizers(metadata: JsonObject, place: string): void {
  const finalizers = member(metadata, 'finalizers') ?? [];
  const isList =
    Array.isArray(finalizers) &&
    finalizers.every((one) => typeof one === 'string' && one.length <= MAX_FINALIZER);
  if (!isList) throw new ReviewFault(`${place}finalizers must be a list of strings`);
}

function checkOwners(metadata: JsonObject, place: string): void {
  const owners = member(metadata, 'ownerReferences') ?? [];
  const isOwner = (one: unknown): boolean =>
    isObject(one) &&
    ['apiVersion', 'kind', 'name', 'uid'].every((part) => typeof member(one, part) === 'string') &&
    ['controller', 'blockOwnerDeletion'].every((part) =>
      ['boolean', 'undefined'].includes(typeof member(one, part)),
    );
  if (!Array.isArray(owners) || !owners.every(isOwner)) {
    throw new ReviewFault(`${place}ownerReferences must be a list of owners`);
  }
}
