/** What the chart lets a node agent do, asked of a real API server with the agent's own token. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  NAMESPACES,
  NODES,
  PODS,
  SECRETS,
} from '../../src/kube/resources.ts';
import { nodeReportConfigMap } from '../../src/network/node-agent/node-report.ts';
import { startControlPlane } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { clientOf } from './identities.ts';
import { installChart, kubeconfigOf } from './operator-process.ts';

const OPERATOR = 'strongroom-system';
const AGENTS = 'strongroom-nodes';
const NAME = 'strongroom-node-agent';
const FIELDS = { fieldManager: NAME, force: true };

describe('the rights of a node agent', () => {
  const cleanup = new AsyncDisposableStack();
  let admin: KubeClient;
  /** With the token of a pod on node-1. */
  let agent: KubeClient;
  /** With a token of the same ServiceAccount that is for no pod. */
  let stranger: KubeClient;

  beforeAll(async () => {
    const controlPlane = await startControlPlane({ progress: (line) => console.error(line) });
    cleanup.defer(() => controlPlane.stop());
    const kubeconfig = controlPlane.kubeconfigPath;
    admin = cleanup.use(await clientOf(kubeconfig));
    await admin.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: AGENTS },
    });
    await installChart(kubeconfig, OPERATOR, [
      'nodeAgent.enabled=true',
      `nodeAgent.namespace=${AGENTS}`,
    ]);
    await admin.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node-1' },
    });
    await admin.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'agent', namespace: AGENTS },
      spec: {
        nodeName: 'node-1',
        serviceAccountName: NAME,
        containers: [{ name: 'agent', image: 'localhost/none:1' }],
      },
    } as Parameters<typeof admin.create>[1]);
    await admin.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'strongroom-seal-keys', namespace: OPERATOR },
    });
    const directory = await mkdtemp(path.join(tmpdir(), 'strongroom-agent-'));
    cleanup.defer(() => rm(directory, { recursive: true, force: true }));
    agent = cleanup.use(
      await clientOf(await kubeconfigOf(kubeconfig, AGENTS, NAME, directory, 'agent')),
    );
    stranger = cleanup.use(await clientOf(await kubeconfigOf(kubeconfig, AGENTS, NAME, directory)));
    // The API server takes a policy up a moment after it was made.
    await eventually(
      () =>
        write(stranger, 'node-1').then(
          () => false,
          (error: Error) => /ValidatingAdmission/.test(error.message),
        ),
      { what: 'the policy' },
    );
  });
  afterAll(() => cleanup.disposeAsync());

  function write(as: KubeClient, node: string): Promise<unknown> {
    const refused = { fromBanned: 0, toBanned: 0 };
    const report = { node, atMs: 0, ranges: 0, refused, hits: [], problems: [] };
    return as.apply(CONFIG_MAPS, nodeReportConfigMap(report, OPERATOR), FIELDS);
  }

  it('let it read the blocks and its DaemonSet', async () => {
    await agent.list(CONFIG_MAPS, { namespace: OPERATOR });
    await agent.list(
      DAEMON_SETS,
      { namespace: AGENTS },
      { fieldSelector: `metadata.name=${NAME}` },
    );
    expect((await agent.get(DAEMON_SETS, { namespace: AGENTS, name: NAME })).metadata.name).toBe(
      NAME,
    );
  });

  it('let it write the report of its own node, again and again', async () => {
    await write(agent, 'node-1');
    await expect(write(agent, 'node-1')).resolves.toMatchObject({ data: { node: 'node-1' } });
  });

  it.each([
    ['the report of another node', () => write(agent, 'node-2')],
    ['any report without a node in its token', () => write(stranger, 'node-1')],
    [
      'the public keys that people seal with',
      () =>
        agent.mergePatch(
          CONFIG_MAPS,
          { namespace: OPERATOR, name: 'strongroom-seal-keys' },
          { data: { key: 'x' } },
        ),
    ],
    [
      'the blocks',
      () =>
        agent.create(CONFIG_MAPS, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'strongroom-node-blocks', namespace: OPERATOR },
        }),
    ],
  ])('do not let it write %s', async (_, act) => {
    await expect(act()).rejects.toThrow('may write the report of its own node, and no other');
  });

  it.each([
    ['Secrets', () => agent.list(SECRETS, { namespace: OPERATOR })],
    ['DaemonSets of others', () => agent.list(DAEMON_SETS, { namespace: AGENTS })],
    ['ConfigMaps elsewhere', () => agent.list(CONFIG_MAPS, { namespace: AGENTS })],
    ['pods', () => agent.list(PODS, { namespace: AGENTS })],
  ])('do not let it read %s', async (_, act) => {
    await expect(act()).rejects.toMatchObject({ code: 'ERR_KUBE_FORBIDDEN' });
  });
});
