/** Gathers what decides about blocks, from a cluster with the rights of the person. */
import { isGuarded } from '#access/world.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import type { IPBlock } from '#api/ip-block.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { rightTo } from '#cli/access-world.ts';
import type { ClusterOptions, OpenCluster } from '#cli/cluster.ts';
import { openCluster } from '#cli/cluster.ts';
import { CliError, EXIT, messageOf } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import type { NetworkConfig } from '#cli/operator-config.ts';
import type { ListOptions, Scope } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject, NetworkPolicy } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  ENDPOINT_SLICES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  SERVICES,
  SERVICE_CIDRS,
} from '#kube/resources.ts';
import { detectBackends } from '#network/backends/detect-backends.ts';
import type { BackendName } from '#network/backends/backend.ts';
import { EMPTY_SET, addressSet } from '#network/cidr/address-set.ts';
import type { ClusterFacts, NetworkNamespace, NetworkPod } from '#network/cluster-facts.ts';
import { blockState } from '#network/controller/block-state.ts';
import type { BlockInput, BlockState } from '#network/controller/block-state.ts';
import { networkNamespace, networkPods } from '#network/controller/network-pods.ts';
import { DNS_SERVICE, clusterFacts } from '#network/facts/gathered-facts.ts';
import type { ClusterObjects, FactOverrides } from '#network/facts/gathered-facts.ts';
import { isCopyOf } from '#network/feeds/copy.ts';
import type { FeedCopy } from '#network/feeds/feed.ts';
import { createFeedStore } from '#network/feeds/store.ts';

export interface BlockAndState {
  readonly block: IPBlock;
  readonly state: BlockState;
}

/** As of one moment. */
export interface BlockWorld {
  /** Every IPBlock, by name. */
  readonly blocks: readonly BlockAndState[];
  /** Guarded namespaces, those that are asked about; pods and policies are theirs. */
  readonly namespaces: readonly NetworkNamespace[];
  readonly pods: readonly NetworkPod[];
  readonly policies: readonly NetworkPolicy[];
  readonly accessPolicies: readonly AccessPolicy[];
  readonly surroundings: Omit<BlockInput, 'block' | 'feed'>;
  /** What the operator uses beside NetworkPolicy, as far as can be seen. */
  readonly backends: readonly BackendName[];
  /** What could not be looked at, and what that means. */
  readonly notes: readonly string[];
}

export interface WorldOptions {
  readonly operatorNamespace: string;
  /** Absent: every guarded namespace. */
  readonly namespaces?: readonly string[];
}

const OPERATOR_CONFIG = { name: 'strongroom-operator', key: 'operator.yaml' } as const;

/** Of these commands `--namespace` can be repeated, and says nothing about the cluster. */
export async function openForBlocks(
  io: Io,
  { kubeconfig, context }: Pick<ClusterOptions, 'kubeconfig' | 'context'>,
): Promise<OpenCluster> {
  return openCluster(io, {
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
  });
}

export async function readBlocks(
  { client }: OpenCluster,
  signal: AbortSignal,
): Promise<readonly IPBlock[]> {
  try {
    const { items } = await client.list<IPBlock>(IP_BLOCKS, { allNamespaces: true }, { signal });
    return items.toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
  } catch (error) {
    if (isKubeError(error, 'ERR_KUBE_FORBIDDEN')) {
      throw new CliError(
        `you may not ${rightTo('list', IP_BLOCKS, '*')}; that right is missing`,
        EXIT.forbidden,
        { cause: error },
      );
    }
    if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) {
      throw new CliError(
        'the cluster has no IPBlocks: the CRD ipblocks.strongroom.dev is not installed',
        EXIT.notFound,
        { cause: error },
      );
    }
    throw error;
  }
}

export async function readBlockWorld(
  io: Io,
  cluster: OpenCluster,
  options: WorldOptions,
): Promise<BlockWorld> {
  const { client } = cluster;
  const { signal } = io;
  const notes: string[] = [];
  const reader = createReader(cluster, signal, notes);

  const blocks = await readBlocks(cluster, signal);
  const config = await readNetworkConfig(cluster, options.operatorNamespace, signal, notes);
  const namespaces = await readNamespaces(reader, options.namespaces);
  const names = namespaces.map(({ name }) => name);
  const within = async <T extends KubeObject>(resource: Resource<T>): Promise<readonly T[]> =>
    (await Promise.all(names.map((name) => reader.list(resource, { namespace: name })))).flat();
  const [pods, policies, accessPolicies, services, served, feeds] = await Promise.all([
    within(PODS),
    within(NETWORK_POLICIES),
    reader.list<AccessPolicy>(ACCESS_POLICIES, { allNamespaces: true }),
    within(SERVICES),
    client.discover({ signal }),
    readFeeds(cluster, blocks, options.operatorNamespace, notes),
  ]);
  const { operatorClients = [], backends, nodeAgent, ...overrides } = config ?? {};
  const facts = await readFacts(reader, overrides, {
    services,
    apiGroups: served.map(({ group }) => group),
  });
  const surroundings = {
    facts,
    // Whoever asks need not reach the name servers that the operator asks.
    exchanges: EMPTY_SET,
    operatorClients: addressSet(operatorClients),
    isProtectionKnown: true,
  };
  return {
    blocks: statesOf(blocks, feeds, surroundings, io.now()),
    namespaces,
    pods: networkPods(pods),
    policies,
    accessPolicies,
    surroundings,
    backends: [
      ...detectBackends(served).filter(
        (name) =>
          name !== 'NetworkPolicy' &&
          (backends === undefined || backends.some((wanted) => wanted === name)),
      ),
      ...(nodeAgent === true ? (['NodeAgent'] as const) : []),
    ],
    notes,
  };
}

/** What is listed where, without what else there is in the cluster. */
export async function readListed(
  io: Io,
  cluster: OpenCluster,
  operatorNamespace: string,
): Promise<{ readonly blocks: readonly BlockAndState[]; readonly notes: readonly string[] }> {
  const notes: string[] = [];
  const blocks = await readBlocks(cluster, io.signal);
  const feeds = await readFeeds(cluster, blocks, operatorNamespace, notes);
  const nothing = { slices: [] };
  const facts = clusterFacts(
    { nodes: [], serviceCidrs: [], apiServer: nothing, dns: nothing, services: [] },
    {},
  );
  const surroundings = {
    facts,
    exchanges: EMPTY_SET,
    operatorClients: EMPTY_SET,
    isProtectionKnown: true,
  };
  return { blocks: statesOf(blocks, feeds, surroundings, io.now()), notes };
}

function statesOf(
  blocks: readonly IPBlock[],
  feeds: ReadonlyMap<string, FeedCopy>,
  surroundings: BlockWorld['surroundings'],
  nowMs: number,
): readonly BlockAndState[] {
  return blocks.map((block) => ({
    block,
    state: blockState({ ...surroundings, block, feed: feeds.get(block.metadata.name) }, nowMs),
  }));
}

interface Reader {
  /** A list that can be done without, as long as it is told; undefined where it was refused. */
  find<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
    options?: Omit<ListOptions, 'continue'>,
  ): Promise<readonly T[] | undefined>;
  list<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
    options?: Omit<ListOptions, 'continue'>,
  ): Promise<readonly T[]>;
}

function createReader({ client }: OpenCluster, signal: AbortSignal, notes: string[]): Reader {
  const find: Reader['find'] = async (resource, scope, options = {}) => {
    try {
      return (await client.list(resource, scope, { ...options, signal })).items;
    } catch (error) {
      if (isKubeError(error, 'ERR_KUBE_FORBIDDEN')) {
        const where = 'namespace' in scope ? scope.namespace : '*';
        notes.push(
          `you may not ${rightTo('list', resource, where)}: what hangs on them is missing`,
        );
        return undefined;
      }
      if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) return undefined;
      throw error;
    }
  };
  return { find, list: async (...args) => (await find(...args)) ?? [] };
}

async function readNamespaces(
  reader: Reader,
  asked: readonly string[] | undefined,
): Promise<readonly NetworkNamespace[]> {
  const found = await reader.find(NAMESPACES, { allNamespaces: true });
  if (found === undefined) {
    // Every namespace has the label of its name; whether it is guarded is believed.
    if (asked !== undefined) {
      return asked.map((name) => ({ name, labels: { 'kubernetes.io/metadata.name': name } }));
    }
    throw new CliError(
      `you may not ${rightTo('list', NAMESPACES, '*')}, so nobody can tell which are guarded; name them with --namespace`,
      EXIT.forbidden,
    );
  }
  const guarded = found.filter(isGuarded);
  const missing = (asked ?? []).find((name) => !guarded.some((one) => one.metadata.name === name));
  if (missing !== undefined) {
    const isThere = found.some(({ metadata }) => metadata.name === missing);
    throw new CliError(
      isThere
        ? `namespace ${missing} is not guarded (label strongroom.dev/guarded): no block is about it`
        : `namespace ${missing} does not exist`,
      EXIT.notFound,
    );
  }
  return guarded
    .filter(({ metadata }) => asked === undefined || asked.includes(metadata.name))
    .map(networkNamespace);
}

async function readFacts(
  reader: Reader,
  overrides: FactOverrides,
  known: Pick<ClusterObjects, 'services' | 'apiGroups'>,
): Promise<ClusterFacts> {
  const everywhere: Scope = { allNamespaces: true };
  const serviceAt = async ({ namespace, name }: { namespace: string; name: string }) => {
    const [services, slices] = await Promise.all([
      reader.list(SERVICES, { namespace }, { fieldSelector: `metadata.name=${name}` }),
      reader.list(
        ENDPOINT_SLICES,
        { namespace },
        { labelSelector: `kubernetes.io/service-name=${name}` },
      ),
    ]);
    const [service] = services;
    return { ...(service === undefined ? {} : { service }), slices };
  };
  const [nodes, serviceCidrs, apiServer, dns, daemonSets] = await Promise.all([
    reader.list(NODES, everywhere),
    reader.list(SERVICE_CIDRS, everywhere),
    serviceAt({ namespace: 'default', name: 'kubernetes' }),
    serviceAt(overrides.dnsService ?? DNS_SERVICE),
    reader.find(DAEMON_SETS, { namespace: 'kube-system' }),
  ]);
  return clusterFacts(
    {
      ...known,
      nodes,
      serviceCidrs,
      apiServer,
      dns,
      ...(daemonSets === undefined ? {} : { daemonSets }),
    },
    overrides,
  );
}

/** What the operator was told beside what can be seen; without it fewer ranges are known. */
async function readNetworkConfig(
  { client }: OpenCluster,
  namespace: string,
  signal: AbortSignal,
  notes: string[],
): Promise<NetworkConfig | undefined> {
  const { name, key } = OPERATOR_CONFIG;
  try {
    const found = await client.find(CONFIG_MAPS, { namespace, name }, { signal });
    const text = found?.data?.[key];
    if (text === undefined) return undefined;
    const { resolveOperatorConfig } = await import('#cli/operator-config.ts');
    const config = await resolveOperatorConfig({
      file: { name: `ConfigMap ${namespace}/${name}`, text },
      flags: { namespace, identity: 'command-line' },
      environment: {},
    });
    return config.network;
  } catch (error) {
    notes.push(
      `the operator's own configuration was not looked at (${messageOf(error)}): ranges that it protects beside the cluster's are not known here`,
    );
    return undefined;
  }
}

/** The last good copy of each feed, where it may be read. */
async function readFeeds(
  { client }: OpenCluster,
  blocks: readonly IPBlock[],
  namespace: string,
  notes: string[],
): Promise<ReadonlyMap<string, FeedCopy>> {
  const store = createFeedStore({
    client,
    namespace,
    onFault: (_, fault) => void notes.push(fault),
  });
  const copies = new Map<string, FeedCopy>();
  for (const { metadata, spec } of blocks) {
    const { feed } = spec;
    if (feed === undefined) continue;
    try {
      const copy = await store.load(metadata.name);
      if (copy !== undefined && isCopyOf(copy, { name: metadata.name, ...source(feed) })) {
        copies.set(metadata.name, copy);
      }
    } catch (error) {
      if (!isKubeError(error, 'ERR_KUBE_FORBIDDEN')) throw error;
      notes.push(
        `the list of ${metadata.name} was not looked at: you may not ${rightTo('get', CONFIG_MAPS, namespace)}`,
      );
    }
  }
  return copies;
}

function source({ url, format }: NonNullable<IPBlock['spec']['feed']>) {
  return { url, format };
}
