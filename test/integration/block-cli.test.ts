/** `strongroom block` with a real API server, as its admin and as somebody who may do less. */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { IP_BLOCKS } from '../../src/api/ip-block.ts';
import type { IPBlock, IPBlockStatus } from '../../src/api/ip-block.ts';
import { run } from '../../src/cli/run.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { NetworkPolicy, Pod, PolicyRule } from '../../src/kube/objects.ts';
import {
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
  NETWORK_POLICIES,
  PODS,
  SERVICE_ACCOUNTS,
} from '../../src/kube/resources.ts';
import { OUR_POLICY_LABELS } from '../../src/network/compiler/our-policy.ts';
import { captureIo } from '../cli/capture-io.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import { userKubeconfig } from './identities.ts';

const RBAC = 'rbac.authorization.k8s.io';
const RANGE = '198.51.100.0/24';
const BAD = '198.51.100.7';
const WHY = ['--reason', 'credential stuffing'];

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('block', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  let directory: string;
  let namespace: string;

  beforeAll(async () => {
    client = cleanup.use(await connect());
    directory = cleanup.use(await mkdtempDisposable(path.join(tmpdir(), 'block-'))).path;
    namespace = cleanup.use(
      await createNamespace(client, 'block', { 'strongroom.dev/guarded': 'true' }),
    ).name;
    await eventually(() => client.find(SERVICE_ACCOUNTS, { namespace, name: 'default' }), {
      what: 'the ServiceAccount of the namespace',
    });
    await createPod('maker', '10.244.0.7');
    await createPod('taker', '10.244.0.8');
    await createPolicy('wide', 'taker', { cidr: '0.0.0.0/0' });
  });
  afterAll(async () => {
    for (const { metadata } of await blocks()) {
      await client.delete(IP_BLOCKS, { name: metadata.name });
    }
    await cleanup.disposeAsync();
  });

  async function createPod(name: string, address: string): Promise<void> {
    const at = { namespace, name };
    await client.create<Pod>(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...at, labels: { app: name } },
      spec: {
        containers: [{ name: 'main', image: 'localhost/nothing' } as never],
      },
    });
    await client.mergePatch(
      PODS,
      at,
      { status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }] } },
      { subresource: 'status' },
    );
  }

  async function createPolicy(
    name: string,
    app: string,
    ipBlock: { cidr: string; except?: readonly string[] },
    labels: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await client.create<NetworkPolicy>(NETWORK_POLICIES, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace, name, labels },
      spec: {
        podSelector: { matchLabels: { app } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ ipBlock }] }],
        egress: [{ to: [{ ipBlock }] }],
      },
    });
  }

  async function blocks(): Promise<readonly IPBlock[]> {
    return (await client.list<IPBlock>(IP_BLOCKS, { allNamespaces: true })).items;
  }

  async function block(...argv: readonly string[]): Promise<Ran> {
    return blockAs(inject('kubeconfig'), ...argv);
  }

  async function blockAs(kubeconfig: string, ...argv: readonly string[]): Promise<Ran> {
    const io = captureIo({ cwd: directory });
    const code = await run(io, ['block', ...argv, '--kubeconfig', kubeconfig]);
    return { code, out: io.out(), err: io.err() };
  }

  async function add(...argv: readonly string[]): Promise<Ran> {
    return block('add', ...argv, ...WHY, '--no-wait', '-n', namespace);
  }

  /** What the operator would say of it. */
  async function tell(name: string, status: IPBlockStatus): Promise<void> {
    const found = await eventually(() => client.find<IPBlock>(IP_BLOCKS, { name }), {
      what: `IPBlock ${name}`,
    });
    const { generation = 0 } = found.metadata;
    await client.mergePatch(
      IP_BLOCKS,
      { name },
      { status: { observedGeneration: generation, ...status } },
      { subresource: 'status' },
    );
  }

  it('shows which pods would lose what, and writes nothing', async () => {
    const before = await blocks();
    const { code, out, err } = await block(
      'add',
      RANGE,
      ...WHY,
      '-n',
      namespace,
      '--dry-run',
      '-o',
      'json',
    );
    expect([code, err]).toEqual([0, '']);
    const found = JSON.parse(out) as Record<string, unknown>;
    expect(found).toMatchObject({ phase: 'Active', podsInScope: 2, blocked: [RANGE] });
    // The shared cluster has no engine that enforces anything.
    expect(found['state']).toBe('Ineffective');
    const losses = found['losses'] as readonly { pod: string; direction: string }[];
    expect(losses.map(({ pod, direction }) => `${pod} ${direction}`)).toEqual([
      'maker Ingress',
      'maker Egress',
      'taker Ingress',
      'taker Egress',
    ]);
    expect(await blocks()).toEqual(before);
    const text = await block('add', RANGE, ...WHY, '-n', namespace, '--dry-run');
    expect(text.out).toContain('nothing was written');
    expect(text.out).toMatch(new RegExp(`^${namespace}/maker +Ingress`, 'm'));
  });

  it('says that nothing is left of what is protected', async () => {
    const service = await client.get(
      { group: '', version: 'v1', kind: 'Service', plural: 'services', namespaced: true },
      { namespace: 'default', name: 'kubernetes' },
    );
    const { clusterIP } = (service as unknown as { spec: { clusterIP: string } }).spec;
    const { code, out, err } = await block('add', clusterIP, ...WHY, '-n', namespace, '--dry-run');
    expect(code).toBe(2);
    expect(out).toContain('protected as API server');
    expect(err).toContain('all of it is protected');
  });

  it('creates a block, under a name of its own and for whoever asks', async () => {
    const day = new Date().toISOString().slice(0, 10);
    const first = await add('203.0.113.1', '--for', '24h', '--direction', 'Egress');
    expect([first.code, first.err]).toEqual([0, `IPBlock 203-0-113-1-${day} created\n`]);
    const second = await add('203.0.113.1', '-o', 'json');
    expect(JSON.parse(second.out)).toMatchObject({
      name: `203-0-113-1-${day}-2`,
      enforcement: 'Unknown',
      namespaces: [namespace],
    });
    const made = await client.get<IPBlock>(IP_BLOCKS, { name: `203-0-113-1-${day}` });
    expect(made.spec).toEqual({
      cidrs: ['203.0.113.1'],
      reason: 'credential stuffing',
      owner: expect.stringMatching(/./) as string,
      duration: '24h',
      direction: 'Egress',
      scope: { namespaces: [namespace] },
    });
    const taken = await add('203.0.113.1', '--name', made.metadata.name);
    expect(taken.code).toBe(1);
    expect(taken.err).toContain('take another --name');
  });

  it('waits until the operator says how far it is enforced', async () => {
    const name = 'waited-for';
    const running = block('add', '203.0.113.2', ...WHY, '--name', name);
    await tell(name, { enforcement: 'Enforced', podsInScope: 2, podsCut: 2 });
    const { code, out, err } = await running;
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^Enforcement: +Enforced$/m);
    expect(out).toMatch(/^Pods: +2 of 2 cut off/m);
  });

  it('fails where the addresses are open all the same', async () => {
    const running = block('add', '203.0.113.6', ...WHY, '--name', 'ineffective');
    await tell('ineffective', {
      enforcement: 'Ineffective',
      gaps: [
        {
          type: 'ForeignPolicyReopens',
          namespace,
          networkPolicy: 'wide',
          podCount: 1,
          message: 'NetworkPolicy wide allows it',
        },
      ],
    });
    const { code, out, err } = await running;
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`^ForeignPolicyReopens +${namespace} +wide `, 'm'));
    expect(err).toContain('IPBlock ineffective stands, and the addresses are open all the same');
  });

  it('says that a block does nothing as it is', async () => {
    const name = 'stalled';
    const running = block('add', '203.0.113.3', ...WHY, '--name', name);
    await tell(name, {
      enforcement: 'Pending',
      conditions: [
        {
          type: 'Stalled',
          status: 'True',
          reason: 'NothingToBlock',
          message: 'All that is listed is protected',
          lastTransitionTime: '2026-11-26T12:00:00Z',
        },
      ],
    });
    const { code, err } = await running;
    expect(code).toBe(1);
    expect(err).toContain('All that is listed is protected');
  });

  it('does not wait for ever', async () => {
    const { code, err } = await block(
      'add',
      '203.0.113.4',
      ...WHY,
      '--name',
      'unseen',
      '--timeout',
      '0.5',
    );
    expect(code).toBe(5);
    expect(err).toContain('Is the operator running?');
  });

  it('lists blocks with what is known of each', async () => {
    await add('203.0.113.5', '--name', 'listed', '--for', '1h');
    await tell('listed', {
      enforcement: 'Ineffective',
      hits: 7,
      gapCount: 1,
      gaps: [
        {
          type: 'ForeignPolicyReopens',
          namespace,
          networkPolicy: 'wide',
          podCount: 1,
          message: 'NetworkPolicy wide allows it',
        },
      ],
    });
    const { code, out } = await block('list');
    expect(code).toBe(0);
    expect(out).toMatch(
      new RegExp(
        `^listed +203[.]0[.]113[.]5 +Both +${namespace} +Ineffective +in [0-9m]+ +7 +1 +`,
        'm',
      ),
    );
    const json = JSON.parse((await block('list', '-o', 'json')).out) as readonly IPBlock[];
    expect(json).toContainEqual(
      expect.objectContaining({
        name: 'listed',
        hits: 7,
        gaps: [expect.objectContaining({ networkPolicy: 'wide' })],
      }),
    );
  });

  it('tests an address against what stands', async () => {
    await add(RANGE, '--name', 'tested', '--direction', 'Egress');
    await tell('tested', {
      enforcement: 'PartiallyEnforced',
      backends: [{ name: 'NodeAgent', state: 'Enforced' }],
    });
    await createPolicy(
      'strongroom-test',
      'maker',
      { cidr: '0.0.0.0/0', except: [RANGE] },
      OUR_POLICY_LABELS,
    );
    const { code, out, err } = await block('test', BAD, '-n', namespace, '-o', 'json');
    expect([code, err]).toEqual([0, '']);
    const json = JSON.parse(out) as {
      readonly blocks: readonly unknown[];
      readonly pods: readonly { pod: string; direction: string; verdict: string; by: unknown }[];
    };
    expect(json.blocks).toContainEqual(
      expect.objectContaining({ name: 'tested', range: RANGE, isInForce: true }),
    );
    expect(json.pods.map(({ pod, direction, verdict }) => [pod, direction, verdict])).toEqual([
      // The cluster has no engine, so that only what the node agent does counts.
      ['maker', 'Ingress', 'Open'],
      ['maker', 'Egress', 'CutOff'],
      ['taker', 'Ingress', 'Open'],
      ['taker', 'Egress', 'CutOff'],
    ]);
    const one = await block('test', BAD, '--pod', `${namespace}/maker`, '--port', '443');
    expect(one.out).toContain(`${BAD} is blocked by tested.`);
    expect(one.out).not.toContain('taker');
    expect(await block('test', BAD, '--pod', `${namespace}/nobody`)).toMatchObject({
      code: 3,
      err: expect.stringContaining('no pod') as string,
    });
  });

  it('removes by name', async () => {
    await add('203.0.113.20', '--name', 'named');
    const dry = await block('remove', 'named', '--dry-run');
    expect(dry.out).toBe('IPBlock named would be removed\n');
    expect(await client.find(IP_BLOCKS, { name: 'named' })).toBeDefined();
    expect(await block('remove', 'named')).toEqual({
      code: 0,
      out: 'IPBlock named removed\n',
      err: '',
    });
    expect(await client.find(IP_BLOCKS, { name: 'named' })).toBeUndefined();
    const again = await block('remove', 'named');
    expect(again.code).toBe(3);
    expect(again.err).toContain('there is no IPBlock named');
  });

  it('removes by address what lists just that, and says what is left', async () => {
    await add('203.0.113.32', '--name', 'just-that');
    await add('203.0.113.32/31', '--name', 'around');
    await add('203.0.113.32', '203.0.113.40', '--name', 'and-more');
    const { code, out, err } = await block('remove', '203.0.113.32');
    expect([code, out]).toEqual([1, 'IPBlock just-that removed\n']);
    expect(err).toContain('203.0.113.32 is still blocked');
    expect(err).toContain('IPBlock around has 203.0.113.32/31; take it out');
    expect(err).toContain('IPBlock and-more has 203.0.113.32 beside 1 other range; take it out');
    const left = (await blocks()).map(({ metadata }) => metadata.name);
    expect(left).toEqual(expect.arrayContaining(['around', 'and-more']));
    expect(left).not.toContain('just-that');
    const json = await block('remove', '203.0.113.32', '--dry-run', '-o', 'json');
    expect(JSON.parse(json.out)).toMatchObject({
      removed: [],
      stillBlockedBy: [
        { name: 'and-more', range: '203.0.113.32', otherRanges: 1 },
        { name: 'around', range: '203.0.113.32/31', otherRanges: 0 },
      ],
    });
    expect(await block('remove', '192.0.2.200')).toMatchObject({
      code: 3,
      err: expect.stringContaining('no IPBlock lists 192.0.2.200') as string,
    });
  });

  it('says which right is missing, and does what can be done without others', async () => {
    const user = `block-${namespace}`;
    const kubeconfig = await userKubeconfig(client, user, [], directory);
    const none = await blockAs(kubeconfig, 'list');
    expect(none.code).toBe(4);
    expect(none.err).toContain('you may not list ipblocks.strongroom.dev in the whole cluster');
    await allow(user, [
      { apiGroups: ['strongroom.dev'], resources: ['ipblocks'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
      { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list'] },
    ]);
    await eventually(async () => (await blockAs(kubeconfig, 'list')).code === 0, {
      what: 'the rights to be known',
    });
    const all = await blockAs(kubeconfig, 'test', BAD);
    expect(all.code).toBe(4);
    expect(all.err).toContain('name them with --namespace');
    const one = await blockAs(kubeconfig, 'test', BAD, '-n', namespace);
    expect(one.code).toBe(0);
    expect(one.out).toContain(`${namespace}/maker`);
    expect(one.out).toContain('note: you may not list nodes in the whole cluster');
    const refused = await blockAs(kubeconfig, 'add', BAD, ...WHY, '--no-wait');
    expect(refused.code).toBe(4);
  });

  async function allow(user: string, rules: readonly PolicyRule[]): Promise<void> {
    const name = `strongroom-test-${user}`;
    await client.create(CLUSTER_ROLES, {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRole',
      metadata: { name },
      rules,
    });
    cleanup.defer(() => client.delete(CLUSTER_ROLES, { name }));
    await client.create(CLUSTER_ROLE_BINDINGS, {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
      subjects: [{ kind: 'User', apiGroup: RBAC, name: user }],
    });
    cleanup.defer(() => client.delete(CLUSTER_ROLE_BINDINGS, { name }));
  }
});
