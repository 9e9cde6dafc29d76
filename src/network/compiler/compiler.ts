/** From what is granted and blocked in one namespace to the NetworkPolicies that say so. */
import { isDeepStrictEqual } from 'node:util';
import type { NetworkPolicy } from '#kube/objects.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { ClusterFacts, Direction, NetworkPod } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';
import { accountsOf } from './accounts.ts';
import type { Account } from './accounts.ts';
import { blockedSets } from './blocked-sets.ts';
import { byText } from './conjunction.ts';
import type { NetworkGrant } from './grant.ts';
import { createHolesCache } from './holes.ts';
import type { BlockHoles } from './holes.ts';
import { createLayoutCache } from './layout.ts';
import { accountSetName } from './our-policy.ts';
import { MOST_WEIGHT } from './parts.ts';
import { policiesOf } from './policy-set.ts';
import type { PolicySet } from './policy-set.ts';

export interface NamespaceInput {
  readonly namespace: string;
  /** Of the namespace, without those that have ended. */
  readonly pods: readonly NetworkPod[];
  /** Those standing in the namespace that are not ours. */
  readonly foreign: readonly NetworkPolicy[];
  readonly grants: readonly NetworkGrant[];
  /** Those that reach the namespace. */
  readonly blocks: readonly ActiveBlock[];
  readonly facts: ClusterFacts;
}

export interface CompiledNamespace {
  /** By name. */
  readonly policies: readonly NetworkPolicy[];
  readonly gaps: readonly NetworkGap[];
}

export interface Compiler {
  /**
   * As `compileNamespace`, and a policy that is the same as the last time for this namespace is the
   * same object.
   */
  compileNamespace(input: NamespaceInput): CompiledNamespace;
  /** Of a namespace that is not guarded any more. */
  forget(namespace: string): void;
}

/**
 * The same input in any order gives the same output. Pods under grants are isolated as the grants
 * say, with the addresses of blocks cut out of what is open; pods that nothing else isolates get
 * everything but the blocked addresses. Where policies of others isolate a pod nothing is generated
 * for it that no grant says, because policies add up: it would open more than before.
 */
export function compileNamespace(input: NamespaceInput): CompiledNamespace {
  return createCompiler().compileNamespace(input);
}

/**
 * Keeps what is made of many CIDRs, for other namespaces and the next time.
 *
 * @param most what one policy holds, see `MOST_WEIGHT`
 */
export function createCompiler(most: number = MOST_WEIGHT): Compiler {
  const holes = createHolesCache();
  const layouts = createLayoutCache(most);
  const last = new Map<string, ReadonlyMap<string, NetworkPolicy>>();
  return {
    compileNamespace(input) {
      const directed: Directed = {
        Ingress: holes.of(input.blocks, 'Ingress'),
        Egress: holes.of(input.blocks, 'Egress'),
      };
      const { accounts, gaps } = accountsOf(input);
      const granted = accounts.map((account) => grantedSet(account, input, directed));
      const blocked = blockedSets({ ...input, accounts, holes: directed });
      const before = last.get(input.namespace);
      const policies = [...granted, ...blocked.sets]
        .flatMap((set) => policiesOf(set, layouts, most))
        .map((policy) => reuse(policy, before?.get(policy.metadata.name)))
        .sort((one, other) => byText(one.metadata.name, other.metadata.name));
      last.set(input.namespace, new Map(policies.map((policy) => [policy.metadata.name, policy])));
      return { policies, gaps: [...gaps, ...blocked.gaps] };
    },
    forget: (namespace) => void last.delete(namespace),
  };
}

type Directed = Readonly<Record<Direction, BlockHoles>>;

const DIRECTIONS: readonly Direction[] = ['Ingress', 'Egress'];

function grantedSet(account: Account, { namespace }: NamespaceInput, holes: Directed): PolicySet {
  return {
    name: accountSetName(account.name),
    namespace,
    podSelector: { matchLabels: account.labels },
    accessPolicies: account.accessPolicies,
    sides: DIRECTIONS.flatMap((direction) => {
      const rules = account.rules[direction];
      return rules === undefined ? [] : [{ direction, rules, holes: holes[direction] }];
    }),
    everywhere: [],
  };
}

function reuse(policy: NetworkPolicy, before: NetworkPolicy | undefined): NetworkPolicy {
  return before !== undefined && isDeepStrictEqual(before, policy) ? before : policy;
}
