/** The question and the answer of the evaluator. */
import type { Effect, Subject } from '#api/access-policy.ts';
import type { Environment } from '#api/exchange-credential.ts';
import type { Exchange } from '#api/exchanges.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import type { Action } from './actions.ts';
import type { Identity } from './identity.ts';

/** What policies select credentials by. */
export interface CredentialFacts {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent for backing systems. */
  readonly exchange?: Exchange;
  readonly environment: Environment;
  /** Absent: Read. */
  readonly minimumAccessLevel?: AccessLevel;
}

export type Target =
  | { readonly kind: 'Credential'; readonly credential: CredentialFacts }
  /** A credential that nobody knows: every request is denied. */
  | { readonly kind: 'Unknown'; readonly namespace: string; readonly name: string }
  /**
   * Everything in a namespace and environment; `*` is every one, also those to come. Allowed only
   * by policies that cover all of it, denied by one that covers some of it.
   */
  | {
      readonly kind: 'Scope';
      readonly namespace: string;
      readonly environment: Environment | '*';
    };

export interface AccessRequest {
  readonly identity: Identity;
  readonly action: Action;
  readonly target: Target;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Absent: not known, so that no policy with source ranges allows. */
  readonly sourceAddress?: string;
  /** ISO 3166-1 alpha-2; absent: not known. */
  readonly country?: string;
}

export type DecisionReason =
  | 'SystemMasters'
  | 'Allowed'
  | 'Denied'
  | 'NotGranted'
  | 'UnknownCredential';

/** A policy that decided, and by which of its parts. */
export interface DecidingRule {
  readonly policy: string;
  readonly effect: Effect;
  readonly subject: Subject;
  readonly permission: Permission;
  /** Where the permission stands: a role, or the list of permissions. */
  readonly grantedBy: string;
  readonly level: AccessLevel;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: DecisionReason;
  /** Sorted by policy; the denying ones alone when there is one. Empty: no policy decided. */
  readonly rules: readonly DecidingRule[];
  /** What the request needs: for a deny, what would have allowed it. */
  readonly needs: {
    readonly anyOf: readonly Permission[];
    readonly level: AccessLevel;
  };
}
