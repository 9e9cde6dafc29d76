/** What a rule answers. */

/** Why a request was refused, for machines: message, metrics and audit carry it. */
export type RefusalReason =
  | 'NotGranted'
  | 'Denied'
  | 'Reserved'
  | 'Immutable'
  | 'Invalid'
  | 'SelfGrant'
  | 'BeyondOwnRights'
  | 'LastAdministrator'
  | 'EmergencyAccessNeeded'
  | 'ApprovalRefused'
  | 'ReviewOutstanding'
  | 'BreaksRules'
  | 'NotKnownYet'
  | 'NotUnderstood'
  | 'DeadlineExceeded'
  | 'InternalError';

export interface Verdict {
  readonly allowed: boolean;
  /** Absent when allowed. */
  readonly reason?: RefusalReason;
  /** Why, and what would be needed: for people. Absent when allowed without anything to say. */
  readonly message?: string;
  /** HTTP status of a refusal: 403 unless the request itself is at fault (422) or it may pass later (429, 503). */
  readonly code?: number;
  /** Shown to the requester by kubectl; each at most 256 characters. */
  readonly warnings?: readonly string[];
  /** AccessPolicies that decided. */
  readonly policies?: readonly string[];
  /** The EmergencyAccess that was used, in the request's namespace. */
  readonly emergencyAccess?: string;
  /** What was noticed and is no reason to refuse, such as a copy of a managed value. */
  readonly findings?: readonly Finding[];
}

export interface Finding {
  readonly type: 'ManagedValueCopied';
  /** For whoever may see the object that it is about. */
  readonly message: string;
  /** `namespace/name` of the credential: for the audit alone, as it may be of another namespace. */
  readonly credential?: string;
}

/** Nothing speaks against it. */
export const ALLOWED: Verdict = { allowed: true };

export function refuse(
  reason: RefusalReason,
  message: string,
  more: Partial<Pick<Verdict, 'code' | 'policies' | 'warnings'>> = {},
): Verdict {
  return { allowed: false, reason, message, code: 403, ...more };
}
