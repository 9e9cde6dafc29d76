import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicy, AccessPolicySpec } from '../../src/api/access-policy.ts';
import { IP_BLOCKS } from '../../src/api/ip-block.ts';
import type { IPBlock, IPBlockSpec } from '../../src/api/ip-block.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import type { NetworkPolicy } from '../../src/kube/objects.ts';
import { NAMESPACES, NETWORK_POLICIES, NODES, PODS } from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import { scratchDirectory } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

async function atOnce<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) await act(next);
    }),
  );
}

const NODE_ADDRESS = '192.0.2.10';

/** The operator with the chart's rights against a real API server; pods run nowhere here. */
describe('the network controller', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let admin: KubeClient;
  let operator: OperatorProcess;
  let trading: TestNamespace;
  let args: readonly string[] = [];
  let list = '198.51.100.0/24\n';
  let feedStatus = 200;
  let feedUrl = '';

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    admin = installation.client;
    await admin.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'network-test' },
    });
    cleanup.defer(() => admin.delete(NODES, { name: 'network-test' }));
    await admin.mergePatch(
      NODES,
      { name: 'network-test' },
      { status: { addresses: [{ type: 'InternalIP', address: NODE_ADDRESS }] } },
      { subresource: 'status' },
    );
    trading = cleanup.use(
      await createNamespace(admin, 'trading', { 'strongroom.dev/guarded': 'true' }),
    );
    const server = createServer((_request, response) => {
      response.writeHead(feedStatus, { 'content-type': 'text/plain' }).end(list);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanup.defer(() => void server.close());
    feedUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const scratch = cleanup.use(await scratchDirectory());
    const config = path.join(scratch.path, 'operator.yaml');
    await writeFile(
      config,
      JSON.stringify({
        network: {
          policyEngine: 'Present',
          podRanges: ['10.244.0.0/16'],
          operatorClients: ['203.0.113.128/25'],
          feedOrigins: [feedUrl],
        },
      }),
    );
    args = ['--config', config];
    operator = await installation.start('one', args);
    await pod('maker', { app: 'maker' });
  });
  afterAll(async () => {
    await operator?.[Symbol.asyncDispose]();
    await cleanup.disposeAsync();
  });

  async function pod(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    await admin.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: trading.name, name, labels },
      spec: { containers: [{ name: 'main', image: 'example.invalid/none' } as never] },
    });
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

  async function block(name: string, spec: Partial<IPBlockSpec>): Promise<AsyncDisposable> {
    await admin.apply<IPBlock>(
      IP_BLOCKS,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'IPBlock',
        metadata: { name },
        spec: { reason: 'test', ...spec },
      },
      { fieldManager: 'test', force: true },
    );
    return gone(() => admin.delete(IP_BLOCKS, { name }));
  }

  async function policy(
    name: string,
    network: NonNullable<AccessPolicySpec['network']>,
  ): Promise<AsyncDisposable> {
    await admin.apply<AccessPolicy>(
      ACCESS_POLICIES,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { name },
        spec: {
          subjects: [{ kind: 'ServiceAccount', namespace: trading.name, name: 'default' }],
          environments: ['Production'],
          credentials: { namespaces: [trading.name] },
          network,
        },
      },
      { fieldManager: 'test', force: true },
    );
    return gone(() => admin.delete(ACCESS_POLICIES, { name }));
  }

  const ours = async (namespace = trading.name): Promise<readonly NetworkPolicy[]> =>
    (
      await admin.list(
        NETWORK_POLICIES,
        { namespace },
        { labelSelector: 'app.kubernetes.io/managed-by=strongroom' },
      )
    ).items;

  /** Addresses that are cut out of what is open, of all our policies of the namespace. */
  async function holes(): Promise<readonly string[]> {
    const found = (await ours()).flatMap(({ spec }) =>
      [
        ...(spec?.ingress ?? []).map(({ from }) => from),
        ...(spec?.egress ?? []).map(({ to }) => to),
      ]
        .flatMap((peers) => peers ?? [])
        .flatMap(({ ipBlock }) => ipBlock?.except ?? []),
    );
    return [...new Set(found)].toSorted();
  }

  const statusOf = async (name: string): Promise<NonNullable<IPBlock['status']>> =>
    (await admin.get<IPBlock>(IP_BLOCKS, { name })).status ?? {};

  const becomes = (name: string, wanted: Readonly<Record<string, unknown>>, timeoutMs = 30_000) =>
    eventually(
      async () => {
        const status = await statusOf(name);
        expect(status).toMatchObject(wanted);
        return status;
      },
      {
        what: `${name} to be ${JSON.stringify(wanted)}; ${operator.output().slice(-3000)}`,
        timeoutMs,
      },
    );

  const nothingStands = () =>
    eventually(async () => (await ours()).length === 0, { what: 'nothing of ours to stand' });

  beforeEach(nothingStands);

  it('cuts a block out of what is open, and takes it back with the block', async () => {
    {
      await using _block = await block('plain', { cidrs: ['198.51.100.7', '198.51.100.0/28'] });
      const status = await becomes('plain', {
        enforcement: 'Enforced',
        podsInScope: 1,
        podsCut: 1,
      });
      expect(await holes()).toEqual(['198.51.100.0/28']);
      expect(status).toMatchObject({ addresses: '16', ranges: 1, reason: 'test' });
    }
    await nothingStands();
  });

  it('never cuts off what is protected, and says what it left out', async () => {
    await using _block = await block('greedy', {
      cidrs: ['192.0.0.0/8', '10.244.1.0/24', '203.0.113.0/24'],
    });
    const status = await becomes('greedy', { enforcement: 'Enforced' });
    const cut = await holes();
    expect(cut.length).toBeGreaterThan(0);
    expect(cut.filter((cidr) => cidr.startsWith('10.'))).toEqual([]);
    expect(cut).toContain('203.0.113.0/25');
    expect(cut).not.toContain('203.0.113.0/24');
    expect(status.protectedRanges).toEqual(
      expect.arrayContaining([
        `${NODE_ADDRESS}/32 (nodes)`,
        '10.244.1.0/24 (pods)',
        '203.0.113.128/25 (clients of the operator)',
      ]),
    );
  });

  it('writes nothing for a very wide block until that is acknowledged', async () => {
    await using _block = await block('wide', { cidrs: ['5.0.0.0/8', '4.0.0.0/8'] });
    await becomes('wide', {
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: 'Stalled', status: 'True', reason: 'WideBan' }),
      ]),
    });
    expect(await ours()).toEqual([]);
    await block('wide', { cidrs: ['5.0.0.0/8', '4.0.0.0/8'], acknowledgeWideBan: true });
    await becomes('wide', { enforcement: 'Enforced' });
  });

  it('only tells with mode Observe, and is inert from the start where its time is over', async () => {
    await using _observed = await block('observed', {
      cidrs: ['198.51.100.9/32'],
      mode: 'Observe',
    });
    await using _over = await block('over', {
      cidrs: ['198.51.100.10/32'],
      expiresAt: '2020-01-01T00:00:00Z',
    });
    await becomes('observed', { enforcement: 'Observed', wouldCut: { podsAffected: 1 } });
    await becomes('over', { enforcement: 'Expired' });
    expect(await ours()).toEqual([]);
  });

  it('does nothing for a family that the cluster lacks, and says so', async () => {
    await using _block = await block('other-family', {
      cidrs: ['2a01:4f8::/48', '198.51.100.0/24'],
    });
    const status = await becomes('other-family', { enforcement: 'Enforced', addresses: '256' });
    expect(status.gaps).toContainEqual(expect.objectContaining({ type: 'FamilyAbsent' }));
    expect(JSON.stringify(await ours())).not.toContain('2a01');
  });

  it('takes 50,000 addresses in one block, and writes one policy for one more', async () => {
    const cidrs = Array.from(
      { length: 49_999 },
      (_, index) => `${20 + (index >> 12)}.${(index >> 4) & 255}.${(index & 15) << 4}.0/28`,
    );
    await using _block = await block('many', { cidrs, direction: 'Egress' });
    await becomes('many', { enforcement: 'Enforced', ranges: 49_999 }, 90_000);
    const versions = async (): Promise<ReadonlyMap<string, string | undefined>> =>
      new Map((await ours()).map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    const before = await versions();
    expect(before.size).toBeGreaterThan(4);
    await admin.mergePatch(
      IP_BLOCKS,
      { name: 'many' },
      { spec: { cidrs: [...cidrs, '45.0.0.16/28'] } },
    );
    await becomes('many', { enforcement: 'Enforced', ranges: 50_000 }, 60_000);
    await eventually(async () => (await holes()).includes('45.0.0.16/28'), {
      what: 'the new address to be cut out',
    });
    const after = await versions();
    const changed = [...after].filter(([name, version]) => before.get(name) !== version);
    expect(changed).toHaveLength(1);
  });

  it(
    'writes few times for a thousand policies that come at once',
    { timeout: 300_000 },
    async () => {
      const written = (): number =>
        operator.output().split('"act":"NetworkPolicyWritten"').length - 1;
      const before = written();
      const names = Array.from({ length: 1000 }, (_, index) => index);
      await atOnce(names, async (index) => {
        const cidr = `198.18.${index >> 8}.${index & 255}/32`;
        await policy(`crowd-${index}`, { egress: { to: [{ cidr }] } });
      });
      try {
        await eventually(
          async () => {
            const open = (await ours()).flatMap(({ spec }) =>
              (spec?.egress ?? []).flatMap(({ to }) => to ?? []),
            );
            // 1,000 neighbours from .0.0 to .3.231 are these ranges.
            expect(open.map(({ ipBlock }) => ipBlock?.cidr)).toEqual(
              expect.arrayContaining(['198.18.0.0/23', '198.18.2.0/24', '198.18.3.224/29']),
            );
            return true;
          },
          { what: 'all of them to be open', timeoutMs: 120_000 },
        );
        // Two records a write, and by far no write for each policy.
        expect(written() - before).toBeLessThan(500);
      } finally {
        await atOnce(names, (index) => admin.delete(ACCESS_POLICIES, { name: `crowd-${index}` }));
      }
    },
  );

  it('ends a block in time, also when the operator was away at that moment', async () => {
    await using _short = await block('short', { cidrs: ['198.51.100.11/32'], duration: '4s' });
    await becomes('short', { enforcement: 'Enforced' });
    await operator.kill();
    const { metadata } = await admin.get<IPBlock>(IP_BLOCKS, { name: 'short' });
    const endsMs = Date.parse(metadata.creationTimestamp ?? '') + 4_000;
    await eventually(() => Date.now() > endsMs, { what: 'the end of the block' });
    expect(await holes()).toEqual(['198.51.100.11/32']);
    operator = await installation.start('two', args);
    await becomes('short', { enforcement: 'Expired' });
    await nothingStands();
  });

  it('changes nothing when it is started anew', async () => {
    await using _policy = await policy('steady', { egress: { to: [{ cidr: '203.0.113.0/24' }] } });
    await using _block = await block('steady', { cidrs: ['198.51.100.0/24', '203.0.113.7/32'] });
    await becomes('steady', { enforcement: 'Enforced' });
    const versions = async (): Promise<readonly unknown[]> => [
      (await ours()).map(({ metadata }) => [metadata.name, metadata.resourceVersion]),
      (await admin.get(IP_BLOCKS, { name: 'steady' })).metadata.resourceVersion,
      (await admin.get(ACCESS_POLICIES, { name: 'steady' })).metadata.resourceVersion,
    ];
    await eventually(
      async () => {
        const { status } = await admin.get<AccessPolicy>(ACCESS_POLICIES, { name: 'steady' });
        return status?.network?.pods === 1;
      },
      { what: 'the status of the policy' },
    );
    const before = await versions();
    await operator.stop();
    operator = await installation.start('three', args);
    // A block that comes later is dealt with after all that stood.
    await using _later = await block('later', { cidrs: ['198.51.100.1/32'], mode: 'Observe' });
    await becomes('later', { enforcement: 'Observed' });
    expect(await versions()).toEqual(before);
  });

  it('puts back a policy of its own that somebody changed or deleted', async () => {
    await using _block = await block('kept', { cidrs: ['198.51.100.0/24'] });
    await becomes('kept', { enforcement: 'Enforced' });
    const [first] = await ours();
    const at = { namespace: trading.name, name: first?.metadata.name ?? '' };
    await admin.mergePatch(NETWORK_POLICIES, at, { spec: { ingress: [{}], egress: [{}] } });
    await eventually(async () => (await holes()).length > 0, { what: 'the holes to come back' });
    await admin.delete(NETWORK_POLICIES, at);
    await eventually(async () => (await admin.find(NETWORK_POLICIES, at)) !== undefined, {
      what: 'the policy to come back',
    });
    expect(await operator.metrics()).toMatch(/strongroom_network_restored_total [2-9]/);
  });

  it('says Ineffective within seconds where a policy of others lets the addresses in', async () => {
    await using _block = await block('undone', { cidrs: ['198.51.100.0/24'] });
    await becomes('undone', { enforcement: 'Enforced' });
    const at = { namespace: trading.name, name: 'anything-goes' };
    await admin.create(NETWORK_POLICIES, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: at,
      spec: {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [] }],
        egress: [{}],
      },
    });
    {
      await using _foreign = gone(() => admin.delete(NETWORK_POLICIES, at));
      const status = await becomes('undone', { enforcement: 'Ineffective' }, 10_000);
      expect(status.gaps).toContainEqual(
        expect.objectContaining({ namespace: trading.name, networkPolicy: 'anything-goes' }),
      );
      // It isolates the pods: an allow side of ours would let in more than it does.
      expect(await ours()).toEqual([]);
    }
    await becomes('undone', { enforcement: 'Enforced' });
  });

  it('isolates the pods of a policy, with the blocked addresses cut out', async () => {
    {
      await using _policy = await policy('isolated', {
        egress: { to: [{ cidr: '198.51.100.0/24', ports: [{ port: 443 }] }] },
      });
      await using _block = await block('inside', { cidrs: ['198.51.100.64/26'] });
      const wanted = {
        podSelector: { matchLabels: { app: 'maker' } },
        egress: [
          {
            to: [{ ipBlock: { cidr: '198.51.100.0/24', except: ['198.51.100.64/26'] } }],
            ports: [{ protocol: 'TCP', port: 443 }],
          },
        ],
      };
      await eventually(
        async () => {
          const specs = (await ours()).map(({ spec }) => spec);
          expect(specs).toContainEqual(expect.objectContaining(wanted));
          return true;
        },
        { what: 'the policy of the maker' },
      );
      await becomes('inside', { enforcement: 'Enforced' });
    }
    await nothingStands();
  });

  it('keeps the last good copy of a feed through what is no list, and through a restart', async () => {
    await using _feed = await block('feed', {
      feed: { url: `${feedUrl}/list`, format: 'Plain', every: '5m' },
    });
    await becomes('feed', { enforcement: 'Enforced', feed: { entries: 1 } });
    expect(await holes()).toEqual(['198.51.100.0/24']);
    list = '<html><body>Please log in</body></html>';
    await operator.kill();
    operator = await installation.start('four', args);
    await becomes('feed', { enforcement: 'Enforced' });
    // Another URL of the same kind has no copy, and what it answers is no list.
    await using _bad = await block('bad-feed', {
      feed: { url: `${feedUrl}/other`, format: 'Plain', every: '5m' },
    });
    const status = await becomes('bad-feed', {
      enforcement: 'Pending',
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: 'FeedReady', status: 'False', reason: 'FeedRefused' }),
      ]),
    });
    expect(status.feed?.error).toMatch(/web page/);
    expect(await holes()).toEqual(['198.51.100.0/24']);
    feedStatus = 200;
  });

  it('takes its policies along when a namespace is not guarded any more', async () => {
    await using _block = await block('leaving', { cidrs: ['198.51.100.0/24'] });
    const other = cleanup.use(
      await createNamespace(admin, 'other', { 'strongroom.dev/guarded': 'true' }),
    );
    await eventually(async () => (await ours(other.name)).length > 0, { what: 'its policies' });
    await admin.mergePatch(
      NAMESPACES,
      { name: other.name },
      { metadata: { labels: { 'strongroom.dev/guarded': null } } },
    );
    await eventually(async () => (await ours(other.name)).length === 0, { what: 'them to go' });
    expect(await ours()).not.toEqual([]);
  });
});
