import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Reason } from '#api/names.ts';
import type { VaultEntry } from '#vault/entry.ts';
import type { PodWithoutRight } from './pods-without-right.ts';
import type { Requests } from './requests.ts';

/**
 * All that a decision depends on, gathered first. It holds no value of a credential: values are
 * compared by their keyed fingerprints.
 */
export interface View {
  readonly nowMs: number;
  readonly credential: ExchangeCredential;
  /** Undefined when it is gone, or was never seen. */
  readonly namespace: NamespaceView | undefined;
  readonly vault: VaultView;
  readonly source: SourceView;
  /** The Secret of the name that `delivery` gives. */
  readonly target: TargetView;
  /** Secrets that this credential owns under other names. */
  readonly orphans: readonly SecretIdentity[];
  /** Of those that use the Secret of the name that `delivery` gives; empty without admission. */
  readonly podsWithoutRight: readonly PodWithoutRight[];
  readonly requests: Requests;
  /** Requests that were carried out or refused; the values of their annotations. */
  readonly handled: HandledRequests;
}

export interface HandledRequests {
  readonly rotate?: string;
  readonly rollbackTo?: string;
  readonly revoke?: string;
}

export interface NamespaceView {
  readonly uid: string;
  readonly guarded: boolean;
  readonly terminating: boolean;
  /** The environment that its label demands. */
  readonly environment?: string;
}

export type VaultView =
  | { readonly kind: 'absent' }
  | { readonly kind: 'entry'; readonly entry: VaultEntry }
  /** It cannot be trusted, so nothing is done with it. */
  | { readonly kind: 'fault'; readonly reason: Reason; readonly message: string };

export type SourceView =
  | {
      readonly kind: 'value';
      readonly origin: 'Sealed' | 'SecretRef';
      readonly fingerprint: string;
      readonly sealKeys: readonly string[];
      /** The Secret it was read from. */
      readonly secret?: SecretIdentity;
    }
  /** The value is made here, when one is needed. */
  | { readonly kind: 'generate' }
  | { readonly kind: 'missing'; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }
  /** The source Secret is gone because its import was finished. */
  | {
      readonly kind: 'removed';
      /** What it was, when that was done in this reconciliation. */
      readonly secret?: SecretIdentity;
    }
  /** There was no reason to read it. */
  | { readonly kind: 'unread' };

export interface SecretIdentity {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

export type TargetView =
  | { readonly kind: 'absent' }
  /** Somebody else's; `owner` says whose in words, where that can be seen. */
  | { readonly kind: 'foreign'; readonly name: string; readonly owner?: string }
  | {
      readonly kind: 'ours';
      readonly secret: SecretIdentity;
      /** What its annotation says it holds. */
      readonly version?: number;
      /** What is not as it should be, such as `data key "apiKey" was changed`. */
      readonly differences: readonly string[];
      /** It was applied in this reconciliation. */
      readonly isApplied: boolean;
      /** A difference that the API server allows no one to mend: its type, or `immutable`. */
      readonly unmendable: boolean;
    }
  /** There was no reason to read it, or no right to. */
  | { readonly kind: 'unread' };
