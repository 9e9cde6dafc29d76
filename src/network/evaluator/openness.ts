import type { NetworkPolicy } from '#kube/objects.ts';
import { EMPTY_SET, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { WHOLE_IPV4, WHOLE_IPV6 } from '../cidr/special-ranges.ts';
import type { Direction, NetworkPod, Protocol } from '../cluster-facts.ts';
import type { IpBlock, PolicyRules, Rule } from './policy-rules.ts';
import type { PodPeer, WorldIndex } from './world.ts';
import { writtenAddresses } from './written-addresses.ts';

/** What a pod may talk to, or be talked to from, on one port at least. */
export interface Openness {
  /** Whether any policy isolates the pod in the direction; else everything is open. */
  readonly isolated: boolean;
  /** By the policies or by default. */
  readonly open: AddressSet;
  /** Of the policies that isolate the pod; some open nothing. */
  readonly byPolicy: readonly { readonly policy: NetworkPolicy; readonly open: AddressSet }[];
  /** The pod's own addresses and its node's, which no NetworkPolicy can close. */
  readonly always: AddressSet;
}

export type OpenWithin = (pod: NetworkPod, direction: Direction, within: AddressSet) => Openness;

type OpenByRules = Omit<Openness, 'always'>;

/** What decides: pods that share it have the same open to them. */
interface Situation {
  readonly direction: Direction;
  readonly isolating: readonly PolicyRules[];
  /** Empty where no policy goes by the names of ports. */
  readonly ports: NetworkPod['ports'];
}

export const EVERYTHING: AddressSet = WHOLE_IPV4.union(WHOLE_IPV6);

/**
 * Sets found stay as long as the function does, those within other sets as long as these, and are
 * found once for all pods that the same policies isolate.
 */
export function createOpenness(
  index: WorldIndex,
  addressesOfBlock: (ipBlock: IpBlock) => AddressSet,
): OpenWithin {
  const situations = new Map<string, Situation>();
  const numbers = new Map<PolicyRules, number>();
  const ofPod = {
    Ingress: new WeakMap<NetworkPod, Situation>(),
    Egress: new WeakMap<NetworkPod, Situation>(),
  };
  const found = new WeakMap<AddressSet, Found>();

  return (pod, direction, within) => ({
    ...openByRules(pod, direction, within),
    always: alwaysWithin(pod, within),
  });

  function alwaysWithin(pod: NetworkPod, within: AddressSet): AddressSet {
    const { addresses, nodeAddresses = [] } = pod;
    const isWithin = (address: string): boolean => within.contains(address);
    if (!addresses.some(isWithin) && !nodeAddresses.some(isWithin)) return EMPTY_SET;
    return writtenAddresses([...addresses, ...nodeAddresses]).intersection(within);
  }

  function openByRules(pod: NetworkPod, direction: Direction, within: AddressSet): OpenByRules {
    const situation = situationOf(pod, direction);
    const { isolating } = situation;
    if (isolating.length === 0) return { isolated: false, open: within, byPolicy: [] };
    let known = found.get(within);
    if (known === undefined) {
      known = createFound(within, index);
      found.set(within, known);
    }
    const { bySituation } = known;
    let result = bySituation.get(situation);
    if (result === undefined) {
      const byPolicy = isolating.map(({ policy, namespace, rules }) => ({
        policy,
        open: together(
          (rules[direction] ?? []).flatMap((rule) =>
            openByRule(rule, namespace, direction, pod, known),
          ),
        ),
      }));
      result = { isolated: true, open: together(byPolicy.map(({ open }) => open)), byPolicy };
      bySituation.set(situation, result);
    }
    return result;
  }

  function situationOf(pod: NetworkPod, direction: Direction): Situation {
    let situation = ofPod[direction].get(pod);
    if (situation === undefined) {
      const isolating = index.isolating(pod, direction);
      const ports = isolating.some((each) => goesByPodPorts(each, direction)) ? pod.ports : [];
      const key = JSON.stringify([direction, isolating.map(numberOf), ports]);
      situation = situations.get(key) ?? { direction, isolating, ports };
      situations.set(key, situation);
      ofPod[direction].set(pod, situation);
    }
    return situation;
  }

  function numberOf(rules: PolicyRules): number {
    const number = numbers.get(rules) ?? numbers.size;
    numbers.set(rules, number);
    return number;
  }

  function openByRule(
    { peers, ports }: Rule,
    policyNamespace: string,
    direction: Direction,
    pod: NetworkPod,
    known: Found,
  ): readonly AddressSet[] {
    const open =
      peers === 'Everyone'
        ? [known.within]
        : peers.map((peer) =>
            'ipBlock' in peer
              ? known.common(addressesOfBlock(peer.ipBlock))
              : known.ofPods(peer, policyNamespace),
          );
    if (ports === 'All' || ports.some((port) => !('name' in port) && port.first <= port.last)) {
      return open;
    }
    const named = ports.filter((port) => 'name' in port);
    if (direction === 'Ingress') {
      const isListening = named.some(({ name, protocol }) => hasPort(pod, name, protocol));
      return isListening ? open : [];
    }
    // Names are those of the destination: no address outside has one.
    const listening = unionOf(named.map(({ name, protocol }) => known.listening(name, protocol)));
    return listening.isEmpty ? [] : open.map((each) => each.intersection(listening));
  }
}

/** Most policies leave nothing open of a block, and most of the others do so by one rule. */
function together(sets: readonly AddressSet[]): AddressSet {
  const [only = EMPTY_SET, ...others] = sets.filter((set) => !set.isEmpty);
  return others.length === 0 ? only : unionOf([only, ...others]);
}

/** What is known of the addresses looked at; each thing is found out once. */
interface Found {
  readonly within: AddressSet;
  readonly bySituation: Map<Situation, OpenByRules>;
  /** What a set has in common with them. */
  common(set: AddressSet): AddressSet;
  /** Those of the pods that a peer selects. */
  ofPods(peer: PodPeer, policyNamespace: string): AddressSet;
  /** Those of pods that have such a port. */
  listening(name: string, protocol: Protocol): AddressSet;
}

function createFound(within: AddressSet, index: WorldIndex): Found {
  const commons = new Map<AddressSet, AddressSet>();
  const ofPeers = new Map<PodPeer, AddressSet>();
  const byPort = new Map<string, AddressSet>();
  // Few blocks hold addresses of pods; where none does, nobody has to ask which pods a peer selects.
  const podsWithin = index.podsWithin(within);
  const addressesOf = (pods: readonly NetworkPod[]): AddressSet =>
    common(writtenAddresses(pods.flatMap(({ addresses }) => addresses)));

  return {
    within,
    bySituation: new Map(),
    common,
    ofPods: (peer, policyNamespace) =>
      once(ofPeers, peer, () => addressesOf(index.podsOfPeer(peer, policyNamespace, podsWithin))),
    listening: (name, protocol) =>
      once(byPort, `${protocol} ${name}`, () =>
        addressesOf([...podsWithin.values()].flat().filter((pod) => hasPort(pod, name, protocol))),
      ),
  };

  function common(set: AddressSet): AddressSet {
    if (within === EVERYTHING) return set;
    return once(commons, set, () =>
      set.intersects(within) ? set.intersection(within) : EMPTY_SET,
    );
  }
}

function once<K, V>(known: Map<K, V>, key: K, find: () => V): V {
  let value = known.get(key);
  if (value === undefined) {
    value = find();
    known.set(key, value);
  }
  return value;
}

/** Whether what a policy opens differs between pods with different ports. */
function goesByPodPorts({ rules }: PolicyRules, direction: Direction): boolean {
  if (direction === 'Egress') return false;
  return (rules.Ingress ?? []).some(
    ({ ports }) => ports !== 'All' && ports.some((port) => 'name' in port),
  );
}

/** Whether the pod listens under that name; with `port`, whether it is that port. */
export function hasPort(
  { ports }: NetworkPod,
  name: string,
  protocol: Protocol,
  port?: number,
): boolean {
  return ports.some(
    (each) =>
      each.name === name &&
      each.protocol === protocol &&
      (port === undefined || each.port === port),
  );
}
