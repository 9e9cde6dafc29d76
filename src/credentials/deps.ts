import type { Registry } from 'prom-client';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Audit } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Namespace, Pod } from '#kube/objects.ts';
import type { Clock } from '#runtime/clock.ts';
import type { EventRecorder } from '#runtime/events.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { SealKeyring } from '#vault/seal-keys.ts';
import type { Vault } from '#vault/store.ts';
import type { GuardedView } from './gather.ts';
import type { PodRights } from './pods-without-right.ts';

/** Who this process is in the cluster. */
export interface OperatorIdentity {
  /** The operator's own namespace. */
  readonly namespace: string;
  /** Its ServiceAccount there; the RoleBinding of each guarded namespace names it. */
  readonly serviceAccount: string;
  /** The pod's name; the actor of audit records. */
  readonly instance: string;
}

export interface CredentialsOptions {
  /** Credentials worked on at once. */
  readonly concurrency: number;
  /** How often a source Secret is read again. Jittered. */
  readonly sourcePeriodMs: number;
  /** How often everything else of a credential is looked at although nothing was heard. Jittered. */
  readonly resyncMs: number;
  /**
   * After this a changed Secret is assumed to have reached the volumes that mount it: the kubelet's
   * sync period (1 min) and its cache's age (1 min at most), with the defaults of both.
   */
  readonly propagationMs: number;
}

export const DEFAULT_OPTIONS: CredentialsOptions = {
  concurrency: 8,
  sourcePeriodMs: 60_000,
  resyncMs: 300_000,
  propagationMs: 120_000,
};

export interface CredentialsDeps {
  /** Guarded by the lease: once it is lost, every write throws. */
  readonly client: KubeClient;
  readonly vault: Vault;
  /** The keys that open sealed values, as of now. */
  readonly keyring: () => SealKeyring;
  readonly audit: Audit;
  readonly events: EventRecorder;
  readonly clock: Clock;
  /** For jitter. */
  readonly random: Random;
  /** Bytes that values are generated from; `crypto.randomBytes` outside of tests. */
  readonly entropy: (bytes: number) => Uint8Array;
  readonly log: Logger;
  readonly registry: Registry;
  readonly runtimeMetrics?: RuntimeMetrics;
  readonly operator: OperatorIdentity;
  /** Absent without admission: nobody is asked which pods may use what, then. */
  readonly podRights?: PodRights;
  readonly options?: Partial<CredentialsOptions>;
}

export interface CredentialsController {
  /** Follow the collections: on every replica, so that a new leader starts warm. */
  readonly informers: readonly Runnable[];
  /** Change the cluster: on the leader only, after the informers are ready. */
  readonly controllers: readonly Runnable[];
  /** Milliseconds since the quietest informer last heard anything; for a liveness check. */
  lastActivityAgeMs(): number;
  readonly namespaces: Informer<Namespace>;
  readonly credentials: Informer<ExchangeCredential>;
  /** Whether the operator has its rights in a namespace and knows what is in it. */
  isReady(namespace: string): boolean;
  /** Name of the Secret that was made for a credential and is still owned through it. */
  deliveredSecret(credential: ExchangeCredential): string | undefined;
  /** What is in a namespace, on every replica; undefined until all of it is known. */
  view(namespace: string): GuardedView | undefined;
  /** The RoleBinding that lets the operator into a namespace was written: it is tried again at once. */
  rightsChanged(namespace: string): void;
  /** A namespace became, or ceased to be, ready. */
  onNamespace(handler: (namespace: string) => void): void;
  /** The pods of a namespace that the operator works in; undefined for others. */
  pods(namespace: string): readonly Pod[] | undefined;
  /** A pod of such a namespace changed, came or went. */
  onPods(handler: (namespace: string) => void): void;
  /** Policies changed: who may use what is asked again where somebody may not. */
  podRightsChanged(): void;
  /** Called, and awaited, before the operator gives up its rights in a namespace. */
  beforeRelease(hook: (namespace: string, signal: AbortSignal) => Promise<void>): void;
  /** Looks at every credential again, for example after the seal keys changed. */
  resync(): void;
}
