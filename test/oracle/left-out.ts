/**
 * Connections on which cyclonus is no judge, because it does not know a rule of NetworkPolicies or
 * has it otherwise; each with the sentence that decides. The evaluator's own tests have tables for
 * each of them.
 */
import type { LabelSelector } from '#kube/objects.ts';
import type { NetworkPod } from '#network/cluster-facts.ts';
import type { CaseConnection, NetworkCase } from './network-cases.ts';

/** The pod that NetworkPolicies know by the address. */
export function podAt(address: string, { pods }: NetworkCase): NetworkPod | undefined {
  return pods.find((pod) => !pod.hostNetwork && pod.addresses.includes(address));
}

export const LEFT_OUT: Readonly<
  Record<string, (connection: CaseConnection, all: NetworkCase) => boolean>
> = {
  /**
   * "Other pods that are allowed (exception: a pod cannot block access to itself)".
   * https://kubernetes.io/docs/concepts/services-networking/network-policies/
   * cyclonus asks the policies there too.
   */
  podAndItself: ({ from, to }, all) => {
    const pod = podAt(from, all);
    return pod !== undefined && pod === podAt(to, all);
  },

  /**
   * "IP blocks (exception: traffic to and from the node where a Pod is running is always allowed,
   * regardless of the IP address of the Pod or the node)", same page. cyclonus knows no nodes.
   */
  podAndItsNode: ({ from, to }, all) =>
    (podAt(from, all)?.nodeAddresses ?? []).includes(to) ||
    (podAt(to, all)?.nodeAddresses ?? []).includes(from),

  /**
   * "tier notin (frontend, backend) […] selects all resources with key equal to tier and values
   * other than frontend and backend, and all resources with no labels with the tier key."
   * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#set-based-requirement
   * cyclonus selects nothing without the key.
   */
  notInWithoutKey: (connection, all) =>
    meets(connection, all, ({ matchExpressions = [] }, labels) =>
      matchExpressions.some(
        ({ key, operator }) => operator === 'NotIn' && !Object.hasOwn(labels, key),
      ),
    ),

  /**
   * "A single {key,value} in the matchLabels map is equivalent to an element of matchExpressions,
   * whose key field is "key", the operator is "In", and the values array contains only "value"."
   * Same page. cyclonus takes a label that is not there for one that is empty.
   */
  emptyValueWithoutKey: (connection, all) =>
    meets(connection, all, ({ matchLabels = {} }, labels) =>
      Object.entries(matchLabels).some(
        ([key, value]) => value === '' && !Object.hasOwn(labels, key),
      ),
    ),
};

/** Whether any selector does so on labels that it may be asked about for the connection. */
function meets(
  { from, to }: CaseConnection,
  all: NetworkCase,
  test: (selector: LabelSelector, labels: Readonly<Record<string, string>>) => boolean,
): boolean {
  const ends = [podAt(from, all), podAt(to, all)].filter((pod) => pod !== undefined);
  return all.policies.some(({ metadata, spec = {} }) => {
    const peers = [
      ...(spec.ingress ?? []).flatMap((rule) => rule.from ?? []),
      ...(spec.egress ?? []).flatMap((rule) => rule.to ?? []),
    ];
    return ends.some((pod) => {
      const { labels = {} } = all.namespaces.find(({ name }) => name === pod.namespace) ?? {};
      const isOwn = pod.namespace === metadata.namespace;
      return (
        (isOwn && test(spec.podSelector ?? {}, pod.labels)) ||
        peers.some(
          ({ podSelector = {}, namespaceSelector = {} }) =>
            test(podSelector, pod.labels) || test(namespaceSelector, labels),
        )
      );
    });
  });
}
