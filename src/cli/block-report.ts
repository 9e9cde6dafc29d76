/** What blocks do, would do, and do not do, said of a world that was read. No input, no output. */
import type { BlockBackendName, BlockDirection, IPBlock } from '#api/ip-block.ts';
import { shortForm } from '#cli/block-manifest.ts';
import type { BlockAndState, BlockWorld } from '#cli/block-world.ts';
import type { ActiveBlock } from '#network/active-block.ts';
import { EMPTY_SET, addressSet } from '#network/cidr/address-set.ts';
import type { AddressSet } from '#network/cidr/address-set.ts';
import type { Direction, NetworkPod, Protocol } from '#network/cluster-facts.ts';
import { compileNamespace } from '#network/compiler/compiler.ts';
import { isOurPolicy } from '#network/compiler/our-policy.ts';
import { isAbout } from '#network/controller/block-book.ts';
import { blockState } from '#network/controller/block-state.ts';
import type { BlockPhase } from '#network/controller/block-state.ts';
import { createEvaluator } from '#network/evaluator/evaluator.ts';
import type { Evaluator } from '#network/evaluator/evaluator.ts';
import { judgeBlock } from '#network/evaluator/judge-block.ts';
import type { BlockJudgement } from '#network/evaluator/judge-block.ts';
import { networkGrants } from '#network/grants/network-grants.ts';
import type { NetworkGap } from '#network/network-gap.ts';

/** What one pod loses, or keeps all the same, in one direction. */
export interface PodLoss {
  readonly namespace: string;
  readonly pod: string;
  readonly direction: Direction;
  /** Open to it now, and not any more. */
  readonly loses: readonly string[];
  /** Open to it now and after. */
  readonly keeps: readonly string[];
}

/** What an IPBlock would do if it were written now. */
export interface BlockPreview {
  readonly phase: BlockPhase;
  /** After protected ranges were taken out. */
  readonly blocked: readonly string[];
  readonly leftOut: readonly { readonly protectedAs: string; readonly cidrs: readonly string[] }[];
  readonly wide: readonly string[];
  readonly podsInScope: number;
  /** Only pods to which anything of it is open now. */
  readonly losses: readonly PodLoss[];
  /** How far NetworkPolicies would enforce it. */
  readonly state: BlockJudgement['state'];
  readonly gaps: readonly NetworkGap[];
}

export function previewBlock(world: BlockWorld, block: IPBlock, nowMs: number): BlockPreview {
  const { surroundings, policies, pods, namespaces } = world;
  const created = new Date(nowMs).toISOString();
  const state = blockState(
    {
      ...surroundings,
      block: { ...block, metadata: { ...block.metadata, creationTimestamp: created } },
    },
    nowMs,
  );
  const { addresses } = state.block;
  const inScope = pods.filter((pod) => isAbout(state.block, pod.namespace));
  const after = createEvaluator({ pods, namespaces, policies: policiesWith(world, state.block) });
  const before = createEvaluator({ pods, namespaces, policies });
  const judged = judgeBlock(state.block, {
    evaluator: after,
    pods: inScope,
    facts: surroundings.facts,
    isOurs: (policy) => isOurPolicy(policy),
  });
  const isEnforced = surroundings.facts.policyEngine.seen !== 'No';
  return {
    phase: state.phase,
    blocked: addresses.cidrs().map(shortForm),
    leftOut: state.leftOut.map(({ name, cidrs }) => ({
      protectedAs: name,
      cidrs: cidrs.map(shortForm),
    })),
    wide: state.wide,
    podsInScope: inScope.length,
    losses: addresses.isEmpty
      ? []
      : inScope.flatMap((pod) =>
          directionsOf(state.block).flatMap((direction) => {
            const open = openTo(before, pod, direction, addresses);
            const left = isDenied(world, state.block, pod, direction)
              ? EMPTY_SET
              : isEnforced
                ? openTo(after, pod, direction, addresses)
                : open;
            return open.isEmpty
              ? []
              : {
                  namespace: pod.namespace,
                  pod: pod.name,
                  direction,
                  loses: open.minus(left).cidrs().map(shortForm),
                  keeps: open.intersection(left).cidrs().map(shortForm),
                };
          }),
        ),
    state: judged.state,
    gaps: judged.gaps,
  };
}

/** Whether a backend denies it whatever NetworkPolicies allow; that it works is believed. */
function isDenied(
  { backends }: BlockWorld,
  block: ActiveBlock,
  { hostNetwork }: NetworkPod,
  direction: Direction,
): boolean {
  return backends.some((name) => {
    switch (name) {
      case 'Cilium':
      case 'Calico':
        return !hostNetwork;
      case 'ClusterNetworkPolicy':
        return !hostNetwork && direction === 'Egress';
      case 'NodeAgent':
        // Only a block on everything is one on whole nodes.
        return !hostNetwork || block.namespaces === '*';
      case 'NetworkPolicy':
        return false;
    }
  });
}

/** What would stand if the operator had written the block. */
function policiesWith(world: BlockWorld, block: ActiveBlock): BlockWorld['policies'] {
  const { namespaces, policies, pods, accessPolicies, surroundings } = world;
  const names = new Set(namespaces.map(({ name }) => name));
  const grants = accessPolicies.flatMap(
    (policy) =>
      networkGrants(policy, {
        facts: surroundings.facts,
        // Addresses of exchanges are never blocked; what is open of them makes no difference here.
        addressesOf: () => ({ addresses: EMPTY_SET, state: 'Unresolved' }),
        isReady: (namespace) => names.has(namespace),
      }).grants,
  );
  const blocks = [...world.blocks.flatMap(activeOf), block];
  return [...names].flatMap((namespace) => {
    const standing = policies.filter(({ metadata }) => metadata.namespace === namespace);
    if (!isAbout(block, namespace)) return standing;
    const foreign = standing.filter((policy) => !isOurPolicy(policy));
    const compiled = compileNamespace({
      namespace,
      pods: pods.filter((pod) => pod.namespace === namespace),
      foreign,
      grants: grants.flatMap((one) => (one.namespace === namespace ? one.grant : [])),
      blocks: blocks.filter((one) => isAbout(one, namespace)),
      facts: surroundings.facts,
    });
    return [...foreign, ...compiled.policies];
  });
}

function activeOf({ state }: BlockAndState): readonly ActiveBlock[] {
  return state.phase === 'Active' ? [state.block] : [];
}

function openTo(
  evaluator: Evaluator,
  pod: NetworkPod,
  direction: Direction,
  addresses: AddressSet,
): AddressSet {
  const { open, always } = evaluator.openWithin(pod, direction, addresses);
  return open.union(always);
}

/** One block that lists an address. */
export interface ListingBlock {
  readonly name: string;
  /** The range that it lists; absent: its feed lists it. */
  readonly range?: string;
  readonly direction: BlockDirection;
  /** `*`: all guarded ones; empty: none, only the gateway. */
  readonly namespaces: '*' | readonly string[];
  readonly phase: BlockPhase;
  /** Whether the address is blocked by it now. */
  readonly isInForce: boolean;
  /** Why it is not although it is listed: what it is protected as. */
  readonly protectedAs: readonly string[];
  /** How far it is enforced, as the operator says. */
  readonly enforcement?: string;
  readonly expiresAt?: string;
  readonly reason: string;
  readonly owner?: string;
}

/**
 * `CutOff`: a block is about it, and it is shut. `OpenAllTheSame`: a block is about it, and it is
 * open. `Closed`: no block, but no policy allows it. `Open`: no block, and open.
 */
export type PodVerdict = 'CutOff' | 'OpenAllTheSame' | 'Closed' | 'Open';

export interface TestedPod {
  readonly namespace: string;
  readonly pod: string;
  readonly direction: Direction;
  readonly verdict: PodVerdict;
  /** Blocks that are about it. */
  readonly blocks: readonly string[];
  /** What enforces them. */
  readonly by: readonly BlockBackendName[];
  /** NetworkPolicies that allow it. */
  readonly allowedBy: readonly string[];
  readonly why: string;
}

export interface TestReport {
  readonly blocks: readonly ListingBlock[];
  readonly pods: readonly TestedPod[];
}

export interface Question {
  readonly address: string;
  /** Absent: any port. */
  readonly port?: number;
  readonly protocol: Protocol;
  /** Absent: all of them. */
  readonly isAsked?: (pod: NetworkPod) => boolean;
}

export function testAddress(world: BlockWorld, question: Question): TestReport {
  const { pods, policies, namespaces, blocks } = world;
  const evaluator = createEvaluator({ pods, policies, namespaces });
  const { address, isAsked = () => true } = question;
  const listing = blocks.filter(({ state }) => state.listed.contains(address));
  const inForce = listing.filter(({ state }) => isInForce(state, address));
  return {
    blocks: listing.map((one) => listingBlock(one, address)),
    pods: pods
      .filter(isAsked)
      .flatMap((pod) =>
        (['Ingress', 'Egress'] as const).map((direction) =>
          testPod(world, evaluator, question, pod, direction, inForce),
        ),
      ),
  };
}

function testPod(
  world: BlockWorld,
  evaluator: Evaluator,
  question: Question,
  pod: NetworkPod,
  direction: Direction,
  inForce: readonly BlockAndState[],
): TestedPod {
  const about = inForce.filter(
    ({ state: { block } }) =>
      isAbout(block, pod.namespace) && directionsOf(block).includes(direction),
  );
  const opening = openingOf(evaluator, question, pod, direction);
  const { policyEngine, rewritingServices } = world.surroundings.facts;
  const backends = [
    ...new Set(
      about.flatMap(({ block }) =>
        (block.status?.backends ?? [])
          .filter(({ name, state }) => name !== 'NetworkPolicy' && state === 'Enforced')
          .map(({ name }) => name),
      ),
    ),
  ];
  const rewriting =
    direction === 'Ingress'
      ? rewritingServices.filter(
          ({ namespace, selector }) =>
            namespace === pod.namespace &&
            Object.entries(selector).every(([key, value]) => pod.labels[key] === value),
        )
      : [];
  const isShut = !opening.isOpen && policyEngine.seen !== 'No' && rewriting.length === 0;
  const by: readonly BlockBackendName[] = [
    ...(isShut ? (['NetworkPolicy'] as const) : []),
    ...backends,
  ];
  const isCut = by.length > 0;
  const verdict: PodVerdict =
    about.length > 0 ? (isCut ? 'CutOff' : 'OpenAllTheSame') : isCut ? 'Closed' : 'Open';
  const why = (): string => {
    if (verdict === 'CutOff') return `by ${by.join(', ')}`;
    if (verdict === 'Closed') return `${opening.isolatedBy.join(', ')} allows no such traffic`;
    if (pod.hostNetwork) return 'it has hostNetwork, which no NetworkPolicy covers';
    if (policyEngine.seen === 'No') return 'nothing in the cluster enforces NetworkPolicies';
    if (opening.allowedBy.length > 0)
      return `NetworkPolicy ${opening.allowedBy.join(', ')} allows it`;
    if (!opening.isOpen && rewriting.length > 0) {
      return `Service ${rewriting.map(({ name }) => name).join(', ')} hides the address of clients (externalTrafficPolicy Cluster)`;
    }
    if (opening.isolatedBy.length > 0) return 'it is the address of the pod itself or its node';
    return 'no NetworkPolicy isolates it';
  };
  return {
    namespace: pod.namespace,
    pod: pod.name,
    direction,
    verdict,
    blocks: about.map(({ block }) => block.metadata.name),
    by: verdict === 'CutOff' ? by : [],
    allowedBy: opening.allowedBy,
    why: why(),
  };
}

interface Opening {
  readonly isOpen: boolean;
  readonly isolatedBy: readonly string[];
  readonly allowedBy: readonly string[];
}

function openingOf(
  evaluator: Evaluator,
  { address, port, protocol }: Question,
  pod: NetworkPod,
  direction: Direction,
): Opening {
  if (port === undefined) {
    const found = evaluator.openWithin(pod, direction, addressSet([address]));
    const nameOf = ({ metadata }: { metadata: { name: string } }): string => metadata.name;
    return {
      isOpen: !found.open.isEmpty || !found.always.isEmpty,
      isolatedBy: found.byPolicy.map(({ policy }) => nameOf(policy)),
      allowedBy: found.byPolicy
        .filter(({ open }) => !open.isEmpty)
        .map(({ policy }) => nameOf(policy)),
    };
  }
  const [self, other] = [{ pod }, { address }];
  const [from, to] = direction === 'Egress' ? [self, other] : [other, self];
  const verdict = evaluator.judge({ from, to, port, protocol });
  const side = direction === 'Egress' ? verdict.egress : verdict.ingress;
  const names = (keys: readonly string[]): readonly string[] =>
    keys.map((key) => key.slice(key.indexOf('/') + 1));
  return {
    isOpen: side.allowed,
    isolatedBy: names(side.isolatedBy),
    allowedBy: names(side.allowedBy),
  };
}

function listingBlock({ block, state }: BlockAndState, address: string): ListingBlock {
  const { metadata, spec, status } = block;
  const range = spec.cidrs?.find((cidr) => addressSet([cidr]).contains(address));
  const isActive = isInForce(state, address);
  return {
    name: metadata.name,
    ...(range === undefined ? {} : { range }),
    direction: spec.direction ?? 'Both',
    namespaces: state.block.namespaces,
    phase: state.phase,
    isInForce: isActive,
    protectedAs: state.leftOut
      .filter(({ cidrs }) => addressSet(cidrs).contains(address))
      .map(({ name }) => name),
    ...(status?.enforcement === undefined ? {} : { enforcement: status.enforcement }),
    ...(state.block.expiresAtMs === undefined
      ? {}
      : { expiresAt: new Date(state.block.expiresAtMs).toISOString() }),
    reason: spec.reason,
    ...(spec.owner === undefined ? {} : { owner: spec.owner }),
  };
}

function isInForce({ phase, block }: BlockAndState['state'], address: string): boolean {
  return phase === 'Active' && block.addresses.contains(address);
}

function directionsOf({ ingress, egress }: ActiveBlock): readonly Direction[] {
  return [...(ingress ? (['Ingress'] as const) : []), ...(egress ? (['Egress'] as const) : [])];
}

/** Blocks to which an address or range belongs, for taking it off again. */
export interface BlocksOfRange {
  /** Those that list just this and nothing else: they can go as a whole. */
  readonly exact: readonly IPBlock[];
  /** Those that list more, and are not over. */
  readonly wider: readonly BlockAndState[];
}

export function blocksOfRange(blocks: readonly BlockAndState[], range: string): BlocksOfRange {
  const wanted = addressSet([range]);
  const isExact = ({ block, state }: BlockAndState): boolean =>
    block.spec.feed === undefined && state.listed.equals(wanted);
  return {
    exact: blocks.filter(isExact).map(({ block }) => block),
    wider: blocks.filter(
      (one) =>
        !isExact(one) && one.state.phase !== 'Expired' && one.state.listed.intersects(wanted),
    ),
  };
}
