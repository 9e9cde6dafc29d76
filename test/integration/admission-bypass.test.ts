import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { Finding } from '../../src/api/access-policy.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import { NAMESPACE_ACCESSES } from '../../src/api/namespace-access.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import {
  CONFIG_MAPS,
  NODES,
  PODS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  VALIDATING_WEBHOOKS,
} from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createAdmissionInstallation } from './admission-installation.ts';
import type { AdmissionInstallation } from './admission-installation.ts';
import { asDryRun, creates, deletes, patches, posts } from './admission-people.ts';
import type { Answer, Ask, Person } from './admission-people.ts';
import {
  WORKLOADS,
  WORKLOAD_NAMES,
  credentialOf,
  isRefused,
  passes,
  podOf,
  removed,
  setAdmissionScene,
  workloadOf,
} from './admission-scene.ts';
import type { AdmissionScene, PersonName } from './admission-scene.ts';
import { createNamespace } from './cluster.ts';

const root = path.resolve(import.meta.dirname, '../..');
/**
 * Each known way round "only policy X lets somebody use Secret Y", tried by people whom RBAC lets do
 * everything: refused, or found and reported.
 */
describe('bypass checklist', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: AdmissionInstallation;
  let scene: AdmissionScene;
  let trading: string;

  beforeAll(async () => {
    installation = cleanup.use(await createAdmissionInstallation());
    cleanup.use(await installation.start('one'));
    const { client, scratch } = installation;
    scene = cleanup.use(await setAdmissionScene({ client, scratch }));
    trading = scene.trading.name;
    for (const pod of [
      podOf(trading, 'bot', { account: 'maker', secrets: ['maker-keys'], labels: { app: 'bot' } }),
      podOf(trading, 'harmless', { labels: { app: 'harmless' } }),
    ]) {
      await client.create(PODS, pod);
    }
  });
  afterAll(() => cleanup.disposeAsync());

  async function expectRefused(who: PersonName | Person, ask: Ask, why: RegExp): Promise<void> {
    const person = typeof who === 'string' ? scene.people[who] : who;
    for (const request of [asDryRun(ask), ask]) {
      const answer = await person.ask(request);
      const told = { who: person.name, path: request.path, ...shown(answer) };
      expect(told).toEqual({ ...told, status: 403, message: expect.stringMatching(why) });
    }
  }

  /** Whatever the answer is, it is not admission's; once the caches know what it is about. */
  async function expectPast(person: Person, ask: Ask): Promise<void> {
    await eventually(
      async () => !/admission webhook|AdmissionPolicy/.test((await person.ask(ask)).message),
      { what: `${ask.method} ${ask.path} as ${person.name} to get past admission` },
    );
  }

  async function expectReported(...types: readonly string[]): Promise<void> {
    for (const type of types) {
      await eventually(
        async () => {
          const { data } = await scene.client.get(CONFIG_MAPS, {
            namespace: installation.namespace,
            name: 'strongroom-status',
          });
          const { findings } = JSON.parse(data?.['status'] ?? '{}') as {
            readonly findings?: readonly Finding[];
          };
          return findings?.some(
            (finding) =>
              finding.type === type &&
              finding.severity !== 'Info' &&
              finding.subject?.includes(scene.anything) === true,
          );
        },
        { what: `the finding ${type} about ${scene.anything}`, timeoutMs: 60_000 },
      );
    }
  }

  /** A pod under an account that may not mount, made by somebody who may. */
  async function expectKeptOut(options: {
    readonly spec?: Readonly<Record<string, unknown>>;
    readonly container?: Readonly<Record<string, unknown>>;
  }): Promise<void> {
    const pod = (account: string) =>
      creates(PODS, podOf(trading, 'taker', { account, ...options }));
    await expectRefused(
      'deployer',
      pod('plain'),
      /uses the Secret maker-keys \(.+\).* needs .*AccessSecrets.*strongroom explain mount \S+ -n \S+ --as-service-account \S+\/plain/,
    );
    await passes(scene.people.deployer, pod('maker'));
  }

  it('environment variables of any container', async () => {
    expect.hasAssertions();
    const ways = [
      { env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'maker-keys', key: 'key' } } }] },
      { envFrom: [{ secretRef: { name: 'maker-keys' } }] },
    ];
    for (const way of ways) {
      await expectKeptOut({ container: way });
      const first = { name: 'first', image: 'strongroom.test/none:1', ...way };
      await expectKeptOut({ spec: { initContainers: [first] } });
      await expectRefused('deployer', addContainer('harmless', way), /maker-keys|maker/);
    }
  });

  it('projected volumes', async () => {
    expect.hasAssertions();
    const projected = {
      sources: [
        { downwardAPI: { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] } },
        { secret: { name: 'maker-keys' } },
      ],
    };
    await expectKeptOut({ spec: { volumes: [{ name: 'keys', projected }] } });
  });

  it('pull secrets of pods and ServiceAccounts', async () => {
    expect.hasAssertions();
    const imagePullSecrets = [{ name: 'maker-keys' }];
    await expectKeptOut({ spec: { imagePullSecrets } });
    const account = (name: string) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace: trading },
      imagePullSecrets,
    });
    await expectRefused('mallory', creates(SERVICE_ACCOUNTS, account('puller')), /maker/);
    const plain = { namespace: trading, name: 'plain' };
    await expectRefused('mallory', patches(SERVICE_ACCOUNTS, plain, { imagePullSecrets }), /maker/);
    await passes(scene.people.deployer, creates(SERVICE_ACCOUNTS, account('puller')));
    // Where such an account is there already, its pods are no way round either.
    await using stack = new AsyncDisposableStack();
    await scene.client.create(SERVICE_ACCOUNTS, account('puller'));
    stack.defer(() =>
      scene.client.delete(SERVICE_ACCOUNTS, { namespace: trading, name: 'puller' }),
    );
    await eventually(
      async () => {
        const ask = creates(PODS, podOf(trading, 'taker', { account: 'puller' }));
        const answer = await scene.people.deployer.ask(asDryRun(ask));
        return answer.status === 403 && /maker/.test(answer.message);
      },
      { what: 'a pod under an account with a pull secret to be refused' },
    );
  });

  it('volume drivers that take a Secret', async () => {
    expect.hasAssertions();
    const secretRef = { name: 'maker-keys' };
    const drivers: readonly Readonly<Record<string, unknown>>[] = [
      { csi: { driver: 'csi.example.com', nodePublishSecretRef: secretRef } },
      {
        iscsi: {
          targetPortal: '192.0.2.1:3260',
          iqn: 'iqn.2026-01.com.example:disk',
          lun: 0,
          chapAuthSession: true,
          secretRef,
        },
      },
      { rbd: { monitors: ['192.0.2.1'], image: 'disk', secretRef } },
      { cephfs: { monitors: ['192.0.2.1'], secretRef } },
      { azureFile: { secretName: 'maker-keys', shareName: 'share' } },
      { flexVolume: { driver: 'example.com/disk', secretRef } },
      { scaleIO: { gateway: 'https://192.0.2.1', system: 's', volumeName: 'v', secretRef } },
      { storageos: { volumeName: 'v', secretRef } },
    ];
    for (const driver of drivers) {
      await expectKeptOut({ spec: { volumes: [{ name: 'disk', ...driver }] } });
    }
  });

  it('ephemeral containers', async () => {
    expect.hasAssertions();
    await expectRefused('mallory', addContainer('bot'), /AccessSecrets/);
    await passes(scene.people.deployer, addContainer('bot'));
    await passes(scene.people.mallory, addContainer('harmless'));
    await expectReported('EphemeralContainers');
  });

  it('exec, attach, port-forward and proxy', async () => {
    await using stack = new AsyncDisposableStack();
    const service = { namespace: trading, name: 'bot' };
    await scene.client.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: service,
      spec: { selector: { app: 'bot' }, ports: [{ port: 80 }] },
    } as KubeObject);
    stack.defer(() => scene.client.delete(SERVICES, service));
    const into = (name: string): readonly Ask[] => {
      const pod = `/api/v1/namespaces/${trading}/pods/${name}`;
      return [
        { method: 'POST', path: `${pod}/exec?command=id&stdout=true` },
        // A WebSocket begins like this.
        { method: 'GET', path: `${pod}/exec?command=id&stdout=true` },
        { method: 'POST', path: `${pod}/attach?stdout=true` },
        { method: 'POST', path: `${pod}/portforward?ports=80` },
        { method: 'GET', path: `${pod}/proxy/` },
      ];
    };
    const through: Ask = {
      method: 'GET',
      path: `/api/v1/namespaces/${trading}/services/bot/proxy/`,
    };
    // The caches have to know of both; until then it is refused with another reason.
    for (const ask of [into('bot')[0] ?? through, through]) {
      await eventually(
        async () => /EmergencyAccess/.test((await scene.people.mallory.ask(ask)).message),
        { what: `${ask.path} to be known` },
      );
    }
    for (const ask of [...into('bot'), through]) {
      for (const who of ['mallory', 'deployer', 'keeper', 'responder'] as const) {
        const { status, message } = await scene.people[who].ask(ask);
        expect([who, ask.path, status, message]).toEqual([
          who,
          ask.path,
          403,
          expect.stringMatching(/EmergencyAccess/),
        ]);
      }
      await expectPast(scene.admin, ask);
    }
    for (const ask of into('harmless')) await expectPast(scene.people.mallory, ask);
    for (const ask of into('nobody-knows-it')) {
      expect(shown(await scene.people.mallory.ask(ask))).toMatchObject({
        message: expect.stringMatching(/denied the request.*not known/s),
      });
    }
    await expectReported('PodExec', 'Proxy');
  });

  it('nodes/proxy and the kubelet', async () => {
    await using stack = new AsyncDisposableStack();
    const node = { name: scene.named('node') };
    await scene.client.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: node });
    stack.defer(() => scene.client.delete(NODES, node));
    const ask: Ask = { method: 'GET', path: `/api/v1/nodes/${node.name}/proxy/pods` };
    // Nothing of ours runs there.
    await expectPast(scene.people.mallory, ask);
    const pod = podOf(trading, 'placed', {
      account: 'maker',
      secrets: ['maker-keys'],
      spec: { nodeName: node.name },
    });
    await scene.client.create(PODS, pod);
    stack.defer(() => scene.client.delete(PODS, pod.metadata, { gracePeriodSeconds: 0 }));
    const answer = await eventually(
      async () => {
        const said = await scene.people.mallory.ask(ask);
        return said.status === 403 ? said : undefined;
      },
      { what: 'the proxy of a node with a guarded pod to be refused' },
    );
    expect(answer.message).toMatch(/strongroom/i);
    await expectPast(scene.admin, ask);
    await expectReported('NodesProxy');
  });

  it('workloads under a ServiceAccount that may more', async () => {
    expect.hasAssertions();
    for (const kind of WORKLOAD_NAMES) {
      const make = (account: string, secrets: readonly string[] = []): Ask =>
        creates(WORKLOADS[kind], workloadOf(kind, trading, 'taker', { account, secrets }));
      await expectRefused(
        'mallory',
        make('maker'),
        /runs under ServiceAccount \S+\/maker, which .* AccessSecrets at Read .*credential maker; .* does not hold that/,
      );
      await expectRefused('deployer', make('plain', ['maker-keys']), /maker/);
      await passes(scene.people.deployer, make('maker', ['maker-keys']));
      await passes(scene.people.mallory, make('plain'));
    }
    await expectReported('WorkloadCreate');
  });

  it('workloads made before their account had a right', async () => {
    // No policy gives it anything, and nobody has made it; later its pods are made without a question.
    for (const kind of WORKLOAD_NAMES) {
      const parts = { account: 'not-yet', secrets: ['not-yet-keys'] };
      const early = creates(WORKLOADS[kind], workloadOf(kind, trading, 'early', parts));
      expect(await passes(scene.people.mallory, early)).toMatchObject({ status: 201 });
    }
    await expectReported('WorkloadCreate');
  });

  it('what a pod runs', async () => {
    const script = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: trading, name: 'start' },
      data: { 'start.sh': 'cat /keys/*' },
    };
    const answer = await scene.people.mallory.ask(asDryRun(creates(CONFIG_MAPS, script)));
    expect(answer).toMatchObject({ status: 201, warnings: [] });
  });

  it('tokens, impersonation and rights that make rights', async () => {
    const token = (account: string): Ask =>
      posts(SERVICE_ACCOUNTS, { namespace: trading, name: account }, 'token', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 600 },
      });
    await expectRefused('mallory', token('maker'), /AccessSecrets/);
    await passes(scene.people.deployer, token('maker'));
    await passes(scene.people.mallory, token('plain'));
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/service-account-token',
      metadata: {
        name: 'token',
        namespace: trading,
        annotations: { 'kubernetes.io/service-account.name': 'maker' },
      },
    };
    await expectRefused('mallory', creates(SECRETS, secret), /maker/);
    // Whoever acts as somebody else is that one to admission: no more, and no less.
    const { usernameOf, anything, people } = scene;
    const pod = creates(PODS, podOf(trading, 'taker', { account: 'maker' }));
    const acting = (name: PersonName) => ({ username: usernameOf(name), groups: [anything] });
    const asMallory = await scene.admin.ask(asDryRun(pod), acting('mallory'));
    expect(asMallory).toMatchObject({ status: 403 });
    const asDeployer = await people.mallory.ask(asDryRun(pod), acting('deployer'));
    expect(asDeployer).toMatchObject({ status: 201 });
    await expectReported(
      'TokenRequest',
      'Impersonate',
      'Escalate',
      'Bind',
      'CertificateApproval',
      'AdmissionConfiguration',
    );
  });

  it('list and watch of Secrets', async () => {
    // No admission is asked for a read: RBAC alone decides, so that it has to be found there.
    const list: Ask = { method: 'GET', path: `/api/v1/namespaces/${trading}/secrets` };
    expect(await scene.people.mallory.ask(list)).toMatchObject({ status: 200 });
    await expectReported('SecretRead');
    const roles = await eventually(
      async () => {
        const { items } = await scene.client.list(
          ROLES,
          { namespace: trading },
          { labelSelector: 'strongroom.dev/component=access-policy' },
        );
        const onSecrets = items.flatMap(({ rules }) =>
          (rules ?? []).filter(({ resources }) => resources?.includes('secrets')),
        );
        return onSecrets.length > 0 ? onSecrets : undefined;
      },
      { what: 'the standing rights of the policies' },
    );
    for (const { verbs, resourceNames } of roles) {
      expect(verbs).toEqual(['get']);
      expect(resourceNames?.length).toBeGreaterThan(0);
    }
  });

  it('static pods', async () => {
    // A kubelet may tell of the pods that it runs from files, but for those that need the API.
    const node = scene.named('static');
    await using stack = new AsyncDisposableStack();
    const { metadata } = await scene.client.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: node },
    });
    stack.defer(() => scene.client.delete(NODES, { name: node }));
    const mirror = (spec: Readonly<Record<string, unknown>>): Ask =>
      creates(PODS, {
        ...podOf(trading, 'static'),
        metadata: {
          namespace: trading,
          name: 'static',
          annotations: { 'kubernetes.io/config.mirror': 'x' },
          ownerReferences: [
            { apiVersion: 'v1', kind: 'Node', name: node, uid: metadata.uid, controller: true },
          ],
        },
        spec: {
          nodeName: node,
          containers: [{ name: 'main', image: 'strongroom.test/none:1' }],
          ...spec,
        },
      } as KubeObject);
    const kubelet = {
      username: `system:node:${node}`,
      groups: ['system:nodes', 'system:authenticated', scene.anything],
    };
    const volumes = [{ name: 'keys', secret: { secretName: 'maker-keys' } }];
    for (const spec of [{ volumes }, { serviceAccountName: 'maker' }]) {
      const answer = await scene.admin.ask(asDryRun(mirror(spec)), kubelet);
      expect(shown(answer)).toMatchObject({
        status: 403,
        message: expect.stringMatching(/may not reference|can not create pods that reference/),
      });
    }
    expect(shown(await scene.admin.ask(asDryRun(mirror({})), kubelet))).toMatchObject({
      status: 201,
    });
  });

  it('pods that were there before the credential', async () => {
    await using stack = new AsyncDisposableStack();
    const { client, people } = scene;
    const names = ['late-keys', 'free-keys'];
    for (const secret of names) {
      // Nobody delivers anything there yet, so that whoever can make pods makes them.
      const options = { account: 'plain', secrets: [secret] };
      const pod = podOf(trading, `early-${secret}`, options);
      expect(await people.mallory.ask(creates(PODS, pod))).toMatchObject({ status: 201 });
      stack.defer(() =>
        removed(client.delete(PODS, { namespace: trading, name: `early-${secret}` })),
      );
      await expectPast(people.mallory, {
        method: 'POST',
        path: `/api/v1/namespaces/${trading}/pods/early-${secret}/exec?command=id&stdout=true`,
      });
    }
    const at = { namespace: trading, name: 'late' };
    const made = await people.writer.ask(creates(EXCHANGE_CREDENTIALS, credentialOf(at)));
    expect(made).toMatchObject({ status: 201 });
    stack.defer(() => removed(client.delete(EXCHANGE_CREDENTIALS, at)));
    const delivered = async () =>
      (await client.get(EXCHANGE_CREDENTIALS, at)).status?.conditions?.find(
        ({ type }) => type === 'Delivered',
      );
    const condition = await eventually(
      async () => {
        const found = await delivered();
        return found?.reason === 'PodsWithoutRight' ? found : undefined;
      },
      { what: 'the delivery to be withheld' },
    );
    expect(condition.message).toContain('early-late-keys (ServiceAccount plain)');
    expect(await client.find(SECRETS, { namespace: trading, name: 'late-keys' })).toBeUndefined();
    await expectRefused(
      'writer',
      patches(
        EXCHANGE_CREDENTIALS,
        { namespace: trading, name: 'maker' },
        { spec: { delivery: { secret: { name: 'free-keys' } } } },
      ),
      /early-free-keys \(ServiceAccount plain\)/,
    );
    await client.delete(PODS, { namespace: trading, name: 'early-late-keys' });
    await eventually(async () => (await delivered())?.status === 'True', {
      what: 'the delivery to go on by itself',
    });
  });

  it('pods that outlive their Secret', async () => {
    await using stack = new AsyncDisposableStack();
    const { client, people } = scene;
    const old = await scene.credential('old');
    const at = { namespace: trading, name: 'keeps-it' };
    await client.create(PODS, podOf(trading, at.name, { secrets: ['old-keys'] }));
    stack.defer(() => removed(client.delete(PODS, at)));
    const exec: Ask = {
      method: 'POST',
      path: `/api/v1/namespaces/${trading}/pods/keeps-it/exec?command=id&stdout=true`,
    };
    const isKeptOut = async (): Promise<boolean> =>
      /EmergencyAccess/.test((await people.mallory.ask(exec)).message);
    await eventually(isKeptOut, { what: 'the pod to be known' });
    await old[Symbol.asyncDispose]();
    const former = async () =>
      (await client.find(NAMESPACE_ACCESSES, { namespace: trading, name: 'strongroom' }))?.spec
        .formerSecrets;
    await eventually(
      async () => {
        expect(await isKeptOut()).toBe(true);
        return (await former())?.includes('old-keys');
      },
      { what: 'the former Secret to be remembered' },
    );
    // The webhook alone decides now about the pods of the namespace.
    await expectRefused('mallory', addContainer('keeps-it'), /old-keys/);
    const stopped = await installation.stopAll();
    cleanup.use(await stopped.startAgain());
    await eventually(isKeptOut, { what: 'a new process to know of it' });
    await client.delete(PODS, at);
    await eventually(async () => (await former()) === undefined, {
      what: 'the former Secret to be forgotten',
    });
  });

  it('copies of managed Secrets', async () => {
    const at = { namespace: trading, name: 'maker-keys' };
    const { data = {} } = await scene.client.get(SECRETS, at);
    for (const who of ['mallory', 'deployer', 'keeper', 'security'] as const) {
      const other = { data: { key: Buffer.from('mine').toString('base64') } };
      await expectRefused(who, patches(SECRETS, at, other), /strongroom/i);
      const off = { metadata: { labels: { 'strongroom.dev/credential': null } } };
      await expectRefused(who, patches(SECRETS, at, off), /strongroom/i);
      await expectRefused(who, deletes(SECRETS, at), /strongroom/i);
    }
    const forged = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        namespace: trading,
        name: 'forged',
        labels: { 'strongroom.dev/credential': 'maker' },
      },
    };
    await expectRefused('mallory', creates(SECRETS, forged), /strongroom/i);
    // A controller that copies, such as a reflector, is not stopped; it is told of.
    await using elsewhere = await createNamespace(scene.client, 'elsewhere');
    for (const namespace of [trading, elsewhere.name]) {
      const copy = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name: 'copy' },
        data,
      };
      expect(await scene.people.mallory.ask(creates(SECRETS, copy))).toMatchObject({ status: 201 });
      await installation.noticed('ManagedValueCopied', `${namespace}/copy`);
    }
    await scene.client.delete(SECRETS, { namespace: trading, name: 'copy' });
  });

  it('hostPath volumes and privileged pods', async () => {
    expect.hasAssertions();
    await expectReported('HostPathVolume');
    // Pod Security, as the guide to guarding a namespace has it set.
    await using secured = await createNamespace(scene.client, 'secured', {
      'strongroom.dev/guarded': 'true',
      'pod-security.kubernetes.io/enforce': 'baseline',
    });
    const account = { name: 'plain', namespace: secured.name };
    await scene.client.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: account,
    });
    const kubelet = { name: 'kubelet', hostPath: { path: '/var/lib/kubelet' } };
    for (const options of [
      { container: { securityContext: { privileged: true } } },
      { spec: { volumes: [kubelet] } },
      { spec: { hostPID: true } },
    ]) {
      const pod = creates(PODS, podOf(secured.name, 'taker', options));
      await expectRefused('mallory', pod, /violates PodSecurity/);
    }
    await passes(scene.people.mallory, creates(PODS, podOf(secured.name, 'harmless')));
  });

  it('the audit log of the API server', async () => {
    const policy = parse(
      await readFile(path.join(root, 'examples/kubernetes/audit-policy.yaml'), 'utf8'),
    ) as { readonly rules: readonly AuditRule[] };
    const everything = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
    for (const [group, resource] of [
      ['', 'secrets'],
      ['', 'configmaps'],
      ['', 'serviceaccounts/token'],
      ['', 'pods/exec'],
      ['authentication.k8s.io', 'tokenreviews'],
      [EXCHANGE_CREDENTIALS.group, EXCHANGE_CREDENTIALS.plural],
      [ACCESS_POLICIES.group, ACCESS_POLICIES.plural],
    ] as const) {
      for (const verb of everything) {
        const level = policy.rules.find((rule) => covers(rule, group, resource, verb))?.level;
        expect([group, resource, verb, level]).toEqual([group, resource, verb, 'Metadata']);
      }
    }
    const rbac = policy.rules.find((rule) =>
      covers(rule, 'rbac.authorization.k8s.io', 'rolebindings', 'create'),
    );
    expect(rbac?.level).toBe('RequestResponse');
  });

  it('admission that is away or taken away', async () => {
    const pod = (account: string, secrets: readonly string[] = []): Ask =>
      creates(PODS, podOf(trading, 'taker', { account, secrets }));
    const ownKind = patches(
      EXCHANGE_CREDENTIALS,
      { namespace: trading, name: 'maker' },
      { metadata: { annotations: { 'example.com/note': 'x' } } },
    );
    const taken = await installation.stopAll();
    // The twin decides alone, both ways.
    await expectRefused('mallory', pod('maker'), /ValidatingAdmissionPolicy/);
    await expectRefused('deployer', pod('plain', ['maker-keys']), /ValidatingAdmissionPolicy/);
    await passes(scene.people.deployer, pod('maker', ['maker-keys']));
    await passes(scene.people.mallory, pod('plain'));
    // What only the webhook can decide is refused in guarded namespaces, and let be elsewhere.
    for (const ask of [ownKind, unlabels(trading)]) {
      const answer = await scene.people.keeper.ask(asDryRun(ask));
      expect(shown(answer)).toMatchObject({
        status: 500,
        message: expect.stringMatching(
          /failed calling webhook "(stamp|namespaces)\.strongroom\.dev"/,
        ),
      });
    }
    await using elsewhere = await createNamespace(scene.client, 'elsewhere');
    for (const namespace of [elsewhere.name, 'kube-system', installation.namespace]) {
      const at = { namespace, name: 'note' };
      const note = { apiVersion: 'v1', kind: 'ConfigMap', metadata: at };
      expect(await scene.people.mallory.ask(asDryRun(creates(CONFIG_MAPS, note)))).toMatchObject({
        status: 201,
      });
    }
    cleanup.use(await taken.startAgain());
    await isRefused(scene.people.mallory, ownKind);
    await passes(scene.people.writer, ownKind);

    // The emergency exit works, is told, and is not fought over.
    await installation.deleteWebhooks();
    await installation.noticed('AdmissionConfigurationMissing', 'strongroom-admission');
    await passes(scene.people.mallory, ownKind);
    await expectRefused('mallory', pod('maker'), /ValidatingAdmissionPolicy/);
    expect(await installation.command(['admission', 'restore'])).toMatchObject({ code: 0 });
    await isRefused(scene.people.mallory, ownKind);
    await passes(scene.people.writer, ownKind);

    // So does opening it a little.
    const opens = [{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }] as const;
    const at = { name: 'strongroom-admission' };
    const first = async (): Promise<string | undefined> =>
      (await scene.client.get(VALIDATING_WEBHOOKS, at)).webhooks?.[0]?.failurePolicy;
    expect(await first()).toBe('Fail');
    await scene.client.jsonPatch(VALIDATING_WEBHOOKS, at, opens);
    await installation.noticed('AdmissionConfigurationChanged', 'strongroom-admission');
    expect(await first()).toBe('Ignore');
    expect(await installation.command(['admission', 'restore'])).toMatchObject({ code: 0 });
    expect(await first()).toBe('Fail');
  });

  it('has a test for each row of the docs, and no other', async () => {
    const [docs, source] = await Promise.all([
      readFile(path.join(root, 'docs/bypass-checklist.md'), 'utf8'),
      readFile(import.meta.filename, 'utf8'),
    ]);
    const rows = Array.from(docs.matchAll(/^\| \*\*.*\| `([^`]+)` \|$/gm), ([, name]) => name);
    const tests = Array.from(source.matchAll(/^ {2}it\('([^']+)'/gm), ([, name]) => name);
    expect(rows.length).toBeGreaterThan(10);
    expect(new Set(tests)).toEqual(
      new Set([...rows, expect.getState().currentTestName?.split(' > ').at(-1)]),
    );
  });

  function addContainer(pod: string, more: Readonly<Record<string, unknown>> = {}): Ask {
    const container = { name: 'debug', image: 'strongroom.test/none:1', ...more };
    return patches(
      PODS,
      { namespace: trading, name: pod },
      { spec: { ephemeralContainers: [container] } },
      { subresource: 'ephemeralcontainers', patch: 'strategic' },
    );
  }

  function unlabels(namespace: string): Ask {
    return {
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}`,
      body: { metadata: { labels: { 'strongroom.dev/guarded': null } } },
    };
  }
});

interface AuditRule {
  readonly level: string;
  readonly verbs?: readonly string[];
  readonly resources?: readonly {
    readonly group: string;
    readonly resources?: readonly string[];
  }[];
}

/** As the API server matches a rule of its audit policy; the first that matches counts. */
function covers(rule: AuditRule, group: string, resource: string, verb: string): boolean {
  if (rule.verbs !== undefined && !rule.verbs.includes(verb)) return false;
  if (rule.resources === undefined) return true;
  return rule.resources.some(
    (one) => one.group === group && (one.resources?.includes(resource) ?? true),
  );
}

function shown({ status, message }: Answer): { readonly status: number; readonly message: string } {
  return { status, message };
}
