/** The facts of the cluster's network, read from a real API server. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Node, Service } from '../../src/kube/objects.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  NODES,
  SERVICE_CIDRS,
  SERVICES,
} from '../../src/kube/resources.ts';
import type { ClusterFacts } from '../../src/network/cluster-facts.ts';
import { createFactsGatherer } from '../../src/network/facts/gatherer.ts';
import type { FactsGatherer } from '../../src/network/facts/gatherer.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { clientOf, userKubeconfig } from './identities.ts';
import { scratchDirectory } from './operator-process.ts';

const RBAC = 'rbac.authorization.k8s.io';

interface Gathering extends AsyncDisposable {
  readonly gatherer: FactsGatherer;
  /** The facts at each time that handlers were told of a change. */
  readonly told: readonly ClusterFacts[];
}

function gather(client: KubeClient, namespace: string): Gathering {
  const told: ClusterFacts[] = [];
  const gatherer = createFactsGatherer({
    client,
    overrides: { dnsService: { namespace, name: 'names' } },
    services: () => [],
    apiGroups: () => ['apps'],
    clock: systemClock,
    random: () => 0,
    log: silentLogger,
  });
  gatherer.onChange(() => void told.push(gatherer.facts()));
  const stop = new AbortController();
  const running = Promise.all(gatherer.informers.map((informer) => informer.run(stop.signal)));
  return {
    gatherer,
    told,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('test ends'));
      await running;
    },
  };
}

describe('facts of a real cluster', () => {
  const cleanup = new AsyncDisposableStack();
  const suffix = randomBytes(4).toString('hex');
  let client: KubeClient;
  let namespace: TestNamespace;

  beforeAll(async () => {
    client = cleanup.use(await connect());
    namespace = cleanup.use(await createNamespace(client, 'facts'));
  });
  afterAll(() => cleanup.disposeAsync());

  async function createNode(name: string, podCidr: string, address: string): Promise<void> {
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      spec: { podCIDRs: [podCidr], podCIDR: podCidr },
    };
    await client.create(NODES, node);
    cleanup.defer(() => client.delete(NODES, { name }));
    await setAddress(name, address);
  }

  async function setAddress(name: string, address: string): Promise<void> {
    const status = { addresses: [{ type: 'InternalIP', address }] };
    await client.mergePatch(NODES, { name }, { status }, { subresource: 'status' });
  }

  it('knows the API server, ranges of Services, nodes and DNS', async () => {
    await using gathering = gather(client, namespace.name);
    const { gatherer } = gathering;
    const api = await client.get(SERVICES, { namespace: 'default', name: 'kubernetes' });
    await createNode(`facts-${suffix}`, '10.244.7.0/24', '198.51.100.7');
    await client.create<Service>(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: namespace.name, name: 'names' },
      spec: { selector: { app: 'names' }, ports: [{ port: 53, protocol: 'UDP' }] },
    });
    const dns = await client.get(SERVICES, { namespace: namespace.name, name: 'names' });

    await eventually(() => gatherer.missing().length === 0, { what: 'all to be known' });
    const facts = await eventually(
      () => {
        const found = gatherer.facts();
        return !found.dns.addresses.isEmpty && found.nodeAddresses.contains('198.51.100.7')
          ? found
          : undefined;
      },
      { what: 'node and DNS to be known' },
    );
    expect(facts.apiServer.addresses.contains(api.spec?.clusterIP ?? '')).toBe(true);
    expect(facts.apiServer.ports).toContain(443);
    // The Service's own port, and the one that the API server listens on.
    expect(facts.apiServer.ports.length).toBeGreaterThan(1);
    expect(facts.dns.addresses.cidrs()).toEqual([`${dns.spec?.clusterIP}/32`]);
    expect(facts.dns.podLabels).toEqual({ app: 'names' });
    const { items } = await client.list(SERVICE_CIDRS, { allNamespaces: true });
    expect(facts.serviceRanges.cidrs()).toEqual(items.flatMap(({ spec }) => spec?.cidrs ?? []));
    expect(facts.serviceRanges.contains(dns.spec?.clusterIP ?? '')).toBe(true);
    expect(facts.podRanges.contains('10.244.7.1')).toBe(true);
    expect(facts.families).toContain('IPv4');
    expect(gatherer.facts()).toBe(facts);
  });

  it('tells of changes of the facts, and of nothing else', async () => {
    const name = `facts-moving-${suffix}`;
    await createNode(name, '10.244.8.0/24', '198.51.100.8');
    await using gathering = gather(client, namespace.name);
    const { gatherer, told } = gathering;
    await eventually(
      () =>
        gatherer.missing().length === 0 && gatherer.facts().nodeAddresses.contains('198.51.100.8'),
      { what: 'the node to be known' },
    );
    await eventually(() => told.at(-1) === gatherer.facts(), { what: 'handlers to be told' });
    const before = told.length;
    const facts = gatherer.facts();

    // What kubelets do all the time.
    for (const beat of ['one', 'two', 'three']) {
      const conditions = [{ type: 'MemoryPressure', status: 'False', reason: beat, message: beat }];
      await client.mergePatch(
        NODES,
        { name },
        { status: { conditions } },
        { subresource: 'status' },
      );
    }
    await client.mergePatch(NODES, { name }, { metadata: { labels: { beat: 'yes' } } });
    await setAddress(name, '198.51.100.9');
    await eventually(() => gatherer.facts().nodeAddresses.contains('198.51.100.9'), {
      what: 'the new address',
    });
    await eventually(() => told.at(-1) === gatherer.facts(), { what: 'handlers to be told' });
    expect(told.length).toBe(before + 1);
    expect(gatherer.facts()).not.toBe(facts);
    expect(gatherer.facts().nodeAddresses.contains('198.51.100.8')).toBe(false);
  });

  it('goes without what it may not read, and says so where it cannot', async () => {
    const scratch = cleanup.use(await scratchDirectory());
    const user = `facts-${suffix}`;
    await createNode(`facts-known-${suffix}`, '10.244.9.0/24', '198.51.100.10');
    const restricted = cleanup.use(
      await clientOf(await userKubeconfig(client, user, [], scratch.path)),
    );
    await using gathering = gather(restricted, namespace.name);
    const { gatherer } = gathering;
    await eventually(() => !gatherer.missing().some((why) => why.includes('not read yet')), {
      what: 'every refusal to be noticed',
    });
    expect(gatherer.missing()).toEqual([
      expect.stringContaining('addresses of nodes'),
      expect.stringContaining('addresses of the API server'),
    ]);
    expect(gatherer.facts().policyEngine).toEqual({ seen: 'Unknown' });

    // Nodes and Services are enough: ServiceCIDRs and DaemonSets stay refused.
    const name = `strongroom-test-${user}`;
    await client.create(CLUSTER_ROLES, {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRole',
      metadata: { name },
      rules: [
        { apiGroups: [''], resources: ['nodes', 'services'], verbs: ['list', 'watch'] },
        {
          apiGroups: ['discovery.k8s.io'],
          resources: ['endpointslices'],
          verbs: ['list', 'watch'],
        },
      ],
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
    await eventually(() => gatherer.missing().length === 0, {
      what: 'the facts to be complete',
      timeoutMs: 60_000,
    });
    expect(gatherer.facts().nodeAddresses.contains('198.51.100.10')).toBe(true);
    expect(gatherer.facts().serviceRanges.isEmpty).toBe(true);
    expect(gatherer.facts().policyEngine.seen).toBe('Unknown');
  });
});
