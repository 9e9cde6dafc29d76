/** What rules know of the cluster: answers from caches, at once, never from the API server. */
import type { PolicyIndex } from '#access/policy-index.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Environment } from '#api/exchange-credential.ts';
import type { Pod, Service } from '#kube/objects.ts';

export interface NamespaceView {
  readonly name: string;
  readonly isGuarded: boolean;
  /** Of its label; absent without one, or with one that is no environment. */
  readonly environment?: Environment;
  readonly isDeleting: boolean;
}

export interface AccountView {
  readonly imagePullSecrets: readonly string[];
}

export interface AdmissionWorld {
  /** Compiled; the same object until a policy changes. */
  policyIndex(): PolicyIndex;
  /** Those that are not being deleted, and Denies also then. */
  policies(): readonly AccessPolicy[];
  policy(name: string): AccessPolicy | undefined;
  namespace(name: string): NamespaceView | undefined;
  /** All that are guarded. */
  guardedNamespaces(): readonly NamespaceView[];
  credential(namespace: string, name: string): ExchangeCredential | undefined;
  credentials(namespace: string): readonly ExchangeCredential[];
  /**
   * The credentials whose values a Secret holds or is to hold: it is their delivery, or the source
   * that they are imported from. Empty: no guarded Secret.
   */
  credentialsOfSecret(namespace: string, secret: string): readonly ExchangeCredential[];
  /**
   * Whether a Secret was guarded and is not any more: pods that use it may have the value of a
   * credential, though there is none in the Secret.
   */
  wasGuarded(namespace: string, secret: string): boolean;
  /** Names of such Secrets that live pods use; all of them until pods are known. Sorted. */
  formerSecrets(namespace: string): readonly string[];
  account(namespace: string, name: string): AccountView | undefined;
  /** Whether all pods of a guarded namespace are known; until then what is not found may be there. */
  knowsPods(namespace: string): boolean;
  /** As the informer keeps it: without plain values of environments. */
  pod(namespace: string, name: string): Pod | undefined;
  pods(namespace: string): readonly Pod[];
  /** Of guarded namespaces. */
  podsOnNode(node: string): readonly Pod[];
  service(namespace: string, name: string): Service | undefined;
  emergencyAccesses(namespace: string): readonly EmergencyAccess[];
  /** Of a subject, in all namespaces; `username` as the API server tells it. */
  emergencyAccessesOf(username: string): readonly EmergencyAccess[];
  /** Credential (`namespace/name`) whose current or previous value this is; only values of 16 bytes or more are looked up. */
  ownerOfValue(value: Uint8Array): string | undefined;
}
