import type { CredentialType } from '#api/fields.ts';
import type { Exchange } from '#api/exchanges.ts';

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

export interface ExchangeCredential {
  readonly apiVersion: 'strongroom.dev/v1alpha1';
  readonly kind: 'ExchangeCredential';
  readonly metadata: ObjectMeta;
  readonly spec: ExchangeCredentialSpec;
  readonly status?: ExchangeCredentialStatus;
}

export interface ExchangeCredentialSpec {
  readonly exchange?: Exchange;
  readonly exchangeName?: string;
  readonly account?: string;
  readonly description?: string;
  readonly type: CredentialType;
  readonly environment: 'Development' | 'Staging' | 'Production';
  readonly owner: string;
  readonly source: Source;
  readonly delivery: Delivery;
  readonly state?: 'Active' | 'Suspended' | 'Revoked';
  readonly deletionPolicy?: 'Retain' | 'Revoke' | 'Delete';
  readonly history?: History;
}

export interface Source {
  readonly sealed?: Readonly<Record<string, string>>;
  readonly secretRef?: SecretRefSource;
  readonly generate?: GenerateSource;
}

export interface SecretRefSource {
  readonly name: string;
  readonly keys?: Readonly<Record<string, string>>;
  readonly afterImport?: 'Keep' | 'Delete';
}

export type GenerateSource = Readonly<Record<string, never>>;

export interface Delivery {
  readonly secret?: SecretDelivery;
}

export interface SecretDelivery {
  readonly name: string;
  readonly keys?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly type?: 'Opaque' | 'kubernetes.io/tls' | 'kubernetes.io/basic-auth';
}

export interface History {
  readonly keepVersions?: number;
  readonly keepFor?: string;
}

export interface ExchangeCredentialStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly currentVersion?: number;
  readonly versions?: readonly VersionStatus[];
  readonly vaultRevision?: number;
  readonly delivery?: DeliveryStatus;
  readonly source?: SourceStatus;
  readonly handledRequests?: HandledRequests;
  readonly resealed?: Resealed;
  readonly consumers?: readonly Consumer[];
  readonly consumerCount?: number;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

export interface VersionStatus {
  readonly version: number;
  readonly state: 'Staged' | 'Current' | 'Previous' | 'Retired' | 'Revoked' | 'Failed';
  readonly createdAt: string;
  readonly changedAt: string;
  readonly origin: 'Sealed' | 'SecretRef' | 'Generate';
  readonly sealKey?: string;
  readonly reason?: string;
}

export interface DeliveryStatus {
  readonly secretName: string;
  readonly secretUid: string;
  readonly version: number;
  readonly deliveredAt: string;
}

export interface SourceStatus {
  readonly sealKeys?: readonly string[];
  readonly imported?: ImportedSecret;
}

export interface ImportedSecret {
  readonly secretUid: string;
  readonly resourceVersion: string;
  readonly removed?: boolean;
}

export interface HandledRequests {
  readonly rotate?: string;
  readonly rollbackTo?: string;
  readonly revoke?: string;
}

export interface Resealed {
  readonly keyId: string;
  readonly sealed: Readonly<Record<string, string>>;
}

export interface Consumer {
  readonly pod: string;
  readonly podUid: string;
  readonly container?: string;
  readonly use: 'Volume' | 'ProjectedVolume' | 'SubPath' | 'Environment';
  readonly version?: number;
  readonly evidence: 'StartedAfterDelivery' | 'PropagationAssumed' | 'Unknown' | 'Stale';
  readonly since: string;
}
