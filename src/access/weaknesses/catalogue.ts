/**
 * The ways round a policy that RBAC can open: which right opens each, what it lets happen, and what
 * to do about it. Ways that RBAC does not open (a pod's own spec, a volume plugin) are admission's.
 */
import { GROUP } from '#api/names.ts';
import type { ResourcePath } from './rbac-rules.ts';

export const WEAKNESS_TYPES = [
  'VaultAccess',
  'SecretRead',
  'SecretWrite',
  'PodExec',
  'EphemeralContainers',
  'WorkloadCreate',
  'TokenRequest',
  'Impersonate',
  'Escalate',
  'Bind',
  'NodesProxy',
  'Proxy',
  'CertificateApproval',
  'AdmissionConfiguration',
  'HostPathVolume',
  'NamespaceLabels',
  'CustomResourceWrite',
] as const;
export type WeaknessType = (typeof WEAKNESS_TYPES)[number];

/** A right that opens a weakness. */
export interface Opening extends ResourcePath {
  readonly verbs: readonly string[];
  /** Cluster: a RoleBinding cannot grant it. */
  readonly scope: 'Namespace' | 'Cluster';
}

export interface CatalogueEntry {
  readonly type: WeaknessType;
  readonly severity: 'Warning' | 'Critical';
  readonly openings: readonly Opening[];
  /** Read after "The subject". */
  readonly lets: string;
  readonly remedy: string;
}

const WRITES = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const CHANGES = ['create', 'update', 'patch'];
const READS = ['get', 'list', 'watch'];
/** A proxied request has the verb of its HTTP method. */
const PROXIED = ['get', 'create', 'update', 'patch', 'delete'];
/** A WebSocket begins with a GET, and until Kubernetes 1.35 `get` was enough for it. */
const CONNECTS = ['get', 'create'];

function opening(
  scope: Opening['scope'],
  group: string,
  paths: readonly string[],
  verbs: readonly string[],
): readonly Opening[] {
  return paths.map((path) => {
    const [resource = '', subresource] = path.split('/');
    return { scope, group, resource, ...(subresource === undefined ? {} : { subresource }), verbs };
  });
}

const RBAC = 'rbac.authorization.k8s.io';
const AUTHENTICATION = 'authentication.k8s.io';
const CONNECTIONS = ['pods/exec', 'pods/attach', 'pods/portforward'];

/** Those of our kinds that exist. */
const OWN_NAMESPACED = [
  'exchangecredentials',
  'exchangecredentials/status',
  // Anybody may ask for emergency access; what came of it, the operator alone says.
  'emergencyaccesses/status',
  'namespaceaccesses',
];
const OWN_CLUSTER = ['accesspolicies', 'accesspolicies/status', 'ipblocks', 'ipblocks/status'];

export const CATALOGUE: Readonly<Record<WeaknessType, CatalogueEntry>> = {
  VaultAccess: {
    type: 'VaultAccess',
    severity: 'Critical',
    openings: [
      ...opening('Namespace', '', ['secrets'], [...READS, ...WRITES]),
      ...opening('Namespace', '', ['configmaps'], WRITES),
      ...opening('Namespace', '', CONNECTIONS, CONNECTS),
      ...opening('Namespace', '', ['pods/ephemeralcontainers'], ['update', 'patch']),
    ],
    lets: "reaches into the operator's own namespace, which holds the vault, its keys and the public seal keys that everybody encrypts with: every credential can be read, or a foreign seal key be put in place",
    remedy:
      "Give nobody but cluster administrators rights on Secrets, ConfigMaps and pods of the operator's namespace",
  },
  SecretRead: {
    type: 'SecretRead',
    severity: 'Critical',
    openings: opening('Namespace', '', ['secrets'], READS),
    lets: 'reads delivered Secrets without a policy that allows it; list and watch return values too, and a right without names reaches what is delivered later as well',
    remedy:
      'Take secrets out of the role, or name in resourceNames just those that are no credential; whoever should read a credential gets AccessSecrets by an AccessPolicy',
  },
  SecretWrite: {
    type: 'SecretWrite',
    severity: 'Critical',
    openings: opening('Namespace', '', ['secrets'], WRITES),
    lets: 'replaces or removes delivered Secrets; by creating one of type kubernetes.io/service-account-token it gets a token for any ServiceAccount there',
    remedy:
      'Take write verbs on secrets out of the role; secrets of other applications belong into a namespace that is not guarded',
  },
  PodExec: {
    type: 'PodExec',
    severity: 'Critical',
    openings: opening('Namespace', '', CONNECTIONS, CONNECTS),
    lets: 'runs commands in, or connects to, pods that hold a credential and so reads it',
    remedy:
      'Take pods/exec, pods/attach and pods/portforward out of the role; debug in a namespace that holds no credentials',
  },
  EphemeralContainers: {
    type: 'EphemeralContainers',
    severity: 'Critical',
    openings: opening('Namespace', '', ['pods/ephemeralcontainers'], ['update', 'patch']),
    lets: 'adds a container to a running pod and so reads the Secrets that the pod may use',
    remedy: 'Take pods/ephemeralcontainers out of the role',
  },
  WorkloadCreate: {
    type: 'WorkloadCreate',
    severity: 'Warning',
    openings: [
      ...opening('Namespace', '', ['pods', 'replicationcontrollers'], CHANGES),
      ...opening(
        'Namespace',
        'apps',
        ['deployments', 'statefulsets', 'daemonsets', 'replicasets'],
        CHANGES,
      ),
      ...opening('Namespace', 'batch', ['jobs', 'cronjobs'], CHANGES),
    ],
    lets: 'runs pods, which can mount any Secret of the namespace and act as any of its ServiceAccounts',
    remedy:
      'Keep one guarded namespace for each circle of trust, and let only those deploy there who may read its credentials',
  },
  TokenRequest: {
    type: 'TokenRequest',
    severity: 'Critical',
    openings: opening('Namespace', '', ['serviceaccounts/token'], ['create']),
    lets: 'makes tokens of ServiceAccounts, and has with them whatever policies give to these',
    remedy: 'Take serviceaccounts/token out of the role, or name harmless ones in resourceNames',
  },
  Impersonate: {
    type: 'Impersonate',
    severity: 'Critical',
    openings: [
      ...opening('Cluster', '', ['users', 'groups'], ['impersonate']),
      ...opening('Namespace', '', ['serviceaccounts'], ['impersonate']),
      ...opening('Cluster', AUTHENTICATION, ['uids', 'userextras/*'], ['impersonate']),
      // Since Kubernetes 1.36 there are narrower verbs, which lead to the same identities.
      ...opening(
        'Cluster',
        AUTHENTICATION,
        ['users', 'groups', 'uids', 'userextras/*'],
        ['impersonate:user-info'],
      ),
      ...opening('Namespace', AUTHENTICATION, ['serviceaccounts'], ['impersonate:serviceaccount']),
      ...opening(
        'Cluster',
        AUTHENTICATION,
        ['nodes'],
        ['impersonate:arbitrary-node', 'impersonate:associated-node'],
      ),
    ],
    lets: 'acts as somebody else, and has whatever policies give to that identity',
    remedy: 'Take impersonate out of the role, or name harmless identities in resourceNames',
  },
  Escalate: {
    type: 'Escalate',
    severity: 'Critical',
    openings: [
      ...opening('Namespace', RBAC, ['roles'], ['escalate']),
      ...opening('Cluster', RBAC, ['clusterroles'], ['escalate']),
    ],
    lets: 'writes roles that grant more than it has itself, and so any right there is',
    remedy: 'Take escalate out of the role',
  },
  Bind: {
    type: 'Bind',
    severity: 'Critical',
    openings: opening('Namespace', RBAC, ['roles', 'clusterroles'], ['bind']),
    lets: 'binds roles that grant more than it has itself to whomever it likes',
    remedy: 'Take bind out of the role, or name harmless roles in resourceNames',
  },
  NodesProxy: {
    type: 'NodesProxy',
    severity: 'Critical',
    openings: opening('Cluster', '', ['nodes/proxy'], PROXIED),
    lets: 'talks to the kubelets, which run commands in any pod: `get` is enough for that, and neither admission nor audit sees it',
    remedy:
      'Replace nodes/proxy by nodes/metrics, nodes/stats, nodes/log or nodes/healthz, which are enough for monitoring',
  },
  Proxy: {
    type: 'Proxy',
    severity: 'Warning',
    openings: opening('Namespace', '', ['pods/proxy', 'services/proxy'], PROXIED),
    lets: 'talks to ports of pods through the API server, past every NetworkPolicy',
    remedy: 'Take pods/proxy and services/proxy out of the role',
  },
  CertificateApproval: {
    type: 'CertificateApproval',
    severity: 'Critical',
    openings: [
      ...opening(
        'Cluster',
        'certificates.k8s.io',
        ['certificatesigningrequests/approval'],
        ['update', 'patch'],
      ),
      ...opening('Cluster', 'certificates.k8s.io', ['signers'], ['approve', 'sign']),
    ],
    lets: 'approves or signs client certificates, which can be of any user and group',
    remedy:
      'Take certificatesigningrequests/approval and signers out of the role, or name in resourceNames a signer whose certificates the API server does not accept',
  },
  AdmissionConfiguration: {
    type: 'AdmissionConfiguration',
    severity: 'Critical',
    openings: [
      ...opening(
        'Cluster',
        'admissionregistration.k8s.io',
        [
          'validatingwebhookconfigurations',
          'mutatingwebhookconfigurations',
          'validatingadmissionpolicies',
          'validatingadmissionpolicybindings',
          'mutatingadmissionpolicies',
          'mutatingadmissionpolicybindings',
        ],
        WRITES,
      ),
      ...opening('Cluster', 'apiextensions.k8s.io', ['customresourcedefinitions'], WRITES),
      ...opening('Cluster', 'apiregistration.k8s.io', ['apiservices'], WRITES),
    ],
    lets: 'takes away what checks requests or what our kinds are, or adds a webhook that sees and changes every Secret and pod as it is written',
    remedy:
      'Leave these to cluster administrators; where an application brings webhooks of its own, name them in resourceNames',
  },
  HostPathVolume: {
    type: 'HostPathVolume',
    severity: 'Warning',
    openings: opening('Cluster', '', ['persistentvolumes'], ['create']),
    lets: "makes volumes of any directory of a node, also of the one where the kubelet keeps the pods' Secrets; Pod Security does not look at PersistentVolumes",
    remedy: 'Take create of persistentvolumes out of the role; storage provisioners do that',
  },
  NamespaceLabels: {
    type: 'NamespaceLabels',
    severity: 'Warning',
    // The two subresources take labels as well.
    openings: [
      ...opening('Namespace', '', ['namespaces', 'namespaces/status'], ['update', 'patch']),
      ...opening('Namespace', '', ['namespaces/finalize'], ['update']),
    ],
    lets: 'takes the labels off a namespace that say that it is guarded, of which environment it is, and how strict Pod Security is there',
    remedy: 'Take update and patch of namespaces out of the role',
  },
  CustomResourceWrite: {
    type: 'CustomResourceWrite',
    severity: 'Critical',
    openings: [
      ...opening('Namespace', GROUP, OWN_NAMESPACED, WRITES),
      ...opening('Cluster', GROUP, OWN_CLUSTER, WRITES),
    ],
    lets: 'writes objects of Strongroom that no policy lets it write',
    remedy:
      'Remove the binding, or give the right by an AccessPolicy; the status is for the operator alone to write',
  },
};

/** ConfigMaps of the operator's namespace that others believe: the seal keys, and the findings. */
export const TRUSTED_CONFIG_MAPS: ReadonlySet<string> = new Set([
  'strongroom-seal-keys',
  'strongroom-status',
]);

/** Whether a Secret of the operator's namespace can be an entry of the vault or one of its keys. */
export function isOfVault(secretName: string): boolean {
  return secretName.startsWith('strongroom-') || /^xc-[0-9a-f]{40}$/.test(secretName);
}
