/** From what is granted and blocked in one namespace to the NetworkPolicies that say so. */
import { isDeepStrictEqual } from 'node:util';
import type { NetworkPolicy } from '#kube/objects.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { ClusterFacts, Direction, NetworkPod } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';
import { accountsOf } from './accounts.ts';
import type { Account } from './accounts.ts';
import { blockedSets, everythingOf } from './blocked-sets.ts';
import { byText } from './conjunction.ts';
import type { NetworkGrant } from './grant.ts';
import { changedBetween, createHolesCache } from './holes.ts';
import type { DirectedHoles } from './holes.ts';
import { createLayoutCache } from './layout.ts';
import { accountSetName } from './our-policy.ts';
import { MOST_WEIGHT } from './parts.ts';
import { policyWriter } from './policy-set.ts';
import type { PolicySet, PolicyWriter } from './policy-set.ts';

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
  const cache = createHolesCache();
  const layouts = createLayoutCache(most);
  const last = new Map<string, Last>();
  const writerOf = (set: PolicySet): PolicyWriter => policyWriter(set, layouts, most);
  return {
    compileNamespace(input) {
      const before = last.get(input.namespace);
      // What was begun and not finished is no basis for the next time.
      last.delete(input.namespace);
      const holes: DirectedHoles = {
        Ingress: cache.of(input.blocks, 'Ingress', before?.holes.Ingress),
        Egress: cache.of(input.blocks, 'Egress', before?.holes.Egress),
      };
      const plan = planOf(input, holes, before?.plan, writerOf);
      const policies = policiesOf(plan, holes, before).toSorted((one, other) =>
        byText(one.metadata.name, other.metadata.name),
      );
      last.set(input.namespace, {
        holes,
        plan,
        policies: new Map(policies.map((policy) => [policy.metadata.name, policy])),
      });
      return { policies, gaps: plan.gaps };
    },
    forget: (namespace) => void last.delete(namespace),
  };
}

/** What was made of a namespace the last time. */
interface Last {
  readonly holes: DirectedHoles;
  readonly plan: Plan;
  readonly policies: ReadonlyMap<string, NetworkPolicy>;
}

/** What follows from a namespace whatever the blocked addresses are. */
interface Plan {
  /** All of what it was made of. */
  readonly of: readonly (readonly unknown[])[];
  readonly writers: readonly PolicyWriter[];
  readonly gaps: readonly NetworkGap[];
}

const DIRECTIONS: readonly Direction[] = ['Ingress', 'Egress'];

/** The same one for the same pods, policies and grants: lists of them may be made anew each time. */
function planOf(
  input: NamespaceInput,
  holes: DirectedHoles,
  before: Plan | undefined,
  writerOf: (set: PolicySet) => PolicyWriter,
): Plan {
  const { pods, foreign, grants, facts } = input;
  const everything = everythingOf(facts.families);
  const directions = DIRECTIONS.filter((one) => holes[one].set.intersects(everything));
  const of = [pods, foreign, grants, facts.families, directions];
  if (before?.of.every((list, index) => hasSame(list, of[index] ?? [])) === true) return before;
  const { accounts, gaps } = accountsOf(input);
  const blocked = blockedSets({ ...input, accounts, directions });
  const granted = accounts.map((account) => grantedSet(account, input));
  const writers = [...granted, ...blocked.sets].map(writerOf);
  return { of, writers, gaps: [...gaps, ...blocked.gaps] };
}

function policiesOf(
  { writers }: Plan,
  holes: DirectedHoles,
  before: Last | undefined,
): readonly NetworkPolicy[] {
  const changed =
    before?.plan.writers === writers
      ? {
          Ingress: changedBetween(before.holes.Ingress, holes.Ingress),
          Egress: changedBetween(before.holes.Egress, holes.Egress),
        }
      : undefined;
  return writers
    .flatMap((write) => write(holes, changed))
    .map((policy) => reuse(policy, before?.policies.get(policy.metadata.name)));
}

function reuse(policy: NetworkPolicy, before: NetworkPolicy | undefined): NetworkPolicy {
  return before !== undefined && isDeepStrictEqual(before, policy) ? before : policy;
}

function hasSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((element, index) => element === other[index]);
}

function grantedSet(account: Account, { namespace }: NamespaceInput): PolicySet {
  return {
    name: accountSetName(account.name),
    namespace,
    podSelector: { matchLabels: account.labels },
    accessPolicies: account.accessPolicies,
    sides: DIRECTIONS.flatMap((direction) => {
      const rules = account.rules[direction];
      return rules === undefined ? [] : [{ direction, rules }];
    }),
    everywhere: [],
  };
}
