/**
 * Records the reviews that a real API server sends, into test/samples/reviews/, for the tests of
 * admission: `node tools/record-reviews.ts`. To be run by hand, when a new version of Kubernetes is
 * taken in or a request is to be added; it starts a test cluster of its own and takes some minutes
 * where its binaries are not built yet. The reviews are what came, but for white space. Their
 * requests are about the cluster of src/admission/fuzz/scene.ts, and hold no secret: what stands in
 * place of one says so itself.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { CONTEXT, POLICIES } from '#admission/fuzz/scene.ts';
import { webhookConfigurations } from '#admission/configuration/webhooks.ts';
import { mutateAdmission } from '#admission/mutate-admission.ts';
import { issueAuthority, issueServing } from '#admission/pki/issue.ts';
import type { AdmissionRequest } from '#admission/request.ts';
import { answerReview } from '#admission/review/answer.ts';
import { readReview } from '#admission/review/read-review.ts';
import { credentialOf } from '#admission/testing/core-objects.ts';
import { ALLOWED } from '#admission/verdict.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  MUTATING_WEBHOOKS,
  NAMESPACES,
  NODES,
  PODS,
  ROLE_BINDINGS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  VALIDATING_WEBHOOKS,
} from '#kube/resources.ts';
import { binary, startControlPlane } from '../test/cluster/index.ts';
import { eventually } from '../test/eventually.ts';
import {
  asDryRun,
  creates,
  deletes,
  gets,
  patches,
  personOf,
  posts,
} from '../test/integration/admission-people.ts';
import type { ActingAs, Ask } from '../test/integration/admission-people.ts';
import { block } from '../test/samples/ip-blocks.ts';
import { emergency } from '../test/samples/emergency-accesses.ts';

const root = path.resolve(import.meta.dirname, '..');
const target = path.join(root, 'test', 'samples', 'reviews');

const ALICE: ActingAs = { username: 'alice', groups: ['desk-mm'] };
const CAROL: ActingAs = { username: 'carol', groups: ['security'] };
const DORA: ActingAs = { username: 'dora', groups: ['operations'] };
const NINA: ActingAs = { username: 'nina', groups: ['night-shift'] };
const MALLORY: ActingAs = { username: 'mallory' };
const SYSTEM = 'system:serviceaccount:kube-system:';

const NAMESPACE = 'trading';
const NO_SECRET = Buffer.from('a test value, which is no secret').toString('base64');

const MAKER = {
  serviceAccountName: 'maker',
  containers: [{ name: 'main', image: 'main:1' }],
  volumes: [{ name: 'keys', secret: { secretName: 'maker' } }],
};

interface Received {
  readonly path: string;
  readonly request: AdmissionRequest;
  readonly body: string;
}

await using controlPlane = await startControlPlane({ progress: (line) => console.error(line) });
await using recorder = await startRecorder();
const admin = await personOf('admin', controlPlane.kubeconfigPath);
const names = new Set<string>();

await prepare();
await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await recordAll();
await promisify(execFile)(path.join(root, 'node_modules', '.bin', 'oxfmt'), [target]);
console.log(`${(await readdir(target)).length} reviews in ${target}`);

/** A webhook that keeps what it is sent, marks objects as Strongroom does, and allows everything. */
async function startRecorder(): Promise<
  AsyncDisposable & {
    readonly url: string;
    readonly caBundle: string;
    readonly received: readonly Received[];
  }
> {
  const authority = await issueAuthority(Date.now());
  const { cert, key } = await issueServing(authority, ['127.0.0.1'], Date.now());
  const received: Received[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const body = Buffer.concat(chunks);
      const read = readReview(body);
      if (!read.ok) {
        console.error(`not understood: ${read.message}: ${body.toString('utf8')}`);
        process.exitCode = 1;
        response.writeHead(500).end();
        return;
      }
      const where = new URL(request.url ?? '/', 'https://localhost').pathname;
      received.push({ path: where, request: read.request, body: body.toString('utf8') });
      const stampKey = new Uint8Array(32).fill(7);
      const patch = where === '/mutate' ? mutateAdmission(read.request, CONTEXT, stampKey) : [];
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(answerReview(read.request.uid, ALLOWED, patch));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    caBundle: authority.cert,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function must(ask: Ask, as?: ActingAs): Promise<void> {
  const { status, message } = await admin.ask(ask, as);
  if (status >= 300) throw new Error(`${ask.method} ${ask.path}: ${status} ${message}`);
}

/** Our kinds, everybody an administrator to RBAC, and the webhooks at work. */
async function prepare(): Promise<void> {
  const kubectl = await binary('kubectl');
  const crds = ['--kubeconfig', controlPlane.kubeconfigPath, '-f', path.join(root, 'crds')];
  await promisify(execFile)(kubectl, ['apply', '--server-side', ...crds]);
  await promisify(execFile)(kubectl, ['wait', '--for=condition=Established', ...crds]);
  await must(
    creates(CLUSTER_ROLE_BINDINGS, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'everybody' },
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'ClusterRole',
        name: 'cluster-admin',
      },
      subjects: [
        { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:authenticated' },
      ],
    } as KubeObject),
  );
  const { validating, mutating } = webhookConfigurations({
    endpoint: { url: recorder.url },
    caBundle: recorder.caBundle,
    strictNamespaces: [],
    operatorNamespace: CONTEXT.settings.operatorNamespace,
    operatorUsername: CONTEXT.settings.operatorUsername,
    isLabelledByPolicy: false,
    detectsCopies: false,
  });
  await must(
    creates(VALIDATING_WEBHOOKS, {
      ...validating,
      webhooks: [...(validating.webhooks ?? []), others(validating)],
    }),
  );
  await must(creates(MUTATING_WEBHOOKS, mutating));
  const probe = asDryRun(creates(IP_BLOCKS, block({}, 'probe')));
  await eventually(
    async () => {
      await admin.ask(probe);
      const paths = new Set(recorder.received.map(({ path }) => path));
      return paths.size === 2 || undefined;
    },
    { what: 'both webhooks to be asked', timeoutMs: 60_000, intervalMs: 200 },
  );
}

/** What the configurations leave out, and rules look at all the same. */
function others({
  webhooks = [],
}: ReturnType<typeof webhookConfigurations>['validating']): NonNullable<typeof webhooks>[number] {
  const guard = webhooks.find(({ name }) => name === 'guard.strongroom.dev');
  if (guard === undefined) throw new Error('no webhook guard.strongroom.dev');
  const { matchConditions: _matchConditions, ...rest } = guard;
  return {
    ...rest,
    name: 'others.strongroom.dev',
    rules: [
      {
        apiGroups: [''],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['pods/status', 'pods/binding'],
        scope: '*',
      },
      {
        apiGroups: ['apps'],
        apiVersions: ['v1'],
        operations: ['UPDATE'],
        resources: ['deployments/scale'],
        scope: '*',
      },
    ],
  };
}

/** Asks, and keeps the first review of it that came to this path. */
async function record(name: string, as: ActingAs | undefined, ask: Ask): Promise<void> {
  const before = recorder.received.length;
  const { status, message } = await admin.ask(ask, as);
  const username = as?.username ?? 'admin';
  const reviews = recorder.received
    .slice(before)
    .filter(({ request }) => request.userInfo.username === username);
  const validating = reviews.find(({ path }) => path === '/validate');
  if (validating === undefined) {
    throw new Error(`${name}: no review came; the answer is ${status} ${message}`);
  }
  await keep(name, validating);
  const mutating = reviews.find(({ path }) => path === '/mutate');
  if (name === 'exchange-credential-create' && mutating !== undefined) {
    await keep(`${name}-mutating`, mutating);
  }
}

/** Keeps what a controller of Kubernetes asked by itself. */
async function recordController(name: string, controller: string, resource: string): Promise<void> {
  const found = await eventually(
    async () =>
      recorder.received.find(
        ({ path, request }) =>
          path === '/validate' &&
          request.operation === 'CREATE' &&
          request.resource.resource === resource &&
          request.userInfo.username === SYSTEM + controller,
      ),
    { what: `${resource} of ${controller}`, timeoutMs: 60_000 },
  );
  await keep(name, found);
}

async function keep(name: string, { body }: Received): Promise<void> {
  if (names.has(name)) throw new Error(`two reviews are named ${name}`);
  names.add(name);
  await writeFile(
    path.join(target, `${name}.json`),
    JSON.stringify(JSON.parse(body), undefined, 2),
  );
  console.error(name);
}

async function recordAll(): Promise<void> {
  const inside = { namespace: NAMESPACE };
  await recordNamespaces(inside);
  await recordAccounts(inside);
  await recordSecrets(inside);
  await recordOwnKinds(inside);
  await recordPods(inside);
  await recordConnections(inside);
  await recordWorkloads(inside);
  await recordDeletions(inside);
}

interface Inside {
  readonly namespace: string;
}

async function recordNamespaces({ namespace }: Inside): Promise<void> {
  const labels = { 'strongroom.dev/guarded': 'true', 'strongroom.dev/environment': 'Production' };
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } };
  await record('namespace-create', CAROL, creates(NAMESPACES, object));
  const unguarded = { metadata: { labels: { 'strongroom.dev/guarded': null } } };
  const patch = patches(NAMESPACES, { name: namespace }, unguarded);
  await record('namespace-update-dry-run', MALLORY, asDryRun(patch));
  await eventually(
    async () => {
      const answer = await admin.ask(gets(SERVICE_ACCOUNTS, { namespace, name: 'default' }));
      return answer.status === 200 || undefined;
    },
    { what: 'the default ServiceAccount', timeoutMs: 60_000 },
  );
}

async function recordAccounts(inside: Inside): Promise<void> {
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { ...inside, name: 'maker' },
  };
  await record('service-account-create', ALICE, creates(SERVICE_ACCOUNTS, account));
  const at = { ...inside, name: 'maker' };
  const asked = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: ['vault'], expirationSeconds: 600 },
  };
  await record('service-account-token', ALICE, posts(SERVICE_ACCOUNTS, at, 'token', asked));
}

async function recordSecrets(inside: Inside): Promise<void> {
  const secret = (name: string, more: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...inside, name },
    ...more,
  });
  const data = { value: NO_SECRET };
  await record('secret-create', ALICE, creates(SECRETS, secret('plain', { data })));
  const label = { metadata: { labels: { 'strongroom.dev/credential': 'maker' } } };
  await record('secret-update', MALLORY, patches(SECRETS, { ...inside, name: 'plain' }, label));
  const token = secret('', {
    type: 'kubernetes.io/service-account-token',
    metadata: {
      ...inside,
      generateName: 'token-',
      annotations: { 'kubernetes.io/service-account.name': 'maker' },
    },
  });
  // Only tried: the control plane would put a token into it.
  await record('secret-of-account-dry-run', MALLORY, asDryRun(creates(SECRETS, token)));
}

async function recordOwnKinds(inside: Inside): Promise<void> {
  const maker = { ...inside, name: 'maker' };
  const { metadata, ...rest } = credentialOf('maker');
  const { uid: _uid, ...kept } = metadata;
  await record(
    'exchange-credential-create',
    ALICE,
    creates(EXCHANGE_CREDENTIALS, { ...rest, metadata: kept }),
  );
  const given = { spec: { owner: 'market-making-2' } };
  await record('exchange-credential-update', ALICE, patches(EXCHANGE_CREDENTIALS, maker, given));
  const status = { status: { observedGeneration: 7 } };
  await record(
    'exchange-credential-status',
    MALLORY,
    patches(EXCHANGE_CREDENTIALS, maker, status, { subresource: 'status' }),
  );
  const policy = POLICIES.find((one) => one.metadata.name === 'lab');
  if (policy === undefined) throw new Error('the scene has no policy lab');
  await record(
    'access-policy-create',
    CAROL,
    creates(ACCESS_POLICIES, { ...policy, metadata: { name: 'lab' } }),
  );
  await record('access-policy-delete', MALLORY, deletes(ACCESS_POLICIES, { name: 'lab' }));
  const ban = block({ scope: { namespaces: [NAMESPACE] } });
  await record('ip-block-create', DORA, creates(IP_BLOCKS, ban));
  const access = emergency({ subject: { kind: 'User', name: 'bob' } });
  await record('emergency-access-create', NINA, creates(EMERGENCY_ACCESSES, access));
  const approval = { metadata: { annotations: { 'strongroom.dev/approve': 'seen and needed' } } };
  const at = { ...inside, name: access.metadata.name };
  await record('emergency-access-update', CAROL, patches(EMERGENCY_ACCESSES, at, approval));
}

/** By every field of the Pod API that names a Secret, and each of the Secrets by one at least. */
function everyReference(): object {
  const secretRef = (name: string): object => ({ secretRef: { name } });
  const runs = (name: string, one: string, other: string): object => ({
    name,
    image: 'main:1',
    env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: one, key: 'key', optional: true } } }],
    envFrom: [secretRef(other), { configMapRef: { name: 'settings' } }],
  });
  const volumes: Readonly<Record<string, object>> = {
    secret: { secretName: 'maker', items: [{ key: 'key', path: 'key' }] },
    projected: {
      sources: [
        { secret: { name: 'taker' } },
        { serviceAccountToken: { path: 'token', audience: 'vault' } },
      ],
    },
    cephfs: { monitors: ['192.0.2.1:6789'], ...secretRef('plain') },
    cinder: { volumeID: 'volume', ...secretRef('other') },
    flexVolume: { driver: 'example.com/driver', ...secretRef('plain') },
    iscsi: {
      targetPortal: '192.0.2.1:3260',
      iqn: 'iqn.2001-04.com.example:storage',
      lun: 0,
      chapAuthSession: true,
      ...secretRef('other'),
    },
    rbd: { monitors: ['192.0.2.1:6789'], image: 'image', ...secretRef('plain') },
    scaleIO: { gateway: 'https://192.0.2.1', system: 's', volumeName: 'v', ...secretRef('other') },
    storageos: { volumeName: 'v', volumeNamespace: 'n', ...secretRef('plain') },
    azureFile: { secretName: 'other', shareName: 'share' },
    csi: {
      driver: 'csi.example.com',
      nodePublishSecretRef: { name: 'imported-keys' },
      volumeAttributes: { secretName: 'import-me' },
    },
  };
  return {
    serviceAccountName: 'maker',
    initContainers: [runs('init', 'sim', 'plain')],
    containers: [runs('main', 'maker', 'other')],
    volumes: Object.entries(volumes).map(([kind, volume]) => ({
      name: kind.toLowerCase(),
      [kind]: volume,
    })),
    imagePullSecrets: [{ name: 'registry-pull' }],
  };
}

async function recordPods(inside: Inside): Promise<void> {
  const pod = (name: string, spec: object): KubeObject =>
    ({ apiVersion: 'v1', kind: 'Pod', metadata: { ...inside, name }, spec }) as KubeObject;
  await record('pod-create', ALICE, creates(PODS, pod('all-0', everyReference())));
  await must(creates(PODS, pod('maker-0', MAKER)));
  const at = { ...inside, name: 'maker-0' };
  const image = { spec: { containers: [{ name: 'main', image: 'main:2' }] } };
  await record('pod-update', ALICE, patches(PODS, at, image, { patch: 'strategic' }));
  const debug = { name: 'debug', image: 'debug:1', envFrom: [{ secretRef: { name: 'taker' } }] };
  await record(
    'pod-ephemeral-containers',
    MALLORY,
    patches(
      PODS,
      at,
      { spec: { ephemeralContainers: [debug] } },
      { subresource: 'ephemeralcontainers', patch: 'strategic' },
    ),
  );
  const relabelled = {
    metadata: { labels: { 'strongroom.dev/service-account': 'default' } },
    status: { message: 'seen' },
  };
  await record(
    'pod-status',
    MALLORY,
    asDryRun(patches(PODS, at, relabelled, { subresource: 'status' })),
  );
  const binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { ...at, labels: { 'strongroom.dev/service-account': 'default' } },
    target: { apiVersion: 'v1', kind: 'Node', name: 'one' },
  };
  await record('pod-binding', MALLORY, asDryRun(posts(PODS, at, 'binding', binding)));
}

/** Each is reviewed before anything is looked for at its other end. */
async function recordConnections(inside: Inside): Promise<void> {
  const pod = { ...inside, name: 'maker-0' };
  const exec = '?command=cat&command=/keys/key&container=main&stdout=true';
  await record('pod-exec', MALLORY, posts(PODS, pod, 'exec', undefined, exec));
  await record(
    'pod-attach',
    { username: 'bob' },
    posts(PODS, pod, 'attach', undefined, '?stdout=true'),
  );
  await record('pod-port-forward', undefined, posts(PODS, pod, 'portforward', undefined));
  await record('pod-proxy', MALLORY, gets(PODS, { ...inside, name: 'http:maker-0:80' }, 'proxy'));
  await record('service-proxy', MALLORY, gets(SERVICES, { ...inside, name: 'maker' }, 'proxy'));
  await record('node-proxy', MALLORY, gets(NODES, { name: 'one' }, 'proxy'));
}

function workload(kind: string, plural: string, group = 'apps'): Resource {
  return { group, version: 'v1', kind, plural, namespaced: true };
}

async function recordWorkloads(inside: Inside): Promise<void> {
  const labels = { app: 'maker' };
  const template = { metadata: { labels }, spec: MAKER };
  const object = (apiVersion: string, kind: string, spec: object): KubeObject =>
    ({ apiVersion, kind, metadata: { ...inside, name: 'maker' }, spec }) as KubeObject;
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  const at = { ...inside, name: 'maker' };
  const deployments = workload('Deployment', 'deployments');
  await record(
    'deployment-create',
    ALICE,
    creates(deployments, object('apps/v1', 'Deployment', spec)),
  );
  await recordController(
    'replica-set-create-by-controller',
    'deployment-controller',
    'replicasets',
  );
  await recordController('pod-create-by-controller', 'replicaset-controller', 'pods');
  const account = { spec: { template: { spec: { serviceAccountName: 'puller' } } } };
  await record('deployment-update', MALLORY, patches(deployments, at, account));
  const scale = { spec: { replicas: 2 } };
  await record(
    'deployment-scale',
    MALLORY,
    patches(deployments, at, scale, { subresource: 'scale' }),
  );
  await must(
    creates(
      workload('StatefulSet', 'statefulsets'),
      object('apps/v1', 'StatefulSet', { ...spec, serviceName: 'maker' }),
    ),
  );
  await recordController(
    'controller-revision-create-by-controller',
    'statefulset-controller',
    'controllerrevisions',
  );
  const runs = { template: { ...template, spec: { ...MAKER, restartPolicy: 'Never' } } };
  await record(
    'cron-job-create',
    ALICE,
    creates(
      workload('CronJob', 'cronjobs', 'batch'),
      object('batch/v1', 'CronJob', { schedule: '0 0 1 1 *', jobTemplate: { spec: runs } }),
    ),
  );
}

async function recordDeletions(inside: Inside): Promise<void> {
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: {
      ...inside,
      name: 'maker',
      labels: { 'app.kubernetes.io/managed-by': 'strongroom' },
    },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', ...inside, name: 'maker' }],
  } as KubeObject;
  await record('role-binding-create', MALLORY, creates(ROLE_BINDINGS, binding));
  const account = { ...inside, name: 'maker' };
  const pull = { imagePullSecrets: [{ name: 'registry-pull' }], secrets: [{ name: 'maker' }] };
  await record(
    'service-account-update',
    MALLORY,
    patches(SERVICE_ACCOUNTS, account, pull, { patch: 'strategic' }),
  );
  await record('secret-delete', ALICE, deletes(SECRETS, { ...inside, name: 'plain' }));
  await record('exchange-credential-delete-collection', MALLORY, {
    method: 'DELETE',
    path: `/apis/strongroom.dev/v1alpha1/namespaces/${inside.namespace}/exchangecredentials`,
  });
  await record('namespace-delete', MALLORY, deletes(NAMESPACES, { name: inside.namespace }));
}
