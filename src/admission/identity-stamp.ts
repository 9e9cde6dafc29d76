/**
 * Who created an object of ours, and who asked for what on it. The mutating webhook writes both
 * annotations, the validating one refuses any others, and both make them here from the same review.
 * There is nothing random and no time in them, so that both get the same text.
 */
import { isRecord, parseJson } from '#access/reading.ts';
import { ANNOTATIONS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { describeObject } from './ask.ts';
import type { AdmissionRequest, UserInfo } from './request.ts';
import type { Verdict } from './verdict.ts';
import { refuse } from './verdict.ts';

/** Annotations take 256 KiB together, and belong to people, too. */
const MAX_STAMP = 8192;
const MAX_REQUESTER = 2048;

/** The annotation `strongroom.dev/created-by`: name, uid, groups and extra of the requester. */
export function createdByOf(user: UserInfo): string {
  const { username, uid, groups, extra } = user;
  const identity = { username, ...(uid === undefined || uid === '' ? {} : { uid }) };
  const hasExtra = extra !== undefined && Object.keys(extra).length > 0;
  const whole = { ...identity, groups: [...groups], ...(hasExtra ? { extra: sorted(extra) } : {}) };
  return firstThatFits(MAX_STAMP, [
    whole,
    { ...identity, groups: [...groups], truncated: true },
    { ...identity, truncated: true },
  ]);
}

/** What of an object counts as a request, by the name under which its requester is kept. */
const REQUESTS: Readonly<Record<string, (object: KubeObject) => string | undefined>> = {
  [ANNOTATIONS.rotate]: annotation(ANNOTATIONS.rotate),
  [ANNOTATIONS.rollbackTo]: annotation(ANNOTATIONS.rollbackTo),
  [ANNOTATIONS.revoke]: annotation(ANNOTATIONS.revoke),
  [ANNOTATIONS.adopt]: annotation(ANNOTATIONS.adopt),
  [ANNOTATIONS.reason]: annotation(ANNOTATIONS.reason),
  'spec.state': stateOf,
};

/**
 * The annotation `strongroom.dev/requested-by` as it has to be: the requester of what this request
 * changes, and whoever stood there for what it does not. Undefined: none. Only ExchangeCredentials
 * have requests; on any other kind it stays as it was.
 */
export function requestedByOf({
  kind,
  object,
  oldObject,
  userInfo,
}: AdmissionRequest): string | undefined {
  const before = oldObject?.metadata.annotations?.[ANNOTATIONS.requestedBy];
  if (kind.kind !== 'ExchangeCredential' || object === undefined) return before;
  const known = readRecord(before);
  const entries = Object.entries(REQUESTS).flatMap(([name, read]) => {
    const now = read(object);
    const isChanged = oldObject === undefined ? isAsked(name, now) : read(oldObject) !== now;
    if (isChanged) return now === undefined ? [] : [[name, requesterOf(userInfo)] as const];
    const kept = known[name];
    return now === undefined || kept === undefined ? [] : [[name, kept] as const];
  });
  return entries.length === 0 ? undefined : JSON.stringify(Object.fromEntries(entries));
}

/** A refusal where the annotations are not as admission writes them; undefined where they are. */
export function checkStamps(request: AdmissionRequest): Verdict | undefined {
  const { object, oldObject, operation, userInfo } = request;
  if (object === undefined) return undefined;
  const annotations = object.metadata.annotations ?? {};
  const isCreate = operation === 'CREATE';
  const expected: Readonly<Record<string, string | undefined>> = {
    [ANNOTATIONS.createdBy]: isCreate
      ? createdByOf(userInfo)
      : oldObject?.metadata.annotations?.[ANNOTATIONS.createdBy],
    [ANNOTATIONS.requestedBy]: requestedByOf(request),
  };
  for (const [name, value] of Object.entries(expected)) {
    if (annotations[name] === value) continue;
    const what = `${describeObject(request)}: annotation ${name}`;
    return annotations[name] === undefined && isCreate
      ? refuse(
          'Invalid',
          `${what} is missing, which the mutating webhook of Strongroom writes: it does not work; "strongroom doctor" says why, "strongroom admission restore" puts it back`,
          { code: 422 },
        )
      : refuse(
          'Immutable',
          `${what} is written by admission alone and does not say who this request is by; leave it as it was`,
        );
  }
  return undefined;
}

function requesterOf({ username, uid, groups }: UserInfo): unknown {
  const identity = { username, ...(uid === undefined || uid === '' ? {} : { uid }) };
  const whole = { ...identity, groups: [...groups] };
  return JSON.stringify(whole).length <= MAX_REQUESTER ? whole : { ...identity, truncated: true };
}

/** An object that is created Active asks for nothing. */
function isAsked(name: string, value: string | undefined): boolean {
  return name === 'spec.state' ? value !== 'Active' : value !== undefined;
}

function annotation(name: string): (object: KubeObject) => string | undefined {
  return ({ metadata }) => metadata.annotations?.[name];
}

function stateOf(object: KubeObject): string {
  const spec = 'spec' in object ? object.spec : undefined;
  const state = isRecord(spec) ? spec['state'] : undefined;
  return typeof state === 'string' ? state : 'Active';
}

function firstThatFits(limit: number, candidates: readonly unknown[]): string {
  const texts = candidates.map((candidate) => JSON.stringify(candidate));
  return texts.find((text) => text.length <= limit) ?? texts.at(-1) ?? '';
}

function sorted(
  extra: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, readonly string[]>> {
  const pairs = Object.entries(extra).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(pairs);
}

function readRecord(text: string | undefined): Readonly<Record<string, unknown>> {
  const value = parseJson(text);
  return isRecord(value) ? value : {};
}
