/** ServiceAccounts with grants: whom their policies select, and what they open. */
import type { ClusterFacts, Direction, NetworkPod } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';
import { podsOfAccount } from './account-pods.ts';
import { byText } from './conjunction.ts';
import type { Labels } from './conjunction.ts';
import { hostNetworkPods, noPods, podsNotSelectable } from './gaps.ts';
import type { NetworkGrant } from './grant.ts';
import { mergeRules } from './rules.ts';
import type { Rule } from './rules.ts';

export interface Account {
  readonly name: string;
  /** Exactly its pods have all of them. */
  readonly labels: Labels;
  readonly accessPolicies: readonly string[];
  /** Absent: not isolated in that direction. Empty: nothing is open. */
  readonly rules: Readonly<Partial<Record<Direction, readonly Rule[]>>>;
}

/** Several grants of an account add up. Those whose pods cannot be selected are told as gaps. */
export function accountsOf(input: {
  readonly namespace: string;
  readonly grants: readonly NetworkGrant[];
  readonly pods: readonly NetworkPod[];
  readonly facts: ClusterFacts;
}): { readonly accounts: readonly Account[]; readonly gaps: readonly NetworkGap[] } {
  const { namespace, facts } = input;
  const accounts: Account[] = [];
  const gaps: NetworkGap[] = [];
  const isolating = input.grants.filter(({ egress, ingress }) => (egress ?? ingress) !== undefined);
  for (const [name, grants] of [...Map.groupBy(isolating, (grant) => grant.serviceAccount)].sort(
    ([one], [other]) => byText(one, other),
  )) {
    const accessPolicies = [...new Set(grants.map(({ policy }) => policy.name))].sort(byText);
    const miss = (gap: NetworkGap): void => void gaps.push({ ...gap, accessPolicies });
    const found = podsOfAccount(name, input.pods);
    const onHosts = input.pods.filter((pod) => pod.hostNetwork && pod.serviceAccount === name);
    if (onHosts.length > 0) miss(hostNetworkPods(namespace, name, onHosts));
    if (!found.selectable) {
      miss(
        found.pods.length > 0
          ? podsNotSelectable(namespace, name, found.pods)
          : noPods(namespace, name, 'nothing is written for it until there are some'),
      );
      continue;
    }
    if (found.pods.length === 0 && onHosts.length === 0) {
      miss(noPods(namespace, name, 'only pods with the label of their account are covered'));
    }
    const ingress = rulesOf(grants.map((grant) => grant.ingress));
    const egress = rulesOf(grants.map((grant) => grant.egress));
    accounts.push({
      name,
      labels: found.labels,
      accessPolicies,
      rules: {
        ...(ingress !== undefined && { Ingress: mergeRules(ingress, facts.families) }),
        ...(egress !== undefined && { Egress: mergeRules(egress, facts.families) }),
      },
    });
  }
  return { accounts, gaps };
}

function rulesOf<T>(given: readonly (readonly T[] | undefined)[]): readonly T[] | undefined {
  const present = given.filter((rules) => rules !== undefined);
  return present.length === 0 ? undefined : present.flat();
}
