/** What the state of an EmergencyAccess depends on beside itself and its decisions. */
import type { Environment } from '#api/exchange-credential.ts';

export interface EmergencyWorld {
  /** Whether the namespace is guarded and not on its way out. */
  readonly isGuarded: boolean;
  /** Of the namespace's label; absent without one. */
  readonly environment?: Environment;
  /** Whether admission guards the cluster; undefined while that is not known. */
  readonly admissionGuards: boolean | undefined;
  /** All of the namespace. */
  readonly credentials: readonly TargetCredential[];
  /** All of the namespace; undefined while that is not known. */
  readonly pods: readonly TargetPod[] | undefined;
}

export interface TargetCredential {
  readonly name: string;
  /** The delivered Secret, where there is one that is the operator's. */
  readonly deliveredSecret?: string;
  /** Every Secret through which a pod comes to the value: delivered, to be delivered, or its source. */
  readonly secrets: readonly string[];
  /** The current version; absent while there is none. */
  readonly version?: number;
}

export interface TargetPod {
  readonly name: string;
  /** Names of the Secrets that it uses. */
  readonly secrets: readonly string[];
  /** Names of the credentials that a token in it reads; looked for in pods of the target alone. */
  readonly reads?: readonly string[];
}
