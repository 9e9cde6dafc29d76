import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CredentialFacts } from '#access/request.ts';
import type { PolicyRule, RbacSubject, Role, RoleBinding } from '#kube/objects.ts';
import { CATALOGUE, WEAKNESS_TYPES } from './catalogue.ts';
import type { WeaknessType } from './catalogue.ts';
import { findWeaknesses } from './find-weaknesses.ts';
import type { RbacSnapshot, Weakness } from './find-weaknesses.ts';

const RBAC = 'rbac.authorization.k8s.io';
const API = { apiVersion: `${RBAC}/v1` };
const alice: RbacSubject = { kind: 'User', name: 'alice', apiGroup: RBAC };
const OPERATOR: RbacSubject = {
  kind: 'ServiceAccount',
  namespace: 'strongroom-system',
  name: 'strongroom-operator',
};

const role = (name: string, rules: readonly PolicyRule[], namespace?: string): Role => ({
  ...API,
  kind: namespace === undefined ? 'ClusterRole' : 'Role',
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  rules,
});

const binding = (
  name: string,
  to: readonly [kind: string, name: string],
  subjects: readonly RbacSubject[] = [alice],
  namespace?: string,
): RoleBinding => ({
  ...API,
  kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  roleRef: { apiGroup: RBAC, kind: to[0], name: to[1] },
  subjects,
});

const rule = (
  group: string,
  resource: string,
  verbs: readonly string[],
  resourceNames?: readonly string[],
): PolicyRule => ({
  apiGroups: [group],
  resources: [resource],
  verbs,
  ...(resourceNames === undefined ? {} : { resourceNames }),
});

const credential = (namespace: string, name: string): CredentialFacts => ({
  namespace,
  name,
  labels: {},
  environment: 'Production',
});

function snapshot(more: Partial<RbacSnapshot> = {}): RbacSnapshot {
  return {
    roles: [],
    clusterRoles: [],
    roleBindings: [],
    clusterRoleBindings: [],
    namespaces: ['trading', 'risk'],
    operatorNamespace: 'strongroom-system',
    operatorServiceAccount: 'strongroom-operator',
    deliveredSecrets: (namespace) => [
      { name: 'maker-keys', credential: credential(namespace, 'maker') },
      { name: 'taker-keys', credential: credential(namespace, 'taker') },
    ],
    isExpectedReader: () => false,
    isExpectedWriter: () => false,
    isOwn: () => false,
    ...more,
  };
}

/** The rules in a Role of a namespace, bound to alice. */
function inNamespace(
  rules: readonly PolicyRule[],
  namespace = 'trading',
  more: Partial<RbacSnapshot> = {},
): readonly Weakness[] {
  return findWeaknesses(
    snapshot({
      roles: [role('debug', rules, namespace)],
      roleBindings: [binding('debug', ['Role', 'debug'], [alice], namespace)],
      ...more,
    }),
  );
}

/** The rules in a ClusterRole, bound to alice everywhere. */
function everywhere(
  rules: readonly PolicyRule[],
  more: Partial<RbacSnapshot> = {},
): readonly Weakness[] {
  return findWeaknesses(
    snapshot({
      clusterRoles: [role('debug', rules)],
      clusterRoleBindings: [binding('debug', ['ClusterRole', 'debug'])],
      ...more,
    }),
  );
}

const typesOf = (found: readonly Weakness[]): readonly string[] => found.map(({ type }) => type);

const CERTIFICATES = 'certificates.k8s.io';
const ADMISSION = 'admissionregistration.k8s.io';
const IDENTITY = 'authentication.k8s.io';

type Right = readonly [group: string, resource: string, verb: string];

const rights = (
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
): readonly Right[] =>
  resources.flatMap((resource) => verbs.map((verb) => [group, resource, verb] as const));

/** Written down apart from the catalogue, from Kubernetes' own documentation. */
const IN_NAMESPACE: Readonly<Partial<Record<WeaknessType, readonly Right[]>>> = {
  SecretRead: rights('', ['secrets'], ['get', 'list', 'watch']),
  SecretWrite: rights('', ['secrets'], ['create', 'update', 'patch', 'delete', 'deletecollection']),
  PodExec: rights('', ['pods/exec', 'pods/attach', 'pods/portforward'], ['get', 'create']),
  EphemeralContainers: rights('', ['pods/ephemeralcontainers'], ['update', 'patch']),
  WorkloadCreate: [
    ...rights('', ['pods', 'replicationcontrollers'], ['create', 'update', 'patch']),
    ...rights(
      'apps',
      ['deployments', 'statefulsets', 'daemonsets', 'replicasets'],
      ['create', 'update', 'patch'],
    ),
    ...rights('batch', ['jobs', 'cronjobs'], ['create', 'update', 'patch']),
  ],
  TokenRequest: [['', 'serviceaccounts/token', 'create']],
  Impersonate: [
    ['', 'serviceaccounts', 'impersonate'],
    [IDENTITY, 'serviceaccounts', 'impersonate:serviceaccount'],
  ],
  Escalate: [[RBAC, 'roles', 'escalate']],
  Bind: [
    [RBAC, 'roles', 'bind'],
    [RBAC, 'clusterroles', 'bind'],
  ],
  Proxy: rights(
    '',
    ['pods/proxy', 'services/proxy'],
    ['get', 'create', 'update', 'patch', 'delete'],
  ),
  NamespaceLabels: [
    ...rights('', ['namespaces', 'namespaces/status'], ['update', 'patch']),
    ['', 'namespaces/finalize', 'update'],
  ],
  CustomResourceWrite: rights(
    'strongroom.dev',
    [
      'exchangecredentials',
      'exchangecredentials/status',
      'emergencyaccesses/status',
      'namespaceaccesses',
    ],
    ['create', 'update', 'patch', 'delete', 'deletecollection'],
  ),
};

const IN_CLUSTER: Readonly<Partial<Record<WeaknessType, readonly Right[]>>> = {
  Impersonate: [
    ['', 'users', 'impersonate'],
    ['', 'groups', 'impersonate'],
    [IDENTITY, 'uids', 'impersonate'],
    [IDENTITY, 'userextras/scopes', 'impersonate'],
    [IDENTITY, 'users', 'impersonate:user-info'],
    [IDENTITY, 'nodes', 'impersonate:arbitrary-node'],
  ],
  Escalate: [[RBAC, 'clusterroles', 'escalate']],
  NodesProxy: rights('', ['nodes/proxy'], ['get', 'create', 'update', 'patch', 'delete']),
  CertificateApproval: [
    ...rights(CERTIFICATES, ['certificatesigningrequests/approval'], ['update', 'patch']),
    ...rights(CERTIFICATES, ['signers'], ['approve', 'sign']),
  ],
  AdmissionConfiguration: [
    ...rights(
      ADMISSION,
      [
        'validatingwebhookconfigurations',
        'mutatingwebhookconfigurations',
        'validatingadmissionpolicies',
        'validatingadmissionpolicybindings',
        'mutatingadmissionpolicies',
        'mutatingadmissionpolicybindings',
      ],
      ['create', 'update', 'patch', 'delete', 'deletecollection'],
    ),
    ['apiextensions.k8s.io', 'customresourcedefinitions', 'update'],
    ['apiregistration.k8s.io', 'apiservices', 'create'],
  ],
  HostPathVolume: [['', 'persistentvolumes', 'create']],
  CustomResourceWrite: rights(
    'strongroom.dev',
    ['accesspolicies', 'accesspolicies/status', 'ipblocks', 'ipblocks/status'],
    ['create', 'update', 'patch', 'delete', 'deletecollection'],
  ),
};

const OF_VAULT: readonly Right[] = [
  ...rights('', ['secrets'], ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']),
  ...rights('', ['configmaps'], ['create', 'update', 'patch', 'delete']),
  ...rights('', ['pods/exec', 'pods/attach', 'pods/portforward'], ['get', 'create']),
  ...rights('', ['pods/ephemeralcontainers'], ['update', 'patch']),
];

const rowsOf = (table: Readonly<Partial<Record<WeaknessType, readonly Right[]>>>) =>
  Object.entries(table).flatMap(([type, list]) =>
    list.map(([group, resource, verb]) => [type as WeaknessType, group, resource, verb] as const),
  );

describe('each right by itself', () => {
  it.each(rowsOf(IN_NAMESPACE))('%s: %s %s %s in a guarded namespace', (type, ...right) => {
    const [group, resource, verb] = right;
    const found = inNamespace([rule(group, resource, [verb])]);
    expect(found).toEqual([
      {
        type,
        severity: CATALOGUE[type].severity,
        namespace: 'trading',
        subject: { kind: 'User', name: 'alice' },
        via: 'RoleBinding trading/debug to Role debug',
        message: expect.stringContaining(`(${verb} on ${resource})`),
      },
    ]);
  });

  it.each([...rowsOf(IN_NAMESPACE), ...rowsOf(IN_CLUSTER)])(
    '%s: %s %s %s in the whole cluster',
    (type, group, resource, verb) => {
      const found = everywhere([rule(group, resource, [verb])]);
      expect(found.filter((one) => one.type !== 'VaultAccess')).toEqual([
        expect.objectContaining({
          type,
          namespace: '*',
          via: 'ClusterRoleBinding debug to ClusterRole debug',
        }),
      ]);
    },
  );

  it.each(rowsOf(IN_CLUSTER))(
    '%s: %s %s %s is nothing that a RoleBinding can give',
    (_type, group, resource, verb) => {
      expect(inNamespace([rule(group, resource, [verb])])).toEqual([]);
    },
  );

  it.each(OF_VAULT)(
    "VaultAccess: %s %s %s in the operator's namespace",
    (group, resource, verb) => {
      const rules = [rule(group, resource, [verb])];
      const found = inNamespace(rules, 'strongroom-system');
      expect(found.map(({ type, namespace }) => [type, namespace])).toEqual([
        ['VaultAccess', 'strongroom-system'],
      ]);
      expect(typesOf(everywhere(rules))).toContain('VaultAccess');
    },
  );

  it.each(rowsOf({ ...IN_NAMESPACE, ...IN_CLUSTER }))(
    '%s: %s %s %s in a namespace of neither kind',
    (_type, group, resource, verb) => {
      expect(inNamespace([rule(group, resource, [verb])], 'elsewhere')).toEqual([]);
    },
  );

  it.each([
    ['WorkloadCreate', 'apps', 'deployments', 'create'],
    ['TokenRequest', '', 'serviceaccounts/token', 'create'],
    ['Impersonate', '', 'serviceaccounts', 'impersonate'],
    ['Escalate', RBAC, 'roles', 'escalate'],
    ['Bind', RBAC, 'clusterroles', 'bind'],
  ] as const)("%s counts in the operator's namespace too", (type, group, resource, verb) => {
    expect(typesOf(inNamespace([rule(group, resource, [verb])], 'strongroom-system'))).toEqual([
      type,
    ]);
  });

  it.each([
    ['', 'pods', ['get', 'list', 'watch', 'delete']],
    ['', 'pods/log', ['get']],
    ['', 'pods/*', ['*']],
    ['', 'configmaps', ['get', 'list', 'watch']],
    ['', 'services', ['*']],
    ['', 'namespaces', ['get', 'list', 'watch', 'create']],
    ['', 'nodes', ['get', 'list', 'watch']],
    ['', 'nodes/metrics', ['get']],
    ['apps', 'deployments', ['get', 'list', 'watch']],
    ['apps', 'deployments/scale', ['update', 'patch']],
    [RBAC, 'roles', ['create', 'update', 'patch', 'delete']],
    [CERTIFICATES, 'certificatesigningrequests', ['create', 'get', 'list', 'watch']],
    ['strongroom.dev', 'exchangecredentials', ['get', 'list', 'watch']],
    ['authorization.k8s.io', 'selfsubjectaccessreviews', ['create']],
  ])('%s %s %j is harmless', (group, resource, verbs) => {
    const rules = [rule(group, resource, verbs)];
    expect(inNamespace(rules)).toEqual([]);
    expect(everywhere(rules)).toEqual([]);
  });

  it('everything at once is each weakness once', () => {
    const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    expect(typesOf(everywhere(all)).toSorted()).toEqual([...WEAKNESS_TYPES].sort());
    expect(new Set(everywhere(all).map(({ namespace }) => namespace))).toEqual(new Set(['*']));
  });

  it.each(WEAKNESS_TYPES)('%s says what happens, by what, and what to do', (type) => {
    const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    const { lets, remedy } = CATALOGUE[type];
    const message = everywhere(all).find((one) => one.type === type)?.message;
    expect(message).toMatch(/^The subject .+ \(.+ on .+\)\. .+\.$/);
    expect(message).toContain(lets);
    expect(message).toContain(remedy);
  });
});

describe('rights on named Secrets', () => {
  it.each([['get'], ['list'], ['watch']])('%s counts for a delivered Secret', (verb) => {
    expect(inNamespace([rule('', 'secrets', [verb], ['maker-keys', 'other'])])).toEqual([
      expect.objectContaining({
        type: 'SecretRead',
        secrets: ['maker-keys'],
        message: expect.stringContaining(`(${verb} on secrets, of maker-keys, other only)`),
      }),
    ]);
    expect(inNamespace([rule('', 'secrets', [verb], ['other'])])).toEqual([]);
  });

  it('a reader whom policies expect is no weakness, but with a right on all of them', () => {
    const isExpectedReader: RbacSnapshot['isExpectedReader'] = ({ kind, name }, { name: of }) =>
      kind === 'User' && name === 'alice' && of === 'maker';
    const find = (rules: readonly PolicyRule[]) =>
      inNamespace(rules, 'trading', { isExpectedReader });
    expect(find([rule('', 'secrets', ['get'], ['maker-keys'])])).toEqual([]);
    expect(find([rule('', 'secrets', ['get'], ['maker-keys', 'taker-keys'])])).toEqual([
      expect.objectContaining({ type: 'SecretRead', secrets: ['taker-keys'] }),
    ]);
    expect(typesOf(find([rule('', 'secrets', ['get'])]))).toEqual(['SecretRead']);
    expect(typesOf(find([rule('', 'secrets', ['list'])]))).toEqual(['SecretRead']);
  });

  it('names the namespaces for a ClusterRoleBinding', () => {
    expect(everywhere([rule('', 'secrets', ['get'], ['maker-keys'])])).toEqual([
      expect.objectContaining({
        type: 'SecretRead',
        namespace: '*',
        secrets: ['risk/maker-keys', 'trading/maker-keys'],
      }),
    ]);
  });

  it.each(['update', 'patch', 'delete'])(
    '%s of one is a weakness of a delivered Secret',
    (verb) => {
      expect(inNamespace([rule('', 'secrets', [verb], ['maker-keys'])])).toEqual([
        expect.objectContaining({ type: 'SecretWrite', secrets: ['maker-keys'] }),
      ]);
      expect(inNamespace([rule('', 'secrets', [verb], ['other'])])).toEqual([]);
    },
  );

  it('one that can be made by server-side apply can hold a token', () => {
    expect(inNamespace([rule('', 'secrets', ['create'], ['other'])])).toEqual([]);
    const found = inNamespace([rule('', 'secrets', ['create', 'patch'], ['other'])]);
    expect(typesOf(found)).toEqual(['SecretWrite']);
  });

  it.each([
    ['secrets', 'xc-0123456789abcdef0123456789abcdef01234567', true],
    ['secrets', 'strongroom-vault-keys', true],
    ['secrets', 'strongroom-seal-key-0123456789abcdef', true],
    ['secrets', 'grafana', false],
    ['configmaps', 'strongroom-seal-keys', true],
    ['configmaps', 'kube-root-ca.crt', false],
  ])("%s %s of the operator's namespace: %s", (resource, name, isFound) => {
    const rules = [rule('', resource, ['update'], [name])];
    const expected = isFound ? ['VaultAccess'] : [];
    expect(typesOf(inNamespace(rules, 'strongroom-system'))).toEqual(expected);
    expect(typesOf(everywhere(rules))).toEqual(expected);
  });

  it("the public seal keys may be read by anybody in the operator's namespace", () => {
    const rules = [rule('', 'configmaps', ['get', 'list', 'watch'])];
    expect(inNamespace(rules, 'strongroom-system')).toEqual([]);
  });
});

describe('who writes our kinds', () => {
  it('is no weakness where policies say so', () => {
    const asked: unknown[] = [];
    const isExpectedWriter: RbacSnapshot['isExpectedWriter'] = (subject, namespace, write) => {
      asked.push([subject.name, namespace, write.resource, write.verb]);
      return write.resource === 'exchangecredentials' && write.verb !== 'delete';
    };
    const find = (verbs: readonly string[], resource = 'exchangecredentials') =>
      inNamespace([rule('strongroom.dev', resource, verbs)], 'trading', { isExpectedWriter });
    expect(find(['create', 'patch'])).toEqual([]);
    expect(asked).toEqual([
      ['alice', 'trading', 'exchangecredentials', 'create'],
      ['alice', 'trading', 'exchangecredentials', 'patch'],
    ]);
    expect(find(['create', 'delete'])).toEqual([
      expect.objectContaining({
        type: 'CustomResourceWrite',
        message: expect.stringContaining('(delete on exchangecredentials)'),
      }),
    ]);
    expect(typesOf(find(['patch'], 'exchangecredentials/status'))).toEqual(['CustomResourceWrite']);
    // RBAC knows no such thing, and the API server grants nothing by it.
    expect(find(['patch'], 'exchangecredentials/*')).toEqual([]);
  });

  it('is asked for every namespace by a ClusterRoleBinding', () => {
    const isExpectedWriter: RbacSnapshot['isExpectedWriter'] = (_, namespace) => namespace === '*';
    const rules = [rule('strongroom.dev', 'accesspolicies', ['update'])];
    expect(everywhere(rules, { isExpectedWriter })).toEqual([]);
  });
});

describe('bindings', () => {
  const rules = [rule('', 'secrets', ['list'])];
  const bound = (subjects: readonly RbacSubject[]) =>
    findWeaknesses(
      snapshot({
        clusterRoles: [role('reader', rules)],
        roleBindings: [binding('readers', ['ClusterRole', 'reader'], subjects, 'trading')],
      }),
    ).map(({ subject }) => subject);

  it('each subject has a row, a ServiceAccount in whichever way it is written', () => {
    expect(
      bound([
        alice,
        { kind: 'Group', name: 'desk' },
        { kind: 'ServiceAccount', name: 'maker', namespace: 'risk' },
        { kind: 'User', name: 'system:serviceaccount:risk:maker' },
        // The API server takes the namespace of the binding.
        { kind: 'ServiceAccount', name: 'taker' },
        alice,
      ]),
    ).toEqual([
      { kind: 'Group', name: 'desk' },
      { kind: 'ServiceAccount', namespace: 'risk', name: 'maker' },
      { kind: 'ServiceAccount', namespace: 'trading', name: 'taker' },
      { kind: 'User', name: 'alice' },
    ]);
  });

  it('whom the API server takes for nobody has none', () => {
    expect(bound([{ kind: 'Robot', name: 'r2' }])).toEqual([]);
    const found = findWeaknesses(
      snapshot({
        clusterRoles: [role('reader', rules)],
        clusterRoleBindings: [
          binding('readers', ['ClusterRole', 'reader'], [{ kind: 'ServiceAccount', name: 'lost' }]),
        ],
      }),
    );
    expect(found).toEqual([]);
  });

  it('a role that is not there gives nothing', () => {
    const found = findWeaknesses(
      snapshot({
        roles: [role('reader', rules, 'risk')],
        roleBindings: [
          binding('a', ['Role', 'reader'], [alice], 'trading'),
          binding('b', ['ClusterRole', 'reader'], [alice], 'trading'),
        ],
        clusterRoleBindings: [
          binding('c', ['ClusterRole', 'gone']),
          binding('d', ['Role', 'reader']),
        ],
      }),
    );
    expect(found).toEqual([]);
  });

  it('a role without rules, and a binding without subjects, give nothing', () => {
    const found = findWeaknesses(
      snapshot({
        clusterRoles: [{ ...role('none', []), rules: null }, role('reader', rules)],
        clusterRoleBindings: [
          binding('a', ['ClusterRole', 'none']),
          { ...binding('b', ['ClusterRole', 'reader']), subjects: [] },
        ],
      }),
    );
    expect(found).toEqual([]);
  });

  it('an aggregated ClusterRole is what the API server made of it', () => {
    const edit = {
      ...role('edit', [rule('', 'pods/exec', ['create'])]),
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
    };
    const found = findWeaknesses(
      snapshot({
        clusterRoles: [edit],
        roleBindings: [binding('devs', ['ClusterRole', 'edit'], [alice], 'trading')],
      }),
    );
    expect(found.map(({ type, via }) => [type, via])).toEqual([
      ['PodExec', 'RoleBinding trading/devs to ClusterRole edit'],
    ]);
  });

  it('is one finding for the cluster, beside those of its namespaces', () => {
    const found = findWeaknesses(
      snapshot({
        clusterRoles: [role('execer', [rule('', 'pods/exec', ['create'])])],
        roleBindings: [
          binding('execers', ['ClusterRole', 'execer'], [alice], 'trading'),
          binding('execers', ['ClusterRole', 'execer'], [alice], 'risk'),
        ],
        clusterRoleBindings: [binding('execers', ['ClusterRole', 'execer'])],
      }),
    );
    expect(found.map(({ type, namespace }) => [type, namespace])).toEqual([
      ['VaultAccess', '*'],
      ['PodExec', '*'],
      ['PodExec', 'risk'],
      ['PodExec', 'trading'],
    ]);
  });

  it("the operator's namespace can be guarded as well", () => {
    const found = inNamespace([rule('', 'secrets', ['list'])], 'strongroom-system', {
      namespaces: ['strongroom-system'],
    });
    expect(typesOf(found)).toEqual(['VaultAccess', 'SecretRead']);
  });
});

describe('kube-system', () => {
  const SYSTEM = 'kube-system';

  it.each<readonly [string, PolicyRule, WeaknessType]>([
    ['tokens', rule('', 'serviceaccounts/token', ['create']), 'TokenRequest'],
    [
      'tokens of one that makes pods',
      rule('', 'serviceaccounts/token', ['create'], ['coredns', 'replicaset-controller']),
      'TokenRequest',
    ],
    ['impersonation', rule('', 'serviceaccounts', ['impersonate']), 'Impersonate'],
    ['pods under its accounts', rule('apps', 'deployments', ['create']), 'WorkloadCreate'],
  ])('%s', (_, right, type) => {
    const found = inNamespace([right], SYSTEM);
    expect(found).toMatchObject([
      { type, namespace: SYSTEM, via: expect.stringContaining(SYSTEM) },
    ]);
    expect(found[0]?.message).toMatch(/Controllers of kube-system make pods in guarded namespaces/);
  });

  it.each<readonly [string, PolicyRule]>([
    ['tokens of another account', rule('', 'serviceaccounts/token', ['create'], ['coredns'])],
    [
      'its Secrets, which are no credentials',
      rule('', 'secrets', ['get', 'list', 'watch', 'delete']),
    ],
    ['its pods', rule('', 'pods/exec', ['create'])],
  ])('but not %s', (_, right) => {
    expect(inNamespace([right], SYSTEM)).toEqual([]);
  });
});

describe('our own bindings', () => {
  const isOwn = ({ metadata }: Role | RoleBinding) =>
    metadata.name.startsWith('strongroom:policy:');
  const rules = [rule('', 'secrets', ['get'], ['maker-keys'])];
  const name = 'strongroom:policy:desk';

  it('are no weakness', () => {
    const found = findWeaknesses(
      snapshot({
        isOwn,
        roles: [role(name, rules, 'trading')],
        roleBindings: [binding(name, ['Role', name], [alice], 'trading')],
      }),
    );
    expect(found).toEqual([]);
  });

  it.each<readonly [what: string, more: Partial<RbacSnapshot>]>([
    [
      'a foreign binding to a Role of ours',
      {
        roles: [role(name, rules, 'trading')],
        roleBindings: [binding('mine', ['Role', name], [alice], 'trading')],
      },
    ],
    [
      'a binding that only bears our name',
      {
        clusterRoles: [role('edit', rules)],
        roleBindings: [binding(name, ['ClusterRole', 'edit'], [alice], 'trading')],
      },
    ],
    [
      'a binding of our name to a foreign Role',
      {
        roles: [role('other', rules, 'trading')],
        roleBindings: [binding(name, ['Role', 'other'], [alice], 'trading')],
      },
    ],
    [
      'a ClusterRoleBinding of our name',
      {
        clusterRoles: [role(name, rules)],
        clusterRoleBindings: [binding(name, ['ClusterRole', name])],
      },
    ],
    [
      "our names in the operator's namespace",
      {
        roles: [role(name, [rule('', 'secrets', ['get'])], 'strongroom-system')],
        roleBindings: [binding(name, ['Role', name], [alice], 'strongroom-system')],
      },
    ],
  ])('but %s is', (_what, more) => {
    expect(findWeaknesses(snapshot({ isOwn, ...more }))).toHaveLength(1);
  });
});

describe('bindings of an EmergencyAccess in force', () => {
  const connect = 'strongroom-emergency-connect';
  const bound = (to: string, isForEmergency: boolean) =>
    findWeaknesses(
      snapshot({
        isForEmergency: () => isForEmergency,
        clusterRoles: [role(to, [rule('', 'pods/exec', ['create'])])],
        roleBindings: [
          binding('strongroom:emergency:night', ['ClusterRole', to], [alice], 'trading'),
        ],
      }),
    );

  it('are no weakness while it is', () => {
    expect(bound(connect, true)).toEqual([]);
    expect(typesOf(bound(connect, false))).toEqual(['PodExec']);
  });

  it('are one where they bind another role', () => {
    expect(typesOf(bound('debug', true))).toEqual(['PodExec']);
  });
});

describe('what every cluster has', () => {
  const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
  const controller = (name: string): RbacSubject => ({
    kind: 'ServiceAccount',
    namespace: 'kube-system',
    name,
  });
  const masters: RbacSubject = { kind: 'Group', name: 'system:masters' };
  const find = (name: string, to: string, subjects: readonly RbacSubject[]) =>
    findWeaknesses(
      snapshot({
        clusterRoles: [role(to, all)],
        clusterRoleBindings: [binding(name, ['ClusterRole', to], subjects)],
      }),
    );
  const manager: RbacSubject = { kind: 'User', name: 'system:kube-controller-manager' };

  it.each<readonly [name: string, subject: RbacSubject]>([
    ['cluster-admin', masters],
    ['system:kube-controller-manager', manager],
    ['system:kube-scheduler', { kind: 'User', name: 'system:kube-scheduler' }],
    ['system:node', { kind: 'Group', name: 'system:nodes' }],
    ['system:controller:job-controller', controller('job-controller')],
    ['system:controller:namespace-controller', controller('namespace-controller')],
  ])('%s for its own subject is expected, for others it is not', (name, subject) => {
    expect(find(name, name, [subject])).toEqual([]);
    const others = find(name, name, [subject, alice]);
    expect(others.length).toBeGreaterThan(0);
    expect(new Set(others.map((one) => one.subject.name))).toEqual(new Set(['alice']));
  });

  it.each<readonly [what: string, name: string, to: string, subject: RbacSubject]>([
    ['another role', 'system:kube-controller-manager', 'cluster-admin', manager],
    ['another binding', 'mine', 'system:kube-controller-manager', manager],
    [
      'a controller that Kubernetes does not have',
      'system:controller:mine',
      'system:controller:mine',
      controller('mine'),
    ],
    [
      'a controller of another namespace',
      'system:controller:job-controller',
      'system:controller:job-controller',
      { ...controller('job-controller'), namespace: 'trading' },
    ],
    [
      "another controller's account",
      'system:controller:job-controller',
      'system:controller:job-controller',
      controller('cronjob-controller'),
    ],
    [
      'a user of the name of a group',
      'cluster-admin',
      'cluster-admin',
      { ...masters, kind: 'User' },
    ],
  ])('%s is reported', (_what, name, to, subject) => {
    expect(find(name, to, [subject]).length).toBeGreaterThan(0);
  });

  it('system:masters is above RBAC, by whatever binding', () => {
    expect(find('mine', 'mine', [masters])).toEqual([]);
  });

  it('a stock name on a RoleBinding is no excuse', () => {
    const name = 'system:kube-controller-manager';
    const found = findWeaknesses(
      snapshot({
        clusterRoles: [role(name, all)],
        roleBindings: [binding(name, ['ClusterRole', name], [manager], 'trading')],
      }),
    );
    expect(found.length).toBeGreaterThan(0);
  });

  it('the operator has its rights by the bindings of the chart and its own, and by no other', () => {
    const own = snapshot({
      roles: [role('strongroom-operator', all, 'strongroom-system')],
      clusterRoles: [role('strongroom-operator', all), role('strongroom-guarded-namespace', all)],
      roleBindings: [
        binding(
          'strongroom-operator',
          ['Role', 'strongroom-operator'],
          [OPERATOR],
          'strongroom-system',
        ),
        binding('strongroom', ['ClusterRole', 'strongroom-guarded-namespace'], [OPERATOR], 'risk'),
      ],
      clusterRoleBindings: [
        binding('strongroom-operator', ['ClusterRole', 'strongroom-operator'], [OPERATOR]),
      ],
    });
    expect(findWeaknesses(own)).toEqual([]);
    const added = (binding: RoleBinding): RoleBinding => ({
      ...binding,
      subjects: [...(binding.subjects ?? []), alice],
    });
    const others = findWeaknesses({
      ...own,
      roleBindings: own.roleBindings.map(added),
      clusterRoleBindings: own.clusterRoleBindings.map(added),
    });
    expect(new Set(others.map(({ namespace }) => namespace))).toEqual(
      new Set(['*', 'risk', 'strongroom-system']),
    );
    expect(new Set(others.map(({ subject }) => subject.name))).toEqual(new Set(['alice']));
    expect(find('helpful', 'cluster-admin', [OPERATOR]).length).toBeGreaterThan(0);
  });
});

describe('whatever the RBAC', () => {
  const NAMESPACES = ['trading', 'risk', 'strongroom-system', 'elsewhere'];
  const NAMES = ['a', 'b', 'c'];
  const everyRight = [...rowsOf(IN_NAMESPACE), ...rowsOf(IN_CLUSTER)];
  const rules: fc.Arbitrary<PolicyRule> = fc
    .tuple(
      fc.constantFrom(...everyRight),
      fc.constantFrom('exact', 'exact', 'group', 'resource', 'verb'),
      fc.option(fc.subarray(['maker-keys', 'other'], { minLength: 1 }), { nil: undefined }),
    )
    .map(([[, group, resource, verb], wild, names]) =>
      rule(
        wild === 'group' ? '*' : group,
        wild === 'resource' ? '*' : resource,
        [wild === 'verb' ? '*' : verb],
        names,
      ),
    );
  const subjects = fc.subarray<RbacSubject>(
    [
      alice,
      { kind: 'Group', name: 'desk' },
      { kind: 'User', name: 'system:serviceaccount:trading:maker' },
      { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' },
      OPERATOR,
    ],
    { minLength: 1 },
  );
  const where = fc.constantFrom(...NAMESPACES);
  const name = fc.constantFrom(...NAMES);
  const lists = fc.record({
    roles: fc.uniqueArray(
      fc
        .tuple(name, where, fc.array(rules, { maxLength: 3 }))
        .map(([name, namespace, rules]) => role(name, rules, namespace)),
      { selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}`, maxLength: 6 },
    ),
    clusterRoles: fc.uniqueArray(
      fc.tuple(name, fc.array(rules, { maxLength: 3 })).map(([name, rules]) => role(name, rules)),
      { selector: ({ metadata }) => metadata.name, maxLength: 3 },
    ),
    roleBindings: fc.array(
      fc
        .tuple(name, fc.constantFrom('Role', 'ClusterRole'), name, subjects, where)
        .map(([name, kind, to, subjects, namespace]) =>
          binding(name, [kind, to], subjects, namespace),
        ),
      { maxLength: 6 },
    ),
    clusterRoleBindings: fc.array(
      fc
        .tuple(name, name, subjects)
        .map(([name, to, subjects]) => binding(name, ['ClusterRole', to], subjects)),
      { maxLength: 3 },
    ),
  });
  const identityOf = ({ type, namespace, subject, via }: Weakness): string =>
    JSON.stringify([type, namespace, subject, via]);

  it('adding a binding never removes a weakness', () => {
    fc.assert(
      fc.property(lists, lists, (one, more) => {
        const before = findWeaknesses(snapshot(one)).map(identityOf);
        const after = findWeaknesses(
          snapshot({
            ...one,
            roleBindings: [...one.roleBindings, ...more.roleBindings],
            clusterRoleBindings: [...one.clusterRoleBindings, ...more.clusterRoleBindings],
          }),
        ).map(identityOf);
        expect(after).toEqual(expect.arrayContaining(before));
      }),
    );
  });

  it('adding a rule to a role never removes a weakness', () => {
    fc.assert(
      fc.property(lists, rules, (one, rule) => {
        const wider = (role: Role): Role => ({ ...role, rules: [...(role.rules ?? []), rule] });
        const before = findWeaknesses(snapshot(one)).map(identityOf);
        const after = findWeaknesses(
          snapshot({
            ...one,
            roles: one.roles.map(wider),
            clusterRoles: one.clusterRoles.map(wider),
          }),
        ).map(identityOf);
        expect(after).toEqual(expect.arrayContaining(before));
      }),
    );
  });

  it('the order of objects, subjects, rules and namespaces does not matter', () => {
    const turn = (role: Role): Role => ({ ...role, rules: (role.rules ?? []).toReversed() });
    const turnSubjects = (binding: RoleBinding): RoleBinding => ({
      ...binding,
      subjects: (binding.subjects ?? []).toReversed(),
    });
    fc.assert(
      fc.property(lists, (one) => {
        const turned = {
          roles: one.roles.map(turn).toReversed(),
          clusterRoles: one.clusterRoles.map(turn).toReversed(),
          roleBindings: one.roleBindings.map(turnSubjects).toReversed(),
          clusterRoleBindings: one.clusterRoleBindings.map(turnSubjects).toReversed(),
          namespaces: ['risk', 'trading'],
        };
        expect(findWeaknesses(snapshot(turned))).toEqual(findWeaknesses(snapshot(one)));
      }),
    );
  });

  it('a right is found through wildcards as it is through its name', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...everyRight),
        fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
        ([type, group, resource, verb], [anyGroup, anyResource, anyVerb]) => {
          const found = everywhere([
            rule(anyGroup ? '*' : group, anyResource ? '*' : resource, [anyVerb ? '*' : verb]),
          ]);
          expect(typesOf(found)).toContain(type);
        },
      ),
    );
  });

  it('each row is there once', () => {
    fc.assert(
      fc.property(lists, (one) => {
        const rows = findWeaknesses(snapshot(one)).map(identityOf);
        expect(new Set(rows).size).toBe(rows.length);
      }),
    );
  });
});

describe('a large cluster', () => {
  it('is looked through, with all that is in it', () => {
    const namespaces = Array.from({ length: 200 }, (_, number) => `ns-${number}`);
    const place = (number: number): string => namespaces[number % namespaces.length] ?? '';
    const edit = role('edit', [
      rule('', 'secrets', ['*']),
      rule('', 'pods/exec', ['create']),
      rule('apps', '*', ['*']),
      rule('', 'serviceaccounts', ['impersonate']),
    ]);
    const view = role('view', [rule('', 'pods', ['get', 'list', 'watch'])]);
    const large = snapshot({
      namespaces,
      clusterRoles: [edit, view],
      roles: Array.from({ length: 2000 }, (_, number) =>
        role(
          `role-${number}`,
          Array.from({ length: 10 }, (_, index) =>
            rule(index % 2 === 0 ? '' : 'apps', `resource-${index}`, ['get', 'list', 'create']),
          ).concat(rule('', 'secrets', ['get'], ['maker-keys'])),
          place(number),
        ),
      ),
      roleBindings: Array.from({ length: 5000 }, (_, number) =>
        binding(
          `binding-${number}`,
          number % 5 === 0
            ? ['ClusterRole', number % 10 === 0 ? 'edit' : 'view']
            : ['Role', `role-${number % 2000}`],
          [alice, { kind: 'Group', name: `group-${number}` }],
          place(number),
        ),
      ),
    });
    // Quadratic work would run into the time limit of every test.
    expect(findWeaknesses(large).length).toBeGreaterThan(10_000);
  });
});
