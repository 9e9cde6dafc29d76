import type { Registry } from 'prom-client';
import type { NetworkStatusBoard } from '#access/network-status.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Audit } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Namespace, Pod, Service } from '#kube/objects.ts';
import type { Clock } from '#runtime/clock.ts';
import type { EventRecorder } from '#runtime/events.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { BackendName } from '../backends/backend.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { Family } from '../cluster-facts.ts';
import type { NameResolver } from '../exchange-hosts/name-resolver.ts';
import type { FactOverrides } from '../facts/gathered-facts.ts';
import type { FeedFetcher } from '../feeds/fetcher.ts';
import type { FeedStore } from '../feeds/store.ts';

/** What the credentials controller knows of the namespaces that the operator works in. */
export interface GuardedNetwork {
  readonly namespaces: Informer<Namespace>;
  readonly credentials: Informer<ExchangeCredential>;
  /** Whether the operator has its rights there. */
  isReady(namespace: string): boolean;
  /** The pods of such a namespace; undefined for others. */
  pods(namespace: string): readonly Pod[] | undefined;
  /** A pod of such a namespace changed, came or went. */
  onPods(handler: (namespace: string) => void): void;
  /** A namespace became, or ceased to be, ready. */
  onNamespace(handler: (namespace: string) => void): void;
  /** Called, and awaited, before the operator gives up its rights in a namespace. */
  beforeRelease(hook: (namespace: string, signal: AbortSignal) => Promise<void>): void;
}

export interface ClusterKnowledge {
  /** Of pods, Services, nodes and API server. */
  readonly ranges: () => AddressSet;
  readonly families: () => readonly Family[];
}

export interface NetworkOptions extends FactOverrides {
  /** Protected beside what the cluster tells: whence the operator's own people come. */
  readonly operatorClients: AddressSet;
  /** Absent: those that the cluster serves. NetworkPolicy is always among them. */
  readonly backends?: readonly BackendName[];
  /** Whether the node agents are installed. */
  readonly nodeAgent: boolean;
}

export interface NetworkDeps {
  /** Guarded by the lease: once it is lost, every write throws. */
  readonly client: KubeClient;
  readonly guarded: GuardedNetwork;
  readonly policies: Informer<AccessPolicy>;
  /** Where it is told what became of the network of policies. */
  readonly policyStatus: NetworkStatusBoard;
  /** Given what is known of the cluster: its addresses are opened to nobody by a name. */
  readonly names: (cluster: ClusterKnowledge) => NameResolver;
  /** Given the same: no feed may lead to them. */
  readonly feeds: (cluster: ClusterKnowledge) => FeedFetcher;
  readonly feedStore: FeedStore;
  readonly audit: Audit;
  readonly events: EventRecorder;
  readonly clock: Clock;
  /** For jitter. */
  readonly random: Random;
  readonly log: Logger;
  readonly registry: Registry;
  readonly runtimeMetrics?: RuntimeMetrics;
  readonly operator: { readonly namespace: string; readonly instance: string };
  readonly options: NetworkOptions;
}

export interface NetworkController {
  /** On every replica. */
  readonly informers: readonly Runnable[];
  /** On the leader only. */
  readonly controllers: readonly Runnable[];
  /** Of a namespace that the operator works in, on every replica. */
  service(namespace: string, name: string): Service | undefined;
  lastActivityAgeMs(): number;
}
