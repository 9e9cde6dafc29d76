import type { SecretIdentity } from './view.ts';

/** One change, small enough that stopping after it is harmless. */
export type Step =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'adoptEntry'; readonly from: string }
  /** Ends every version. */
  | { readonly kind: 'revokeAll'; readonly because: 'State' | 'Deletion' }
  /** Ends the version asked for, and every other one that holds the same value. */
  | { readonly kind: 'revokeVersions'; readonly versions: readonly number[] }
  /** Makes `version` current again; a source value of fingerprint `hold` is then not taken. */
  | { readonly kind: 'rollBack'; readonly version: number; readonly hold?: string }
  | { readonly kind: 'closeRequest'; readonly request: RequestName; readonly id: string }
  | {
      readonly kind: 'refuseRequest';
      readonly request: RequestName;
      readonly id: string;
      readonly message: string;
    }
  | { readonly kind: 'reportNothingNew'; readonly id: string; readonly message: string }
  /** The source differs from the held value, so the next equal one is a new decision. */
  | { readonly kind: 'releaseHold' }
  | { readonly kind: 'failStaged'; readonly version: number; readonly because: string }
  | { readonly kind: 'promote'; readonly version: number }
  /** Stores the source's value, or a generated one, as a new version. */
  | { readonly kind: 'stage'; readonly reason?: string }
  | { readonly kind: 'createSecret'; readonly version: number }
  /** Brings the Secret to `version`; `repairs` says what somebody else had changed in it. */
  | {
      readonly kind: 'applySecret';
      readonly version: number;
      readonly secret: SecretIdentity;
      readonly repairs: readonly string[];
    }
  | {
      readonly kind: 'withdrawSecret';
      readonly secret: SecretIdentity;
      readonly because: 'State' | 'NoVersion' | 'Renamed' | 'Unmendable' | 'Deletion';
    }
  /** Deletes the imported Secret, after `version` was read back and found equal. */
  | { readonly kind: 'deleteSource'; readonly version: number; readonly secret: SecretIdentity }
  | { readonly kind: 'dropVersions'; readonly versions: readonly number[] }
  | { readonly kind: 'removeEntry' }
  | { readonly kind: 'removeFinalizer' };

export type RequestName = 'rotate' | 'rollbackTo' | 'revoke';
