/** The decisions about an EmergencyAccess, as far as they are authentic. */
import type { EmergencyAccess, EmergencyRequester } from '#api/emergency-access.ts';
import { SHORTEST_REASON } from '#api/emergency-access-rules.ts';
import { ANNOTATIONS } from '#api/names.ts';
import { isRecord, parseJson } from '#access/reading.ts';
import { verifyDecision } from './stamp.ts';

export const DECISION_ACTS = ['approve', 'self-approve', 'deny', 'end', 'review'] as const;
export type DecisionAct = (typeof DECISION_ACTS)[number];

/** An entry of the annotation `strongroom.dev/decisions`. */
export interface Decision {
  readonly act: DecisionAct;
  /** Who decided, as the API server verified it. */
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly reason: string;
  /** When, RFC 3339. */
  readonly at: string;
}

/** More than an annotation holds; what is beyond is not looked at. */
const MAX_ENTRIES = 1000;

/**
 * Those entries of the annotation whose stamp is right, in the order written. Entries that are
 * forged, of another object, malformed or repeated are left out; nothing throws but a key that is
 * too short (RangeError, as {@link verifyDecision}).
 */
export function authenticDecisions(access: EmergencyAccess, key: Uint8Array): readonly Decision[] {
  const { uid } = access.metadata;
  if (uid === undefined) return [];
  const entries = parseJson(access.metadata.annotations?.[ANNOTATIONS.decisions]);
  if (!Array.isArray(entries)) return [];
  const seen = new Set<string>();
  return entries.slice(0, MAX_ENTRIES).flatMap((entry: unknown): readonly Decision[] => {
    const read = readEntry(entry);
    if (read === undefined || seen.has(read.mac)) return [];
    const { decision, mac } = read;
    const { uid: userUid, ...rest } = decision;
    const stamped = { ...rest, uid, ...(userUid === undefined ? {} : { userUid }) };
    if (!verifyDecision(key, stamped, mac)) return [];
    seen.add(mac);
    return [decision];
  });
}

function readEntry(
  entry: unknown,
): { readonly decision: Decision; readonly mac: string } | undefined {
  if (!isRecord(entry)) return undefined;
  const { act, username, uid, groups, reason, at, mac } = entry;
  const known = DECISION_ACTS.find((one) => one === act);
  if (known === undefined || typeof username !== 'string' || username === '') return undefined;
  if (typeof reason !== 'string' || typeof at !== 'string' || typeof mac !== 'string') {
    return undefined;
  }
  if (uid !== undefined && typeof uid !== 'string') return undefined;
  if (groups !== undefined && !isStrings(groups)) return undefined;
  if (Number.isNaN(Date.parse(at))) return undefined;
  const decision = {
    act: known,
    username,
    ...(uid === undefined ? {} : { uid }),
    ...(groups === undefined ? {} : { groups }),
    reason,
    at,
  };
  return { decision, mac };
}

/** Who created an EmergencyAccess, as admission stamped it; undefined where it did not. */
export function createdBy(access: EmergencyAccess): EmergencyRequester | undefined {
  const stamp = parseJson(access.metadata.annotations?.[ANNOTATIONS.createdBy]);
  if (!isRecord(stamp)) return undefined;
  const { username, uid } = stamp;
  if (typeof username !== 'string' || username === '') return undefined;
  return typeof uid === 'string' && uid !== '' ? { username, uid } : { username };
}

/** Whether a subject who approves alone says more than stands in the request already. */
export function isSecondReason(reason: string, { spec }: EmergencyAccess): boolean {
  const text = reason.trim();
  return Array.from(text).length >= SHORTEST_REASON && text !== spec.reason.trim();
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
