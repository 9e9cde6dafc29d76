import type { Registry } from 'prom-client';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { NamespaceAccessSpec } from '#api/namespace-access.ts';
import type { Audit } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Namespace } from '#kube/objects.ts';
import type { Clock } from '#runtime/clock.ts';
import type { EventRecorder } from '#runtime/events.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { AdmissionWorld } from '../world.ts';

/** Where the API server finds the webhooks. */
export type WebhookEndpoint =
  | {
      readonly service: {
        readonly name: string;
        readonly namespace: string;
        readonly port: number;
      };
    }
  /** `https://host:port`, without a path: of an operator that runs outside of the cluster. */
  | { readonly url: string };

export interface ConfigurationOptions {
  readonly endpoint: WebhookEndpoint;
  /** Name of the ClusterRole that owns what is applied, so that helm's uninstall takes it along. */
  readonly ownerClusterRole: string;
  /** Whether Secrets elsewhere are compared with managed values. */
  readonly detectsCopies: boolean;
}

/** Whom the webhooks believe: changes with every renewal of the CA. */
export interface CaBundle {
  /** PEM of one or more certificates; undefined until the first ones are made. */
  current(): string | undefined;
  onChange(handler: () => void): void;
}

export interface ConfigurationDeps {
  /** Guarded by the lease: once it is lost, every write throws. */
  readonly client: KubeClient;
  readonly world: Pick<
    AdmissionWorld,
    'policyIndex' | 'guardedNamespaces' | 'credentials' | 'formerSecrets'
  >;
  /** What `world` reads; only told of changes here, and run elsewhere. */
  readonly policies: Pick<Informer<AccessPolicy>, 'onChange'>;
  readonly namespaces: Pick<Informer<Namespace>, 'onChange'>;
  readonly credentials: Pick<Informer<ExchangeCredential>, 'onChange'>;
  /** A pod of a guarded namespace changed, came or went. */
  readonly onPods: (handler: (namespace: string) => void) => void;
  readonly caBundle: CaBundle;
  readonly audit: Audit;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly registry: Registry;
  readonly runtimeMetrics?: RuntimeMetrics;
  readonly operator: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly instance: string;
  };
  readonly options: ConfigurationOptions;
}

/** An object that was applied and is not as it was left. */
export interface DriftFinding {
  readonly kind: string;
  readonly name: string;
  readonly what: 'Missing' | 'Changed';
  /** What is not guarded by it any more, and how it is put back. */
  readonly message: string;
}

export interface AdmissionConfiguration {
  /** On every replica. */
  readonly informers: readonly Runnable[];
  /** On the leader only. */
  readonly controllers: readonly Runnable[];
  /** Sorted by kind and name; empty while all is as it was applied. */
  drift(): readonly DriftFinding[];
  /**
   * Since when every webhook configuration that exists carries the present CA bundle, in
   * milliseconds since the epoch as this process saw it; undefined while one does not.
   */
  bundleObserved(): number | undefined;
  /** The NamespaceAccess of a namespace, as it was written last. */
  writtenAccess(namespace: string): NamespaceAccessSpec | undefined;
  lastActivityAgeMs(): number;
}
