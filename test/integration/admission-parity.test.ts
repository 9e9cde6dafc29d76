import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { serviceAccountIdentity } from '../../src/access/identity.ts';
import type { CredentialFacts } from '../../src/access/request.ts';
import { arbitraryCredential, arbitraryPolicies } from '../../src/access/testing/arbitraries.ts';
import { NOW } from '../../src/access/testing/builders.ts';
import { decideAdmission } from '../../src/admission/decide-admission.ts';
import { secretsOf } from '../../src/admission/pods/secrets-of.ts';
import { accountNameOf, templateOf } from '../../src/admission/pods/pod-template.ts';
import { SECRET_PATHS } from '../../src/admission/pods/secret-paths.ts';
import type { AdmissionRequest, UserInfo } from '../../src/admission/request.ts';
import { SETTINGS, credentialOf, requestFor } from '../../src/admission/testing/core-objects.ts';
import { worldOf } from '../../src/admission/testing/world-of.ts';
import { MAX_RULES, compileNamespaceAccess } from '../../src/admission/twin/compile-access.ts';
import { mayUse } from '../../src/admission/testing/judge-by-rule.ts';
import { ONLY_WEBHOOK } from '../../src/admission/twin/only-webhook.ts';
import { twinPolicies } from '../../src/admission/twin/policies.ts';
import type { TwinPolicies } from '../../src/admission/twin/policies.ts';
import { OTHER_ACCOUNTS } from '../../src/admission/what-account-may.ts';
import type { AdmissionWorld } from '../../src/admission/world.ts';
import type { AccessPolicy } from '../../src/api/access-policy.ts';
import { LABELS } from '../../src/api/names.ts';
import type { NamespaceAccessSpec } from '../../src/api/namespace-access.ts';
import type { ApplyConfiguration, KubeClient } from '../../src/kube/client.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  NAMESPACES,
  SERVICE_ACCOUNTS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
} from '../../src/kube/resources.ts';
import { binary, startControlPlane } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { createChooser } from '../oracle/chooser.ts';
import { clientOf } from './identities.ts';
import { ACCOUNTS, EPHEMERAL_USES, PULLER, USES, generateRequest } from './parity-requests.ts';
import type { GeneratedRequest, Json, Stored } from './parity-requests.ts';

const SEED = 20_261_126;
const REQUESTS = 10_000;
const WORLDS = 20;
const AT_ONCE = 24;

const OPERATOR = SETTINGS.operatorUsername;
const GROUPS: Readonly<Record<string, string>> = {
  deployments: 'apis/apps/v1',
  statefulsets: 'apis/apps/v1',
  daemonsets: 'apis/apps/v1',
  replicasets: 'apis/apps/v1',
  jobs: 'apis/batch/v1',
  cronjobs: 'apis/batch/v1',
  networkpolicies: 'apis/networking.k8s.io/v1',
  roles: 'apis/rbac.authorization.k8s.io/v1',
  namespaceaccesses: 'apis/strongroom.dev/v1alpha1',
};

interface ParityWorld {
  readonly namespace: string;
  readonly world: AdmissionWorld;
  readonly access: NamespaceAccessSpec;
  readonly stored: Stored;
}

interface Answer {
  readonly status: number;
  readonly message: string;
}

const cleanup = new AsyncDisposableStack();
let admin: KubeClient;
let pool: Pool;
let isLabelSet = false;

const METHODS = { CREATE: 'POST', UPDATE: 'PUT', DELETE: 'DELETE' } as const;

/** The same as the API server gets from `kubectl --as`, dry-run; headers of impersonation alone. */
async function send(
  { userInfo, operation, resource, subResource, namespace, name, object }: GeneratedRequest,
  dryRun = true,
): Promise<Answer & { readonly body: Json }> {
  const prefix = GROUPS[resource] ?? 'api/v1';
  const collection = `/${prefix}/namespaces/${namespace}/${resource}`;
  const place =
    operation === 'CREATE'
      ? collection
      : `${collection}/${name}${subResource === undefined ? '' : `/${subResource}`}`;
  const [group, version] = prefix === 'api/v1' ? ['', 'v1'] : prefix.split('/').slice(1);
  const { kind } = requestFor(resource).kind;
  const { statusCode, body } = await pool.request({
    path: `${place}${dryRun ? '?dryRun=All' : ''}`,
    method: METHODS[operation],
    // One line a group.
    headers: [
      'content-type',
      'application/json',
      'impersonate-user',
      userInfo.username,
      ...userInfo.groups.flatMap((group) => ['impersonate-group', group]),
    ],
    ...(object === undefined
      ? {}
      : {
          body: JSON.stringify({
            apiVersion: group === '' ? version : `${group}/${version}`,
            kind: KINDS[resource] ?? kind,
            ...object,
          }),
        }),
  });
  const answer = (await body.json()) as Json & { readonly message?: string };
  return { status: statusCode, message: answer.message ?? '', body: answer };
}

const KINDS: Readonly<Record<string, string>> = {
  configmaps: 'ConfigMap',
  networkpolicies: 'NetworkPolicy',
  roles: 'Role',
  namespaceaccesses: 'NamespaceAccess',
};

const MASTER = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

async function apply<T extends KubeObject>(
  resource: Resource<T>,
  objects: readonly T[],
): Promise<void> {
  for (const object of objects) {
    await admin.apply<T>(resource, object as ApplyConfiguration<T>, {
      fieldManager: 'strongroom',
      force: true,
    });
  }
}

async function install(twin: TwinPolicies): Promise<void> {
  await apply(VALIDATING_POLICIES, twin.policies);
  await apply(VALIDATING_POLICY_BINDINGS, twin.bindings);
  if (!isLabelSet) return;
  await apply(MUTATING_POLICIES, twin.mutatingPolicies);
  await apply(MUTATING_POLICY_BINDINGS, twin.mutatingBindings);
}

const twin = twinPolicies(SETTINGS);

beforeAll(async () => {
  const controlPlane = await startControlPlane({ progress: (line) => console.error(line) });
  cleanup.defer(() => controlPlane.stop());
  admin = cleanup.use(await clientOf(controlPlane.kubeconfigPath));
  pool = await poolOf(controlPlane.kubeconfigPath);
  cleanup.defer(() => pool.close());
  await applyCrds(controlPlane.kubeconfigPath);
  const served = await admin.discover();
  isLabelSet = served.some(
    ({ group, version, resources }) =>
      group === 'admissionregistration.k8s.io' &&
      version === 'v1' &&
      resources.includes('mutatingadmissionpolicies'),
  );
  // Of this cluster of its own: admission alone is to refuse.
  await admin.create(CLUSTER_ROLE_BINDINGS, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'everybody' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: ['system:authenticated', 'system:unauthenticated'].map((name) => ({
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'Group',
      name,
    })),
  });
});
afterAll(() => cleanup.disposeAsync());

async function applyCrds(kubeconfig: string): Promise<void> {
  const kubectl = await binary('kubectl');
  const crds = path.resolve(import.meta.dirname, '../../crds');
  for (const verb of [
    ['apply', '--server-side'],
    ['wait', '--for=condition=Established', '--timeout=60s'],
  ]) {
    await promisify(execFile)(kubectl, [...verb, '--kubeconfig', kubeconfig, '-f', crds]);
  }
}

async function poolOf(kubeconfig: string): Promise<Pool> {
  const { clusters, users } = parse(await readFile(kubeconfig, 'utf8')) as {
    clusters: readonly [{ cluster: { server: string; 'certificate-authority-data': string } }];
    users: readonly [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
  };
  const pem = (data: string): string => Buffer.from(data, 'base64').toString('utf8');
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  return new Pool(cluster.server, {
    connections: AT_ONCE,
    // Over HTTP/2 several headers of one name would become one, and several groups one.
    allowH2: false,
    connect: {
      ca: pem(cluster['certificate-authority-data']),
      cert: pem(user['client-certificate-data']),
      key: pem(user['client-key-data']),
    },
  });
}

/** Random policies that are about this namespace; every second world knows no constraints. */
function policiesOf(namespace: string, place: number): readonly AccessPolicy[] {
  const chooser = createChooser(SEED + place);
  const [policies = []] = fc.sample(arbitraryPolicies(), { numRuns: 1, seed: SEED + place });
  const here = <T extends string>(name: T): T => (name === 'trading' ? namespace : name) as T;
  return policies.map(({ metadata, spec }): AccessPolicy => {
    const { constraints, credentials, ...rest } = spec;
    const { namespaces, ...selection } = credentials;
    const isSecret = chooser.chance(0.7);
    return {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'AccessPolicy',
      metadata,
      spec: {
        ...rest,
        ...(isSecret ? { permissions: ['AccessSecrets', ...(spec.permissions ?? [])] } : {}),
        subjects: spec.subjects.map((subject) =>
          subject.kind === 'ServiceAccount'
            ? { ...subject, namespace: here(subject.namespace ?? '') }
            : { ...subject, name: subject.name.replace(':trading:', `:${namespace}:`) },
        ),
        credentials: {
          ...selection,
          ...(namespaces === undefined ? {} : { namespaces: namespaces.map(here) }),
        },
        ...(constraints === undefined || place % 2 === 0 ? {} : { constraints }),
      },
    };
  });
}

const DELIVERIES = ['maker-keys', 'taker-keys', 'shared', 'shared'];

function credentialsOf(namespace: string, place: number) {
  const sample: readonly CredentialFacts[] = fc.sample(arbitraryCredential, {
    numRuns: DELIVERIES.length,
    seed: SEED - place,
  });
  return sample.map(({ labels, exchange, environment, minimumAccessLevel }, index) => {
    const credential = credentialOf(
      ['maker', 'taker', 'second', 'third'][index] ?? '',
      {
        ...(exchange === undefined ? {} : { exchange }),
        environment,
        ...(minimumAccessLevel === undefined || index > 1 ? {} : { minimumAccessLevel }),
        source: index === 3 ? { secretRef: { name: 'import-me' } } : { generate: {} },
        delivery: { secret: { name: DELIVERIES[index] ?? '' } },
      },
      namespace,
    );
    return { ...credential, metadata: { ...credential.metadata, labels } };
  });
}

async function prepare(place: number): Promise<ParityWorld> {
  const namespace = `world-${place}`;
  await admin.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { [LABELS.guarded]: 'true' } },
  });
  await eventually(() => admin.find(SERVICE_ACCOUNTS, { namespace, name: 'default' }), {
    what: `the default ServiceAccount of ${namespace}`,
  });
  const store = async (resource: string, name: string, object: Json): Promise<Json> => {
    const { status, body, message } = await send(
      {
        userInfo: MASTER,
        operation: 'CREATE',
        resource,
        namespace,
        name,
        object: { ...object, metadata: { name, namespace, ...(object['metadata'] as Json) } },
      },
      false,
    );
    if (status !== 201) throw new Error(`${resource} ${name}: ${message}`);
    return body;
  };
  const accounts: Json[] = [];
  for (const name of ACCOUNTS.filter((one) => one !== 'default')) {
    const pull = name === PULLER.name ? { imagePullSecrets: [{ name: PULLER.secret }] } : {};
    accounts.push(await store('serviceaccounts', name, pull));
  }
  const secrets = [
    await store('secrets', 'managed', {
      metadata: { labels: { [LABELS.credential]: 'maker' } },
      data: { k: 'dg==' },
    }),
    await store('secrets', 'unmanaged', { data: { k: 'dg==' } }),
  ];
  const spec = (serviceAccountName: string, secret?: string): Json => ({
    serviceAccountName,
    containers: [{ name: 'bot', image: 'registry.invalid/bot:1' }],
    ...(secret === undefined
      ? {}
      : { volumes: [{ name: 'v', secret: { secretName: secret, defaultMode: 420 } }] }),
  });
  const pods: Json[] = [];
  const deployments: Json[] = [];
  for (const [account, secret] of [
    ['maker', undefined],
    ['taker', 'taker-keys'],
    ['default', 'shared'],
  ] as const) {
    const label = account === 'default' ? {} : { [LABELS.serviceAccount]: account };
    pods.push(
      await store('pods', `${account}-stored`, {
        metadata: { labels: { app: 'stored', ...label } },
        spec: spec(account, secret),
      }),
    );
    deployments.push(
      await store('deployments', `${account}-stored`, {
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: 'bot' } },
          template: { metadata: { labels: { app: 'bot' } }, spec: spec(account, secret) },
        },
      }),
    );
  }
  const policies = policiesOf(namespace, place);
  const credentials = credentialsOf(namespace, place);
  const world = worldOf({
    policies,
    credentials,
    namespaces: [{ name: namespace }],
    accounts: { [`${namespace}/${PULLER.name}`]: { imagePullSecrets: [PULLER.secret] } },
  });
  const access = compileNamespaceAccess(world.policyIndex(), namespace, credentials);
  await writeAccess(namespace, access);
  const withoutVersion = (object: Json): Json => {
    const {
      resourceVersion: _version,
      managedFields: _fields,
      ...metadata
    } = object['metadata'] as Json;
    return { ...object, metadata };
  };
  return {
    namespace,
    world,
    access,
    stored: {
      namespace,
      pods: pods.map(withoutVersion),
      deployments: deployments.map(withoutVersion),
      accounts: accounts.map(withoutVersion),
      secrets: secrets.map(withoutVersion),
    },
  };
}

async function writeAccess(namespace: string, spec: NamespaceAccessSpec): Promise<void> {
  const { status, message } = await send(
    {
      userInfo: { username: OPERATOR, groups: ['system:authenticated'] },
      operation: 'CREATE',
      resource: 'namespaceaccesses',
      namespace,
      name: 'strongroom',
      object: { metadata: { name: 'strongroom', namespace }, spec },
    },
    false,
  );
  if (status !== 201) throw new Error(message);
}

/** What the webhook would be sent: after the label was set and the pull secrets were put in. */
function reviewOf(request: GeneratedRequest): AdmissionRequest {
  const { userInfo, operation, resource, subResource, namespace, name, oldObject } = request;
  let { object } = request;
  if (resource === 'pods' && operation === 'CREATE' && object !== undefined) {
    const template = templateOf('pods', object);
    const account = template === undefined ? '' : accountNameOf(template);
    const metadata = object['metadata'] as { readonly labels: Json };
    const spec = object['spec'] as Json;
    const isMissing = isLabelSet && account.length <= 63;
    object = {
      ...object,
      metadata: {
        ...metadata,
        labels: { ...(isMissing ? { [LABELS.serviceAccount]: account } : {}), ...metadata.labels },
      },
      spec:
        account === PULLER.name && spec['imagePullSecrets'] === undefined
          ? { ...spec, imagePullSecrets: [{ name: PULLER.secret }] }
          : spec,
    };
  }
  return requestFor(resource, {
    userInfo,
    operation,
    namespace,
    name,
    ...(subResource === undefined ? {} : { subResource }),
    ...(object === undefined ? {} : { object }),
    ...(oldObject === undefined ? {} : { oldObject }),
    dryRun: true,
  });
}

function webhookAnswer(request: GeneratedRequest, { world }: ParityWorld) {
  return decideAdmission(reviewOf(request), { world, settings: SETTINGS, nowMs: NOW });
}

/** By which of the decisions that only the webhook can make it said no where the twin said yes. */
function classOf(
  request: GeneratedRequest,
  { world, access, namespace }: ParityWorld,
): string | undefined {
  const { resource, userInfo, operation, name } = request;
  const rules = access.rules ?? [];
  if (resource === 'secrets') {
    const isTaken = world.credentialsOfSecret(namespace, name).length > 0;
    return operation === 'CREATE' && isTaken ? 'TakenSecretName' : undefined;
  }
  const template = templateOf(resource, request.object);
  if (template === undefined) {
    const all = [...rules, ...(access.accountRules ?? [])];
    return all.some((rule) => mayUse(rule, userInfo) === 'Undecided') ? 'Constraints' : undefined;
  }
  const account = accountNameOf(template);
  const identity = serviceAccountIdentity(namespace, account);
  const uses = secretsOf(template.spec);
  const isRefused = (secret: string): boolean =>
    (access.secrets?.[secret] ?? []).some((place) => {
      const rule = rules[place];
      return rule !== undefined && mayUse(rule, identity) === 'No';
    });
  if (uses.some(({ use, secret }) => use === 'Unknown' && isRefused(secret))) {
    return 'UnknownSecretFields';
  }
  if (account === PULLER.name && isRefused(PULLER.secret)) return 'AccountPullSecrets';
  const places = access.accounts?.[account] ?? access.accounts?.[OTHER_ACCOUNTS] ?? [];
  const isHolderUncertain = places.some((place) => {
    const rule = access.accountRules?.[place];
    return rule !== undefined && mayUse(rule, userInfo) === 'Undecided';
  });
  if (isHolderUncertain) return 'Constraints';
  const isUncertain = rules.some((rule) => mayUse(rule, identity) === 'Undecided');
  return isUncertain ? 'Constraints' : undefined;
}

interface Compared {
  readonly agreed: { readonly allowed: number; readonly refused: number };
  readonly byClass: Readonly<Record<string, number>>;
  readonly disagreements: readonly string[];
  readonly unexpected: readonly string[];
}

async function compare(worlds: readonly ParityWorld[], count: number): Promise<Compared> {
  const chooser = createChooser(SEED);
  const byClass: Record<string, number> = {};
  const disagreements: string[] = [];
  const unexpected: string[] = [];
  const agreed = { allowed: 0, refused: 0 };
  let left = count;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const world = chooser.pick(worlds);
      const request = generateRequest(chooser, world.stored, isLabelSet);
      const verdict = webhookAnswer(request, world);
      const { status, message } = await send(request);
      const isAllowed = status >= 200 && status < 300;
      const isRefused = message.includes('ValidatingAdmissionPolicy');
      const told = (): string =>
        JSON.stringify({
          request,
          webhook: verdict.message ?? 'yes',
          twin: `${status} ${message}`,
          access: world.access,
        });
      if (!isAllowed && !isRefused) unexpected.push(told());
      else if (isAllowed === verdict.allowed) agreed[isAllowed ? 'allowed' : 'refused'] += 1;
      else {
        const found = isAllowed ? classOf(request, world) : undefined;
        if (found === undefined) disagreements.push(told());
        else byClass[found] = (byClass[found] ?? 0) + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { agreed, byClass, disagreements, unexpected };
}

/** Until the API server knows of the policies, and of the table of the namespace. */
async function awaitPolicies(namespace: string): Promise<void> {
  await eventually(
    async () => {
      const { message } = await send({
        userInfo: { username: 'alice', groups: ['system:authenticated'] },
        operation: 'CREATE',
        resource: 'pods',
        namespace,
        name: 'probe',
        object: {
          metadata: { name: 'probe', namespace },
          spec: {
            serviceAccountName: 'strongroom-emergency-night',
            containers: [{ name: 'c', image: 'i' }],
          },
        },
      });
      return message.includes('emergency access');
    },
    { what: `the policies to be at work in ${namespace}` },
  );
}

interface Case {
  readonly what: string;
  readonly as: UserInfo;
  readonly request: Omit<GeneratedRequest, 'userInfo'>;
  /** Part of the refusal; absent: it passes. */
  readonly refusal?: string;
}

const ALICE = { username: 'alice', groups: ['system:authenticated'] };
const ITSELF = { username: OPERATOR, groups: ['system:authenticated'] };
const NAMESPACE_CONTROLLER = serviceAccountIdentity('kube-system', 'namespace-controller');

function create(resource: string, namespace: string, metadata: Json, more: Json = {}) {
  const name = 'made';
  return {
    operation: 'CREATE' as const,
    resource,
    namespace,
    name,
    object: { metadata: { name, namespace, ...metadata }, ...more },
  };
}

const COMPONENT = { labels: { [LABELS.component]: 'vault-entry' } };
const OURS = { labels: { [LABELS.managedBy]: 'strongroom' } };
const POLICY_SPEC = { spec: { podSelector: {}, policyTypes: ['Ingress'] } };
const own = SETTINGS.operatorNamespace;
const plainPod = { spec: { containers: [{ name: 'c', image: 'i' }] } };

/** `bare` is guarded and has no NamespaceAccess, `free` is not guarded. */
const CASES: readonly Case[] = [
  {
    what: 'a pod where there is no NamespaceAccess',
    as: ALICE,
    request: create('pods', 'bare', { labels: { [LABELS.serviceAccount]: 'default' } }, plainPod),
    refusal: 'no params found',
  },
  {
    what: 'a pod where nothing is guarded',
    as: ALICE,
    request: create('pods', 'free', {}, plainPod),
  },
  {
    what: 'a ServiceAccount where there is no NamespaceAccess',
    as: ALICE,
    request: create('serviceaccounts', 'bare', {}),
  },
  {
    what: 'a NamespaceAccess by an administrator who is no master',
    as: ALICE,
    request: create('namespaceaccesses', 'free', {}, { spec: {} }),
    refusal: 'from the AccessPolicies; change those instead',
  },
  {
    what: 'a NamespaceAccess by the operator',
    as: ITSELF,
    request: create('namespaceaccesses', 'free', {}, { spec: {} }),
  },
  {
    what: 'an entry of the vault by an administrator',
    as: ALICE,
    request: create('secrets', own, COMPONENT),
    refusal: 'what the operator keeps its keys and records in',
  },
  {
    what: 'an entry of the vault by the operator',
    as: ITSELF,
    request: create('secrets', own, COMPONENT),
  },
  {
    what: 'an entry of the vault by a master',
    as: MASTER,
    request: create('secrets', own, COMPONENT),
  },
  {
    what: "another Secret in the operator's namespace",
    as: ALICE,
    request: create('secrets', own, {}),
  },
  {
    what: 'a key of a feed by an administrator',
    as: ALICE,
    request: create('secrets', own, { labels: { [LABELS.component]: 'feed-key' } }),
  },
  {
    what: 'a report of a node by its agent',
    as: serviceAccountIdentity(own, 'strongroom-node-agent'),
    request: create('configmaps', own, { labels: { [LABELS.component]: 'node-report' } }),
  },
  {
    what: 'a report of a node by somebody else',
    as: ALICE,
    request: create('configmaps', own, { labels: { [LABELS.component]: 'node-report' } }),
    refusal: 'alone writes that',
  },
  {
    what: 'a Secret that says it is managed',
    as: ALICE,
    request: create('secrets', 'bare', { labels: { [LABELS.credential]: 'maker' } }),
    refusal: 'marks the Secret of ExchangeCredential maker',
  },
  {
    what: 'the same by a master',
    as: MASTER,
    request: create('secrets', 'bare', { labels: { [LABELS.credential]: 'maker' } }),
    refusal: 'marks the Secret of ExchangeCredential maker',
  },
  {
    what: 'the same by the operator',
    as: ITSELF,
    request: create('secrets', 'bare', { labels: { [LABELS.credential]: 'maker' } }),
  },
  {
    what: 'a token that stays, of an emergency account',
    as: ITSELF,
    request: create(
      'secrets',
      'bare',
      { annotations: { 'kubernetes.io/service-account.name': 'strongroom-emergency-night' } },
      { type: 'kubernetes.io/service-account-token' },
    ),
    refusal: 'get no token that stays',
  },
  {
    what: 'an emergency account by an administrator',
    as: ALICE,
    request: {
      ...create('serviceaccounts', 'bare', { name: 'strongroom-emergency-x' }),
      name: 'strongroom-emergency-x',
    },
    refusal: 'are kept for EmergencyAccesses',
  },
  {
    what: 'an emergency account by the operator',
    as: ITSELF,
    request: {
      ...create('serviceaccounts', 'bare', { name: 'strongroom-emergency-x' }),
      name: 'strongroom-emergency-x',
    },
  },
  {
    what: 'a NetworkPolicy that says it is generated',
    as: ALICE,
    request: create('networkpolicies', 'bare', OURS, POLICY_SPEC),
    refusal: 'change the AccessPolicy, IPBlock or EmergencyAccess that it stands for',
  },
  {
    what: 'another NetworkPolicy',
    as: ALICE,
    request: create('networkpolicies', 'bare', {}, POLICY_SPEC),
  },
  {
    what: 'a Role that says it is generated',
    as: ALICE,
    request: create('roles', 'bare', { labels: { [LABELS.policyUid]: 'u' } }, { rules: [] }),
    refusal: 'what the operator generates',
  },
  {
    what: 'a token of the operator by an administrator',
    as: ALICE,
    request: {
      operation: 'CREATE',
      resource: 'serviceaccounts/strongroom-operator/token',
      namespace: own,
      name: 'strongroom-operator',
      object: {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        spec: { audiences: [] },
      },
    },
    refusal: 'it would be one of Strongroom itself',
  },
];

describe('webhook and twin', () => {
  let worlds: readonly ParityWorld[];

  beforeAll(async () => {
    const places = Array.from({ length: WORLDS }, (_, place) => place);
    worlds = await Promise.all(places.map(prepare));
    await install(twin);
    for (const { namespace } of worlds) await awaitPolicies(namespace);
  });

  it('has a request for every row of the table of Secret paths', () => {
    expect([...Object.keys(USES), ...Object.keys(EPHEMERAL_USES)].sort()).toEqual(
      SECRET_PATHS.map(({ path }) => path.join('.')).sort(),
    );
  });

  it('has expressions that the API server finds no fault with', async () => {
    const { items } = await admin.list(VALIDATING_POLICIES, { allNamespaces: true });
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(
      twin.policies.map(({ metadata }) => metadata.name).sort(),
    );
    const warnings = await eventually(
      async () => {
        const { items: now } = await admin.list(VALIDATING_POLICIES, { allNamespaces: true });
        return now.every(
          ({ metadata, status }) => status?.observedGeneration === metadata.generation,
        )
          ? now.flatMap(({ status }) => status?.typeChecking?.expressionWarnings ?? [])
          : undefined;
      },
      { what: 'all policies to be type-checked' },
    );
    expect(warnings).toEqual([]);
  });

  it(
    `answers ${REQUESTS} requests alike, but for what only the webhook can decide`,
    { timeout: 900_000 },
    async () => {
      const started = performance.now();
      const { agreed, byClass, disagreements, unexpected } = await compare(worlds, REQUESTS);
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      console.error(`parity: ${JSON.stringify({ agreed, byClass, seconds })}`);
      expect(unexpected.slice(0, 3)).toEqual([]);
      expect(disagreements.slice(0, 3)).toEqual([]);
      const known = ONLY_WEBHOOK.map(({ name }) => name);
      expect(Object.keys(byClass).filter((name) => !known.includes(name))).toEqual([]);
      expect(agreed.allowed).toBeGreaterThan(REQUESTS / 5);
      expect(agreed.refused).toBeGreaterThan(REQUESTS / 5);
    },
  );
});

describe('the twin alone', () => {
  beforeAll(async () => {
    for (const [name, labels] of [
      ['bare', { [LABELS.guarded]: 'true' }],
      ['free', {}],
      [own, {}],
    ] as const) {
      await admin.create(NAMESPACES, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels },
      });
      await eventually(() => admin.find(SERVICE_ACCOUNTS, { namespace: name, name: 'default' }), {
        what: `the default ServiceAccount of ${name}`,
      });
    }
    await admin.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'strongroom-operator', namespace: own },
    });
    await install(twin);
    await eventually(
      async () => {
        const { message } = await send({
          ...create('pods', 'bare', {}, plainPod),
          userInfo: ALICE,
        });
        return message.includes('no params found');
      },
      { what: 'the policies to be at work' },
    );
  });

  it.each(CASES)('$what', async ({ as, request, refusal }) => {
    const { status, message } = await send({ ...request, userInfo: as });
    const isAsSaid = refusal === undefined ? status === 201 : message.includes(refusal);
    expect({ isAsSaid, status, message }).toMatchObject({ isAsSaid: true });
  });

  it('lets the namespace controller clear away what nobody else may touch', async () => {
    const managed = create('secrets', 'bare', { labels: { [LABELS.credential]: 'maker' } });
    expect((await send({ ...managed, userInfo: ITSELF }, false)).status).toBe(201);
    const removal = { ...managed, operation: 'DELETE' as const, object: undefined };
    const { object: _object, ...deletion } = removal;
    expect((await send({ ...deletion, userInfo: ALICE })).message).toContain('may not delete');
    expect((await send({ ...deletion, userInfo: NAMESPACE_CONTROLLER })).status).toBe(200);
  });

  it('keeps the label of ServiceAccounts off bindings, which would replace it', async () => {
    const binding = (labels: Json) =>
      send({
        userInfo: ALICE,
        operation: 'CREATE',
        resource: 'pods/some/binding',
        namespace: 'bare',
        name: 'some',
        object: {
          kind: 'Binding',
          metadata: { name: 'some', labels },
          target: { kind: 'Node', name: 'n' },
        },
      });
    expect((await binding({ [LABELS.serviceAccount]: 'maker' })).message).toContain(
      'admission alone sets',
    );
    expect((await binding({})).message).not.toContain('ValidatingAdmissionPolicy');
  });

  it('stays within its budget with as many Secrets as a pod may want, and fifty groups', async () => {
    const everybody = Object.fromEntries(
      Array.from({ length: 1000 }, (_, place) => [`User:user-${place}`, 'Allow' as const]),
    );
    const groups = Array.from({ length: 50 }, (_, place) => `group-${place}`);
    const rules = Array.from({ length: MAX_RULES }, (_, place) => ({
      subjects: {
        ...(place < 40 ? everybody : {}),
        [`Group:group-${place % 50}`]: 'Allow' as const,
        'User:system:serviceaccount:large:maker': 'Allow' as const,
      },
    }));
    const secrets = Object.fromEntries(rules.map((_, place) => [`secret-${place}`, [place]]));
    await admin.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'large', labels: { [LABELS.guarded]: 'true' } },
    });
    await admin.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'maker', namespace: 'large' },
    });
    await writeAccess('large', { secrets, rules });
    const request = (account: string) =>
      create(
        'pods',
        'large',
        { labels: { [LABELS.serviceAccount]: account } },
        {
          spec: {
            serviceAccountName: account,
            containers: Array.from({ length: 100 }, (_, place) => ({
              name: `c${place}`,
              image: 'i',
              envFrom: [{ secretRef: { name: `secret-${place}` } }],
              env: Array.from({ length: 20 }, (__, one) => ({ name: `E${one}`, value: 'v' })),
            })),
          },
        },
      );
    const userInfo = { username: 'alice', groups: [...groups, 'system:authenticated'] };
    const answer = await eventually(
      async () => {
        const found = await send({ ...request('maker'), userInfo });
        return found.message.includes('no params found') ? undefined : found;
      },
      { what: 'the table to be known' },
    );
    expect(answer).toMatchObject({ status: 201, message: '' });
    const refused = await send({ ...request('default'), userInfo });
    expect(refused.message).toContain('its ServiceAccount large/default needs for it');
  });

  it('stays within its budget with as many rules of an account as fit, and fifty groups', async () => {
    const groups = Array.from({ length: 50 }, (_, place) => `group-${place}`);
    const accountRules = Array.from({ length: MAX_RULES }, (_, place) => ({
      right: `AccessSecrets at Read over credential c${place}`,
      subjects: { [`Group:group-${place % 50}`]: 'Allow' as const },
    }));
    await admin.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'rights', labels: { [LABELS.guarded]: 'true' } },
    });
    await admin.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'lead', namespace: 'rights' },
    });
    await writeAccess('rights', {
      accounts: { lead: accountRules.map((_, place) => place), '*': [0] },
      accountRules,
    });
    const request = (account: string) =>
      create(
        'pods',
        'rights',
        { labels: { [LABELS.serviceAccount]: account } },
        { spec: { serviceAccountName: account, containers: [{ name: 'c', image: 'i' }] } },
      );
    const userInfo = { username: 'alice', groups: [...groups, 'system:authenticated'] };
    const answer = await eventually(
      async () => {
        const found = await send({ ...request('lead'), userInfo });
        return found.message.includes('no params found') ? undefined : found;
      },
      { what: 'the table to be known' },
    );
    expect(answer).toMatchObject({ status: 201, message: '' });
    const fewer = { ...userInfo, groups: groups.slice(1) };
    for (const account of ['lead', 'default']) {
      const refused = await send({ ...request(account), userInfo: fewer });
      expect(refused.message).toMatch(
        /AccessPolicies give AccessSecrets at Read over .* alice does not hold that/,
      );
    }
  });
});
