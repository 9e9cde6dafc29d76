/**
 * Who approved, denied, ended or reviewed an EmergencyAccess stands in an annotation, which anybody
 * with `update` can write. Admission, which alone sees the requester as the API server verified it,
 * therefore authenticates each decision under a key that no one but the operator can read; the
 * controller believes only what authenticates.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface StampedDecision {
  /** UID of the EmergencyAccess: a stamp holds for that one alone, not for another of its name. */
  readonly uid: string;
  /** What was decided, such as `approve`. */
  readonly act: string;
  /** Who decided, as the API server verified it. */
  readonly username: string;
  readonly userUid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly reason: string;
  /** When, RFC 3339. */
  readonly at: string;
}

/** Apart from every other use of the key, and from later forms of the stamp. */
const CONTEXT = 'strongroom.dev/decision/v1';

/** Shorter keys could be guessed; the operator makes one of 32 bytes. */
const MIN_KEY_BYTES = 32;

/**
 * The stamp of a decision: HMAC-SHA256, base64url without padding (43 characters). Throws a
 * RangeError for a key of less than 32 bytes.
 */
export function signDecision(key: Uint8Array, decision: StampedDecision): string {
  return mac(key, decision).toString('base64url');
}

/**
 * Whether `stamp` is the one of that decision under that key; in constant time. False for what is
 * no stamp at all. Throws a RangeError for a key of less than 32 bytes.
 */
export function verifyDecision(key: Uint8Array, decision: StampedDecision, stamp: string): boolean {
  const expected = mac(key, decision);
  const given = Buffer.from(stamp, 'base64url');
  // Of several writings of the same bytes only the one that signDecision makes is a stamp.
  const isCanonical = given.toString('base64url') === stamp;
  return isCanonical && given.length === expected.length && timingSafeEqual(given, expected);
}

function mac(key: Uint8Array, decision: StampedDecision): Buffer {
  if (key.length < MIN_KEY_BYTES) {
    throw new RangeError(
      `the key of decisions has ${key.length} bytes, at least ${MIN_KEY_BYTES} are needed`,
    );
  }
  const { uid, act, username, userUid, groups, reason, at } = decision;
  // As JSON no two decisions are written alike, whatever characters their members hold.
  const text = JSON.stringify([
    CONTEXT,
    uid,
    act,
    username,
    userUid ?? null,
    groups ?? null,
    reason,
    at,
  ]);
  return createHmac('sha256', key).update(text, 'utf8').digest();
}
