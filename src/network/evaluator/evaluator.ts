import type { AddressSet } from '../cidr/address-set.ts';
import type { Direction, Family, NetworkPod, Protocol } from '../cluster-facts.ts';
import { createOpenness, EVERYTHING, hasPort } from './openness.ts';
import type { Openness, OpenWithin } from './openness.ts';
import type { Rule } from './policy-rules.ts';
import { createSharedSets } from './shared-sets.ts';
import { indexWorld } from './world.ts';
import type { NetworkWorld } from './world.ts';
import { spellingOf, writtenAddresses } from './written-addresses.ts';

export type Endpoint = { readonly pod: NetworkPod } | { readonly address: string };

export interface Connection {
  readonly from: Endpoint;
  readonly to: Endpoint;
  /** Where the destination listens, behind any Service. */
  readonly port: number;
  readonly protocol: Protocol;
  /** Absent: over whichever family of the two ends lets it through. */
  readonly family?: Family;
}

export interface Verdict {
  readonly allowed: boolean;
  /** What the policies of the source say. */
  readonly egress: SideVerdict;
  /** What the policies of the destination say. */
  readonly ingress: SideVerdict;
}

export interface SideVerdict {
  readonly allowed: boolean;
  /**
   * Whether a NetworkPolicy could say anything: not where that end is no pod or one with
   * hostNetwork, nor between a pod and itself or its node.
   */
  readonly applies: boolean;
  /** Keys (`namespace/name`) of policies that isolate the pod in the direction; none: all is open. */
  readonly isolatedBy: readonly string[];
  /** Those of them that allow the connection. */
  readonly allowedBy: readonly string[];
}

export interface Evaluator {
  judge(connection: Connection): Verdict;
  openAddresses(pod: NetworkPod, direction: Direction): Openness;
  /** The same of these addresses alone, which is much faster for few of them. */
  readonly openWithin: OpenWithin;
}

/** An end of a connection over one family; a pod with hostNetwork is its address alone. */
interface End {
  readonly pod?: NetworkPod;
  readonly address?: string;
  readonly family?: Family;
}

const endsOfPods = new WeakMap<NetworkPod, readonly End[]>();

/**
 * NetworkPolicy v1 as the API's documentation has it (networking.k8s.io/v1, and the page "Network
 * Policies" of kubernetes.io). Where that leaves something to network plugins, it takes what most of
 * them do: pods with hostNetwork count as their node's address, and an ipBlock that holds the
 * address of a pod matches the pod.
 *
 * Nothing of the world may change afterwards: make a new one, which is cheap, since what was read of
 * a policy object is kept with it.
 */
export function createEvaluator(world: NetworkWorld): Evaluator {
  const index = indexWorld(world);
  const addressesOfBlock = createSharedSets();
  const openWithin = createOpenness(index, addressesOfBlock);

  return {
    judge(connection) {
      const verdicts = routesOf(connection).map(([from, to]): Verdict => {
        const egress = judgeSide('Egress', from, to, connection, to.pod);
        const ingress = judgeSide('Ingress', to, from, connection, to.pod);
        return { allowed: egress.allowed && ingress.allowed, egress, ingress };
      });
      const verdict = verdicts.find(({ allowed }) => allowed) ?? verdicts[0];
      if (verdict === undefined) throw new Error('a connection has at least one route');
      return verdict;
    },
    openAddresses: (pod, direction) => openWithin(pod, direction, EVERYTHING),
    openWithin,
  };

  /** Pairs of ends, one pair for each family that both have. */
  function routesOf({ from, to, family }: Connection): readonly (readonly [End, End])[] {
    const sources = endsOf(from);
    const destinations = endsOf(to);
    const routes = sources
      .filter((source) => family === undefined || source.family === family)
      .flatMap((source) =>
        destinations
          .filter((destination) => destination.family === source.family)
          .map((destination) => [source, destination] as const),
      );
    if (routes.length > 0) return routes;
    // A pod that has no such address yet may get one: labels alone can speak for it.
    return [[withoutPodAddress(from), withoutPodAddress(to)]];
  }

  function endsOf(endpoint: Endpoint): readonly End[] {
    if ('address' in endpoint) return [endOf(endpoint.address)];
    const { pod } = endpoint;
    let ends = endsOfPods.get(pod);
    if (ends === undefined) {
      ends = pod.addresses.map((address) => ({
        address,
        family: familyOf(spellingOf(address)),
        ...(!pod.hostNetwork && { pod }),
      }));
      endsOfPods.set(pod, ends);
    }
    return ends;
  }

  function withoutPodAddress(endpoint: Endpoint): End {
    if ('address' in endpoint) return endOf(endpoint.address);
    return endpoint.pod.hostNetwork ? {} : { pod: endpoint.pod };
  }

  function endOf(address: string): End {
    const spelling = spellingOf(address);
    const pod = index.podAt(spelling);
    return { address, family: familyOf(spelling), ...(pod && { pod }) };
  }

  function judgeSide(
    direction: Direction,
    subject: End,
    peer: End,
    { port, protocol }: Connection,
    destination: NetworkPod | undefined,
  ): SideVerdict {
    if (subject.pod === undefined || isAlwaysOpen(subject.pod, peer)) {
      return { allowed: true, applies: false, isolatedBy: [], allowedBy: [] };
    }
    const isPort = (each: Rule) => includesPort(each, port, protocol, destination);
    const isolating = index.isolating(subject.pod, direction);
    const allowedBy = isolating.filter(({ namespace, rules }) =>
      rules[direction]?.some((rule) => isPort(rule) && includesPeer(rule, namespace, peer)),
    );
    return {
      allowed: isolating.length === 0 || allowedBy.length > 0,
      applies: true,
      isolatedBy: isolating.map(({ key }) => key),
      allowedBy: allowedBy.map(({ key }) => key),
    };
  }

  function includesPeer({ peers }: Rule, policyNamespace: string, { pod, address }: End): boolean {
    if (peers === 'Everyone') return true;
    return peers.some((peer) => {
      if ('ipBlock' in peer) {
        return address !== undefined && addressesOfBlock(peer.ipBlock).contains(address);
      }
      return pod !== undefined && index.isPeer(peer, policyNamespace, pod);
    });
  }
}

/**
 * "Exception: a Pod cannot block access to itself", and "traffic to and from the node where a Pod is
 * running is always allowed, regardless of the IP address of the Pod or the node". (Network
 * Policies)
 */
function isAlwaysOpen(pod: NetworkPod, peer: End): boolean {
  if (peer.pod !== undefined) {
    return peer.pod.namespace === pod.namespace && peer.pod.name === pod.name;
  }
  const { address } = peer;
  return address !== undefined && nodeAddressesOf(pod).contains(address);
}

const nodeAddresses = new WeakMap<NetworkPod, AddressSet>();

function nodeAddressesOf(pod: NetworkPod): AddressSet {
  let addresses = nodeAddresses.get(pod);
  if (addresses === undefined) {
    addresses = writtenAddresses(pod.nodeAddresses ?? []);
    nodeAddresses.set(pod, addresses);
  }
  return addresses;
}

function includesPort(
  { ports }: Rule,
  port: number,
  protocol: Protocol,
  destination: NetworkPod | undefined,
): boolean {
  if (ports === 'All') return true;
  return ports.some((each) => {
    if (each.protocol !== protocol) return false;
    if (!('name' in each)) return each.first <= port && port <= each.last;
    return destination !== undefined && hasPort(destination, each.name, protocol, port);
  });
}

function familyOf(spelling: string): Family {
  return spelling.includes(':') ? 'IPv6' : 'IPv4';
}
