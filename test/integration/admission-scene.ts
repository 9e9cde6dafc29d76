/**
 * A guarded namespace with a credential, and people whom RBAC lets do everything, so that whatever is
 * refused was refused by admission: each holds `cluster-admin`, and none is of `system:masters`.
 */
import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicy, AccessPolicySpec } from '../../src/api/access-policy.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import type { KubeObject, Pod } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
} from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { userKubeconfig } from './identities.ts';
import { kubeconfigOf } from './operator-process.ts';
import { asDryRun, creates, personOf } from './admission-people.ts';
import type { Answer, Ask, Person } from './admission-people.ts';

const ENVIRONMENTS = ['Development', 'Staging', 'Production'] as const;

/** What a policy gives to each of them; `mallory` has none. */
const GIVEN: Readonly<Record<string, (trading: string) => Partial<AccessPolicySpec>>> = {
  security: () => ({
    roles: ['SecurityAdmin'],
    accessLevel: 'Emergency',
    environments: ENVIRONMENTS,
    credentials: { namespaces: ['*'] },
  }),
  /** May mount `maker`, and nothing else. */
  deployer: (trading) => ({
    permissions: ['AccessSecrets'],
    accessLevel: 'Read',
    credentials: { namespaces: [trading], names: ['maker'] },
  }),
  writer: () => ({ permissions: ['AccessSecrets'], accessLevel: 'Write' }),
  keeper: () => ({ permissions: ['AccessSecrets'], accessLevel: 'Admin' }),
  blocker: () => ({ permissions: ['ManageNetworkBlocks'], environments: ENVIRONMENTS }),
  /** Administers one namespace, and holds nothing else. */
  head: () => ({
    permissions: ['ManageUsers'],
    accessLevel: 'Admin',
    environments: ENVIRONMENTS,
  }),
  responder: () => ({ roles: ['EmergencyResponder'], accessLevel: 'Emergency' }),
  oncall: () => ({ roles: ['Trader'] }),
};

export const PEOPLE = [
  'security',
  'deployer',
  'writer',
  'keeper',
  'blocker',
  'head',
  'responder',
  'oncall',
  'mallory',
] as const;
export type PersonName = (typeof PEOPLE)[number];

export interface AdmissionScene extends AsyncDisposable {
  readonly client: KubeClient;
  /** Of `system:masters`. */
  readonly admin: Person;
  /** Guarded, of Production; holds the credentials `maker` and `hedge`, delivered as `<name>-keys`. */
  readonly trading: TestNamespace;
  readonly people: Readonly<Record<PersonName, Person>>;
  /** The bots: ServiceAccounts of `trading`. `maker` may mount the credential `maker`. */
  readonly bots: Readonly<Record<'maker' | 'plain', Person>>;
  /** As the API server knows them, by name in this scene. */
  usernameOf(name: PersonName): string;
  /** A group whom RBAC lets do everything, and no policy anything. */
  readonly anything: string;
  /** A name of its own for an object of the cluster. */
  named(part: string): string;
  /** Writes a policy as the admin, and takes it away again. */
  policy(
    name: string,
    spec: AccessPolicySpec,
  ): Promise<AsyncDisposable & { readonly name: string }>;
  credential(name: string, labels?: Readonly<Record<string, string>>): Promise<AsyncDisposable>;
}

export interface SceneOptions {
  readonly client: KubeClient;
  /** For kubeconfigs; private. */
  readonly scratch: string;
}

export async function setAdmissionScene({
  client,
  scratch,
}: SceneOptions): Promise<AdmissionScene> {
  await using building = new AsyncDisposableStack();
  const suffix = randomBytes(3).toString('hex');
  const anything = `anything-${suffix}`;
  const trading = building.use(
    await createNamespace(client, 'trading', {
      'strongroom.dev/guarded': 'true',
      'strongroom.dev/environment': 'Production',
    }),
  );
  await client.create(CLUSTER_ROLE_BINDINGS, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: anything },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: 'cluster-admin',
    },
    subjects: [anything, `system:serviceaccounts:${trading.name}`].map((name) => ({
      kind: 'Group',
      name,
      apiGroup: 'rbac.authorization.k8s.io',
    })),
  });
  building.defer(() => client.delete(CLUSTER_ROLE_BINDINGS, { name: anything }));

  const usernameOf = (name: PersonName): string => `${name}-${suffix}`;
  const named = (part: string): string => `${part}-${suffix}`;

  async function policy(
    name: string,
    spec: AccessPolicySpec,
  ): Promise<AsyncDisposable & { readonly name: string }> {
    const metadata = { name: named(name) };
    await client.create<AccessPolicy>(ACCESS_POLICIES, {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'AccessPolicy',
      metadata,
      spec,
    });
    return {
      name: metadata.name,
      [Symbol.asyncDispose]: () => removed(client.delete(ACCESS_POLICIES, metadata)),
    };
  }

  async function credential(
    name: string,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<AsyncDisposable> {
    const metadata = { name, namespace: trading.name, labels };
    await client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, credentialOf(metadata));
    await eventually(
      () => client.find(SECRETS, { namespace: trading.name, name: `${name}-keys` }),
      { what: `the Secret of ${name}` },
    );
    return {
      [Symbol.asyncDispose]: () => removed(client.delete(EXCHANGE_CREDENTIALS, metadata)),
    };
  }

  for (const [name, given] of Object.entries(GIVEN)) {
    building.use(
      await policy(name, {
        subjects: [{ kind: 'User', name: usernameOf(name as PersonName) }],
        environments: ['Production'],
        credentials: { namespaces: [trading.name] },
        ...given(trading.name),
      }),
    );
  }
  building.use(
    await policy('maker-bot', {
      subjects: [{ kind: 'ServiceAccount', namespace: trading.name, name: 'maker' }],
      permissions: ['AccessSecrets'],
      environments: ['Production'],
      credentials: { namespaces: [trading.name], names: ['maker'] },
    }),
  );
  for (const name of ['maker', 'plain']) {
    await client.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace: trading.name },
    });
  }
  for (const name of ['maker', 'hedge']) building.use(await credential(name));

  const people = Object.fromEntries(
    await Promise.all(
      PEOPLE.map(async (name) => {
        const file = await userKubeconfig(client, usernameOf(name), [anything], scratch);
        return [name, await personOf(name, file)] as const;
      }),
    ),
  ) as Record<PersonName, Person>;
  const bot = async (name: string): Promise<Person> => {
    const file = await kubeconfigOf(inject('kubeconfig'), trading.name, name, scratch);
    return personOf(name, file);
  };
  const bots = { maker: await bot('maker'), plain: await bot('plain') };

  // Whoever may is let through as soon as webhook and twin know of the policies.
  const pod = podOf(trading.name, 'first', { account: 'maker', secrets: ['maker-keys'] });
  await passes(people.deployer, creates(PODS, pod));

  const cleanup = building.move();
  return {
    client,
    admin: await personOf('admin', inject('kubeconfig')),
    trading,
    people,
    bots,
    usernameOf,
    anything,
    named,
    policy,
    credential,
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

/** Asks as a dry run until it passes; returns that answer. */
export async function passes(person: Person, ask: Ask): Promise<Answer> {
  let last: Answer | undefined;
  try {
    return await eventually(
      async () => {
        last = await person.ask(asDryRun(ask));
        return last.status < 300 ? last : undefined;
      },
      { what: 'a request to pass', timeoutMs: 60_000, intervalMs: 200 },
    );
  } catch (error) {
    const said = `${ask.method} ${ask.path} as ${person.name}: ${last?.status} ${last?.message}`;
    throw new Error(said, { cause: error });
  }
}

/** Asks as a dry run until it is refused; returns that answer. */
export async function isRefused(person: Person, ask: Ask): Promise<Answer> {
  return eventually(
    async () => {
      const answer = await person.ask(asDryRun(ask));
      return answer.status === 403 ? answer : undefined;
    },
    { what: `${ask.method} ${ask.path} as ${person.name} to be refused`, intervalMs: 200 },
  );
}

export interface PodOptions {
  readonly account?: string;
  /** Mounted as volumes. */
  readonly secrets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Of its one container. */
  readonly container?: Readonly<Record<string, unknown>>;
}

export function podSpecOf(options: PodOptions = {}): Readonly<Record<string, unknown>> {
  const { account = 'plain', secrets = [], spec, container } = options;
  return {
    serviceAccountName: account,
    automountServiceAccountToken: false,
    containers: [{ name: 'main', image: 'strongroom.test/none:1', ...container }],
    volumes: secrets.map((secretName, place) => ({
      name: `volume-${place}`,
      secret: { secretName },
    })),
    ...spec,
  };
}

export function podOf(namespace: string, name: string, options: PodOptions = {}): Pod {
  const labels = options.labels ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: podSpecOf(options) as unknown as Pod['spec'] & object,
  };
}

export interface WorkloadKind extends KubeObject {
  readonly spec: unknown;
}

export const WORKLOAD_NAMES = [
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
  'ReplicationController',
] as const;
export type WorkloadName = (typeof WORKLOAD_NAMES)[number];

const APPS = { group: 'apps', version: 'v1', namespaced: true };
const BATCH = { group: 'batch', version: 'v1', namespaced: true };
const CORE = { group: '', version: 'v1', namespaced: true };

/** What makes pods, by kind. */
export const WORKLOADS: Readonly<Record<WorkloadName, Resource<WorkloadKind>>> = {
  Deployment: { ...APPS, kind: 'Deployment', plural: 'deployments' },
  StatefulSet: { ...APPS, kind: 'StatefulSet', plural: 'statefulsets' },
  DaemonSet: { ...APPS, kind: 'DaemonSet', plural: 'daemonsets' },
  ReplicaSet: { ...APPS, kind: 'ReplicaSet', plural: 'replicasets' },
  Job: { ...BATCH, kind: 'Job', plural: 'jobs' },
  CronJob: { ...BATCH, kind: 'CronJob', plural: 'cronjobs' },
  ReplicationController: {
    ...CORE,
    kind: 'ReplicationController',
    plural: 'replicationcontrollers',
  },
};

/** Without pods of its own, but where `replicas` says so: a template is what is asked about. */
export function workloadOf(
  kind: WorkloadName,
  namespace: string,
  name: string,
  options: PodOptions & { readonly replicas?: number } = {},
): WorkloadKind {
  const labels = { 'example.com/of': name, ...options.labels };
  const template = { metadata: { labels }, spec: podSpecOf(options) };
  const once = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
  const job = { suspend: true, template: once };
  const { replicas = 0 } = options;
  const selector = { matchLabels: labels };
  const specs: Readonly<Record<WorkloadName, unknown>> = {
    Deployment: { replicas, selector, template },
    StatefulSet: { replicas, selector, template, serviceName: name },
    DaemonSet: { selector, template },
    ReplicaSet: { replicas, selector, template },
    Job: job,
    CronJob: { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: { template: once } } },
    ReplicationController: { replicas, selector: labels, template },
  };
  const { group, version } = WORKLOADS[kind];
  return {
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind,
    metadata: { name, namespace },
    spec: specs[kind],
  };
}

/** A credential whose value the operator makes, delivered as the Secret `<name>-keys`. */
export function credentialOf(metadata: {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
}): ExchangeCredential {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata,
    spec: {
      type: 'EncryptionKey',
      environment: 'Production',
      owner: 'test',
      source: { generate: {} },
      delivery: { secret: { name: `${metadata.name}-keys` } },
    },
  };
}

/** A test may have removed it itself. */
export async function removed(deletion: PromiseLike<void>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
  }
}
