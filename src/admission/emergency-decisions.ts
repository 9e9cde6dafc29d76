/**
 * How an annotation that somebody sets on an EmergencyAccess becomes a decision of theirs: the
 * mutating webhook adds an authenticated entry, and the validating one sees that this, and nothing
 * else, was added.
 */
import { DECISION_ACTS } from '#access/emergency/decisions.ts';
import type { DecisionAct } from '#access/emergency/decisions.ts';
import { signDecision, verifyDecision } from '#access/emergency/stamp.ts';
import type { StampedDecision } from '#access/emergency/stamp.ts';
import { isRecord, parseJson } from '#access/reading.ts';
import { ANNOTATIONS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { AdmissionRequest } from './request.ts';

export interface AskedAct {
  readonly act: DecisionAct;
  readonly annotation: string;
  /** The value of the annotation, as it stands. */
  readonly reason: string;
}

const ANNOTATION_OF: Readonly<Record<DecisionAct, string>> = {
  approve: ANNOTATIONS.approve,
  'self-approve': ANNOTATIONS.selfApprove,
  deny: ANNOTATIONS.deny,
  end: ANNOTATIONS.end,
  review: ANNOTATIONS.review,
};

/** All annotations by which somebody decides. */
export const ACT_ANNOTATIONS: ReadonlySet<string> = new Set(Object.values(ANNOTATION_OF));

/** What a request asks for: annotations that it sets, or sets to something else. Taking one off is no act. */
export function askedActs({
  object,
  oldObject,
}: Pick<AdmissionRequest, 'object' | 'oldObject'>): readonly AskedAct[] {
  return DECISION_ACTS.flatMap((act) => {
    const annotation = ANNOTATION_OF[act];
    const reason = object?.metadata.annotations?.[annotation];
    if (reason === undefined || reason === oldObject?.metadata.annotations?.[annotation]) return [];
    return [{ act, annotation, reason }];
  });
}

/**
 * The annotation `strongroom.dev/decisions` as it has to be after the request: as it was, and an
 * entry for each act that is asked for. Undefined: none. A dry run gets a stamp that is none. Entries
 * that an earlier call made for the same request stay.
 */
export function signedDecisions(
  request: AdmissionRequest,
  key: Uint8Array,
  nowMs: number,
): string | undefined {
  const { object, oldObject } = request;
  const before = textOf(oldObject);
  const acts = oldObject === undefined ? [] : askedActs(request);
  if (acts.length === 0) return before;
  const given = textOf(object);
  if (given !== undefined && isMadeHere(request, key, given)) return given;
  const entries = acts.map((asked) => {
    const entry = entryOf(request, asked, new Date(nowMs).toISOString());
    return { ...entry, mac: request.dryRun ? DRY_RUN : signDecision(key, stampOf(request, entry)) };
  });
  return JSON.stringify([...entriesOf(before), ...entries]);
}

const DRY_RUN = 'dry-run';

/** What is wrong with the entries that a request adds, said after "annotation …"; undefined: nothing. */
export function faultOfDecisions(request: AdmissionRequest): string | undefined {
  const { object, oldObject } = request;
  const [before, after] = [textOf(oldObject), textOf(object)];
  const acts = oldObject === undefined ? [] : askedActs(request);
  if (acts.length === 0) {
    return before === after ? undefined : 'is written by admission alone; leave it as it was';
  }
  const [were, are] = [entriesOf(before), entriesOf(after)];
  const added = are.slice(were.length);
  const isKept = JSON.stringify(are.slice(0, were.length)) === JSON.stringify(were);
  if (!isKept || added.length !== acts.length) {
    return 'does not hold what it held before and the new decision, which the mutating webhook of Strongroom adds: it does not work, or somebody else wrote the annotation; "strongroom doctor" says more';
  }
  const isTheirs = acts.every((asked, place) => isEntryOf(request, asked, added[place]));
  return isTheirs ? undefined : 'holds a decision that is not the one of who asks';
}

/** Usernames whose decision of that kind stands in the object. */
export function decidedBy(object: KubeObject, act: DecisionAct): readonly string[] {
  return entriesOf(textOf(object)).flatMap((entry) =>
    isRecord(entry) && entry['act'] === act && typeof entry['username'] === 'string'
      ? [entry['username']]
      : [],
  );
}

interface Entry {
  readonly act: DecisionAct;
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly reason: string;
  readonly at: string;
}

function entryOf({ userInfo }: AdmissionRequest, { act, reason }: AskedAct, at: string): Entry {
  const { username, uid, groups } = userInfo;
  const told = groups.slice(0, MAX_GROUPS);
  return {
    act,
    username,
    ...(uid === undefined || uid === '' ? {} : { uid }),
    groups: told,
    reason,
    at,
  };
}

/** Annotations are bounded together; who is in more groups is told by name and uid as well. */
const MAX_GROUPS = 64;

function stampOf({ oldObject }: AdmissionRequest, { uid, ...entry }: Entry): StampedDecision {
  return { ...entry, uid: oldObject?.metadata.uid ?? '', userUid: uid };
}

function isEntryOf(request: AdmissionRequest, asked: AskedAct, given: unknown): boolean {
  if (!isRecord(given)) return false;
  const { at, mac, ...rest } = given;
  if (typeof at !== 'string' || Number.isNaN(Date.parse(at)) || typeof mac !== 'string')
    return false;
  const { at: _at, ...expected } = entryOf(request, asked, at);
  return JSON.stringify(sorted(rest)) === JSON.stringify(sorted(expected));
}

function isMadeHere(request: AdmissionRequest, key: Uint8Array, given: string): boolean {
  const probe = { ...request, object: withDecisions(request.object, given) };
  if (faultOfDecisions(probe) !== undefined) return false;
  const added = entriesOf(given).slice(entriesOf(textOf(request.oldObject)).length);
  return added.every((entry) => {
    if (!isRecord(entry) || typeof entry['mac'] !== 'string') return false;
    if (request.dryRun) return entry['mac'] === DRY_RUN;
    const { mac, ...rest } = entry;
    return verifyDecision(key, stampOf(request, rest as unknown as Entry), mac);
  });
}

function withDecisions(object: KubeObject | undefined, text: string): KubeObject {
  const { metadata = { name: '' }, ...rest } = object ?? { apiVersion: '', kind: '' };
  const annotations = { ...metadata.annotations, [ANNOTATIONS.decisions]: text };
  return { ...rest, metadata: { ...metadata, annotations } };
}

function textOf(object: KubeObject | undefined): string | undefined {
  return object?.metadata.annotations?.[ANNOTATIONS.decisions];
}

/** What is no list holds no decision. */
function entriesOf(text: string | undefined): readonly unknown[] {
  const value = parseJson(text);
  return Array.isArray(value) ? value : [];
}

function sorted(record: object): unknown {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
