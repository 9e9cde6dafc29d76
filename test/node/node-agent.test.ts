/**
 * The program `strongroom node-agent` beside a real API server; its nft works in the node of a test
 * network, everything else is as on a node.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import type { ConfigMap, DaemonSet } from '../../src/kube/objects.ts';
import { CONFIG_MAPS, DAEMON_SETS, NAMESPACES } from '../../src/kube/resources.ts';
import type { NetworkPod } from '../../src/network/cluster-facts.ts';
import { createNft } from '../../src/network/node-agent/nft.ts';
import type { Nft } from '../../src/network/node-agent/nft.ts';
import { nodeBlockConfigMaps, revisionOf } from '../../src/network/node-agent/node-blocks.ts';
import type { NodeBlockGroup } from '../../src/network/node-agent/node-blocks.ts';
import { readNodeReports } from '../../src/network/node-agent/node-report.ts';
import type { NodeReport } from '../../src/network/node-agent/node-report.ts';
import { parseRange } from '../../src/network/node-agent/range-text.ts';
import { nodeSupport, startControlPlane } from '../cluster/index.ts';
import type { ControlPlane } from '../cluster/index.ts';
import { installTools, nodeTools } from '../cluster/packages.ts';
import { eventually } from '../eventually.ts';
import { ADDRESSES, startRouter } from './router.ts';
import type { Router } from './router.ts';

const support = nodeSupport();
const skipped = support.supported ? undefined : support.reason;
const NAMESPACE = 'strongroom-system';
const NODE = 'node-1';
const DAEMON_SET = { namespace: NAMESPACE, name: 'strongroom-node-agent' };
const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const { pod, otherPod, banned, other } = ADDRESSES;

interface Agent {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  log(): string;
  end(signal: NodeJS.Signals): Promise<void>;
}

describe.skipIf(skipped !== undefined)(
  `the node agent${skipped === undefined ? '' : ` (skipped: ${skipped})`}`,
  () => {
    const cleanup = new AsyncDisposableStack();
    const agents = new Set<Agent>();
    let controlPlane: ControlPlane;
    let client: KubeClient;
    let router: Router;
    let nft: Nft;
    let scratch: string;

    beforeAll(async () => {
      await installTools(nodeTools, (line) => console.error(line));
      controlPlane = cleanup.use(await startControlPlane());
      const config = await loadClusterConfig({ env: {}, kubeconfig: controlPlane.kubeconfigPath });
      client = cleanup.use(createKubeClient(config, { userAgent: 'test' }));
      router = cleanup.use(await startRouter());
      nft = createNft(router.nft);
      scratch = await mkdtemp(path.join(tmpdir(), 'strongroom-agent-'));
      cleanup.defer(() => rm(scratch, { recursive: true, force: true }));
      // The agent finds this one first: it enters the node of the test network.
      const [, netns] = router.nft;
      const program = path.join(scratch, 'bin/nft');
      await mkdir(path.dirname(program));
      await writeFile(program, `#!/bin/sh\nexec nsenter ${netns} /usr/sbin/nft "$@"\n`);
      await chmod(program, 0o755);
      await client.create(NAMESPACES, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: NAMESPACE },
      });
      await makeDaemonSet();
    });
    afterEach(async () => {
      for (const agent of agents) await agent.end('SIGKILL');
      // What the next test reads is of its own agent.
      for (const { metadata } of await list('node-report')) {
        await client.delete(CONFIG_MAPS, named(metadata.name));
      }
    });
    afterAll(() => cleanup.disposeAsync());

    async function makeDaemonSet(): Promise<void> {
      const labels = { app: 'agent' };
      await client.create(DAEMON_SETS, {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: DAEMON_SET,
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { containers: [{ name: 'agent', image: 'localhost/strongroom:none' }] },
          },
        },
      } as DaemonSet);
    }

    function start(): Agent {
      const args = ['--kubeconfig', controlPlane.kubeconfigPath, '--namespace', NAMESPACE];
      const child = spawn(
        process.execPath,
        [
          main,
          'node-agent',
          ...args,
          '--node',
          NODE,
          '--daemon-set',
          DAEMON_SET.name,
          '--health-port',
          '0',
        ],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: {
            PATH: `${path.join(scratch, 'bin')}:${process.env['PATH']}`,
            POD_NAMESPACE: NAMESPACE,
          },
        },
      );
      let log = '';
      child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
      child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      const agent: Agent = {
        child,
        log: () => log,
        async end(signal) {
          child.kill(signal);
          await exited;
          agents.delete(agent);
        },
      };
      agents.add(agent);
      return agent;
    }

    const podOf = (namespace: string, addresses: readonly string[]): NetworkPod => ({
      namespace,
      name: 'maker',
      addresses,
      labels: {},
      serviceAccount: 'default',
      hostNetwork: false,
      ports: [],
    });

    /** As the operator does it: in order, then away with what is not among them. Its revision. */
    async function publish(
      ranges: readonly string[],
      namespaces: NodeBlockGroup['namespaces'] = '*',
      pods: readonly NetworkPod[] = [],
    ): Promise<string> {
      const intervals = ranges.flatMap((range) => parseRange(range) ?? []);
      const objects = nodeBlockConfigMaps({
        groups: (['Ingress', 'Egress'] as const).map((direction) => ({
          namespaces,
          direction,
          intervals,
        })),
        pods,
        namespace: NAMESPACE,
      });
      for (const object of objects) {
        await client.apply(CONFIG_MAPS, object, { fieldManager: 'strongroom', force: true });
      }
      const kept = new Set(objects.map(({ metadata }) => metadata.name));
      for (const { metadata } of await list('node-blocks')) {
        if (!kept.has(metadata.name)) await client.delete(CONFIG_MAPS, named(metadata.name));
      }
      return revisionOf(objects) ?? '';
    }

    const named = (name: string) => ({ namespace: NAMESPACE, name });

    async function list(component: string): Promise<readonly ConfigMap[]> {
      const labelSelector = `strongroom.dev/component=${component}`;
      return (await client.list(CONFIG_MAPS, { namespace: NAMESPACE }, { labelSelector })).items;
    }

    function reported(what: string, when: (report: NodeReport) => boolean): Promise<NodeReport> {
      return eventually(async () => readNodeReports(await list('node-report')).find(when), {
        what,
        timeoutMs: 60_000,
      });
    }

    const reach = (to: string, from: string = pod.IPv4) =>
      router.pods.ask({ act: 'tcp', from, to });
    const tables = () => nft(['-j', '-t', 'list', 'ruleset', 'inet']);

    it('says what is missing while it knows no blocks, and changes nothing', async () => {
      start();
      const report = await reported('a problem', ({ problems }) => problems.length > 0);
      expect(report).toMatchObject({ node: NODE, ranges: 0 });
      expect(report.problems).toEqual([
        {
          type: 'Incomplete',
          message:
            'the ConfigMap strongroom-node-blocks is not there; the operator has not published any blocks',
        },
      ]);
      expect(await tables()).not.toContain('strongroom');
    });

    it('enforces what is published, reports it, and tells of it in its metrics', async () => {
      const agent = start();
      const revision = await publish([banned.IPv4]);
      const report = await reported('the revision', (one) => one.revision === revision);
      expect(report).toMatchObject({ ranges: 1, problems: [] });
      expect(await reach(banned.IPv4)).toBe('refused');
      expect(await reach(other.IPv4)).toBe('answered');

      const wider = await publish([banned.IPv4, other.IPv4]);
      await reported('the next revision', (one) => one.revision === wider);
      expect(await reach(other.IPv4)).toBe('refused');

      const port = /"listening":(\d+)/.exec(agent.log())?.[1];
      const get = async (page: string) => {
        const response = await fetch(`http://127.0.0.1:${port}${page}`);
        return `${response.status} ${await response.text()}`;
      };
      expect(await get('/readyz')).toMatch(/^200 /);
      expect(await get('/livez')).toMatch(/^200 /);
      expect(await get('/metrics')).toMatch(/^strongroom_node_agent_ranges 2$/m);
      const [configMap] = await list('node-report');
      expect(configMap?.metadata.ownerReferences).toMatchObject([{ kind: 'DaemonSet' }]);
    });

    it('follows the pods of a scope', async () => {
      start();
      const pods = (address: string) => [podOf('trading', [address])];
      const revision = await publish([banned.IPv4], ['trading'], pods(pod.IPv4));
      await reported('the revision', (one) => one.revision === revision);
      expect(await reach(banned.IPv4)).toBe('refused');
      expect(await reach(banned.IPv4, otherPod.IPv4)).toBe('answered');
      expect(await publish([banned.IPv4], ['trading'], pods(otherPod.IPv4))).toBe(revision);
      await eventually(async () => (await reach(banned.IPv4)) === 'answered', {
        what: 'the pod left',
      });
      expect(await reach(banned.IPv4, otherPod.IPv4)).toBe('refused');
    });

    it('keeps what holds when a part is tampered with, and says so', async () => {
      start();
      const revision = await publish([banned.IPv4]);
      await reported('the revision', (one) => one.revision === revision);
      const part = (await list('node-blocks')).find(({ metadata }) =>
        metadata.name.includes('-all-'),
      );
      const name = part?.metadata.name ?? '';
      await client.mergePatch(CONFIG_MAPS, named(name), { data: { both: '192.0.2.1\n' } });
      const { problems } = await reported('a problem', (one) => one.problems.length > 0);
      expect(problems).toMatchObject([{ type: 'Incomplete' }]);
      expect(problems[0]?.message).toContain(name);
      expect(await reach(banned.IPv4)).toBe('refused');
      await client.delete(CONFIG_MAPS, named(name));
      await publish([banned.IPv4]);
      await reported('its end', (one) => one.problems.length === 0);
    });

    it('waits while another one runs, and takes over its table when that is killed', async () => {
      const first = start();
      const revision = await publish([banned.IPv4]);
      await reported('the revision', (one) => one.revision === revision);
      const second = start();
      await eventually(() => second.log().includes('waiting for its end'), { what: 'the second' });
      expect(second.log()).not.toContain('Listening');
      const before = await tables();
      await first.end('SIGKILL');
      const [report] = readNodeReports(await list('node-report'));
      await reported('a report of the second', (one) => one.atMs > (report?.atMs ?? 0));
      expect(withoutCounters(await tables())).toBe(withoutCounters(before));
      expect(second.log()).not.toContain('Changed the table');
      expect(await reach(banned.IPv4)).toBe('refused');
    });

    it('puts back what somebody else takes away', async () => {
      start();
      const revision = await publish([banned.IPv4]);
      await reported('the revision', (one) => one.revision === revision);
      await nft(['-f', '-'], 'flush ruleset\n');
      expect(await reach(banned.IPv4)).toBe('answered');
      await eventually(async () => (await reach(banned.IPv4)) === 'refused', { what: 'the table' });
    });

    it('leaves its table when asked to stop, and takes it along when its DaemonSet is gone', async () => {
      const first = start();
      const revision = await publish([banned.IPv4]);
      await reported('the revision', (one) => one.revision === revision);
      await eventually(() => first.log().includes('Listening'), { what: 'the agent' });
      await first.end('SIGTERM');
      expect(first.log()).toContain('Stopped');
      expect(await reach(banned.IPv4)).toBe('refused');

      const second = start();
      await eventually(() => second.log().includes('Listening'), { what: 'the agent' });
      await client.delete(DAEMON_SETS, DAEMON_SET);
      await second.end('SIGTERM');
      expect(await tables()).not.toContain('strongroom');
      expect(await reach(banned.IPv4)).toBe('answered');
      await makeDaemonSet();
    });
  },
);

/** Handles, chains and rules: a table that was made anew has other handles. */
function withoutCounters(json: string): string {
  return json.replaceAll(/"(packets|bytes)": \d+/g, '');
}
