/**
 * An AdmissionReview as rules may rely on it. What is not exactly that is refused here, with the
 * member at fault and never its content; so no rule meets a member of another type than the one
 * that `AdmissionRequest` says.
 */
import { API_VERSION, KIND } from './version.ts';
import type {
  AdmissionRequest,
  GroupVersionKind,
  GroupVersionResource,
  Operation,
  UserInfo,
} from '../request.ts';
import {
  isObject,
  member,
  objectAt,
  ReviewFault,
  textAt,
  textOrEmpty,
  textsAt,
} from './members.ts';
import type { JsonObject } from './members.ts';
import { nestsDeeperThan } from './nesting.ts';
import { readObject } from './read-object.ts';

export type ReadReview =
  | { readonly ok: true; readonly request: AdmissionRequest }
  | {
      readonly ok: false;
      /** Where it could be read: the answer can then be a review, not only an HTTP status. */
      readonly uid?: string;
      /** HTTP. */
      readonly status: number;
      readonly message: string;
    };

/** Objects of Kubernetes nest some twenty deep, those with a schema in them some fifty. */
export const MAX_NESTING = 128;
const MAX_UID = 256;
const MAX_NAME = 1024;
const MAX_PART = 253;
const IDENTITY = { items: 10_000, length: 4096 } as const;

const OPERATIONS: ReadonlySet<string> = new Set<Operation>([
  'CREATE',
  'UPDATE',
  'DELETE',
  'CONNECT',
]);

/** Never throws. `body` is UTF-8 without a byte order mark. */
export function readReview(body: Uint8Array): ReadReview {
  if (nestsDeeperThan(MAX_NESTING, body)) {
    return failed(`the review is nested deeper than ${MAX_NESTING} levels`);
  }
  const review = parse(body);
  if (!isObject(review)) return failed('the body is not an object in JSON');
  const uid = uidOf(review);
  try {
    return { ok: true, request: readRequest(review) };
  } catch (error) {
    if (error instanceof ReviewFault) return failed(error.message, uid);
    return failed('the review could not be read', uid);
  }
}

function failed(message: string, uid?: string): ReadReview {
  return { ok: false, ...(uid === undefined ? {} : { uid }), status: 400, message };
}

function parse(body: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function uidOf(review: JsonObject): string | undefined {
  const request = member(review, 'request');
  const uid = isObject(request) ? member(request, 'uid') : undefined;
  return typeof uid === 'string' && uid !== '' && uid.length <= MAX_UID ? uid : undefined;
}

function readRequest(review: JsonObject): AdmissionRequest {
  if (member(review, 'apiVersion') !== API_VERSION || member(review, 'kind') !== KIND) {
    throw new ReviewFault(`the body is no ${KIND} of ${API_VERSION}`);
  }
  const request = objectAt(review, 'request', '');
  const uid = textAt(request, 'uid', 'request.', MAX_UID);
  if (uid === '') throw new ReviewFault('request.uid must not be empty');
  const kind = readKind(request);
  const operation = textAt(request, 'operation', 'request.', 16);
  if (!isOperation(operation)) {
    throw new ReviewFault(`request.operation must be one of ${[...OPERATIONS].join(', ')}`);
  }
  const subResource = textOrEmpty(request, 'subResource', 'request.', MAX_PART);
  const name = textOrEmpty(request, 'name', 'request.', MAX_NAME);
  const namespace = textOrEmpty(request, 'namespace', 'request.', MAX_PART);
  const dryRun = member(request, 'dryRun') ?? false;
  if (typeof dryRun !== 'boolean') throw new ReviewFault('request.dryRun must be true or false');
  const options = member(request, 'options');
  if (options !== undefined && !isObject(options)) {
    throw new ReviewFault('request.options must be an object');
  }
  const read: AdmissionRequest = {
    uid,
    kind,
    resource: readResource(request),
    ...(subResource === '' ? {} : { subResource }),
    name,
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: readUser(objectAt(request, 'userInfo', 'request.')),
    ...readObjects(request, operation, kind),
    ...(options === undefined ? {} : { options }),
    dryRun,
  };
  checkSameObject(read);
  return read;
}

function isOperation(text: string): text is Operation {
  return OPERATIONS.has(text);
}

function readKind(request: JsonObject): GroupVersionKind {
  const kind = objectAt(request, 'kind', 'request.');
  const place = 'request.kind.';
  return {
    group: textOrEmpty(kind, 'group', place, MAX_PART),
    version: textAt(kind, 'version', place, MAX_PART),
    kind: textAt(kind, 'kind', place, MAX_PART),
  };
}

function readResource(request: JsonObject): GroupVersionResource {
  const resource = objectAt(request, 'resource', 'request.');
  const place = 'request.resource.';
  return {
    group: textOrEmpty(resource, 'group', place, MAX_PART),
    version: textAt(resource, 'version', place, MAX_PART),
    resource: textAt(resource, 'resource', place, MAX_PART),
  };
}

function readUser(user: JsonObject): UserInfo {
  const place = 'request.userInfo.';
  const username = textAt(user, 'username', place, IDENTITY.length);
  if (username === '') throw new ReviewFault(`${place}username must not be empty`);
  const uid = textOrEmpty(user, 'uid', place, IDENTITY.length);
  const extra = member(user, 'extra') === undefined ? undefined : objectAt(user, 'extra', place);
  return {
    username,
    ...(uid === '' ? {} : { uid }),
    groups: textsAt(user, 'groups', place, IDENTITY),
    ...(extra === undefined ? {} : { extra: readExtra(extra, `${place}extra.`) }),
  };
}

function readExtra(extra: JsonObject, place: string): Readonly<Record<string, readonly string[]>> {
  const keys = Object.keys(extra);
  if (keys.length > IDENTITY.items || keys.some((key) => key.length > IDENTITY.length)) {
    throw new ReviewFault(`${place.slice(0, -1)} is too large`);
  }
  // The key itself may be anything, so a fault does not quote it.
  return Object.fromEntries(
    keys.map((key) => [key, textsAt({ values: extra[key] }, 'values', place, IDENTITY)]),
  );
}

/** What each operation has to bring, and what it cannot. */
function readObjects(
  request: JsonObject,
  operation: Operation,
  kind: GroupVersionKind,
): Pick<AdmissionRequest, 'object' | 'oldObject'> {
  const object = operation === 'DELETE' ? undefined : readObject(request, 'object', kind);
  const isChange = operation === 'UPDATE' || operation === 'DELETE';
  const oldObject = isChange ? readObject(request, 'oldObject', kind) : undefined;
  if (object === undefined && operation !== 'DELETE') {
    throw new ReviewFault(`request.object is missing, for ${operation}`);
  }
  // A delete of a whole collection is asked about once more without any object.
  if (oldObject === undefined && operation === 'UPDATE') {
    throw new ReviewFault(`request.oldObject is missing, for ${operation}`);
  }
  return {
    ...(object === undefined ? {} : { object }),
    ...(oldObject === undefined ? {} : { oldObject }),
  };
}

/** Rules look objects up by the review's name and namespace and judge what it carries: the same one. */
function checkSameObject(request: AdmissionRequest): void {
  if (request.subResource !== undefined || request.operation === 'CONNECT') return;
  for (const part of ['object', 'oldObject'] as const) {
    const { name = '', namespace = '' } = request[part]?.metadata ?? {};
    if (name !== '' && request.name !== '' && name !== request.name) {
      throw new ReviewFault(`request.${part} has another name than request.name`);
    }
    if (namespace !== '' && namespace !== request.namespace) {
      throw new ReviewFault(`request.${part} lies in another namespace than request.namespace`);
    }
  }
}
