/** Random reviews as an API server could send them: mostly sensible, about the cluster of the scene. */
import fc from 'fast-check';
import { createdByOf } from '../identity-stamp.ts';
import type { UserInfo } from '../request.ts';
import {
  ACCOUNT_NAMES,
  CREDENTIALS,
  EMERGENCIES,
  MANAGED_VALUE,
  NAMESPACE_NAMES,
  PEOPLE,
  PODS,
  POLICIES,
  SECRET_NAMES,
  SERVICES,
} from './scene.ts';

export type Json = Readonly<Record<string, unknown>>;

/** What differs from one review to the next. */
interface Asking {
  readonly user: UserInfo;
  readonly namespace: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource: string;
  readonly kind: string;
  /** Of the kind, where it is not the resource's. */
  readonly kindGroup?: string;
  readonly subResource?: string | undefined;
  readonly operation: string;
  readonly name: string;
  readonly object?: Json | undefined;
  readonly oldObject?: Json | undefined;
}

function reviewFor(asking: Asking): Json {
  const { user, namespace, resource, kind, operation, name, object, oldObject } = asking;
  const { group = '', version = 'v1', kindGroup = group, subResource } = asking;
  const gvk = { group: kindGroup, version, kind };
  const whole = (given: Json | undefined): Json | null => {
    if (given === undefined) return null;
    const apiVersion = kindGroup === '' ? version : `${kindGroup}/${version}`;
    return { apiVersion, kind, ...given };
  };
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: gvk,
      resource: { group, version, resource },
      ...(subResource !== undefined && { subResource }),
      requestKind: gvk,
      requestResource: { group, version, resource },
      name,
      ...(namespace !== '' && { namespace }),
      operation,
      userInfo: user,
      object: operation === 'DELETE' ? null : whole(object),
      oldObject: operation === 'CREATE' || operation === 'CONNECT' ? null : whole(oldObject),
      dryRun: false,
      options: null,
    },
  };
}

const users = fc.constantFrom(...PEOPLE);
const namespaces = fc.oneof(
  { arbitrary: fc.constant('trading'), weight: 6 },
  fc.constantFrom(...NAMESPACE_NAMES),
);
const secretNames = fc.constantFrom(...SECRET_NAMES);
const writes = fc.constantFrom('CREATE', 'UPDATE', 'DELETE');
const changes = fc.constantFrom('CREATE', 'UPDATE');
const probably = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 4 });
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 9 }, arbitrary);

// Pods, and what makes them.

/** Fields that can name a Secret, some of the API and some that no version has yet. */
const PLACES: readonly ((name: string) => Json)[] = [
  (secretName) => ({ volumes: [{ name: 'v', secret: { secretName } }] }),
  (name) => ({ volumes: [{ name: 'v', projected: { sources: [{ secret: { name } }] } }] }),
  (name) => ({ volumes: [{ name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name } } }] }),
  (secretName) => ({
    volumes: [{ name: 'v', csi: { driver: 'd', volumeAttributes: { secretName } } }],
  }),
  (secretName) => ({ volumes: [{ name: 'v', azureFile: { secretName, shareName: 's' } }] }),
  (name) => ({ volumes: [{ name: 'v', flexVolume: { driver: 'd', secretRef: { name } } }] }),
  (name) => ({ volumes: [{ name: 'v', rbd: { secretRef: { name } } }] }),
  (name) => ({ volumes: [{ name: 'v', later: { futureSecretRef: { name } } }] }),
  (name) => ({ containers: [container({ envFrom: [{ secretRef: { name } }] })] }),
  (name) => ({ containers: [container(env(name)), container({})] }),
  (name) => ({ initContainers: [container(env(name))] }),
  (name) => ({ ephemeralContainers: [container(env(name))] }),
  (name) => ({ imagePullSecrets: [{ name: 'plain' }, { name }] }),
];

function container(more: Json): Json {
  return { name: 'main', image: 'main:1', ...more };
}

function env(name: string): Json {
  return { env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name, key: 'key' } } }] };
}

const podSpecs: fc.Arbitrary<Json> = fc
  .record({
    account: probably(fc.constantFrom(...ACCOUNT_NAMES)),
    field: fc.constantFrom('serviceAccountName', 'serviceAccountName', 'serviceAccount'),
    uses: fc.array(fc.tuple(fc.constantFrom(...PLACES), secretNames), { maxLength: 2 }),
    automount: fc.constantFrom(undefined, false),
  })
  .map(({ account, field, uses, automount }) =>
    Object.assign(
      { containers: [container({})] },
      automount === undefined ? {} : { automountServiceAccountToken: automount },
      account === undefined ? {} : { [field]: account },
      ...uses.map(([place, name]) => place(name)),
    ),
  );

/** Mostly a small change, or none. */
const changesOfSpec: fc.Arbitrary<(spec: Json) => Json> = fc.oneof(
  fc.constant((spec: Json): Json => spec),
  fc.constant((spec: Json): Json => ({ ...spec, tolerations: [] })),
  fc.constant((spec: Json): Json => ({ ...spec, containers: [container({ image: 'main:2' })] })),
  podSpecs.map((other) => () => other),
  // One more reference, and nothing else.
  fc.tuple(fc.constantFrom(...PLACES), secretNames).map(([place, name]) => (spec: Json): Json => ({
    ...spec,
    ...place(name),
  })),
);

const owners = seldom(
  fc
    .tuple(
      fc.constantFrom('apps/v1 ReplicaSet', 'batch/v1 Job', 'v1 ReplicaSet'),
      fc.constantFrom(true, false, undefined),
    )
    .map(([of, controller]) => {
      const [apiVersion = '', kind = ''] = of.split(' ');
      return [
        { apiVersion, kind, name: 'o', uid: 'o', ...(controller !== undefined && { controller }) },
      ];
    }),
);

const LABEL = 'strongroom.dev/service-account';

function accountOf(spec: Json): string {
  return [spec['serviceAccountName'], spec['serviceAccount'], 'default'].find(
    (name): name is string => typeof name === 'string',
  ) as string;
}

const labelled = fc.oneof(
  { arbitrary: fc.constant(accountOf), weight: 8 },
  fc.constantFrom('maker', 'default', '').map((name) => () => name),
  fc.constant(() => undefined),
);

const pods = fc
  .record({
    user: users,
    namespace: namespaces,
    operation: changes,
    subResource: seldom(fc.constant('ephemeralcontainers')),
    spec: podSpecs,
    change: changesOfSpec,
    label: labelled,
    oldLabel: labelled,
    owners,
    mirror: seldom(fc.constant({ 'kubernetes.io/config.mirror': 'x' })),
  })
  .map((r) => {
    const name = 'maker-9';
    const object = (spec: Json, label: string | undefined): Json => ({
      metadata: {
        name,
        namespace: r.namespace,
        ...(label !== undefined && { labels: { [LABEL]: label } }),
        ...(r.owners !== undefined && { ownerReferences: r.owners }),
        ...(r.mirror !== undefined && { annotations: r.mirror }),
      },
      spec,
    });
    const now = r.change(r.spec);
    return reviewFor({
      ...r,
      resource: 'pods',
      kind: 'Pod',
      operation: r.subResource === undefined ? r.operation : 'UPDATE',
      name,
      object: object(now, r.label(now)),
      oldObject: object(r.spec, r.oldLabel(r.spec)),
    });
  });

const WORKLOADS: readonly (readonly [group: string, resource: string, kind: string])[] = [
  ['apps', 'deployments', 'Deployment'],
  ['apps', 'statefulsets', 'StatefulSet'],
  ['apps', 'daemonsets', 'DaemonSet'],
  ['apps', 'replicasets', 'ReplicaSet'],
  ['batch', 'jobs', 'Job'],
  ['batch', 'cronjobs', 'CronJob'],
  ['', 'replicationcontrollers', 'ReplicationController'],
  ['', 'podtemplates', 'PodTemplate'],
];

const workloads = fc
  .record({
    user: users,
    namespace: namespaces,
    operation: changes,
    of: fc.constantFrom(...WORKLOADS),
    spec: podSpecs,
    change: changesOfSpec,
    label: seldom(fc.constantFrom('maker', 'default')),
    owners,
  })
  .map(({ of: [group, resource, kind], ...r }) => {
    const object = (spec: Json): Json => {
      const labels = r.label === undefined ? {} : { [LABEL]: r.label };
      const template = { metadata: { labels }, spec };
      const metadata = {
        name: 'maker',
        namespace: r.namespace,
        ...(r.owners !== undefined && { ownerReferences: r.owners }),
      };
      if (kind === 'PodTemplate') return { metadata, template };
      if (kind === 'CronJob') return { metadata, spec: { jobTemplate: { spec: { template } } } };
      return { metadata, spec: { replicas: 1, template } };
    };
    return reviewFor({
      ...r,
      group,
      resource,
      kind,
      name: 'maker',
      object: object(r.change(r.spec)),
      oldObject: object(r.spec),
    });
  });

// Into pods.

const WAYS: readonly (readonly [resource: string, subResource: string, kind: string])[] = [
  ['pods', 'exec', 'PodExecOptions'],
  ['pods', 'attach', 'PodAttachOptions'],
  ['pods', 'portforward', 'PodPortForwardOptions'],
  ['pods', 'proxy', 'PodProxyOptions'],
  ['services', 'proxy', 'ServiceProxyOptions'],
  ['nodes', 'proxy', 'NodeProxyOptions'],
];

const connections = fc
  .record({
    user: users,
    namespace: namespaces,
    of: fc.constantFrom(...WAYS),
    name: fc.constantFrom(
      ...[...PODS, ...SERVICES].map(({ metadata }) => metadata.name),
      'one',
      'two',
      'unknown-0',
    ),
    around: fc.constantFrom('', '', ':8080', 'https:'),
  })
  .map(({ of: [resource, subResource, kind], around, ...r }) => {
    const name = around === 'https:' ? `https:${r.name}:443` : `${r.name}${around}`;
    return reviewFor({
      ...r,
      namespace: resource === 'nodes' ? '' : r.namespace,
      resource,
      subResource,
      kind,
      operation: 'CONNECT',
      name,
      object: { command: ['sh'], stdin: true },
    });
  });

// Secrets and accounts.

const secretObjects = fc
  .record({
    managed: seldom(fc.constantFrom('maker', '')),
    isToken: fc.boolean(),
    account: fc.constantFrom(...ACCOUNT_NAMES),
    value: fc.constantFrom('short', MANAGED_VALUE, `KEY=${MANAGED_VALUE}`),
  })
  .map(({ managed, isToken, account, value }) => (name: string, namespace: string): Json => ({
    metadata: {
      name,
      namespace,
      ...(managed !== undefined && { labels: { 'strongroom.dev/credential': managed } }),
      ...(isToken && { annotations: { 'kubernetes.io/service-account.name': account } }),
    },
    type: isToken ? 'kubernetes.io/service-account-token' : 'Opaque',
    data: { key: Buffer.from(value).toString('base64') },
  }));

const secrets = fc
  .record({
    user: users,
    namespace: namespaces,
    operation: writes,
    name: secretNames,
    now: secretObjects,
    old: probably(secretObjects),
  })
  .map((r) =>
    reviewFor({
      ...r,
      resource: 'secrets',
      kind: 'Secret',
      object: r.now(r.name, r.namespace),
      oldObject: (r.old ?? r.now)(r.name, r.namespace),
    }),
  );

const namedLists = fc
  .array(secretNames, { maxLength: 2 })
  .map((list) => list.map((name) => ({ name })));

const accounts = fc
  .record({
    user: users,
    namespace: namespaces,
    operation: writes,
    name: fc.constantFrom(...ACCOUNT_NAMES),
    pulls: namedLists,
    secrets: namedLists,
    old: namedLists,
  })
  .map((r) => {
    const metadata = { name: r.name, namespace: r.namespace };
    return reviewFor({
      ...r,
      resource: 'serviceaccounts',
      kind: 'ServiceAccount',
      object: { metadata, imagePullSecrets: r.pulls, secrets: r.secrets },
      oldObject: { metadata, imagePullSecrets: r.old },
    });
  });

const tokens = fc
  .record({
    // Mostly the subject of the EmergencyAccess.
    user: fc.oneof(users, fc.constantFrom(...PEOPLE.filter(({ username }) => username === 'bob'))),
    namespace: fc.oneof({ arbitrary: namespaces, weight: 5 }, fc.constant('strongroom')),
    name: fc.oneof(fc.constantFrom(...ACCOUNT_NAMES), fc.constant('strongroom-emergency-fire')),
    seconds: fc.constantFrom(undefined, 600, 1199, 1200, 1201, 3600, '600', -1),
    bound: seldom(fc.constantFrom('Pod', 'Secret')),
  })
  .map((r) =>
    reviewFor({
      ...r,
      resource: 'serviceaccounts',
      subResource: 'token',
      kind: 'TokenRequest',
      kindGroup: 'authentication.k8s.io',
      operation: 'CREATE',
      object: {
        metadata: {},
        spec: {
          audiences: [],
          ...(r.seconds !== undefined && { expirationSeconds: r.seconds }),
          ...(r.bound !== undefined && { boundObjectRef: { kind: r.bound, name: 'maker-0' } }),
        },
      },
    }),
  );

// Namespaces, and what is generated.

const namespaceLabels = fc.record(
  {
    'strongroom.dev/guarded': fc.constantFrom('true', 'true', 'false', 'True'),
    'strongroom.dev/environment': fc.constantFrom('Production', 'Development', 'Prod'),
    team: fc.constantFrom('a', 'b'),
  },
  { requiredKeys: [] },
);

const ofNamespaces = fc
  .record({
    user: users,
    name: fc.constantFrom(...NAMESPACE_NAMES),
    operation: writes,
    subResource: seldom(fc.constantFrom('status', 'finalize')),
    now: namespaceLabels,
    old: fc.oneof(
      { arbitrary: fc.constant<Json>({ 'strongroom.dev/guarded': 'true' }), weight: 2 },
      namespaceLabels as fc.Arbitrary<Json>,
    ),
  })
  .map((r) =>
    reviewFor({
      ...r,
      operation: r.subResource === undefined ? r.operation : 'UPDATE',
      namespace: r.name,
      resource: 'namespaces',
      kind: 'Namespace',
      object: { metadata: { name: r.name, labels: r.now }, spec: {} },
      oldObject: { metadata: { name: r.name, labels: r.old }, spec: {} },
    }),
  );

const generatedLabels = fc.record(
  {
    'app.kubernetes.io/managed-by': fc.constantFrom('strongroom', 'Helm'),
    'strongroom.dev/policy-uid': fc.constant('u'),
    'strongroom.dev/emergency-access': fc.constant('u'),
    app: fc.constantFrom('a', 'b'),
  },
  { requiredKeys: [] },
);

const generated = fc
  .record({
    user: users,
    namespace: namespaces,
    operation: writes,
    of: fc.constantFrom(
      ['networking.k8s.io', 'networkpolicies', 'NetworkPolicy'] as const,
      ['rbac.authorization.k8s.io', 'roles', 'Role'] as const,
      ['rbac.authorization.k8s.io', 'rolebindings', 'RoleBinding'] as const,
    ),
    now: generatedLabels,
    old: generatedLabels,
  })
  .map(({ of: [group, resource, kind], ...r }) =>
    reviewFor({
      ...r,
      group,
      resource,
      kind,
      name: 'x',
      object: { metadata: { name: 'x', namespace: r.namespace, labels: r.now } },
      oldObject: { metadata: { name: 'x', namespace: r.namespace, labels: r.old } },
    }),
  );

// Our own kinds.

const CREATED_BY = 'strongroom.dev/created-by';
const creators = fc.oneof(
  { arbitrary: fc.constant(createdByOf), weight: 9 },
  fc.constantFrom(...PEOPLE).map((one) => () => createdByOf(one)),
  fc.constant(() => undefined),
);

interface Own {
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  readonly specs: fc.Arbitrary<Json>;
  readonly names: fc.Arbitrary<string>;
  readonly annotations: fc.Arbitrary<Json>;
  readonly stored: readonly Json[];
}

const stored = (objects: readonly object[]): readonly Json[] => objects as readonly Json[];
const text = fc.constantFrom('1', '2', 'because it must be, now');
const annotationsOf = (...names: readonly string[]): fc.Arbitrary<Json> =>
  fc.oneof(
    { arbitrary: fc.constant<Json>({}), weight: 3 },
    fc
      .tuple(fc.constantFrom(...names), text)
      .map(([name, value]): Json => ({ [`strongroom.dev/${name}`]: value })),
  );

const OWN: readonly Own[] = [
  {
    plural: 'exchangecredentials',
    kind: 'ExchangeCredential',
    isNamespaced: true,
    names: fc.constantFrom('maker', 'taker', 'fresh'),
    specs: fc.record(
      {
        exchange: fc.constantFrom('Hyperliquid', 'Binance'),
        type: fc.constant('PrivateKey'),
        environment: fc.constantFrom('Production', 'Production', 'Development'),
        owner: fc.constantFrom('market-making', 'others'),
        source: fc.constantFrom({ generate: {} }, { secretRef: { name: 'maker' } }),
        delivery: fc.constantFrom({ secret: { name: 'maker' } }, { secret: { name: 'taker' } }),
        state: fc.constantFrom('Active', 'Suspended', 'Revoked'),
        minimumAccessLevel: fc.constantFrom('Read', 'Admin'),
      },
      { requiredKeys: ['exchange', 'type', 'environment', 'owner', 'source', 'delivery'] },
    ),
    annotations: annotationsOf('rotate', 'rollback-to', 'revoke', 'adopt', 'reason'),
    stored: stored(CREDENTIALS),
  },
  {
    plural: 'accesspolicies',
    kind: 'AccessPolicy',
    isNamespaced: false,
    names: fc.constantFrom('desk', 'security', 'not-frank', 'fresh'),
    specs: fc.record(
      {
        subjects: fc.array(
          fc.oneof(
            fc
              .constantFrom('alice', 'bob', 'carol')
              .map((name): object => ({ kind: 'User', name })),
            fc.constantFrom('desk-mm', 'security').map((name): object => ({ kind: 'Group', name })),
          ),
          { minLength: 1, maxLength: 2 },
        ),
        effect: fc.constantFrom('Allow', 'Deny'),
        roles: fc.constantFrom(['Trader'], ['SecurityAdmin'], []),
        permissions: fc.constantFrom(['AccessSecrets'], ['ReadMarketData'], ['TransferFunds']),
        accessLevel: fc.constantFrom('Read', 'Write', 'Admin', 'Emergency', 'Owner'),
        environments: fc.constantFrom(['Production'], ['Production', 'Staging'], []),
        credentials: fc.constantFrom(
          { namespaces: ['trading'] },
          { namespaces: ['*'] },
          { namespaces: ['lab'], names: ['sim'] },
        ),
      },
      { requiredKeys: ['subjects', 'environments', 'credentials'] },
    ),
    annotations: annotationsOf('reason'),
    stored: stored(POLICIES),
  },
  {
    plural: 'ipblocks',
    kind: 'IPBlock',
    isNamespaced: false,
    names: fc.constantFrom('scanner'),
    specs: fc.record(
      {
        cidrs: fc.constantFrom(['198.51.100.0/24'], ['203.0.113.7']),
        reason: text,
        scope: fc.constantFrom<Json>(
          { namespaces: ['trading'] },
          { namespaces: ['lab'] },
          { namespaces: ['*'] },
          { gateway: true },
          { namespaces: ['trading'], gateway: true },
        ),
      },
      { requiredKeys: ['cidrs', 'reason'] },
    ),
    annotations: annotationsOf('reason'),
    stored: [],
  },
  {
    plural: 'emergencyaccesses',
    kind: 'EmergencyAccess',
    isNamespaced: true,
    names: fc.constantFrom('fire', 'asked', 'gone', 'fresh'),
    specs: fc.record(
      {
        subject: fc.constantFrom(
          { kind: 'User', name: 'alice' },
          { kind: 'User', name: 'mallory' },
          { kind: 'ServiceAccount', name: 'maker' },
        ),
        reason: fc.constant('orders hang, positions must be closed by hand'),
        target: fc.constantFrom({ credentials: ['maker'], pods: ['*'] }, { pods: ['maker-0'] }),
        permissions: fc.constantFrom(['AccessSecrets'], ['EmergencyOverride']),
        duration: fc.constantFrom('30m', '10h', 'long'),
      },
      { requiredKeys: ['subject', 'reason', 'target', 'permissions'] },
    ),
    annotations: annotationsOf('approve', 'self-approve', 'deny', 'end', 'review', 'decisions'),
    stored: stored(EMERGENCIES),
  },
  {
    plural: 'namespaceaccesses',
    kind: 'NamespaceAccess',
    isNamespaced: true,
    names: fc.constant('strongroom'),
    specs: fc.constantFrom<Json>({ incomplete: true }, { secrets: {}, rules: [] }),
    annotations: annotationsOf('reason'),
    stored: [],
  },
];

const ownKinds = fc.constantFrom(...OWN).chain((own) =>
  fc
    .record({
      user: users,
      namespace: namespaces,
      operation: writes,
      subResource: seldom(fc.constant('status')),
      name: own.names,
      spec: own.specs,
      change: fc.oneof(
        fc.constant((spec: Json): Json => spec),
        own.specs.map((other) => () => other),
        own.specs.map((other) => (spec: Json) => ({
          ...spec,
          ...Object.fromEntries(Object.entries(other).slice(-1)),
        })),
      ),
      isStored: fc.boolean(),
      annotations: own.annotations,
      oldAnnotations: own.annotations,
      labels: fc.constantFrom<Json>({ desk: 'mm' }, { desk: 'mm' }, { desk: 'other' }),
      probe: seldom(fc.constant({ 'strongroom.dev/probe': 'true' })),
      creator: creators,
      oldCreator: fc.constantFrom(...PEOPLE).map(createdByOf),
      isKept: fc.boolean(),
    })
    .map((r) => {
      const kept = own.stored.find((one) => (one['metadata'] as Json)['name'] === r.name);
      const isStored = r.isStored && kept !== undefined;
      const metadata: Json = {
        name: r.name,
        ...(own.isNamespaced && { namespace: r.namespace }),
        labels: { desk: 'mm' },
        annotations: { [CREATED_BY]: r.oldCreator, ...r.oldAnnotations },
      };
      const oldObject: Json = isStored ? kept : { metadata, spec: r.spec };
      const { namespace: _namespace, ...known } = oldObject['metadata'] as Json;
      const before: Json = {
        ...oldObject,
        metadata: { ...known, ...(own.isNamespaced && { namespace: r.namespace }) },
      };
      const spec = r.change((before['spec'] ?? {}) as Json);
      const created = r.operation === 'CREATE' ? r.creator(r.user) : undefined;
      const oldNotes = ((before['metadata'] as Json)['annotations'] ?? {}) as Json;
      const kept2 =
        r.operation === 'CREATE'
          ? {}
          : r.isKept
            ? oldNotes
            : { [CREATED_BY]: oldNotes[CREATED_BY] };
      const object: Json = {
        ...before,
        metadata: {
          ...(before['metadata'] as Json),
          labels: { ...r.labels, ...r.probe },
          annotations: {
            ...kept2,
            ...(created !== undefined && { [CREATED_BY]: created }),
            ...r.annotations,
          },
        },
        spec: r.operation === 'CREATE' ? r.spec : spec,
      };
      return reviewFor({
        ...r,
        group: 'strongroom.dev',
        version: 'v1alpha1',
        namespace: own.isNamespaced ? r.namespace : '',
        resource: own.plural,
        kind: own.kind,
        operation: r.subResource === undefined ? r.operation : 'UPDATE',
        object,
        oldObject: before,
      });
    }),
);

export const reviews: fc.Arbitrary<Json> = fc.oneof(
  { arbitrary: pods, weight: 5 },
  { arbitrary: workloads, weight: 3 },
  { arbitrary: connections, weight: 3 },
  { arbitrary: ownKinds, weight: 6 },
  { arbitrary: secrets, weight: 2 },
  { arbitrary: accounts, weight: 2 },
  { arbitrary: tokens, weight: 2 },
  { arbitrary: ofNamespaces, weight: 2 },
  { arbitrary: generated, weight: 1 },
);
