import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IPBlock, IPBlockSpec } from '../../src/api/ip-block.ts';
import { IP_BLOCKS } from '../../src/api/ip-block.ts';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicy, PolicyNetwork } from '../../src/api/access-policy.ts';
import { NAMESPACE_ACCESS_NAME } from '../../src/api/names.ts';
import { NAMESPACE_ACCESSES } from '../../src/api/namespace-access.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import type { NetworkPolicy } from '../../src/kube/objects.ts';
import { NAMESPACES, NETWORK_POLICIES, PODS, SERVICE_ACCOUNTS } from '../../src/kube/resources.ts';
import { networkPods } from '../../src/network/controller/network-pods.ts';
import { externalCluster, nodeSupport, startOutsideHost } from '../cluster/index.ts';
import type { OutsideHost } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { install, OPERATOR_NAMESPACE, SHELL_IMAGE } from './installation.ts';
import type { Installation } from './installation.ts';
import { packetSample } from './packet-sample.ts';
import type { ExpectedConnection } from './packet-sample.ts';
import { connectTo, echoServer, keepTalking } from './talk.ts';

const NAMESPACE = 'trading';
/** The operator's own lets no pod have the network of its node. */
const AGENT_NAMESPACE = 'strongroom-nodes';
/** Of documentation ranges, so that they are nobody's. */
const VENUE = '203.0.113.7';
const SCANNER = '198.51.100.66';
const POD_PORT = 9000;
/** Of random policies that packets are compared on. */
const ROUNDS = 25;

function reasonToSkip(): string | undefined {
  if (externalCluster() !== undefined) return 'the suite needs nodes of its own';
  const support = nodeSupport();
  return support.supported ? undefined : support.reason;
}
const skipped = reasonToSkip();

/** Real packets between pods on two nodes and hosts outside, through an engine of others. */
describe.skipIf(skipped !== undefined)(
  `the network of a cluster with two nodes${skipped === undefined ? '' : ` (skipped: ${skipped})`}`,
  () => {
    const cleanup = new AsyncDisposableStack();
    let installation: Installation;
    let venue: OutsideHost;
    let scanner: OutsideHost;
    let maker = '';

    beforeAll(async () => {
      const progress = (line: string): void => console.error(line);
      installation = cleanup.use(
        await install(progress, {
          nodes: 2,
          values: { 'network.policyEngine': 'Present', replicas: '1' },
        }),
      );
      const { client, controlPlane } = installation;
      venue = cleanup.use(await startOutsideHost(controlPlane, VENUE));
      scanner = cleanup.use(await startOutsideHost(controlPlane, SCANNER));
      for (const host of [venue, scanner]) {
        const server = host.start(echoServer([443, 8443]));
        await eventually(() => server.output().includes('ready'), { what: 'the server outside' });
      }
      await client.create(NAMESPACES, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name: AGENT_NAMESPACE,
          labels: { 'pod-security.kubernetes.io/enforce': 'privileged' },
        },
      });
      await client.create(NAMESPACES, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: NAMESPACE, labels: { 'strongroom.dev/guarded': 'true' } },
      });
      await client.create(SERVICE_ACCOUNTS, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { namespace: NAMESPACE, name: 'maker' },
      });
      // Until it is known who may use which Secret there, no pod is let in.
      const table = { namespace: NAMESPACE, name: NAMESPACE_ACCESS_NAME };
      await eventually(() => client.find(NAMESPACE_ACCESSES, table), {
        what: 'the table of the namespace',
        timeoutMs: 60_000,
      });
      await startPod('maker', { node: 'node-1', account: 'maker', app: 'maker' });
      await startPod('other', { node: 'node-2', account: 'default', app: 'other' });
      maker = await addressOf('maker');
    });
    afterAll(() => cleanup.disposeAsync());

    async function startPod(
      name: string,
      o: {
        readonly node: string;
        readonly account: string;
        readonly app: string;
        readonly namespace?: string;
      },
    ): Promise<void> {
      const { namespace = NAMESPACE } = o;
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels: { app: o.app } },
        spec: {
          nodeName: o.node,
          serviceAccountName: o.account,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'shell',
              image: SHELL_IMAGE,
              imagePullPolicy: 'Never',
              command: echoServer([POD_PORT, POD_PORT + 1]),
              ports: [{ name: 'fix', containerPort: POD_PORT }],
            },
          ],
        },
      };
      await installation.kubectl(['apply', '-f', '-'], JSON.stringify(pod));
      await installation.kubectl([
        'wait',
        '-n',
        namespace,
        '--for=condition=Ready',
        `pod/${name}`,
        '--timeout=120s',
      ]);
    }

    async function addressOf(name: string): Promise<string> {
      const pod = await installation.client.get(PODS, { namespace: NAMESPACE, name });
      return pod.status?.podIPs?.[0]?.ip ?? '';
    }

    const fromPod = (name: string, address: string, port: number): Promise<boolean> =>
      installation.kubectl(['exec', '-n', NAMESPACE, name, '--', ...connectTo(address, port)]).then(
        () => true,
        (error: unknown) => refuted(error),
      );
    const fromOutside = (host: OutsideHost, address: string, port: number): Promise<boolean> =>
      host.run(connectTo(address, port)).then(
        () => true,
        (error: unknown) => refuted(error),
      );

    /** A connection that does not come about in time; anything else is a fault of the test. */
    function refuted(error: unknown): false {
      if (/\(124\)|failed \(1\)|code 124|Connection (refused|reset)|nsenter /.test(String(error))) {
        return false;
      }
      throw error;
    }

    /** Who reaches whom now, as `maker>venue` and the like. */
    async function reached(asked: (name: string) => boolean): Promise<readonly string[]> {
      const other = await addressOf('other');
      const tries: readonly (readonly [string, () => Promise<boolean>])[] = [
        ['maker>venue:443', () => fromPod('maker', VENUE, 443)],
        ['maker>venue:8443', () => fromPod('maker', VENUE, 8443)],
        ['maker>scanner:443', () => fromPod('maker', SCANNER, 443)],
        ['maker>other', () => fromPod('maker', other, POD_PORT)],
        ['other>venue:443', () => fromPod('other', VENUE, 443)],
        ['other>scanner:443', () => fromPod('other', SCANNER, 443)],
        ['other>maker', () => fromPod('other', maker, POD_PORT)],
        ['venue>maker', () => fromOutside(venue, maker, POD_PORT)],
        ['venue>maker:9001', () => fromOutside(venue, maker, POD_PORT + 1)],
        ['scanner>maker', () => fromOutside(scanner, maker, POD_PORT)],
        ['scanner>other', () => fromOutside(scanner, other, POD_PORT)],
      ];
      const tried = tries.filter(([name]) => asked(name));
      const found = await Promise.all(
        tried.map(async ([name, go]) => ((await go()) ? [name] : [])),
      );
      return found.flat();
    }

    const ALL = [
      'maker>venue:443',
      'maker>venue:8443',
      'maker>scanner:443',
      'maker>other',
      'other>venue:443',
      'other>scanner:443',
      'other>maker',
      'venue>maker',
      'venue>maker:9001',
      'scanner>maker',
      'scanner>other',
    ];

    const becomes = (
      wanted: readonly string[],
      what: string,
      timeoutMs = 60_000,
      asked: (name: string) => boolean = () => true,
    ) =>
      eventually(
        async () => {
          expect(await reached(asked)).toEqual(wanted.filter(asked));
          return true;
        },
        { what, timeoutMs, intervalMs: 200 },
      );

    async function policy(name: string, network: PolicyNetwork): Promise<AsyncDisposable> {
      await installation.client.apply<AccessPolicy>(
        ACCESS_POLICIES,
        {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'AccessPolicy',
          metadata: { name },
          spec: {
            subjects: [{ kind: 'ServiceAccount', namespace: NAMESPACE, name: 'maker' }],
            environments: ['Production'],
            credentials: { namespaces: [NAMESPACE] },
            network,
          },
        },
        { fieldManager: 'test' },
      );
      return gone(() => installation.client.delete(ACCESS_POLICIES, { name }));
    }

    async function block(name: string, spec: Partial<IPBlockSpec>): Promise<AsyncDisposable> {
      await installation.client.apply<IPBlock>(
        IP_BLOCKS,
        {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'IPBlock',
          metadata: { name },
          spec: { cidrs: [`${SCANNER}/32`], reason: 'test', ...spec },
        },
        { fieldManager: 'test' },
      );
      return gone(() => installation.client.delete(IP_BLOCKS, { name }));
    }

    function gone(act: () => Promise<void>): AsyncDisposable {
      return {
        async [Symbol.asyncDispose]() {
          await act().catch((error: unknown) => {
            if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
          });
        },
      };
    }

    const statusOf = async (name: string): Promise<NonNullable<IPBlock['status']>> =>
      (await installation.client.get<IPBlock>(IP_BLOCKS, { name })).status ?? {};

    const told = (name: string, enforcement: string, timeoutMs = 60_000) =>
      eventually(
        async () => {
          const status = await statusOf(name);
          expect(status).toMatchObject({ enforcement });
          return status;
        },
        { what: `${name} to be ${enforcement}`, timeoutMs, intervalMs: 100 },
      );

    const scale = (replicas: number) =>
      installation.kubectl([
        'scale',
        '-n',
        OPERATOR_NAMESPACE,
        'deployment/strongroom-operator',
        `--replicas=${replicas}`,
      ]);

    it('lets everything through where nobody said anything', async () => {
      expect(await becomes(ALL, 'all to be open')).toBe(true);
    });

    it('is as the evaluator says: random policies of others, packet by packet', async () => {
      const { client } = installation;
      const namespaces = ['sample-a', 'sample-b'].map((name) => ({
        name,
        labels: { team: name, 'kubernetes.io/metadata.name': name },
      }));
      for (const { name } of namespaces) {
        await client.create(NAMESPACES, {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name, labels: { team: name } },
        });
        const account = { namespace: name, name: 'default' };
        await eventually(() => client.find(SERVICE_ACCOUNTS, account), { what: 'the account' });
        for (const node of ['node-1', 'node-2']) {
          await startPod(node, { namespace: name, node, account: 'default', app: node });
        }
      }
      const pods = (
        await Promise.all(namespaces.map(({ name }) => client.list(PODS, { namespace: name })))
      ).flatMap(({ items }) => networkPods(items));
      const rounds = packetSample({ pods, namespaces, ports: [POD_PORT, POD_PORT + 1] }, ROUNDS);
      let compared = 0;
      for (const { seed, policies, expected } of rounds) {
        for (const one of policies) await client.create(NETWORK_POLICIES, one);
        const wanted = expected
          .filter(({ allowed }) => allowed)
          .map(nameOf)
          .toSorted();
        await eventually(
          async () => {
            expect((await packets(expected)).toSorted()).toEqual(wanted);
            return true;
          },
          { what: `round ${seed} to be as the evaluator says`, timeoutMs: 30_000 },
        );
        compared += expected.length;
        for (const { metadata } of policies) {
          const { namespace = '', name } = metadata;
          await client.delete(NETWORK_POLICIES, { namespace, name });
        }
      }
      expect(compared).toBe(ROUNDS * 4 * 3 * 2);
      for (const { name } of namespaces) await client.delete(NAMESPACES, { name });
    });

    const nameOf = ({ from, to, port }: ExpectedConnection): string =>
      `${from.namespace}/${from.name}>${to.namespace}/${to.name}:${port}`;

    /** Which of the connections come about; all of a pod at once. */
    async function packets(tried: readonly ExpectedConnection[]): Promise<readonly string[]> {
      const script =
        'for one in "$@"; do (timeout 1 bash -c "exec 3<>/dev/tcp/$one" 2>/dev/null && echo "$one") & done; wait';
      const found = await Promise.all(
        [...Map.groupBy(tried, ({ from }) => from)].map(async ([from, connections]) => {
          const to = connections.map(({ address, port }) => `${address}/${port}`);
          const exec = [
            'exec',
            '-n',
            from.namespace,
            from.name,
            '--',
            'bash',
            '-c',
            script,
            'bash',
          ];
          const came = new Set((await installation.kubectl([...exec, ...to])).split('\n'));
          return connections.filter(({ address, port }) => came.has(`${address}/${port}`));
        }),
      );
      return found.flat().map(nameOf);
    }

    it('gives a pod what its policy says, and nothing else', async () => {
      {
        await using _policy = await policy('maker-network', {
          egress: { to: [{ cidr: `${VENUE}/32`, ports: [{ port: 443 }] }] },
          ingress: { from: [{ cidr: `${VENUE}/32`, ports: [{ port: POD_PORT }] }] },
        });
        await becomes(
          [
            'maker>venue:443',
            'other>venue:443',
            'other>scanner:443',
            'venue>maker',
            'scanner>other',
          ],
          'the policy to hold',
        );
        const found = await eventually(
          async () => {
            const { status } = await installation.client.get<AccessPolicy>(ACCESS_POLICIES, {
              name: 'maker-network',
            });
            return status?.network?.pods === 1 ? status : undefined;
          },
          { what: 'the status of the policy' },
        );
        expect(found.conditions).toContainEqual(
          expect.objectContaining({ type: 'NetworkApplied', status: 'True' }),
        );
      }
      await becomes(ALL, 'all to be open again');
    });

    const CUT = ALL.filter((name) => !name.includes('scanner'));

    it('cuts an address off, and lets it back when the block ends by itself', async () => {
      await using _block = await block('short', { duration: '20s' });
      await becomes(CUT, 'the scanner to be cut off', 15_000);
      expect(await told('short', 'Enforced')).toMatchObject({ podsInScope: 2, podsCut: 2 });
      await becomes(ALL, 'the scanner to be let back');
      await told('short', 'Expired');
    });

    it('lets it back although the operator was away when the block ended', async () => {
      await using _block = await block('away', { duration: '15s' });
      await becomes(CUT, 'the scanner to be cut off', 15_000);
      await scale(0);
      const { metadata } = await installation.client.get<IPBlock>(IP_BLOCKS, { name: 'away' });
      const endsMs = Date.parse(metadata.creationTimestamp ?? '') + 15_000;
      await eventually(() => Date.now() > endsMs, { what: 'the end of the block' });
      await scale(1);
      await becomes(ALL, 'the scanner to be let back', 90_000);
      expect(await told('away', 'Expired')).toMatchObject({ reason: 'test' });
    });

    it('names the policy of others that lets the address back in, within seconds', async () => {
      await using _block = await block('held', {});
      await told('held', 'Enforced');
      await becomes(CUT, 'the scanner to be cut off');
      await installation.client.create<NetworkPolicy>(NETWORK_POLICIES, wideOpen());
      await using _wide = gone(() =>
        installation.client.delete(NETWORK_POLICIES, { namespace: NAMESPACE, name: 'wide-open' }),
      );
      const status = await told('held', 'Ineffective', 10_000);
      expect(status.gaps).toContainEqual(
        expect.objectContaining({ namespace: NAMESPACE, networkPolicy: 'wide-open' }),
      );
      await becomes(ALL, 'the wide policy to open everything');
    });

    it('is enforced by the node agent all the same, and a live connection is cut', async () => {
      await using _policy = gone(() =>
        installation.client.delete(NETWORK_POLICIES, { namespace: NAMESPACE, name: 'wide-open' }),
      );
      await installation.client.create<NetworkPolicy>(NETWORK_POLICIES, wideOpen());
      await installation.upgrade({
        'nodeAgent.enabled': 'true',
        'nodeAgent.namespace': AGENT_NAMESPACE,
      });
      const live = scanner.start(keepTalking(maker, POD_PORT));
      await eventually(() => live.output().includes('5\n'), { what: 'the connection to work' });

      await using _block = await block('agent', {});
      await becomes(CUT, 'the agents to cut the scanner off', 30_000);
      const status = await told('agent', 'Enforced');
      expect(status.nodes).toEqual({ ready: 2, total: 2 });
      expect(status.backends).toContainEqual(
        expect.objectContaining({ name: 'NodeAgent', state: 'Enforced' }),
      );
      const heard = live.output();
      await expect(
        eventually(() => live.output() !== heard, { what: 'more', timeoutMs: 3_000 }),
      ).rejects.toThrow('more');
      await live.end();

      // A ban ends in the kernel, although nobody is there to end it.
      await using _short = await block('kernel', { cidrs: [`${VENUE}/32`], duration: '25s' });
      const without = CUT.filter((name) => !name.includes('venue'));
      await becomes(without, 'the venue to be cut off', 20_000);
      await scale(0);
      // While the operator is away nobody gets into a pod to try from there.
      const isFromOutside = (name: string): boolean => /^(venue|scanner)>/.test(name);
      await becomes(CUT, 'the venue to be let back by the kernel', 60_000, isFromOutside);
      await scale(1);
      await installation.upgrade({ 'nodeAgent.enabled': 'false' });
      await becomes(ALL, 'the table to be removed with the agents', 60_000);
    });

    function wideOpen(): NetworkPolicy {
      return {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { namespace: NAMESPACE, name: 'wide-open' },
        spec: {
          podSelector: {},
          policyTypes: ['Ingress', 'Egress'],
          ingress: [{}],
          egress: [{}],
        },
      };
    }
  },
);
