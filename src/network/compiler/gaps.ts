/** What the compiled policies do not do, in words. */
import { LABELS } from '#api/names.ts';
import type { Direction, NetworkPod } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';
import { byText } from './conjunction.ts';

const NAMED = 10;

export function podsNotSelectable(
  namespace: string,
  account: string,
  pods: readonly NetworkPod[],
): NetworkGap {
  return {
    type: 'PodsNotSelectable',
    namespace,
    ...podsIn(pods),
    message: `The pods of ServiceAccount ${account} in ${namespace} share no labels that other pods there lack, so nothing of its network is enforced. Give its pods a label of their own, such as ${LABELS.serviceAccount}: ${account}.`,
  };
}

/** @param until what happens as long as there are none */
export function noPods(namespace: string, account: string, until: string): NetworkGap {
  return {
    type: 'NoPods',
    namespace,
    message: `No pod runs under ServiceAccount ${account} in ${namespace}, so nothing shows by which labels to select it: ${until}.`,
  };
}

export function hostNetworkPods(
  namespace: string,
  account: string,
  pods: readonly NetworkPod[],
): NetworkGap {
  return {
    type: 'HostNetworkPod',
    namespace,
    ...podsIn(pods),
    message: `Pods of ServiceAccount ${account} in ${namespace} run with hostNetwork, and no NetworkPolicy covers them. Run them without it.`,
  };
}

export function isolatedByOthers(
  direction: Direction,
  namespace: string,
  networkPolicy: string,
  pods: readonly NetworkPod[],
): NetworkGap {
  return {
    type: 'IsolatedByOthers',
    namespace,
    direction,
    networkPolicy,
    ...podsIn(pods),
    message: `NetworkPolicy ${networkPolicy} in ${namespace} says what the ${direction.toLowerCase()} of pods is that no AccessPolicy isolates, so blocked addresses that it allows stay open. Take them out of it, or give the ServiceAccount of the pods a network in an AccessPolicy and delete it.`,
  };
}

export function podsBesideTooMany(
  direction: Direction,
  namespace: string,
  pods: readonly NetworkPod[],
): NetworkGap {
  return {
    type: 'TooManySelectors',
    namespace,
    direction,
    ...podsIn(pods),
    message: `The NetworkPolicies in ${namespace} select pods by so many labels that these pods beside them cannot be selected, and blocked addresses stay open to them for ${direction.toLowerCase()}. Select pods by fewer different labels, or give these an AccessPolicy with a network.`,
  };
}

function podsIn(pods: readonly NetworkPod[]): Pick<NetworkGap, 'pods' | 'podCount'> {
  const names = pods.map(({ name }) => name).sort(byText);
  return { pods: names.slice(0, NAMED), podCount: names.length };
}
