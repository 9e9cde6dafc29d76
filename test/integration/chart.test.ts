import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicy } from '../../src/api/access-policy.ts';
import { resolveOperatorConfig } from '../../src/cli/operator-config.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  SUBJECT_ACCESS_REVIEWS,
} from '../../src/kube/resources.ts';
import { binary, startControlPlane } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { clientOf } from './identities.ts';

const chart = path.resolve(import.meta.dirname, '../../charts/strongroom');
const execute = promisify(execFile);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Record<string, string>;
  };
  readonly rules?: readonly Rule[];
  readonly spec?: unknown;
}

let helm: string;
beforeAll(async () => {
  helm = await binary('helm');
});

async function render(...sets: readonly string[]): Promise<readonly Manifest[]> {
  const { stdout } = await execute(
    helm,
    [
      'template',
      'strongroom',
      chart,
      '--namespace',
      'strongroom-system',
      ...['image.repository=localhost/strongroom', ...sets].flatMap((set) => ['--set', set]),
    ],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  return [...parseAllDocuments(stdout)]
    .map((document) => document.toJS() as Manifest | null)
    .filter((m) => m !== null);
}

/** A value that names whom the first policy is for. */
function subject(kind: string, name: string): string {
  return `bootstrapSubjects[0].kind=${kind},bootstrapSubjects[0].name=${name}`;
}

/** In a namespace that is not the release's. */
function isElsewhere(namespace: string | undefined): namespace is string {
  return namespace === 'default' || namespace === 'kube-system';
}

function ruleText({ apiGroups, resources, resourceNames, verbs }: Rule): string {
  const group = apiGroups.map((name) => (name === '' ? 'core' : name)).join(',');
  return `${group}/${resources.join(',')}${resourceNames === undefined ? '' : `[${resourceNames.join(',')}]`}: ${verbs.join(' ')}`;
}

describe('chart', () => {
  it('passes lint', async () => {
    const { stdout } = await execute(helm, [
      'lint',
      chart,
      '--strict',
      '--set',
      'image.repository=localhost/strongroom',
    ]);
    expect(stdout).toContain('0 chart(s) failed');
  });

  it('grants these rights and no other (invariant 4)', async () => {
    const roles = (await render()).filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
    const snapshot = Object.fromEntries(
      roles.map(({ kind, metadata, rules }) => [
        `${kind} ${isElsewhere(metadata.namespace) ? `${metadata.namespace}/` : ''}${metadata.name}`,
        (rules ?? []).map(ruleText),
      ]),
    );
    expect(snapshot).toMatchInlineSnapshot(`
      {
        "ClusterRole strongroom-admin": [
          "strongroom.dev/exchangecredentials,accesspolicies,ipblocks,emergencyaccesses: get list watch",
          "strongroom.dev/exchangecredentials,emergencyaccesses: create update patch delete",
        ],
        "ClusterRole strongroom-edit": [
          "strongroom.dev/exchangecredentials,accesspolicies,ipblocks,emergencyaccesses: get list watch",
          "strongroom.dev/exchangecredentials,emergencyaccesses: create update patch",
        ],
        "ClusterRole strongroom-emergency-connect": [
          "core/pods: get list",
          "core/pods/exec,pods/attach,pods/portforward,pods/proxy: create get",
        ],
        "ClusterRole strongroom-emergency-read": [
          "core/serviceaccounts: get",
          "core/serviceaccounts/token: create",
        ],
        "ClusterRole strongroom-guarded-namespace": [
          "core/secrets: get list watch create patch delete",
          "core/pods: get list watch",
          "networking.k8s.io/networkpolicies: get list watch create update delete",
          "core/services: list watch",
          "rbac.authorization.k8s.io/roles,rolebindings: get list watch create update delete",
          "strongroom.dev/exchangecredentials,emergencyaccesses: get list watch create update patch delete",
          "core/serviceaccounts: get list watch create delete",
          "rbac.authorization.k8s.io/clusterroles[strongroom-emergency-connect,strongroom-emergency-read]: bind",
          "core,events.k8s.io/events: get list watch",
        ],
        "ClusterRole strongroom-network-blocks": [
          "strongroom.dev/ipblocks: get list watch create update patch delete",
        ],
        "ClusterRole strongroom-operator": [
          "strongroom.dev/exchangecredentials: get list watch patch",
          "strongroom.dev/accesspolicies,ipblocks,emergencyaccesses: get list watch",
          "strongroom.dev/exchangecredentials/status,accesspolicies/status,ipblocks/status,emergencyaccesses/status: patch",
          "rbac.authorization.k8s.io/roles,rolebindings,clusterroles,clusterrolebindings: list watch",
          "core/serviceaccounts: list watch",
          "core/namespaces: get list watch",
          "core/nodes: list watch",
          "networking.k8s.io/servicecidrs: list watch",
          "strongroom.dev/ipblocks: create",
          "admissionregistration.k8s.io/validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings: list watch",
          "admissionregistration.k8s.io/validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings[strongroom-admission,strongroom-controller-revisions,strongroom-cron-jobs,strongroom-emergency-accounts,strongroom-emergency-tokens,strongroom-generated-objects,strongroom-managed-secrets,strongroom-namespace-access,strongroom-operator-tokens,strongroom-pod-binding-label,strongroom-pod-label,strongroom-pod-templates,strongroom-pods,strongroom-replication-controllers,strongroom-service-accounts,strongroom-status,strongroom-vault,strongroom-workloads]: get create patch delete",
          "rbac.authorization.k8s.io/clusterroles[strongroom-operator]: get",
          "strongroom.dev/namespaceaccesses: get list watch create patch delete",
          "events.k8s.io/events: create patch",
          "rbac.authorization.k8s.io/rolebindings: create",
          "rbac.authorization.k8s.io/rolebindings[strongroom]: get patch delete",
          "rbac.authorization.k8s.io/clusterroles[strongroom-guarded-namespace]: bind",
        ],
        "ClusterRole strongroom-security-admin": [
          "strongroom.dev/exchangecredentials,accesspolicies,ipblocks,emergencyaccesses: get list watch",
          "strongroom.dev/accesspolicies,ipblocks,emergencyaccesses: create update patch delete",
        ],
        "ClusterRole strongroom-view": [
          "strongroom.dev/exchangecredentials,accesspolicies,ipblocks,emergencyaccesses: get list watch",
        ],
        "Role default/strongroom-operator-facts": [
          "core/services: list watch",
          "discovery.k8s.io/endpointslices: list watch",
        ],
        "Role kube-system/strongroom-operator-facts": [
          "core/services: list watch",
          "discovery.k8s.io/endpointslices: list watch",
          "apps/daemonsets: list watch",
        ],
        "Role strongroom-operator": [
          "core/secrets: get list watch create update patch delete",
          "core/configmaps: get list watch create update patch delete",
          "coordination.k8s.io/leases: create",
          "coordination.k8s.io/leases[strongroom-operator]: get update patch",
        ],
        "Role strongroom-seal-keys": [
          "core/configmaps[strongroom-seal-keys]: get",
        ],
      }
    `);
  });

  it('gives no cluster-wide right on Secrets, no escalation and no wildcard', async () => {
    const roles = (await render()).filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
    const bound = (await render())
      .filter(({ kind }) => kind === 'ClusterRoleBinding')
      .map((binding) => (binding as unknown as { roleRef: { name: string } }).roleRef.name);
    expect(bound).toEqual(['strongroom-operator']);
    const clusterWide = roles
      .filter(({ kind, metadata }) => kind === 'ClusterRole' && bound.includes(metadata.name))
      .flatMap(({ rules }) => rules ?? []);
    expect(clusterWide.filter(({ resources }) => resources.includes('secrets'))).toEqual([]);
    const all = roles.flatMap(({ rules }) => rules ?? []);
    expect(
      all.filter(({ verbs }) => verbs.includes('bind')).map(({ resourceNames }) => resourceNames),
    ).toEqual([
      ['strongroom-guarded-namespace'],
      ['strongroom-emergency-connect', 'strongroom-emergency-read'],
    ]);
    for (const rule of all) {
      expect([...rule.verbs, ...rule.resources, ...rule.apiGroups]).not.toContain('*');
      expect(rule.verbs).not.toContain('escalate');
      expect(rule.verbs).not.toContain('impersonate');
    }
  });

  it('gives people roles of which the cluster takes none into its own', async () => {
    const humans = (await render()).filter(
      ({ kind, metadata }) =>
        kind === 'ClusterRole' &&
        /^strongroom-(view|edit|admin|security-admin)$/.test(metadata.name),
    );
    expect(humans).toHaveLength(4);
    for (const { metadata, rules = [] } of humans) {
      expect(JSON.stringify(metadata)).not.toContain('aggregate-to');
      for (const { apiGroups, resources } of rules) {
        expect(apiGroups).toEqual(['strongroom.dev']);
        expect(resources.join()).not.toContain('/');
      }
    }
  });

  it('renders a first policy where somebody is named, also without a cluster', async () => {
    const policies = async (...sets: readonly string[]) =>
      (await render(...sets)).filter(({ kind }) => kind === 'AccessPolicy');
    expect(await policies()).toEqual([]);
    expect(await policies(subject('Group', 'security'))).toMatchObject([
      {
        metadata: {
          name: 'strongroom-bootstrap',
          annotations: { 'helm.sh/hook': 'post-install,post-upgrade' },
        },
      },
    ]);
  });

  it('runs pods that the restricted pod security standard admits', async () => {
    const deployment = (await render()).find(({ kind }) => kind === 'Deployment');
    expect(deployment?.spec).toMatchObject({
      replicas: 3,
      template: {
        spec: {
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    });
  });

  it('keeps the CustomResourceDefinitions when it is uninstalled', async () => {
    const crds = (await render()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(crds.map(({ metadata }) => metadata.name).sort()).toEqual([
      'accesspolicies.strongroom.dev',
      'emergencyaccesses.strongroom.dev',
      'exchangecredentials.strongroom.dev',
      'ipblocks.strongroom.dev',
      'namespaceaccesses.strongroom.dev',
    ]);
    for (const { metadata } of crds) {
      expect(metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep' });
    }
  });

  it.each([
    ['no image', 'image.repository=', /image\.repository is needed/],
    ['an unknown value', 'replica=3', /replica/],
    ['an unknown nested value', 'config.loglevel=debug', /loglevel/],
    ['a wrong type', 'replicas=many', /replicas/],
    ['no duration', 'config.sourceRefresh=soon', /sourceRefresh/],
    [
      'a passphrase provider without its Secret',
      'config.keyProvider.name=passphrase',
      /passphraseSecret/,
    ],
    ['emergency access without approval', 'emergency.approvals.Production=0', /Production/],
    ['a client CA without names', 'admission.clientCa.configMap=ca', /commonNames/],
    ['an unknown value of admission', 'admission.failurePolicy=Ignore', /failurePolicy/],
    ['a subject of no kind', 'bootstrapSubjects[0].name=alice', /kind/],
    ['a subject of another kind', subject('Robot', 'alice'), /kind/],
    ['a subject without name', subject('User', ''), /name/],
    ['a ServiceAccount without namespace', subject('ServiceAccount', 'flux'), /namespace/],
    [
      'a User with namespace',
      `${subject('User', 'alice')},bootstrapSubjects[0].namespace=trading`,
      /namespace/,
    ],
  ])('refuses %s', async (_, set, message) => {
    await expect(render(set)).rejects.toThrow(message);
  });

  /** The operator's configuration, as its pods read it. */
  function configurationIn(manifests: readonly Manifest[]): Record<string, unknown> {
    const found = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'strongroom-operator',
    ) as unknown as { readonly data: Readonly<Record<string, string>> };
    return parse(found.data['operator.yaml'] ?? '') as Record<string, unknown>;
  }

  it('reviews requests on every replica, and lets the API server reach them', async () => {
    const manifests = await render();
    expect(configurationIn(manifests)).toMatchObject({
      admission: { enabled: true, port: 8443, certificate: {}, detectCopies: true },
      emergency: { maxDuration: '1h', approvals: { Production: 1 }, selfApproval: false },
    });
    const service = manifests.find(({ metadata }) => metadata.name === 'strongroom-admission');
    expect(service).toMatchObject({
      kind: 'Service',
      spec: { ports: [{ port: 443, targetPort: 'admission' }] },
    });
    const deployment = manifests.find(({ kind }) => kind === 'Deployment');
    expect(deployment?.spec).toMatchObject({
      template: {
        spec: {
          priorityClassName: 'strongroom-operator',
          containers: [{ ports: [{ name: 'health' }, { name: 'admission', containerPort: 8443 }] }],
        },
      },
    });
    expect(manifests.filter(({ kind }) => kind === 'PriorityClass')).toHaveLength(1);
    expect(manifests.filter(({ kind }) => kind === 'PodDisruptionBudget')).toHaveLength(1);
    const policy = manifests.find(({ kind }) => kind === 'NetworkPolicy');
    expect(JSON.stringify(policy)).toContain('"port":"admission"');
    // What makes the API server ask is the operator's, not the release's.
    expect(manifests.filter(({ kind }) => /Webhook|AdmissionPolicy/.test(kind))).toEqual([]);
  });

  it('writes a configuration that the operator takes', async () => {
    for (const sets of [
      [],
      ['admission.enabled=false'],
      ['admission.certManager.enabled=true', 'emergency.noticeUrl=https://notices.example/'],
      ['config.keyProvider.name=passphrase', 'config.keyProvider.passphraseSecret=unlock'],
    ]) {
      const text = JSON.stringify(configurationIn(await render(...sets)));
      const taken = await resolveOperatorConfig({
        flags: { namespace: 'strongroom-system', identity: 'pod-0' },
        environment: {},
        file: { name: 'operator.yaml', text },
      });
      expect(taken.namespace).toBe('strongroom-system');
    }
  });

  it('takes the values of a release that had no admission, and leaves it off', async () => {
    const manifests = await render('admission=null', 'emergency=null', 'priorityClass=null');
    expect(configurationIn(manifests)).not.toHaveProperty('admission');
    expect(manifests.filter(({ metadata }) => metadata.name === 'strongroom-admission')).toEqual(
      [],
    );
    expect(manifests.filter(({ kind }) => kind === 'PriorityClass')).toEqual([]);
  });

  it('reviews nothing where that is switched off', async () => {
    const manifests = await render('admission.enabled=false', 'priorityClassName=mine');
    expect(configurationIn(manifests)).toMatchObject({ admission: { enabled: false } });
    expect(manifests.filter(({ metadata }) => metadata.name === 'strongroom-admission')).toEqual(
      [],
    );
    expect(manifests.filter(({ kind }) => kind === 'PriorityClass')).toEqual([]);
    expect(JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'))).toContain(
      '"priorityClassName":"mine"',
    );
  });

  it('leaves certificates to cert-manager where that is asked for', async () => {
    const certManager = 'admission.certManager.enabled=true';
    const own = await render(certManager);
    expect(configurationIn(own)).toMatchObject({
      admission: { certificate: { secret: 'strongroom-admission-certificate' } },
    });
    const names = (manifests: readonly Manifest[]) =>
      manifests
        .filter(({ apiVersion }) => apiVersion.startsWith('cert-manager.io/'))
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
        .sort();
    expect(names(own)).toEqual([
      'Certificate strongroom-admission',
      'Certificate strongroom-admission-ca',
      'Issuer strongroom-admission-ca',
      'Issuer strongroom-admission-root',
    ]);
    const issuer = 'admission.certManager.issuerRef';
    const given = await render(certManager, `${issuer}.name=corp,${issuer}.kind=ClusterIssuer`);
    expect(names(given)).toEqual(['Certificate strongroom-admission']);
    expect(given.find(({ kind }) => kind === 'Certificate')?.spec).toMatchObject({
      dnsNames: expect.arrayContaining(['strongroom-admission.strongroom-system.svc']) as unknown,
      issuerRef: { name: 'corp', kind: 'ClusterIssuer' },
    });
  });

  it('mounts what clients and notices are known by', async () => {
    const manifests = await render(
      'admission.clientCa.configMap=callers,admission.clientCa.commonNames={kube-apiserver}',
      'emergency.noticeUrl=https://notices.example/strongroom,emergency.noticeKeySecret=notices',
    );
    expect(configurationIn(manifests)).toMatchObject({
      admission: {
        clientCa: {
          file: '/etc/strongroom/client-ca/ca.crt',
          commonNames: ['kube-apiserver'],
        },
      },
      emergency: {
        noticeUrl: 'https://notices.example/strongroom',
        noticeKeyFile: '/etc/strongroom/notice-key/key',
      },
    });
    const deployment = JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'));
    for (const path of ['/etc/strongroom/client-ca', '/etc/strongroom/notice-key']) {
      expect(deployment).toContain(`"mountPath":"${path}"`);
    }
  });

  it('mounts the passphrase, and adds monitoring where it is asked for', async () => {
    const manifests = await render(
      'config.keyProvider.name=passphrase',
      'config.keyProvider.passphraseSecret=unlock',
      'metrics.serviceMonitor.enabled=true',
      'metrics.alertRules.enabled=true',
    );
    expect(manifests.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['ServiceMonitor', 'PrometheusRule']),
    );
    expect(JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'))).toContain(
      '"secretName":"unlock"',
    );
    expect(
      JSON.stringify(manifests.find(({ kind }) => kind === 'PrometheusRule')).match(
        /"alert":"\w+"/g,
      ),
    ).toEqual([
      '"alert":"StrongroomCredentialNotReady"',
      '"alert":"StrongroomNoLeader"',
      '"alert":"StrongroomNobodyAdministers"',
      '"alert":"StrongroomAccessUndermined"',
      '"alert":"StrongroomBlockIneffective"',
      '"alert":"StrongroomFeedStale"',
      '"alert":"StrongroomAdmissionNotGuarding"',
      '"alert":"StrongroomAdmissionDrift"',
      '"alert":"StrongroomAdmissionRefusalSpike"',
      '"alert":"StrongroomAdmissionCannotDecide"',
      '"alert":"StrongroomAdmissionCertificateEnds"',
      '"alert":"StrongroomEmergencyAccessActive"',
      '"alert":"StrongroomEmergencySelfApproved"',
      '"alert":"StrongroomEmergencyReviewOverdue"',
      '"alert":"StrongroomEmergencyRotationDue"',
      '"alert":"StrongroomEmergencyNoticesLost"',
    ]);
    expect(
      JSON.stringify(
        manifests.find(
          ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'strongroom-operator',
        ),
      ),
    ).toContain('passphraseFile');
  });
});

/** On a cluster of its own, that has never heard of Strongroom. */
describe('installed chart', () => {
  const cleanup = new AsyncDisposableStack();
  let admin: KubeClient;
  let kubeconfig: string;

  beforeAll(async () => {
    const controlPlane = await startControlPlane({ progress: (line) => console.error(line) });
    cleanup.defer(() => controlPlane.stop());
    kubeconfig = controlPlane.kubeconfigPath;
    admin = cleanup.use(await clientOf(kubeconfig));
  });
  afterAll(() => cleanup.disposeAsync());

  /** Helm on that cluster; what it prints. */
  async function release(verb: string, ...sets: readonly string[]): Promise<string> {
    const isRemoval = verb === 'uninstall';
    const { stdout } = await execute(helm, [
      verb,
      'strongroom',
      ...(isRemoval ? [] : [chart]),
      '--kubeconfig',
      kubeconfig,
      '--namespace',
      'strongroom-system',
      ...(verb === 'install' ? ['--create-namespace'] : []),
      ...(isRemoval ? [] : ['image.repository=localhost/strongroom', ...sets]).flatMap((set) => [
        '--set',
        set,
      ]),
    ]);
    return stdout;
  }

  const bootstrap = (): Promise<AccessPolicy | undefined> =>
    admin.find<AccessPolicy>(ACCESS_POLICIES, { name: 'strongroom-bootstrap' });

  async function bind(user: string, role: string): Promise<void> {
    await admin.create(CLUSTER_ROLE_BINDINGS, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: user },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    });
  }

  const VERBS = 'get list watch create update patch delete deletecollection'.split(' ');
  const OURS = ['exchangecredentials', 'accesspolicies'].map((name) => `strongroom.dev/${name}`);
  const RESOURCES = [...OURS, ...OURS.map((name) => `${name}/status`), '/secrets'];
  const RBAC = ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'].map(
    (name) => `rbac.authorization.k8s.io/${name}`,
  );

  /** What the API server lets a user do, in any namespace. */
  async function rightsOf(user: string): Promise<Readonly<Record<string, string>>> {
    const rights = await Promise.all(
      [...RESOURCES, ...RBAC].map(async (path) => {
        const [group = '', resource = '', subresource] = path.split('/');
        const verbs = await Promise.all(
          VERBS.map(async (verb) => {
            const { status } = await admin.create(SUBJECT_ACCESS_REVIEWS, {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SubjectAccessReview',
              metadata: { name: '' },
              spec: {
                user,
                resourceAttributes: {
                  verb,
                  group,
                  resource,
                  ...(subresource === undefined ? {} : { subresource }),
                  namespace: 'default',
                },
              },
            });
            return status?.allowed === true ? [verb] : [];
          }),
        );
        return [path, verbs.flat().join(' ')] as const;
      }),
    );
    return Object.fromEntries(rights.filter(([, verbs]) => verbs !== ''));
  }

  /** The cluster joins roles into its own a while later; when ours of today is in, all before are. */
  async function aggregationSettled(canary: string): Promise<void> {
    const rule = { apiGroups: ['test.invalid'], resources: [canary], verbs: ['get'] };
    await admin.create(CLUSTER_ROLES, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: {
        name: canary,
        labels: Object.fromEntries(
          ['view', 'edit', 'admin'].map((role) => [
            `rbac.authorization.k8s.io/aggregate-to-${role}`,
            'true',
          ]),
        ),
      },
      rules: [rule],
    });
    for (const name of ['view', 'edit', 'admin']) {
      await eventually(
        async () =>
          JSON.stringify((await admin.get(CLUSTER_ROLES, { name })).rules).includes(canary),
        { what: `the cluster's role ${name} to take the canary in` },
      );
    }
  }

  it('makes the first policy although the release brings its kind', async () => {
    await aggregationSettled('canary-before');
    const before: Record<string, unknown> = {};
    for (const role of ['view', 'edit', 'admin']) {
      await bind(`holder-of-${role}`, role);
      before[role] = await eventually(
        async () => {
          const rights = await rightsOf(`holder-of-${role}`);
          // `view` holds nothing of all this.
          return role === 'view' || Object.keys(rights).length > 0 ? rights : undefined;
        },
        { what: `the role ${role} to be complete` },
      );
    }

    const notes = await release(
      'install',
      subject('Group', 'security'),
      'bootstrapSubjects[1].kind=ServiceAccount,bootstrapSubjects[1].namespace=flux-system,bootstrapSubjects[1].name=flux',
    );
    expect((await bootstrap())?.spec).toEqual({
      subjects: [
        { kind: 'Group', name: 'security' },
        { kind: 'ServiceAccount', name: 'flux', namespace: 'flux-system' },
      ],
      roles: ['SecurityAdmin'],
      accessLevel: 'Admin',
      environments: ['Development', 'Staging', 'Production'],
      credentials: { namespaces: ['*'] },
    });
    expect(notes).toContain('--serviceaccount=flux-system:flux');
    expect(notes).toMatch(/Uninstalling keeps[^.]*"strongroom-bootstrap" too/);

    await aggregationSettled('canary-after');
    for (const role of ['view', 'edit', 'admin']) {
      const after = await rightsOf(`holder-of-${role}`);
      expect(after).toEqual(before[role]);
      expect(Object.keys(after).filter((path) => path.startsWith('strongroom.dev'))).toEqual([]);
    }
  });

  it('lets holders of its roles do just this', async () => {
    const rights: Record<string, unknown> = {};
    for (const role of ['view', 'edit', 'admin', 'security-admin']) {
      const user = `holder-of-strongroom-${role}`;
      await bind(user, `strongroom-${role}`);
      rights[role] = await eventually(
        async () => {
          const found = await rightsOf(user);
          return Object.keys(found).length > 0 ? found : undefined;
        },
        { what: `the binding of ${user} to be known` },
      );
    }
    const read = 'get list watch';
    const [credentials = '', policies = ''] = OURS;
    expect(rights).toEqual({
      view: { [credentials]: read, [policies]: read },
      edit: { [credentials]: `${read} create update patch`, [policies]: read },
      admin: { [credentials]: `${read} create update patch delete`, [policies]: read },
      'security-admin': { [credentials]: read, [policies]: `${read} create update patch delete` },
    });
  });

  it('leaves an edited policy as it is', async () => {
    await admin.mergePatch(
      ACCESS_POLICIES,
      { name: 'strongroom-bootstrap' },
      { spec: { subjects: [{ kind: 'User', name: 'carol' }] } },
    );
    const edited = await bootstrap();
    await release('upgrade', subject('Group', 'security'), 'replicas=1');
    await release('upgrade', subject('Group', 'others'));
    expect(await bootstrap()).toEqual(edited);
    await release('upgrade');
    expect(await bootstrap()).toEqual(edited);
  });

  it('keeps the policy when it is uninstalled, and finds it when it comes back', async () => {
    const before = await bootstrap();
    expect(before).toBeDefined();
    await release('uninstall');
    expect(await bootstrap()).toEqual(before);
    await release('install', subject('Group', 'security'));
    expect(await bootstrap()).toEqual(before);
  });

  it('says what to do where nobody was named, and makes the policy once somebody is', async () => {
    await admin.delete(ACCESS_POLICIES, { name: 'strongroom-bootstrap' });
    expect(await release('upgrade')).toMatch(/No bootstrapSubjects were given.*helm upgrade/s);
    expect(await bootstrap()).toBeUndefined();
    await release('upgrade', subject('User', 'carol'));
    expect((await bootstrap())?.spec.subjects).toEqual([{ kind: 'User', name: 'carol' }]);
  });
});
