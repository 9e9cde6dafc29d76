/** Random requests about pods, what makes them, ServiceAccounts and Secrets, as the API server takes them. */
import { serviceAccountIdentity } from '../../src/access/identity.ts';
import type { UserInfo } from '../../src/admission/request.ts';
import { LABELS } from '../../src/api/names.ts';
import type { Chooser } from '../oracle/chooser.ts';

export type Json = Record<string, unknown>;

export interface GeneratedRequest {
  readonly userInfo: UserInfo;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly resource: string;
  readonly subResource?: string;
  readonly namespace: string;
  readonly name: string;
  readonly object?: Json;
  readonly oldObject?: Json;
}

/** What is in a namespace before the policies are: requests change it, dry-run. */
export interface Stored {
  readonly namespace: string;
  /** As the API server gives them, by resource. */
  readonly pods: readonly Json[];
  readonly deployments: readonly Json[];
  readonly accounts: readonly Json[];
  readonly secrets: readonly Json[];
}

/** Names of ServiceAccounts that exist in every namespace of the test. */
export const ACCOUNTS: readonly string[] = [
  'maker',
  'taker',
  'default',
  'puller',
  'strongroom-emergency-night',
  'x'.repeat(64),
];
/** It has this as a pull secret. */
export const PULLER = { name: 'puller', secret: 'maker-keys' } as const;

/** Guarded in every namespace, if its credentials exist, and some that never are. */
export const SECRETS: readonly string[] = [
  'maker-keys',
  'taker-keys',
  'shared',
  'import-me',
  'plain',
  'other',
];

/** For each row of the table of Secret paths, parts of a PodSpec that the API server takes. */
export const USES: Readonly<Record<string, (secret: string, id: number) => Json>> = {
  'containers.[].env.[].valueFrom.secretKeyRef.name': (secret, id) => ({
    containers: [container(`c${id}`, fromKey(secret))],
  }),
  'containers.[].envFrom.[].secretRef.name': (secret, id) => ({
    containers: [container(`c${id}`, fromAll(secret))],
  }),
  'initContainers.[].env.[].valueFrom.secretKeyRef.name': (secret, id) => ({
    initContainers: [container(`i${id}`, fromKey(secret))],
  }),
  'initContainers.[].envFrom.[].secretRef.name': (secret, id) => ({
    initContainers: [container(`i${id}`, fromAll(secret))],
  }),
  'volumes.[].secret.secretName': volume((secretName) => ({ secret: { secretName } })),
  'volumes.[].projected.sources.[].secret.name': volume((name) => ({
    projected: { sources: [{ downwardAPI: {} }, { secret: { name } }] },
  })),
  'volumes.[].cephfs.secretRef.name': volume((name) => ({
    cephfs: { monitors: ['192.0.2.1'], secretRef: { name } },
  })),
  'volumes.[].cinder.secretRef.name': volume((name) => ({
    cinder: { volumeID: 'v', secretRef: { name } },
  })),
  'volumes.[].flexVolume.secretRef.name': volume((name) => ({
    flexVolume: { driver: 'example.com/lvm', secretRef: { name } },
  })),
  'volumes.[].iscsi.secretRef.name': volume((name) => ({
    iscsi: {
      targetPortal: '192.0.2.1:3260',
      iqn: 'iqn.2001-04.com.example:storage.disk1',
      lun: 0,
      chapAuthSession: true,
      secretRef: { name },
    },
  })),
  'volumes.[].rbd.secretRef.name': volume((name) => ({
    rbd: { monitors: ['192.0.2.1'], image: 'i', secretRef: { name } },
  })),
  'volumes.[].scaleIO.secretRef.name': volume((name) => ({
    scaleIO: { gateway: 'https://gw', system: 's', volumeName: 'v', secretRef: { name } },
  })),
  'volumes.[].storageos.secretRef.name': volume((name) => ({
    storageos: { volumeName: 'v', secretRef: { name } },
  })),
  'volumes.[].azureFile.secretName': volume((secretName) => ({
    azureFile: { secretName, shareName: 's' },
  })),
  'volumes.[].csi.nodePublishSecretRef.name': volume((name) => ({
    csi: { driver: 'csi.example.com', nodePublishSecretRef: { name } },
  })),
  'volumes.[].csi.volumeAttributes.secretName': volume((secretName) => ({
    csi: { driver: 'csi.example.com', volumeAttributes: { secretName } },
  })),
  'imagePullSecrets.[].name': (name) => ({ imagePullSecrets: [{ name }] }),
};

/** Only updates of the subresource can name these. */
export const EPHEMERAL_USES: Readonly<Record<string, (secret: string) => Json>> = {
  'ephemeralContainers.[].env.[].valueFrom.secretKeyRef.name': fromKey,
  'ephemeralContainers.[].envFrom.[].secretRef.name': fromAll,
};

/** Some that only the webhook walks to. */
const UNKNOWN_USES: readonly ((secret: string, id: number) => Json)[] = [
  volume((secret) => ({
    csi: { driver: 'csi.example.com', volumeAttributes: { secretname: secret } },
  })),
  volume((secret) => ({
    flexVolume: { driver: 'example.com/lvm', options: { passwordSecret: secret } },
  })),
];

function container(name: string, parts: Json = {}): Json {
  return { name, image: 'registry.invalid/bot:1', ...parts };
}

function fromKey(name: string): Json {
  return {
    env: [
      { name: 'PLAIN', value: '1' },
      { name: 'KEY', valueFrom: { secretKeyRef: { name, key: 'k' } } },
    ],
  };
}

function fromAll(name: string): Json {
  return { envFrom: [{ configMapRef: { name: 'config' } }, { secretRef: { name } }] };
}

function volume(source: (secret: string) => Json): (secret: string, id: number) => Json {
  return (secret, id) => ({ volumes: [{ name: `v${id}`, ...source(secret) }] });
}

const BASE_GROUPS = ['desk-mm', 'risk'];

function requester(chooser: Chooser, namespace: string): UserInfo {
  const roll = chooser.below(100);
  if (roll < 4) return { username: 'admin', groups: ['system:masters', 'system:authenticated'] };
  if (roll < 8) return { username: 'nobody', groups: ['system:unauthenticated'] };
  if (roll < 16) {
    const name = chooser.pick([
      'replicaset-controller',
      'deployment-controller',
      'statefulset-controller',
      'job-controller',
      'generic-garbage-collector',
      'storage-version-migrator-controller',
    ]);
    return serviceAccountIdentity('kube-system', name);
  }
  if (roll < 30) return serviceAccountIdentity(namespace, chooser.pick(['maker', 'taker']));
  return {
    username: chooser.pick(['alice', 'bob']),
    groups: [...chooser.some(BASE_GROUPS, 0.4), 'system:authenticated'],
  };
}

const OWNERS: readonly (readonly [apiVersion: string, kind: string])[] = [
  ['apps/v1', 'ReplicaSet'],
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['batch/v1', 'Job'],
  ['example.com/v1', 'ReplicaSet'],
];

function owners(chooser: Chooser): Json {
  if (chooser.chance(0.7)) return {};
  const [apiVersion, kind] = chooser.pick(OWNERS);
  const controller = chooser.chance(0.8) ? { controller: true } : {};
  return { ownerReferences: [{ apiVersion, kind, name: 'o', uid: 'a-uid', ...controller }] };
}

function podSpec(chooser: Chooser, account: string): Json {
  const spec: Record<string, unknown[]> = { containers: [container('bot')] };
  for (let id = 0; id < chooser.below(3); id += 1) {
    const make = chooser.chance(0.02)
      ? chooser.pick(UNKNOWN_USES)
      : chooser.pick(Object.values(USES));
    for (const [list, items] of Object.entries(make(chooser.pick(SECRETS), id))) {
      spec[list] = [...(spec[list] ?? []), ...(items as unknown[])];
    }
  }
  return {
    ...spec,
    ...(account === 'default' && chooser.chance(0.5)
      ? {}
      : { [chooser.chance(0.9) ? 'serviceAccountName' : 'serviceAccount']: account }),
  };
}

function accountFor(chooser: Chooser): string {
  const roll = chooser.below(20);
  if (roll === 0) return 'strongroom-emergency-night';
  if (roll === 1) return 'x'.repeat(64);
  if (roll === 2) return 'puller';
  return chooser.pick(['maker', 'taker', 'default']);
}

function labels(chooser: Chooser, account: string, isSetByCluster: boolean, isPod: boolean): Json {
  const key = LABELS.serviceAccount;
  const roll = chooser.below(20);
  if (roll === 0) return { app: 'bot', [key]: 'someone-else' };
  const mustSet = isPod && !isSetByCluster && account.length <= 63 && roll > 1;
  return {
    app: 'bot',
    ...((mustSet || roll < 6) && account.length <= 63 ? { [key]: account } : {}),
  };
}

const WORKLOADS: Readonly<Record<string, (template: Json) => Json>> = {
  deployments: (template) => ({ selector: selector(), template }),
  statefulsets: (template) => ({ selector: selector(), serviceName: 's', template }),
  daemonsets: (template) => ({ selector: selector(), template }),
  replicasets: (template) => ({ selector: selector(), template }),
  replicationcontrollers: (template) => ({ selector: { app: 'bot' }, template }),
  jobs: (template) => ({ template: onFailure(template) }),
  cronjobs: (template) => ({
    schedule: '0 0 1 1 *',
    jobTemplate: { spec: { template: onFailure(template) } },
  }),
};

function selector(): Json {
  return { matchLabels: { app: 'bot' } };
}

function onFailure(template: Json): Json {
  return { ...template, spec: { ...(template['spec'] as Json), restartPolicy: 'Never' } };
}

/** @param isSetByCluster whether the cluster sets the label of ServiceAccounts itself */
export function generateRequest(
  chooser: Chooser,
  stored: Stored,
  isSetByCluster: boolean,
): GeneratedRequest {
  const { namespace } = stored;
  const base = { userInfo: requester(chooser, namespace), namespace };
  const roll = chooser.below(100);
  if (roll < 50) {
    const account = accountFor(chooser);
    return {
      ...base,
      operation: 'CREATE',
      resource: 'pods',
      name: 'new',
      object: {
        metadata: {
          name: 'new',
          namespace,
          labels: labels(chooser, account, isSetByCluster, true),
          ...owners(chooser),
        },
        spec: podSpec(chooser, account),
      },
    };
  }
  if (roll < 75) return workload(chooser, base);
  if (roll < 83) return podUpdate(chooser, base, stored);
  if (roll < 90) return deploymentUpdate(chooser, base, stored);
  if (roll < 95) return accountWrite(chooser, base, stored);
  return secretWrite(chooser, base, stored);
}

type Base = Pick<GeneratedRequest, 'userInfo' | 'namespace'>;

function workload(chooser: Chooser, base: Base): GeneratedRequest {
  const account = accountFor(chooser);
  const template = {
    metadata: { labels: labels(chooser, account, true, false) },
    spec: podSpec(chooser, account),
  };
  const metadata = { name: 'new', namespace: base.namespace, ...owners(chooser) };
  const shared = { ...base, operation: 'CREATE', name: 'new' } as const;
  if (chooser.chance(0.1)) {
    return { ...shared, resource: 'podtemplates', object: { metadata, template } };
  }
  const [resource, specOf] = chooser.pick(Object.entries(WORKLOADS));
  return { ...shared, resource, object: { metadata, spec: specOf(template) } };
}

function podUpdate(chooser: Chooser, base: Base, stored: Stored): GeneratedRequest {
  const oldObject = chooser.pick(stored.pods);
  const { metadata, spec } = oldObject as { metadata: Json; spec: Json };
  const shared = {
    ...base,
    operation: 'UPDATE',
    resource: 'pods',
    name: String(metadata['name']),
    oldObject,
  } as const;
  if (chooser.chance(0.5)) {
    const make = chooser.pick(Object.values(EPHEMERAL_USES));
    const ephemeralContainers = [
      { ...container('debug'), ...(chooser.chance(0.8) ? make(chooser.pick(SECRETS)) : {}) },
    ];
    return {
      ...shared,
      subResource: 'ephemeralcontainers',
      object: { ...oldObject, spec: { ...spec, ephemeralContainers } },
    };
  }
  return { ...shared, object: { ...oldObject, ...changedPod(chooser, metadata, spec) } };
}

function changedPod(chooser: Chooser, metadata: Json, spec: Json): Json {
  const old = metadata['labels'] as Json;
  switch (chooser.below(5)) {
    case 0: {
      const [first, ...rest] = spec['containers'] as readonly Json[];
      const containers = [{ ...first, image: 'registry.invalid/bot:2' }, ...rest];
      return { spec: { ...spec, containers } };
    }
    case 1:
      return { metadata: { ...metadata, labels: { ...old, tier: 'one' } } };
    case 2: {
      const { [LABELS.serviceAccount]: _gone, ...others } = old;
      return { metadata: { ...metadata, labels: others } };
    }
    case 3: {
      const value = chooser.pick(['maker', 'taker', 'default']);
      return { metadata: { ...metadata, labels: { ...old, [LABELS.serviceAccount]: value } } };
    }
    default:
      return {};
  }
}

function deploymentUpdate(chooser: Chooser, base: Base, stored: Stored): GeneratedRequest {
  const oldObject = chooser.pick(stored.deployments);
  const { metadata, spec } = oldObject as { metadata: Json; spec: Json };
  const template = spec['template'] as { metadata: Json; spec: Json };
  const change = (): Json => {
    switch (chooser.below(6)) {
      case 0:
        return { ...spec, replicas: 3 };
      case 1: {
        const annotations = { 'kubectl.kubernetes.io/restartedAt': 'now' };
        return {
          ...spec,
          template: { ...template, metadata: { ...template.metadata, annotations } },
        };
      }
      case 2: {
        const account = accountFor(chooser);
        // The API server keeps both names the same.
        const names = { serviceAccountName: account, serviceAccount: account };
        return {
          ...spec,
          template: { ...template, spec: { ...template.spec, ...names } },
        };
      }
      case 3: {
        const secretName = chooser.pick(SECRETS);
        const volumes = [{ name: 'new', secret: { secretName, defaultMode: 420 } }];
        return { ...spec, template: { ...template, spec: { ...template.spec, volumes } } };
      }
      case 4: {
        const account = chooser.pick(['maker', 'taker']);
        const old = template.metadata['labels'] as Json;
        const labelled = { ...old, [LABELS.serviceAccount]: account };
        return {
          ...spec,
          template: { ...template, metadata: { ...template.metadata, labels: labelled } },
        };
      }
      default:
        return spec;
    }
  };
  return {
    ...base,
    operation: 'UPDATE',
    resource: 'deployments',
    name: String(metadata['name']),
    oldObject,
    object: { ...oldObject, spec: change() },
  };
}

function accountWrite(chooser: Chooser, base: Base, stored: Stored): GeneratedRequest {
  const given = (): Json => ({
    ...(chooser.chance(0.6) ? { imagePullSecrets: [{ name: chooser.pick(SECRETS) }] } : {}),
    ...(chooser.chance(0.3) ? { secrets: [{ name: chooser.pick(SECRETS) }] } : {}),
  });
  if (chooser.chance(0.4)) {
    const name = chooser.chance(0.2) ? 'strongroom-emergency-new' : 'new';
    return {
      ...base,
      operation: 'CREATE',
      resource: 'serviceaccounts',
      name,
      object: { metadata: { name, namespace: base.namespace }, ...given() },
    };
  }
  const oldObject = chooser.pick(stored.accounts);
  const name = String((oldObject['metadata'] as Json)['name']);
  const shared = { ...base, resource: 'serviceaccounts', name, oldObject } as const;
  if (chooser.chance(0.3)) return { ...shared, operation: 'DELETE' };
  return { ...shared, operation: 'UPDATE', object: { ...oldObject, ...given() } };
}

function secretWrite(chooser: Chooser, base: Base, stored: Stored): GeneratedRequest {
  const label = { [LABELS.credential]: 'maker' };
  if (chooser.chance(0.3)) {
    const name = chooser.pick([...SECRETS, 'brand-new']);
    const marked = chooser.chance(0.5) ? { labels: label } : {};
    return {
      ...base,
      operation: 'CREATE',
      resource: 'secrets',
      name: `new-${name}`,
      object: {
        metadata: { name: `new-${name}`, namespace: base.namespace, ...marked },
        data: { k: 'dg==' },
      },
    };
  }
  const oldObject = chooser.pick(stored.secrets);
  const metadata = oldObject['metadata'] as Json;
  const name = String(metadata['name']);
  const shared = { ...base, resource: 'secrets', name, oldObject } as const;
  switch (chooser.below(4)) {
    case 0:
      return { ...shared, operation: 'DELETE' };
    case 1:
      return { ...shared, operation: 'UPDATE', object: oldObject };
    case 2:
      return { ...shared, operation: 'UPDATE', object: { ...oldObject, data: { k: 'bmV3' } } };
    default: {
      const labels = metadata['labels'] === undefined ? label : {};
      return {
        ...shared,
        operation: 'UPDATE',
        object: { ...oldObject, metadata: { ...metadata, labels } },
      };
    }
  }
}
