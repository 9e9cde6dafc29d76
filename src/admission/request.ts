/** What the API server asks: an AdmissionRequest of `admission.k8s.io/v1`, as far as rules read it. */
import type { KubeObject } from '#kube/objects.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** Who asks, as the API server verified it. Of a request by impersonation: whom it acts as. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export interface AdmissionRequest {
  /** Of this review; the answer repeats it. */
  readonly uid: string;
  /** Of `object`: what rules match, after conversion. */
  readonly kind: GroupVersionKind;
  readonly resource: GroupVersionResource;
  readonly subResource?: string;
  /** Empty for a create by `generateName`. */
  readonly name: string;
  /** Absent for objects of the cluster. Of a Namespace: its own name, as the API server does it. */
  readonly namespace?: string;
  readonly operation: Operation;
  readonly userInfo: UserInfo;
  /** Absent for a delete. For CONNECT: the options, such as a PodExecOptions. */
  readonly object?: KubeObject;
  /** Absent for a create and for CONNECT. */
  readonly oldObject?: KubeObject;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
}
