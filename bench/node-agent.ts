/**
 * 50,000 ranges until a node refuses their packets, against `nft` alone with the same set; and the
 * packets a second that a node forwards with and without that table. Either way the node tracks
 * connections and translates addresses as with kube-proxy, which a real node does anyhow: the table
 * asks for a connection's direction, and would otherwise be charged for the tracking of all.
 */
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { CONFIG_MAPS, NAMESPACES } from '../src/kube/resources.ts';
import type { KubeClient } from '../src/kube/client.ts';
import { loadClusterConfig } from '../src/kube/config.ts';
import { createKubeClient } from '../src/kube/create-client.ts';
import { createNodeAgent } from '../src/network/node-agent/agent.ts';
import type { Ban } from '../src/network/node-agent/ban.ts';
import { createEnforcer } from '../src/network/node-agent/enforcer.ts';
import { createNft } from '../src/network/node-agent/nft.ts';
import type { Nft } from '../src/network/node-agent/nft.ts';
import { nodeBlockConfigMaps } from '../src/network/node-agent/node-blocks.ts';
import { reloadScript } from '../src/network/node-agent/plan.ts';
import { readNodeBlocks } from '../src/network/node-agent/read-node-blocks.ts';
import { TABLE, tableOf } from '../src/network/node-agent/table.ts';
import type { Table } from '../src/network/node-agent/table.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { silentLogger } from '../src/runtime/log.ts';
import { nodeSupport, startControlPlane } from '../test/cluster/index.ts';
import { installTools, nodeTools } from '../test/cluster/packages.ts';
import { run, startDaemon, until } from '../test/cluster/process.ts';
import { ADDRESSES, startRouter } from '../test/node/router.ts';
import type { Router } from '../test/node/router.ts';
import type { Benchmark, Comparison } from './benchmark.ts';

const RANGES = 50_000;
const ROUNDS = 5;
/** Short ones, with and without the table in turn, since a machine is not as fast all the time. */
const PACKET_ROUNDS = 60;
const PACKETS = 100_000;
const NAMESPACE = 'strongroom-system';

/** What kube-proxy has on every node in its nftables mode, in short: Services, and masquerading. */
const PROXY = `
table ip proxy {
	map services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 443 : goto service, 10.96.0.10 . udp . 53 : goto service }
	}
	chain service { dnat to ${ADDRESSES.otherPod.IPv4}; }
	chain services { ip daddr . meta l4proto . th dport vmap @services; }
	chain prerouting { type nat hook prerouting priority dstnat; jump services; }
	chain output { type nat hook output priority -100; jump services; }
	chain forward { type filter hook forward priority filter; ct state invalid drop; }
	chain postrouting { type nat hook postrouting priority srcnat; meta mark & 0x4000 != 0 masquerade; }
}
`;

export const nodeAgent: Benchmark = {
  name: 'node-agent',
  async run() {
    const support = nodeSupport();
    if (!support.supported) {
      console.log(`node-agent: skipped: ${support.reason}`);
      return [];
    }
    await installTools({ ...nodeTools, iperf3: 'iperf3' }, console.error);
    await using router = await startRouter();
    const nft = createNft(router.nft);
    return [await loading(nft), await packets(router, nft)];
  },
};

/**
 * Disjoint, of every size from one address to a few hundred, half of them with an end; from 11.0.0.0
 * to about 204.0.0.0, so that the address outside is among them and must be searched for.
 */
function ranges(seed: number): readonly Ban[] {
  let from = 11n << 24n;
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  return Array.from({ length: RANGES }, (_, index) => {
    const first = from + BigInt(1 + random(130_000));
    from = first + BigInt(1 + random(300));
    const range = { family: 'IPv4' as const, first, last: from - 1n };
    return index % 2 === 0 ? range : { ...range, expiresAtMs: Date.now() + 86_400_000 + index };
  });
}

function configMapsOf(bans: readonly Ban[]): ReturnType<typeof nodeBlockConfigMaps> {
  const groups = (['Ingress', 'Egress'] as const).map((direction) => ({
    namespaces: '*' as const,
    direction,
    intervals: bans,
  }));
  return nodeBlockConfigMaps({ groups, pods: [], namespace: NAMESPACE });
}

function tableFor(bans: readonly Ban[]): Table {
  const read = readNodeBlocks(configMapsOf(bans));
  if (!read.complete) throw new Error(read.reason);
  return tableOf(read.blocks);
}

/** From the compiled block in the operator, through the API server, to the kernel. */
async function loading(nft: Nft): Promise<Comparison> {
  await using controlPlane = await startControlPlane({ progress: console.error });
  const config = await loadClusterConfig({ env: {}, kubeconfig: controlPlane.kubeconfigPath });
  await using client = createKubeClient(config, { userAgent: 'bench' });
  await client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE },
  });
  let applied = Promise.withResolvers<void>();
  const nothing = (): void => undefined;
  const agent = createNodeAgent({
    client,
    namespace: NAMESPACE,
    node: 'node-1',
    enforcer: createEnforcer(nft, systemClock),
    dataPathProblems: () => Promise.resolve([]),
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    metrics: {
      behind: nothing,
      ranges: nothing,
      refused: nothing,
      applied: () => applied.resolve(),
      failed: nothing,
      repaired: nothing,
      problems: nothing,
    },
  });
  const stop = new AbortController();
  const running = Promise.allSettled(agent.runnables.map((each) => each.run(stop.signal)));
  const ours: number[] = [];
  const alone: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      applied = Promise.withResolvers();
      await publish(client, []);
      await applied.promise;
      const bans = ranges(round);
      const started = performance.now();
      applied = Promise.withResolvers();
      await publish(client, bans);
      await applied.promise;
      ours.push(performance.now() - started);
      // What follows a change, such as a report, is not the peer's to pay for.
      await delay(500);
      const script = reloadScript(tableFor(bans), Date.now()).replaceAll(
        'inet strongroom',
        'inet peer',
      );
      const peerStarted = performance.now();
      await nft(['-f', '-'], script);
      alone.push(performance.now() - peerStarted);
      await nft(['-f', '-'], 'delete table inet peer\n');
    }
  } finally {
    stop.abort();
    await running;
  }
  return {
    what: 'block of 50,000 ranges until the node refuses their packets',
    ours,
    peers: { 'nft -f with the same set': alone },
  };
}

/** As the operator does it: in order, then away with what is not among them. */
async function publish(client: KubeClient, bans: readonly Ban[]): Promise<void> {
  const objects = configMapsOf(bans);
  for (const object of objects) {
    await client.apply(CONFIG_MAPS, object, { fieldManager: 'strongroom', force: true });
  }
  const kept = new Set(objects.map(({ metadata }) => metadata.name));
  const labelSelector = 'strongroom.dev/component=node-blocks';
  const { items } = await client.list(CONFIG_MAPS, { namespace: NAMESPACE }, { labelSelector });
  for (const { metadata } of items) {
    if (kept.has(metadata.name)) continue;
    await client.delete(CONFIG_MAPS, { namespace: NAMESPACE, name: metadata.name });
  }
}

async function packets(router: Router, nft: Nft): Promise<Comparison> {
  const enforcer = createEnforcer(nft, systemClock);
  const table = tableFor(ranges(7));
  const server = await startDaemon({
    name: 'iperf3',
    program: 'nsenter',
    args: [
      `--net=/run/netns/${router.outside.namespace}`,
      'iperf3',
      '--server',
      `--bind=${ADDRESSES.other.IPv4}`,
    ],
    logFile: '/dev/null',
    environment: {},
  });
  const withTable: number[] = [];
  const without: number[] = [];
  try {
    await nft(['-f', '-'], PROXY);
    await enforcer.enforce(table);
    for (let round = 0; round < PACKET_ROUNDS; round += 1) {
      const isFirst = round % 2 === 0;
      for (const has of [isFirst, !isFirst]) {
        // Taken off its hooks it stays loaded, so that no sample pays for filling and freeing sets.
        await nft(['-f', '-'], `add table ${TABLE} { ${has ? '' : 'flags dormant;'} }\n`);
        // It does not say when it listens, nor when it has done with the last one.
        const sample = await until('iperf3 answers', () => blast(router));
        (has ? withTable : without).push(sample);
      }
    }
  } finally {
    await server.stop();
    await enforcer.remove();
  }
  return {
    what: `${PACKETS} small packets forwarded by a node that tracks connections, with a table of 50,000 ranges`,
    ours: withTable,
    peers: { 'without the table': without },
  };
}

/**
 * Milliseconds for so many datagrams of 64 bytes that arrived. The node forwards on the processor of
 * who sends; who receives has another one.
 */
async function blast(router: Router): Promise<number> {
  const output = await run('nsenter', [
    `--net=/run/netns/${router.pods.namespace}`,
    'iperf3',
    '--client',
    ADDRESSES.other.IPv4,
    '--udp',
    '--bitrate=0',
    '--length=64',
    `--blockcount=${PACKETS}`,
    ...(availableParallelism() > 1 ? ['--affinity=0,1'] : []),
    '--json',
  ]);
  const { end, error } = JSON.parse(output) as {
    error?: string;
    end: { sum?: { packets: number; lost_packets: number; seconds: number } };
  };
  if (end.sum === undefined) throw new Error(`iperf3: ${error ?? 'no result'}`);
  const { packets: sent, lost_packets: lost, seconds } = end.sum;
  return (seconds * 1000 * PACKETS) / (sent - lost);
}
