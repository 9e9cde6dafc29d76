import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicy } from '../../src/api/access-policy.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { IP_BLOCKS } from '../../src/api/ip-block.ts';
import type { IPBlock } from '../../src/api/ip-block.ts';
import { WEBHOOK_PROBE } from '../../src/admission/probes.ts';
import { CONFIG_MAPS, LEASES, NAMESPACES, PODS, SECRETS } from '../../src/kube/resources.ts';
import type { Pod, Secret } from '../../src/kube/objects.ts';
import { externalCluster, nodeSupport } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { runProgram } from '../integration/operator-process.ts';
import { install, OPERATOR_NAMESPACE, SHELL_IMAGE } from './installation.ts';
import type { Installation } from './installation.ts';

const NAMESPACE = 'trading';

/** Of the images of these suites; they are not in foreign nodes. */
function reasonToSkip(): string | undefined {
  if (externalCluster() !== undefined) {
    return 'the suite needs nodes of its own, into which it can load the image';
  }
  const support = nodeSupport();
  return support.supported ? undefined : support.reason;
}

const skipped = reasonToSkip();

describe.skipIf(skipped !== undefined)(
  `the installed operator, on a node${skipped === undefined ? '' : ` (skipped: ${skipped})`}`,
  () => {
    const cleanup = new AsyncDisposableStack();
    let installation: Installation;
    let scratch: string;

    beforeAll(async () => {
      installation = cleanup.use(await install((line) => console.error(line)));
      scratch = await mkdtemp(path.join(tmpdir(), 'strongroom-node-'));
      cleanup.defer(() => rm(scratch, { recursive: true, force: true }));
      await installation.client.create(NAMESPACES, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: NAMESPACE, labels: { 'strongroom.dev/guarded': 'true' } },
      });
      // The bots of the desk, whose pods mount what is delivered here.
      await installation.client.create<AccessPolicy>(ACCESS_POLICIES, {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { name: 'bots' },
        spec: {
          subjects: [{ kind: 'ServiceAccount', namespace: NAMESPACE, name: 'default' }],
          permissions: ['AccessSecrets'],
          environments: ['Production'],
          credentials: { namespaces: [NAMESPACE] },
        },
      });
    });
    afterAll(() => cleanup.disposeAsync());

    const newKey = (): string => `0x${randomBytes(32).toString('hex')}`;

    /** Seals a value with the command line into a manifest, and applies that, as GitOps would. */
    async function sealAndApply(name: string, key: string): Promise<void> {
      const file = path.join(scratch, `${name}.yaml`);
      await writeFile(
        file,
        `apiVersion: strongroom.dev/v1alpha1
kind: ExchangeCredential
metadata: { name: ${name}, namespace: ${NAMESPACE} }
spec:
  exchange: Hyperliquid
  type: PrivateKey
  environment: Production
  owner: market-making
  delivery:
    secret: { name: ${name}, keys: { privateKey: KEY } }
`,
      );
      const args = ['seal', '--into', file, '--field', 'privateKey', '--stdin'];
      const { kubeconfig, program, kubectl } = installation;
      const result = await runProgram(program, args, { kubeconfig, stdin: key });
      expect(result).toMatchObject({ code: 0 });
      await kubectl(['apply', '--server-side', '-f', file]);
    }

    async function startPod(name: string, spec: object, labels = {}): Promise<Pod> {
      const { client, kubectl } = installation;
      const { namespace = NAMESPACE, ...rest } = spec as { namespace?: string };
      const container = {
        name: 'shell',
        image: SHELL_IMAGE,
        imagePullPolicy: 'Never',
        command: ['sleep', 'infinity'],
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          runAsNonRoot: true,
          runAsUser: 1000,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        ...rest,
      };
      const { volumes, ...only } = container as { volumes?: unknown };
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          containers: [only],
          ...(volumes === undefined ? {} : { volumes }),
        },
      };
      await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
      await kubectl([
        'wait',
        '-n',
        namespace,
        '--for=condition=Ready',
        `pod/${name}`,
        '--timeout=120s',
      ]);
      return await client.get(PODS, { namespace, name });
    }

    function inPod(
      name: string,
      command: readonly string[],
      namespace = NAMESPACE,
    ): Promise<string> {
      return installation.kubectl(['exec', '-n', namespace, name, '--', ...command]);
    }

    function credential(name: string): Promise<ExchangeCredential> {
      return installation.client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
        namespace: NAMESPACE,
        name,
      });
    }

    function deliveredVersion(name: string, version: number): Promise<ExchangeCredential> {
      return eventually(
        async () => {
          const found = await credential(name);
          return found.status?.delivery?.version === version ? found : undefined;
        },
        { what: `version ${version} of ${name} to be delivered`, timeoutMs: 60_000 },
      );
    }

    /** Start times are whole seconds: within the same one nobody could tell what came first. */
    async function secondAfter(time: string | undefined): Promise<void> {
      expect(time).toBeDefined();
      await eventually(() => Date.now() > Date.parse(time ?? '') + 1000, {
        what: 'the next second',
      });
    }

    async function operatorPods(): Promise<readonly Pod[]> {
      const { items } = await installation.client.list(
        PODS,
        { namespace: OPERATOR_NAMESPACE },
        { labelSelector: 'app.kubernetes.io/component=operator' },
      );
      return items;
    }

    async function leader(): Promise<string | undefined> {
      const lease = await installation.client.get(LEASES, {
        namespace: OPERATOR_NAMESPACE,
        name: 'strongroom-operator',
      });
      return (await operatorPods()).find(
        ({ metadata }) => lease.spec?.holderIdentity?.startsWith(metadata.name) === true,
      )?.metadata.name;
    }

    const KEY_VOLUME = (secretName: string) => ({
      volumeMounts: [{ name: 'key', mountPath: '/keys', readOnly: true }],
      volumes: [{ name: 'key', secret: { secretName } }],
    });

    it('runs as three restricted pods, from an image without a shell', async () => {
      const pods = await operatorPods();
      expect(pods.map(({ status }) => status?.phase)).toEqual(['Running', 'Running', 'Running']);
      const name = pods[0]?.metadata.name ?? '';
      await expect(inPod(name, ['sh', '-c', 'true'], OPERATOR_NAMESPACE)).rejects.toThrow(
        /executable file not found|no such file/,
      );
      const version = await inPod(
        name,
        ['/usr/local/bin/node', '/app/dist/strongroom.js', 'version'],
        OPERATOR_NAMESPACE,
      );
      expect(version).toContain('0.1.0');
      expect((await stat(installation.image)).size).toBeLessThan(80_000_000);
    });

    it('reviews what the API server is asked', async () => {
      const { client, kubeconfig, program } = installation;
      const found = await eventually(
        async () => {
          const doctor = await runProgram(program, ['doctor', '-o', 'json'], { kubeconfig });
          return doctor.code === 0 ? doctor.stdout : undefined;
        },
        { what: 'doctor to find nothing wrong', timeoutMs: 90_000, intervalMs: 1000 },
      );
      expect(JSON.parse(found)).toMatchObject({ guards: true });
      await expect(
        client.create<IPBlock>(IP_BLOCKS, WEBHOOK_PROBE, { dryRun: true }),
      ).rejects.toThrow(/admission webhook "objects\.strongroom\.dev" denied/);
    });

    it('brings a sealed value into the mount of a pod, and its replacement into the same pod', async () => {
      const [first, second] = [newKey(), newKey()];
      await sealAndApply('maker', first);
      await deliveredVersion('maker', 1);
      const pod = await startPod('bot', KEY_VOLUME('maker'));
      expect(await inPod('bot', ['cat', '/keys/KEY'])).toBe(first);

      await sealAndApply('maker', second);
      await deliveredVersion('maker', 2);
      await eventually(async () => (await inPod('bot', ['cat', '/keys/KEY'])) === second, {
        what: 'the second key in the mount',
        timeoutMs: 150_000,
        intervalMs: 500,
      });
      const after = await installation.client.get(PODS, { namespace: NAMESPACE, name: 'bot' });
      expect(after.metadata.uid).toBe(pod.metadata.uid);
      expect(await inPod('bot', ['ls', '/keys'])).toBe('KEY\n');
    });

    it('says who uses a credential, and does not claim to know what an old environment holds', async () => {
      await sealAndApply('shared', newKey());
      const { status } = await deliveredVersion('shared', 1);
      await secondAfter(status?.delivery?.deliveredAt);
      await startPod('mounts', KEY_VOLUME('shared'));
      await startPod('reads', {
        env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'shared', key: 'KEY' } } }],
      });
      const consumers = async (): Promise<Record<string, unknown>> =>
        Object.fromEntries(
          ((await credential('shared')).status?.consumers ?? []).map(
            ({ pod, use, version, evidence }) => [pod, { use, version, evidence }],
          ),
        );
      await eventually(
        async () => {
          const found = await consumers();
          expect(found).toEqual({
            mounts: { use: 'Volume', version: 1, evidence: 'StartedAfterDelivery' },
            reads: { use: 'Environment', version: 1, evidence: 'StartedAfterDelivery' },
          });
          return true;
        },
        { what: 'both pods in status', timeoutMs: 60_000 },
      );

      const reads = await installation.client.get(PODS, { namespace: NAMESPACE, name: 'reads' });
      await secondAfter(reads.status?.containerStatuses?.[0]?.state?.running?.startedAt);

      await sealAndApply('shared', newKey());
      await deliveredVersion('shared', 2);
      await eventually(
        async () => {
          const found = await consumers();
          // An environment is read once. A mount changes by itself, but when is not to be seen.
          expect(found).toEqual({
            mounts: { use: 'Volume', version: undefined, evidence: 'Unknown' },
            reads: { use: 'Environment', version: undefined, evidence: 'Stale' },
          });
          return true;
        },
        { what: 'the pod with the old environment to be called stale', timeoutMs: 60_000 },
      );
    });

    it('goes on when the leading pod is killed, and leaves alone what was delivered', async () => {
      const { client, kubectl } = installation;
      const before = await client.get(SECRETS, { namespace: NAMESPACE, name: 'maker' });
      const killed = await eventually(leader, { what: 'a leader' });
      await kubectl([
        'delete',
        'pod',
        '-n',
        OPERATOR_NAMESPACE,
        killed,
        '--grace-period=0',
        '--force',
      ]);
      const key = newKey();
      await sealAndApply('after-failover', key);
      await deliveredVersion('after-failover', 1);
      expect(await leader()).not.toBe(killed);
      const secret = await client.get(SECRETS, { namespace: NAMESPACE, name: 'after-failover' });
      expect(Buffer.from(secret.data?.['KEY'] ?? '', 'base64').toString('utf8')).toBe(key);
      const after = await client.get(SECRETS, { namespace: NAMESPACE, name: 'maker' });
      expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    });

    it('may be reached for health and reviews alone, and reaches the API server alone', async () => {
      // A pod with the operator's labels falls under its policy; without a template hash no
      // ReplicaSet adopts it, and unready it gets no traffic of a Service.
      const { metadata } = (await operatorPods())[0] ?? {};
      const labels = Object.fromEntries(
        Object.entries(metadata?.labels ?? {}).filter(([name]) => name !== 'pod-template-hash'),
      );
      const listens = { command: ['perl', '-e', LISTEN] };
      await startPod('like-the-operator', { ...listens, namespace: OPERATOR_NAMESPACE }, labels);
      await startPod('listens', listens);
      await startPod('other', {});
      const address = async (namespace: string, name: string): Promise<string> =>
        await installation.kubectl([
          'get',
          'pod',
          '-n',
          namespace,
          name,
          '-o',
          'jsonpath={.status.podIP}',
        ]);
      const listening = await address(NAMESPACE, 'listens');
      const alike = await address(OPERATOR_NAMESPACE, 'like-the-operator');
      const operator = await address(OPERATOR_NAMESPACE, metadata?.name ?? '');
      const connect = (namespace: string, from: string, host: string, port: number) =>
        inPod(from, ['timeout', '3', 'bash', '-c', `exec 3<>/dev/tcp/${host}/${port}`], namespace);

      await expect(connect(NAMESPACE, 'other', listening, 9000)).resolves.toBe('');
      for (const port of [8080, 8443]) {
        await expect(connect(NAMESPACE, 'other', operator, port)).resolves.toBe('');
      }
      await expect(connect(NAMESPACE, 'other', alike, 9000)).rejects.toThrow('failed (124)');
      const from = [OPERATOR_NAMESPACE, 'like-the-operator'] as const;
      await expect(connect(...from, '10.96.0.1', 443)).resolves.toBe('');
      await expect(connect(...from, listening, 9000)).rejects.toThrow('failed (124)');
      await installation.kubectl(['delete', 'pod', '-n', ...from]);
    });

    it('keeps seal keys, vault and what was delivered over an upgrade', async () => {
      const { client, kubeconfig, program, upgrade } = installation;
      const key = newKey();
      await sealAndApply('upgraded', key);
      await deliveredVersion('upgraded', 1);
      const secret = (): Promise<Secret> =>
        client.get(SECRETS, { namespace: NAMESPACE, name: 'upgraded' });
      const published = async (): Promise<string | undefined> =>
        (
          await client.get(CONFIG_MAPS, {
            namespace: OPERATOR_NAMESPACE,
            name: 'strongroom-seal-keys',
          })
        ).data?.['keys.json'];
      const [before, keys] = [await secret(), await published()];
      const old = (await operatorPods()).map(({ metadata }) => metadata.name);

      await upgrade({ 'config.logLevel': 'debug' });
      await eventually(
        async () => (await operatorPods()).every(({ metadata }) => !old.includes(metadata.name)),
        { what: 'the old pods to be gone', timeoutMs: 90_000 },
      );
      expect(await published()).toBe(keys);
      await sealAndApply('sealed-after', newKey());
      await deliveredVersion('sealed-after', 1);
      expect((await secret()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);

      // Nobody but the operator takes it away, and the vault opens as well: what was withdrawn comes
      // back from it.
      await expect(
        client.delete(SECRETS, { namespace: NAMESPACE, name: 'upgraded' }),
      ).rejects.toMatchObject({ code: 'ERR_KUBE_FORBIDDEN' });
      const at = { namespace: NAMESPACE, name: 'upgraded' };
      await client.mergePatch(EXCHANGE_CREDENTIALS, at, { spec: { state: 'Suspended' } });
      await eventually(async () => (await client.find(SECRETS, at)) === undefined || undefined, {
        what: 'the Secret to be withdrawn',
        timeoutMs: 60_000,
      });
      await client.mergePatch(EXCHANGE_CREDENTIALS, at, { spec: { state: 'Active' } });
      await eventually(
        async () =>
          Buffer.from((await client.find(SECRETS, at))?.data?.['KEY'] ?? '', 'base64').toString(
            'utf8',
          ) === key || undefined,
        { what: 'the Secret to come back', timeoutMs: 60_000 },
      );
      const status = await runProgram(
        program,
        ['status', 'upgraded', '-n', NAMESPACE, '-o', 'json'],
        { kubeconfig },
      );
      expect(JSON.parse(status.stdout)).toMatchObject({ currentVersion: 1 });
    });
  },
);

/** Accepts connections on port 9000. */
const LISTEN = `use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 9000, Listen => 5, ReuseAddr => 1) or die;
while (my $client = $server->accept) { close $client }`;
