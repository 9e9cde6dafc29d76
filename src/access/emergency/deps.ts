import type { Registry } from 'prom-client';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Audit } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import type { KubeObject, Pod, Role, RoleBinding, ServiceAccount } from '#kube/objects.ts';
import type { Clock } from '#runtime/clock.ts';
import type { EventRecorder } from '#runtime/events.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { GuardedAccess } from '#access/deps.ts';
import type { NoticeSink } from './notices.ts';
import type { EmergencySettings } from './settings.ts';

export interface EmergencyDeps {
  /** Guarded by the lease: once it is lost, every write throws. */
  readonly client: KubeClient;
  readonly guarded: GuardedAccess & {
    /** The pods of a namespace that the operator works in; undefined for others. */
    pods(namespace: string): readonly Pod[] | undefined;
    /** A pod of such a namespace changed, came or went. */
    onPods(handler: (namespace: string) => void): void;
  };
  /** Names of all Secrets that a pod uses, by whatever field. */
  readonly secretsOfPod: (pod: Pod) => readonly string[];
  /** The ServiceAccount that a pod holds a token of; undefined: of none. */
  readonly accountOfToken: (pod: Pod) => string | undefined;
  /** Whether policies let an account of its namespace read the credential at some time. */
  readonly mayRead: (credential: ExchangeCredential, account: string) => boolean;
  /** Of the whole cluster, as the controller of AccessPolicies follows them. */
  readonly standing: {
    readonly accounts: Informer<ServiceAccount>;
    readonly roles: Informer<Role>;
    readonly bindings: Informer<RoleBinding>;
  };
  /** The key that decisions are stamped with; undefined until it is known. */
  readonly stampKey: () => Uint8Array | undefined;
  /** Whether admission guards the cluster; undefined until that is known. */
  readonly admissionGuards: () => boolean | undefined;
  readonly settings: EmergencySettings;
  /** Where notices go; `onLost` is called for each that was given up. */
  readonly notices: (onLost: () => void) => NoticeSink;
  readonly audit: Audit;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly registry: Registry;
  readonly runtimeMetrics?: RuntimeMetrics;
  readonly operator: { readonly instance: string };
}

export interface EmergencyController {
  /** On every replica: admission decides from it. */
  readonly informers: readonly Runnable[];
  /** On the leader only: the controller and the notices. */
  readonly controllers: readonly Runnable[];
  readonly accesses: Informer<EmergencyAccess>;
  /** Whether a Role or RoleBinding is one that the operator keeps for an EmergencyAccess in force. */
  isOwn(object: KubeObject): boolean;
  /** The key of stamps, or whether admission guards, changed: everything is looked at again. */
  resync(): void;
  lastActivityAgeMs(): number;
}
