import { run } from './process.ts';
import { type Scratch, takeSlot } from './scratch.ts';

/**
 * The network of one cluster: a namespace with a bridge in it, joined to the host by one veth pair
 * and to each node by another. Nothing of the host's own network is changed but for that
 * interface, and all routes go when it goes.
 *
 * | what | where |
 * |---|---|
 * | cluster in slot k | 198.18.k.0/24: the host is .1, node n is .(10 + n), outside host n is .(100 + n) |
 * | pods of cluster k | 10.244.4k.0/22 |
 * | pods of node n | 10.244.(4k + n).0/24 |
 */
export interface ClusterNetwork {
  /** The host, as the nodes see it. */
  readonly hostAddress: string;
  /** All pods of the cluster. */
  readonly podCidr: string;
  /** Joins a new network namespace for a node to the network. */
  addNode(scratch: Scratch, index: number): Promise<NodeNetwork>;
  /**
   * Joins a host of that address to the network, which the nodes there are reach and that reaches
   * their pods. Answers the name of its network namespace.
   */
  addOutside(scratch: Scratch, address: string): Promise<string>;
}

export interface NodeNetwork {
  /** Of the namespace, as in /run/netns. */
  readonly namespace: string;
  readonly address: string;
  readonly podCidr: string;
}

const slots = 64;
/** How many nodes fit into a cluster's range of pod addresses. */
export const maxNodes = 4;

/** The address that an API server advertises when there will be no nodes: nothing listens there. */
export const unusedAddress = '198.18.255.1';

export async function createNetwork(scratch: Scratch): Promise<ClusterNetwork> {
  const slot = await takeSlot(scratch, slots);
  const namespace = `strongroom-${slot}`;
  const hostLink = `strongroom${slot}`;
  const hostAddress = `198.18.${slot}.1`;
  const podCidr = `10.244.${slot * maxNodes}.0/22`;

  scratch.record('network-namespace', namespace);
  scratch.record('link', hostLink);
  await ip('netns', 'add', namespace);
  await ip('-n', namespace, 'link', 'add', 'bridge', 'type', 'bridge');
  await ip('-n', namespace, 'link', 'set', 'bridge', 'up');
  await ip('link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'host', 'netns', namespace);
  await ip('-n', namespace, 'link', 'set', 'host', 'master', 'bridge', 'up');
  await ip('address', 'add', `${hostAddress}/24`, 'dev', hostLink);
  await ip('link', 'set', hostLink, 'up');
  // Packets for pods that are gone must end here, not leave the machine by its default route.
  await ip('route', 'add', podCidr, 'dev', hostLink);

  const nodes: NodeNetwork[] = [];
  const addNode = async (nodeScratch: Scratch, index: number): Promise<NodeNetwork> => {
    const node: NodeNetwork = {
      namespace: `${namespace}-${index}`,
      address: `198.18.${slot}.${10 + index}`,
      podCidr: `10.244.${slot * maxNodes + index}.0/24`,
    };
    const port = `node${index}`;
    nodeScratch.record('network-namespace', node.namespace);
    await ip('netns', 'add', node.namespace);
    const inNode = (...args: string[]): Promise<void> => ip('-n', node.namespace, ...args);
    const veth = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', node.namespace];
    await ip('-n', namespace, 'link', 'add', port, ...veth);
    await ip('-n', namespace, 'link', 'set', port, 'master', 'bridge', 'up');
    await inNode('link', 'set', 'lo', 'up');
    await inNode('address', 'add', `${node.address}/24`, 'dev', 'eth0');
    await inNode('link', 'set', 'eth0', 'up');
    await inNode('route', 'add', 'default', 'via', hostAddress);
    await run('nsenter', [
      `--net=/run/netns/${node.namespace}`,
      'sysctl',
      '--quiet',
      '--write',
      'net.ipv4.ip_forward=1',
    ]);

    await ip('route', 'replace', node.podCidr, 'via', node.address);
    for (const other of nodes.filter((each) => each.namespace !== node.namespace)) {
      // A node that has ended has no namespace any more.
      await inNode('route', 'replace', other.podCidr, 'via', other.address);
      await ip('-n', other.namespace, 'route', 'replace', node.podCidr, 'via', node.address).catch(
        () => undefined,
      );
    }
    nodes.push(node);
    return node;
  };

  let outsideHosts = 0;
  const addOutside = async (outsideScratch: Scratch, address: string): Promise<string> => {
    const index = outsideHosts++;
    const outside = `${namespace}-outside-${index}`;
    const port = `outside${index}`;
    const own = `198.18.${slot}.${100 + index}`;
    outsideScratch.record('network-namespace', outside);
    await ip('netns', 'add', outside);
    const inOutside = (...args: string[]): Promise<void> => ip('-n', outside, ...args);
    const veth = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', outside];
    await ip('-n', namespace, 'link', 'add', port, ...veth);
    await ip('-n', namespace, 'link', 'set', port, 'master', 'bridge', 'up');
    await inOutside('link', 'set', 'lo', 'up');
    await inOutside('address', 'add', `${own}/24`, 'dev', 'eth0');
    await inOutside('address', 'add', `${address}/32`, 'dev', 'lo');
    await inOutside('link', 'set', 'eth0', 'up');
    for (const node of nodes) {
      // From the address that the cluster knows it by.
      await inOutside('route', 'add', node.podCidr, 'via', node.address, 'src', address);
      await ip('-n', node.namespace, 'route', 'replace', `${address}/32`, 'via', own).catch(
        () => undefined,
      );
    }
    return outside;
  };
  return { hostAddress, podCidr, addNode, addOutside };
}

async function ip(...args: string[]): Promise<void> {
  await run('ip', args);
}
