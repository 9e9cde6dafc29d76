/**
 * RBAC that undermines policies, planted in a real cluster: what the search finds there, and whether
 * the API server says the same about who can do what.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { CredentialFacts } from '../../src/access/request.ts';
import { CATALOGUE, WEAKNESS_TYPES } from '../../src/access/weaknesses/catalogue.ts';
import type { WeaknessType } from '../../src/access/weaknesses/catalogue.ts';
import { findWeaknesses } from '../../src/access/weaknesses/find-weaknesses.ts';
import type { RbacSnapshot, Weakness } from '../../src/access/weaknesses/find-weaknesses.ts';
import { grantedVerbs } from '../../src/access/weaknesses/rbac-rules.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { PolicyRule, RbacSubject } from '../../src/kube/objects.ts';
import {
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
  NAMESPACES,
  ROLES,
  ROLE_BINDINGS,
  SECRETS,
  SUBJECT_ACCESS_REVIEWS,
} from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { clientOf, userKubeconfig } from './identities.ts';
import { installChart, scratchDirectory, uninstallChart } from './operator-process.ts';

const RBAC = 'rbac.authorization.k8s.io';
const DELIVERED = 'maker-keys';

interface Attempt {
  readonly group: string;
  /** `pods/exec`. */
  readonly path: string;
  readonly verb: string;
  readonly name?: string;
}

describe('weaknesses of a real cluster', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  let guarded: TestNamespace;
  let operators: TestNamespace;
  let before: ReadonlySet<string>;

  beforeAll(async () => {
    client = cleanup.use(await connect());
    guarded = cleanup.use(
      await createNamespace(client, 'guarded', { 'strongroom.dev/guarded': 'true' }),
    );
    operators = cleanup.use(await createNamespace(client, 'strongroom'));
    before = new Set(findWeaknesses(await snapshot()).map(keyOf));
  });
  afterAll(() => cleanup.disposeAsync());

  async function snapshot(): Promise<RbacSnapshot> {
    const all = { allNamespaces: true } as const;
    const [roles, clusterRoles, roleBindings, clusterRoleBindings] = await Promise.all([
      client.list(ROLES, all),
      client.list(CLUSTER_ROLES, all),
      client.list(ROLE_BINDINGS, all),
      client.list(CLUSTER_ROLE_BINDINGS, all),
    ]);
    const credential: CredentialFacts = {
      namespace: guarded.name,
      name: 'maker',
      labels: {},
      environment: 'Production',
    };
    return {
      roles: roles.items,
      clusterRoles: clusterRoles.items,
      roleBindings: roleBindings.items,
      clusterRoleBindings: clusterRoleBindings.items,
      namespaces: [guarded.name],
      operatorNamespace: operators.name,
      operatorServiceAccount: 'strongroom-operator',
      deliveredSecrets: () => [{ name: DELIVERED, credential }],
      isExpectedReader: () => false,
      isExpectedWriter: () => false,
      isOwn: () => false,
    };
  }

  /** What was not there when the suite began. */
  async function planted(): Promise<readonly Weakness[]> {
    return findWeaknesses(await snapshot()).filter((one) => !before.has(keyOf(one)));
  }

  async function can(
    user: string,
    { group, path, verb, name }: Attempt,
    namespace?: string,
  ): Promise<boolean> {
    const [resource = '', subresource] = path.split('/');
    const { status } = await client.create(SUBJECT_ACCESS_REVIEWS, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: { name: '' },
      spec: {
        user,
        groups: ['system:authenticated'],
        resourceAttributes: {
          verb,
          group,
          resource,
          ...(subresource === undefined ? {} : { subresource }),
          ...(name === undefined ? {} : { name }),
          ...(namespace === undefined ? {} : { namespace }),
        },
      },
    });
    return status?.allowed ?? false;
  }

  /** The rules bound to a user, until disposed of; the authorizer knows them when it returns. */
  async function plant(
    rules: readonly PolicyRule[],
    where: 'Cluster' | { readonly namespace: string },
    user: string,
  ): Promise<AsyncDisposableStack & { readonly via: string }> {
    const stack = new AsyncDisposableStack();
    const name = `weak-${randomBytes(4).toString('hex')}`;
    const namespace = where === 'Cluster' ? undefined : where.namespace;
    const kind = where === 'Cluster' ? 'ClusterRole' : 'Role';
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    const subjects: RbacSubject[] = [{ kind: 'User', name: user, apiGroup: RBAC }];
    // Harmless, and only there to see when the authorizer has heard of it.
    const sentinel: PolicyRule = {
      apiGroups: ['sentinel.example.com'],
      resources: [name],
      verbs: ['get'],
    };
    const roles = where === 'Cluster' ? CLUSTER_ROLES : ROLES;
    const bindings = where === 'Cluster' ? CLUSTER_ROLE_BINDINGS : ROLE_BINDINGS;
    const apiVersion = `${RBAC}/v1`;
    await client.create(roles, { apiVersion, kind, metadata, rules: [...rules, sentinel] });
    stack.defer(() => client.delete(roles, metadata));
    await client.create(bindings, {
      apiVersion,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: RBAC, kind, name },
      subjects,
    });
    stack.defer(() => client.delete(bindings, metadata));
    await eventually(
      () => can(user, { group: 'sentinel.example.com', path: name, verb: 'get' }, namespace),
      { what: 'the authorizer knows the new binding' },
    );
    const at = namespace === undefined ? name : `${namespace}/${name}`;
    return Object.assign(stack, { via: `${kind}Binding ${at} to ${kind} ${name}` });
  }

  it('a stock cluster has none', async () => {
    const whole = await snapshot();
    const isStock = ({ metadata }: { readonly metadata: { readonly labels?: object } }): boolean =>
      Object.entries(metadata.labels ?? {}).some(
        ([key, value]) => key === 'kubernetes.io/bootstrapping' && value === 'rbac-defaults',
      );
    const stock = {
      ...whole,
      // As if the cluster's own were guarded: nothing of Kubernetes may be hidden by the choice.
      namespaces: ['default', 'kube-public', guarded.name],
      roleBindings: whole.roleBindings.filter(isStock),
      clusterRoleBindings: whole.clusterRoleBindings.filter(isStock),
    };
    expect(stock.clusterRoleBindings.length).toBeGreaterThan(40);
    expect(findWeaknesses(stock)).toEqual([]);
  });

  it('the chart brings none, and whoever is added to its bindings is one', async () => {
    await using stack = new AsyncDisposableStack();
    await installChart(inject('kubeconfig'), operators.name);
    stack.defer(() => uninstallChart(inject('kubeconfig'), operators.name));
    // What the operator itself writes into a guarded namespace.
    const metadata = { name: 'strongroom', namespace: guarded.name };
    await client.create(ROLE_BINDINGS, {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'strongroom-guarded-namespace' },
      subjects: [
        { kind: 'ServiceAccount', namespace: operators.name, name: 'strongroom-operator' },
      ],
    });
    stack.defer(() => client.delete(ROLE_BINDINGS, metadata));
    expect(await planted()).toEqual([]);

    const added = [
      { op: 'add' as const, path: '/subjects/-', value: { kind: 'User', name: 'eve' } },
    ];
    const name = 'strongroom-operator';
    await client.jsonPatch(CLUSTER_ROLE_BINDINGS, { name }, added);
    await client.jsonPatch(ROLE_BINDINGS, { name, namespace: operators.name }, added);
    await client.jsonPatch(ROLE_BINDINGS, metadata, added);
    const found = await planted();
    expect(new Set(found.map(({ subject }) => subject.name))).toEqual(new Set(['eve']));
    expect(new Set(found.map(({ via }) => via))).toEqual(
      new Set([
        'ClusterRoleBinding strongroom-operator to ClusterRole strongroom-operator',
        `RoleBinding ${operators.name}/strongroom-operator to Role strongroom-operator`,
        `RoleBinding ${guarded.name}/strongroom to ClusterRole strongroom-guarded-namespace`,
      ]),
    );
  });

  type Row = readonly [
    type: WeaknessType,
    group: string,
    path: string,
    verbs: readonly string[],
    resourceNames?: readonly string[],
  ];

  const IN_NAMESPACE: readonly Row[] = [
    ['SecretRead', '', 'secrets', ['get']],
    ['SecretRead', '', 'secrets', ['list']],
    ['SecretRead', '', 'secrets', ['watch']],
    ['SecretRead', '', 'secrets', ['get'], [DELIVERED]],
    ['SecretRead', '', 'secrets', ['list'], [DELIVERED]],
    ['SecretWrite', '', 'secrets', ['create']],
    ['SecretWrite', '', 'secrets', ['update'], [DELIVERED]],
    ['SecretWrite', '', 'secrets', ['delete']],
    ['PodExec', '', 'pods/exec', ['create']],
    ['PodExec', '', 'pods/exec', ['get'], ['maker-0']],
    ['PodExec', '', 'pods/attach', ['create']],
    ['PodExec', '', 'pods/portforward', ['create']],
    ['PodExec', '', '*/exec', ['*']],
    ['EphemeralContainers', '', 'pods/ephemeralcontainers', ['patch']],
    ['WorkloadCreate', '', 'pods', ['create']],
    ['WorkloadCreate', 'apps', 'deployments', ['patch'], ['maker']],
    ['WorkloadCreate', 'apps', 'statefulsets', ['update']],
    ['WorkloadCreate', 'apps', 'daemonsets', ['create']],
    ['WorkloadCreate', 'apps', 'replicasets', ['create']],
    ['WorkloadCreate', 'batch', 'jobs', ['create']],
    ['WorkloadCreate', 'batch', 'cronjobs', ['patch']],
    ['WorkloadCreate', '', 'replicationcontrollers', ['create']],
    ['TokenRequest', '', 'serviceaccounts/token', ['create']],
    ['TokenRequest', '', 'serviceaccounts/token', ['create'], ['maker']],
    ['Impersonate', '', 'serviceaccounts', ['impersonate']],
    ['Escalate', RBAC, 'roles', ['escalate']],
    ['Bind', RBAC, 'roles', ['bind']],
    ['Bind', RBAC, 'clusterroles', ['bind'], ['edit']],
    ['Proxy', '', 'pods/proxy', ['get']],
    ['Proxy', '', 'services/proxy', ['create']],
    ['NamespaceLabels', '', 'namespaces', ['patch']],
    ['NamespaceLabels', '', 'namespaces/finalize', ['update']],
    ['CustomResourceWrite', 'strongroom.dev', 'exchangecredentials', ['update']],
    ['CustomResourceWrite', 'strongroom.dev', 'exchangecredentials/status', ['patch']],
    ['CustomResourceWrite', '*', 'exchangecredentials', ['create']],
  ];

  const IN_OPERATORS: readonly Row[] = [
    ['VaultAccess', '', 'secrets', ['get']],
    ['VaultAccess', '', 'secrets', ['get'], ['strongroom-vault-keys']],
    ['VaultAccess', '', 'configmaps', ['update'], ['strongroom-seal-keys']],
    ['VaultAccess', '', 'pods/exec', ['create']],
    ['VaultAccess', '', 'pods/ephemeralcontainers', ['patch']],
    ['WorkloadCreate', 'apps', 'deployments', ['patch']],
    ['TokenRequest', '', 'serviceaccounts/token', ['create']],
  ];

  const IN_CLUSTER: readonly Row[] = [
    ['Impersonate', '', 'users', ['impersonate']],
    ['Impersonate', '', 'groups', ['impersonate'], ['desk-mm']],
    ['Impersonate', 'authentication.k8s.io', 'uids', ['impersonate']],
    ['Impersonate', 'authentication.k8s.io', 'userextras/scopes', ['impersonate']],
    ['Escalate', RBAC, 'clusterroles', ['escalate']],
    ['NodesProxy', '', 'nodes/proxy', ['get']],
    [
      'CertificateApproval',
      'certificates.k8s.io',
      'certificatesigningrequests/approval',
      ['update'],
    ],
    ['CertificateApproval', 'certificates.k8s.io', 'signers', ['approve']],
    [
      'AdmissionConfiguration',
      'admissionregistration.k8s.io',
      'validatingwebhookconfigurations',
      ['delete'],
    ],
    [
      'AdmissionConfiguration',
      'admissionregistration.k8s.io',
      'mutatingwebhookconfigurations',
      ['create'],
    ],
    [
      'AdmissionConfiguration',
      'admissionregistration.k8s.io',
      'validatingadmissionpolicybindings',
      ['patch'],
    ],
    ['AdmissionConfiguration', 'apiextensions.k8s.io', 'customresourcedefinitions', ['update']],
    ['HostPathVolume', '', 'persistentvolumes', ['create']],
    ['CustomResourceWrite', 'strongroom.dev', 'accesspolicies', ['create']],
  ];

  const where = {
    guarded: () => ({ namespace: guarded.name }),
    operator: () => ({ namespace: operators.name }),
    cluster: () => 'Cluster' as const,
  };

  it.each([
    ...IN_NAMESPACE.map((row) => ['guarded' as const, row] as const),
    ...IN_OPERATORS.map((row) => ['operator' as const, row] as const),
    ...IN_CLUSTER.map((row) => ['cluster' as const, row] as const),
  ])('in the %s: %j is found, and the API server agrees', async (place, row) => {
    const [type, group, path, verbs, resourceNames] = row;
    const at = where[place]();
    const namespace = at === 'Cluster' ? '*' : at.namespace;
    const user = `mallory-${randomBytes(3).toString('hex')}`;
    const [name] = resourceNames ?? [];
    const attempt: Attempt = {
      group: group === '*' ? 'strongroom.dev' : group,
      path: path.replace('*', 'pods'),
      verb: verbs[0]?.replace('*', 'create') ?? '',
      ...(name === undefined ? {} : { name }),
    };
    const asked = at === 'Cluster' ? undefined : at.namespace;
    expect(await can(user, attempt, asked)).toBe(false);
    {
      await using here = await plant(
        [
          {
            apiGroups: [group],
            resources: [path],
            verbs,
            ...(resourceNames === undefined ? {} : { resourceNames }),
          },
        ],
        at,
        user,
      );
      expect(await planted()).toEqual([
        expect.objectContaining({
          type,
          severity: CATALOGUE[type].severity,
          namespace,
          subject: { kind: 'User', name: user },
          via: here.via,
        }),
      ]);
      expect(await can(user, attempt, asked)).toBe(true);
    }
    expect(await planted()).toEqual([]);
  });

  it('plants every type there is', () => {
    const rows = [...IN_NAMESPACE, ...IN_OPERATORS, ...IN_CLUSTER];
    expect(new Set(rows.map(([type]) => type))).toEqual(new Set(WEAKNESS_TYPES));
  });

  it('a right in the whole cluster is one finding, and reaches the vault too', async () => {
    const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }];
    await using here = await plant(rules, 'Cluster', 'mallory');
    expect((await planted()).map(({ type, namespace, via }) => [type, namespace, via])).toEqual([
      ['VaultAccess', '*', here.via],
      ['SecretRead', '*', here.via],
    ]);
    const attempt = { group: '', path: 'secrets', verb: 'list' };
    expect(await can('mallory', attempt, guarded.name)).toBe(true);
    expect(await can('mallory', attempt, operators.name)).toBe(true);
  });

  it("the cluster's own edit is found by what it is aggregated of", async () => {
    const name = `devs-${randomBytes(3).toString('hex')}`;
    const metadata = { name, namespace: guarded.name };
    await client.create(ROLE_BINDINGS, {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'Group', name, apiGroup: RBAC }],
    });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => client.delete(ROLE_BINDINGS, metadata));
    const found = await planted();
    expect(new Set(found.map(({ subject }) => subject.name))).toEqual(new Set([name]));
    expect(found.map(({ type }) => type).toSorted()).toEqual([
      'Impersonate',
      'PodExec',
      'Proxy',
      'SecretRead',
      'SecretWrite',
      'TokenRequest',
      'WorkloadCreate',
    ]);
  });

  it.each([
    ['', 'pods/*', 'create', 'pods/exec'],
    ['', '*/*', 'create', 'pods/exec'],
    ['', 'pods', 'create', 'pods/exec'],
    ['', 'nodes/proxy', 'get', 'nodes/proxy'],
    ['', 'users', 'impersonate', 'users'],
    ['', 'persistentvolumes', 'create', 'persistentvolumes'],
    [RBAC, 'clusterroles', 'escalate', 'clusterroles'],
    ['authentication.k8s.io', 'userextras', 'impersonate', 'userextras/scopes'],
  ])(
    '%s %s %s in a Role does not give %s, and is not said to',
    async (group, path, verb, asked) => {
      const user = `mallory-${randomBytes(3).toString('hex')}`;
      const rules = [{ apiGroups: [group], resources: [path], verbs: [verb] }];
      await using _here = await plant(rules, { namespace: guarded.name }, user);
      const isClusterWide = !asked.startsWith('pods');
      expect(
        await can(user, { group, path: asked, verb }, isClusterWide ? undefined : guarded.name),
      ).toBe(false);
      const types = (await planted()).map(({ type }) => type);
      expect(types).toEqual(path === 'pods' ? ['WorkloadCreate'] : []);
    },
  );

  it('reads rules as the API server does', async () => {
    const openings = Object.values(CATALOGUE)
      .flatMap((entry) => entry.openings)
      .filter(({ scope, subresource }) => scope === 'Namespace' && subresource !== '*');
    const exact = openings.map(({ group, resource, subresource }) => ({
      group,
      path: subresource === undefined ? resource : `${resource}/${subresource}`,
    }));
    const verbs = [...new Set(openings.flatMap((one) => one.verbs))];
    const rule = fc.record({
      apiGroups: fc.subarray([...new Set(exact.map(({ group }) => group)), '*'], { minLength: 1 }),
      resources: fc.subarray(
        [...new Set(exact.map(({ path }) => path)), '*/exec', '*/proxy', 'pods/*', '*/*'],
        { minLength: 1, maxLength: 4 },
      ),
      verbs: fc.subarray([...verbs, '*'], { minLength: 1, maxLength: 3 }),
    });
    const user = 'mallory-reads';
    let granted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 3 }), async (rules) => {
        await using _here = await plant(rules, { namespace: guarded.name }, user);
        const asked = openings.flatMap((opening, place) =>
          opening.verbs.map((verb) => ({ opening, verb, ...exact[place] })),
        );
        const answers = await Promise.all(
          asked.map(async ({ opening, verb, group = '', path = '' }) => {
            const ours = grantedVerbs(rules, opening, [verb]).has(verb);
            const theirs = await can(user, { group, path, verb }, guarded.name);
            if (theirs) granted += 1;
            return { group, path, verb, ours, theirs };
          }),
        );
        expect(answers.filter(({ ours, theirs }) => ours !== theirs)).toEqual([]);
      }),
      { numRuns: 12 },
    );
    // Else nothing was compared but refusals.
    expect(granted).toBeGreaterThan(0);
  });

  describe('what the catalogue takes for granted', () => {
    const user = `mallory-${randomBytes(3).toString('hex')}`;
    let mallory: KubeClient;
    beforeAll(async () => {
      const scratch = cleanup.use(await scratchDirectory());
      mallory = cleanup.use(
        await clientOf(await userKubeconfig(client, user, ['weak'], scratch.path)),
      );
    });

    it('labels of a namespace can be changed through its subresources', async () => {
      await using _here = await plant(
        [
          {
            apiGroups: [''],
            resources: ['namespaces/status', 'namespaces/finalize'],
            verbs: ['patch', 'update'],
          },
        ],
        { namespace: guarded.name },
        user,
      );
      const at = { name: guarded.name };
      const labelled = (value: string) => ({ metadata: { labels: { 'example.com/by': value } } });
      await expect(mallory.mergePatch(NAMESPACES, at, labelled('nobody'))).rejects.toMatchObject({
        code: 'ERR_KUBE_FORBIDDEN',
      });
      await mallory.mergePatch(NAMESPACES, at, labelled('status'), { subresource: 'status' });
      const { metadata, ...rest } = await client.get(NAMESPACES, at);
      expect(metadata.labels).toMatchObject({ 'example.com/by': 'status' });
      const labels = { ...metadata.labels, 'example.com/by': 'finalize' };
      await mallory.replace(
        NAMESPACES,
        { ...rest, metadata: { ...metadata, labels } },
        { subresource: 'finalize' },
      );
      expect((await client.get(NAMESPACES, at)).metadata.labels).toMatchObject({
        'example.com/by': 'finalize',
      });
    });

    it('a create by name is of use to a server-side apply only, with patch', async () => {
      const secret = (name: string) => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, namespace: guarded.name },
      });
      const apply = { fieldManager: 'mallory' };
      const forbidden = { code: 'ERR_KUBE_FORBIDDEN' };
      const rule = (verbs: readonly string[]): PolicyRule => ({
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: ['made'],
        verbs,
      });
      {
        await using _create = await plant([rule(['create'])], { namespace: guarded.name }, user);
        await expect(mallory.create(SECRETS, secret('made'))).rejects.toMatchObject(forbidden);
        await expect(mallory.apply(SECRETS, secret('made'), apply)).rejects.toMatchObject(
          forbidden,
        );
        expect(await planted()).toEqual([]);
      }
      await using _both = await plant(
        [rule(['create']), rule(['patch'])],
        { namespace: guarded.name },
        user,
      );
      await expect(mallory.create(SECRETS, secret('made'))).rejects.toMatchObject(forbidden);
      await expect(mallory.apply(SECRETS, secret('other'), apply)).rejects.toMatchObject(forbidden);
      await mallory.apply(SECRETS, secret('made'), apply);
      expect((await planted()).map(({ type }) => type)).toEqual(['SecretWrite']);
    });

    it('a list limited to a name reads that one', async () => {
      await client.create(SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: DELIVERED, namespace: guarded.name },
      });
      await using _here = await plant(
        [
          {
            apiGroups: [''],
            resources: ['secrets'],
            resourceNames: [DELIVERED],
            verbs: ['list'],
          },
        ],
        { namespace: guarded.name },
        user,
      );
      const scope = { namespace: guarded.name };
      await expect(mallory.list(SECRETS, scope)).rejects.toMatchObject({
        code: 'ERR_KUBE_FORBIDDEN',
      });
      const fieldSelector = `metadata.name=${DELIVERED}`;
      expect((await mallory.list(SECRETS, scope, { fieldSelector })).items).toHaveLength(1);
    });
  });
});

function keyOf({ type, namespace, subject, via }: Weakness): string {
  return JSON.stringify([type, namespace, subject, via]);
}
