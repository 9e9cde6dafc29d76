/**
 * The port through which every act and every decision goes before it takes effect.
 *
 * A caller awaits the {@link Audit} function and acts only after it resolved: a rejected promise
 * means that the act must not happen ("no record, no act"). Records never carry a secret value;
 * their fields are names, numbers and fixed words.
 */

/** Who acts. `Operator` is this process; `User` is an identity that the API server verified. */
export interface AuditActor {
  readonly kind: 'Operator' | 'User';
  readonly name: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
}

/** The object acted on, as Kubernetes names it. */
export interface AuditObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
}

export interface AuditRecord {
  /** What is done, in the past tense of the field, for example `VersionPromoted`. */
  readonly act: string;
  readonly actor: AuditActor;
  readonly object: AuditObject;
  /** The credential's version that the act concerns. */
  readonly version?: number;
  /** Why, in the words of whoever asked for it. */
  readonly reason?: string;
  readonly decision: 'Allow' | 'Deny';
  /** `Intended` before the effect; `Succeeded` or `Failed` after it. */
  readonly outcome: 'Intended' | 'Succeeded' | 'Failed';
  /** Joins the records of one act, and the log lines around them. */
  readonly requestId: string;
  /** Further public facts. Never a value of a credential. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

export type Audit = (record: AuditRecord, signal?: AbortSignal) => Promise<void>;
