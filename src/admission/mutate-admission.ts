/**
 * What the mutating webhook writes into objects: who it was. It decides nothing; the validating
 * webhook refuses what does not say what is written here.
 */
import { isRecord } from '#access/reading.ts';
import { ANNOTATIONS, GROUP, LABELS } from '#api/names.ts';
import type { JsonPatchOperation } from '#kube/client.ts';
import type { KubeObject } from '#kube/objects.ts';
import { signedDecisions } from './emergency-decisions.ts';
import { createdByOf, requestedByOf } from './identity-stamp.ts';
import { MAX_LABEL } from './pods/pod-template.ts';
import type { AdmissionRequest } from './request.ts';
import { isOperator } from './requester.ts';
import type { RuleContext } from './rule.ts';
import { warn } from './warn.ts';

const STAMPED_KINDS: ReadonlySet<string> = new Set([
  'ExchangeCredential',
  'AccessPolicy',
  'IPBlock',
  'EmergencyAccess',
]);

/**
 * The patch for a review: annotations that say who created one of our objects, who asked for what on
 * it, and who decided on an EmergencyAccess, whatever the client sent there; on a pod, the label with
 * the name of its ServiceAccount. Empty where there is nothing to write, so that the same object
 * comes out of a second call as it went in.
 *
 * @param stampKey authenticates decisions; 32 bytes
 */
export function mutateAdmission(
  request: AdmissionRequest,
  { settings, nowMs }: Pick<RuleContext, 'settings' | 'nowMs'>,
  stampKey: Uint8Array,
): readonly JsonPatchOperation[] {
  const { object, operation, subResource = '', resource, kind, userInfo } = request;
  if (object === undefined || subResource !== '') return [];
  if (operation !== 'CREATE' && operation !== 'UPDATE') return [];
  if (resource.group === '' && resource.resource === 'pods') return labelOfPod(request, object);
  if (resource.group !== GROUP || !STAMPED_KINDS.has(kind.kind)) return [];
  // What it writes was stamped before, and asked for by others.
  if (isOperator(userInfo, settings) && operation === 'UPDATE') return [];
  const before = request.oldObject?.metadata.annotations;
  const stamps: Readonly<Record<string, string | undefined>> = {
    [ANNOTATIONS.createdBy]:
      operation === 'CREATE' ? createdByOf(userInfo) : before?.[ANNOTATIONS.createdBy],
    [ANNOTATIONS.requestedBy]: requestedByOf(request),
    ...(kind.kind === 'EmergencyAccess' && {
      [ANNOTATIONS.decisions]: signedDecisions(request, stampKey, nowMs),
    }),
  };
  return patchMap(object, 'annotations', stamps);
}

/** How what somebody wanted with one of them is really done. */
const INSTEAD: Readonly<Record<string, string>> = {
  [ANNOTATIONS.createdBy]: 'it says who created it',
  [ANNOTATIONS.requestedBy]: 'it says who asked',
  [ANNOTATIONS.decisions]: 'decide with "strongroom emergency approve", deny, end or review',
};

/** Warnings about what the requester wrote where only admission writes, and so was dropped. */
export function droppedStamps(
  { object, oldObject }: Pick<AdmissionRequest, 'object' | 'oldObject'>,
  patch: readonly JsonPatchOperation[],
): readonly string[] {
  const before = oldObject?.metadata.annotations;
  return Object.entries(INSTEAD).flatMap(([name, instead]) => {
    const given = object?.metadata.annotations?.[name];
    // As it was, it is what was read before: nobody meant anything by it.
    if (given === undefined || given === before?.[name]) return [];
    const isReplaced = patch.some(({ path }) => path === annotationPath(name));
    return isReplaced
      ? [
          warn(
            `annotation ${name} is written by admission alone, and what you set there is dropped: ${instead}`,
          ),
        ]
      : [];
  });
}

function annotationPath(name: string): string {
  return `/metadata/annotations/${escapePointer(name)}`;
}

/** Only as it is created: from then on the label cannot be changed. */
function labelOfPod(
  { operation }: AdmissionRequest,
  object: KubeObject,
): readonly JsonPatchOperation[] {
  if (operation !== 'CREATE') return [];
  const spec = 'spec' in object && isRecord(object.spec) ? object.spec : {};
  const account = spec['serviceAccountName'];
  const name = typeof account === 'string' && account !== '' ? account : 'default';
  // A longer one is refused: a label that says less could be that of another account.
  if (name.length > MAX_LABEL) return [];
  return patchMap(object, 'labels', { [LABELS.serviceAccount]: name });
}

/** Operations that give the entries these values, and take off those that are undefined. */
function patchMap(
  { metadata }: KubeObject,
  map: 'annotations' | 'labels',
  entries: Readonly<Record<string, string | undefined>>,
): readonly JsonPatchOperation[] {
  const present = metadata[map];
  const path = `/metadata/${map}`;
  const wanted = Object.entries(entries);
  if (!isRecord(present)) {
    const value = Object.fromEntries(wanted.filter(([, text]) => text !== undefined));
    return Object.keys(value).length === 0 ? [] : [{ op: 'add', path, value }];
  }
  return wanted.flatMap(([key, value]): readonly JsonPatchOperation[] => {
    const at = `${path}/${escapePointer(key)}`;
    if (value === undefined) return Object.hasOwn(present, key) ? [{ op: 'remove', path: at }] : [];
    if (Object.hasOwn(present, key) && present[key] === value) return [];
    return [{ op: 'add', path: at, value }];
  });
}

/** RFC 6901. */
export function escapePointer(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}
