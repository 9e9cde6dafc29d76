/** Credentials, requests and settings for tests of the rules about core objects. */
import type { ExchangeCredential, ExchangeCredentialSpec } from '#api/exchange-credential.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { AdmissionRequest, UserInfo } from '../request.ts';
import type { AdmissionSettings } from '../rule.ts';

export const SETTINGS: AdmissionSettings = {
  operatorNamespace: 'strongroom',
  operatorUsername: 'system:serviceaccount:strongroom:strongroom-operator',
  emergency: {
    maxDurationMs: 3_600_000,
    approvals: { Development: 1, Staging: 1, Production: 2 },
    selfApproval: false,
    approvalTimeoutMs: 3_600_000,
  },
};

export const OPERATOR: UserInfo = {
  username: SETTINGS.operatorUsername,
  groups: ['system:serviceaccounts', 'system:authenticated'],
};

export const ALICE: UserInfo = {
  username: 'alice',
  uid: 'alice-uid',
  groups: ['desk-mm', 'system:authenticated'],
};

export const BOB: UserInfo = { username: 'bob', groups: ['system:authenticated'] };

export const MASTER: UserInfo = {
  username: 'admin',
  groups: ['system:masters', 'system:authenticated'],
};

/** A controller of kube-system, such as `job-controller`. */
export function controller(name: string): UserInfo {
  return {
    username: `system:serviceaccount:kube-system:${name}`,
    groups: [
      'system:serviceaccounts',
      'system:serviceaccounts:kube-system',
      'system:authenticated',
    ],
  };
}

export function kubelet(node: string): UserInfo {
  return { username: `system:node:${node}`, groups: ['system:nodes', 'system:authenticated'] };
}

/** Delivered as a Secret of its own name, in `trading`, unless `spec` says otherwise. */
export function credentialOf(
  name: string,
  spec: Partial<ExchangeCredentialSpec> = {},
  namespace = 'trading',
): ExchangeCredential {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { name, namespace, uid: `${namespace}-${name}-uid`, labels: { desk: 'mm' } },
    spec: {
      exchange: 'Hyperliquid',
      type: 'PrivateKey',
      environment: 'Production',
      owner: 'market-making',
      source: { generate: {} },
      delivery: { secret: { name } },
      ...spec,
    },
  };
}

const KINDS: Readonly<Record<string, readonly [group: string, kind: string]>> = {
  pods: ['', 'Pod'],
  secrets: ['', 'Secret'],
  services: ['', 'Service'],
  nodes: ['', 'Node'],
  serviceaccounts: ['', 'ServiceAccount'],
  replicationcontrollers: ['', 'ReplicationController'],
  podtemplates: ['', 'PodTemplate'],
  deployments: ['apps', 'Deployment'],
  statefulsets: ['apps', 'StatefulSet'],
  daemonsets: ['apps', 'DaemonSet'],
  replicasets: ['apps', 'ReplicaSet'],
  controllerrevisions: ['apps', 'ControllerRevision'],
  jobs: ['batch', 'Job'],
  cronjobs: ['batch', 'CronJob'],
};

/** Alice creates something called `maker` in `trading`, unless `parts` say otherwise. */
export function requestFor(
  resource: string,
  parts: Omit<Partial<AdmissionRequest>, 'object' | 'oldObject'> & {
    readonly object?: Readonly<Record<string, unknown>>;
    readonly oldObject?: Readonly<Record<string, unknown>>;
  } = {},
): AdmissionRequest {
  const [group, kind] = KINDS[resource] ?? ['', resource];
  const { object, oldObject, ...rest } = parts;
  return {
    uid: 'review',
    kind: { group, version: 'v1', kind },
    resource: { group, version: 'v1', resource },
    name: nameIn(object ?? oldObject) ?? 'maker',
    namespace: 'trading',
    operation: 'CREATE',
    userInfo: ALICE,
    dryRun: false,
    ...rest,
    ...(object === undefined ? {} : { object: complete(object, group, kind) }),
    ...(oldObject === undefined ? {} : { oldObject: complete(oldObject, group, kind) }),
  };
}

function nameIn(object: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const { name } = (object?.['metadata'] ?? {}) as { readonly name?: string };
  return name;
}

function complete(
  object: Readonly<Record<string, unknown>>,
  group: string,
  kind: string,
): KubeObject {
  return {
    apiVersion: group === '' ? 'v1' : `${group}/v1`,
    kind,
    metadata: { name: 'maker', namespace: 'trading' },
    ...object,
  };
}
