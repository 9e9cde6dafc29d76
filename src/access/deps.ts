import type { Registry } from 'prom-client';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Audit } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import type { KubeObject, Namespace, Role, RoleBinding, ServiceAccount } from '#kube/objects.ts';
import type { Clock } from '#runtime/clock.ts';
import type { EventRecorder } from '#runtime/events.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { GuardBoard } from './guard-board.ts';
import type { NetworkStatusBoard } from './network-status.ts';
import type { PolicyIndex } from './policy-index.ts';
import type { Random } from '#runtime/random.ts';

/** What the credentials controller knows of the namespaces that the operator works in. */
export interface GuardedAccess {
  readonly namespaces: Informer<Namespace>;
  readonly credentials: Informer<ExchangeCredential>;
  /** Whether the operator has its rights there. */
  isReady(namespace: string): boolean;
  /** Name of the Secret that the operator made for a credential and still owns through it. */
  deliveredSecret(credential: ExchangeCredential): string | undefined;
  /** A namespace became, or ceased to be, ready. */
  onNamespace(handler: (namespace: string) => void): void;
  /** Called, and awaited, before the operator gives up its rights in a namespace. */
  beforeRelease(hook: (namespace: string, signal: AbortSignal) => Promise<void>): void;
}

export interface AccessDeps {
  /** Guarded by the lease: once it is lost, every write throws. */
  readonly client: KubeClient;
  readonly guarded: GuardedAccess;
  readonly audit: Audit;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly registry: Registry;
  readonly runtimeMetrics?: RuntimeMetrics;
  /** Where it is told what became of the network of policies. */
  readonly networkStatus: NetworkStatusBoard;
  /** Where it is told whether admission guards. Absent: nobody tries. */
  readonly guardBoard?: GuardBoard;
  /** Whether the operator keeps a Role or RoleBinding for an EmergencyAccess in force. */
  readonly isForEmergency?: (object: KubeObject) => boolean;
  readonly operator: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly instance: string;
  };
}

export interface AccessController {
  /** On every replica: admission will decide from them, too. */
  readonly informers: readonly Runnable[];
  /** On the leader only. */
  readonly controllers: readonly Runnable[];
  readonly policies: Informer<AccessPolicy>;
  readonly accounts: Informer<ServiceAccount>;
  readonly roles: Informer<Role>;
  readonly bindings: Informer<RoleBinding>;
  /** Of the policies in force: the same object until one of them changes. */
  index(): PolicyIndex;
  /** Those that are not being deleted, and Denies also then. */
  inForce(): readonly AccessPolicy[];
  /** What counts as RBAC of others changed in a way that is not seen here. */
  reviewSoon(): void;
  lastActivityAgeMs(): number;
}
