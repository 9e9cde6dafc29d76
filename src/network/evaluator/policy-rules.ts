import type {
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '#kube/objects.ts';
import type { Direction, Protocol } from '../cluster-facts.ts';

/** A NetworkPolicy with all that its absent fields mean written out. */
export interface PolicyRules {
  readonly policy: NetworkPolicy;
  readonly namespace: string;
  /** `namespace/name` */
  readonly key: string;
  readonly podSelector: LabelSelector;
  /** Of the directions that it isolates pods in. */
  readonly rules: Readonly<Partial<Record<Direction, readonly Rule[]>>>;
}

/** Traffic that one of the peers and one of the ports match. */
export interface Rule {
  readonly peers: 'Everyone' | readonly Peer[];
  readonly ports: 'All' | readonly RulePort[];
}

export type IpBlock = NonNullable<NetworkPolicyPeer['ipBlock']>;

export type Peer =
  | { readonly ipBlock: IpBlock }
  /** An absent `namespaces` is the namespace of the policy, an absent `pods` all pods. */
  | { readonly namespaces?: LabelSelector; readonly pods?: LabelSelector };

/** Ports by number, inclusive on both ends; or by the name that they have at the destination pod. */
export type RulePort =
  | { readonly protocol: Protocol; readonly first: number; readonly last: number }
  | { readonly protocol: Protocol; readonly name: string };

const known = new WeakMap<NetworkPolicy, PolicyRules>();

/** Done once for each object: those that informers hold never change, and most stay. */
export function rulesOf(policy: NetworkPolicy): PolicyRules {
  const before = known.get(policy);
  if (before !== undefined) return before;
  const { name, namespace = '' } = policy.metadata;
  const { podSelector = {}, ingress, egress } = policy.spec ?? {};
  const types = policyTypes(policy);
  const rules: PolicyRules = {
    policy,
    namespace,
    key: `${namespace}/${name}`,
    podSelector,
    rules: {
      ...(types.includes('Ingress') && {
        Ingress: (ingress ?? []).map(({ from, ports }) => ruleOf(from, ports)),
      }),
      ...(types.includes('Egress') && {
        Egress: (egress ?? []).map(({ to, ports }) => ruleOf(to, ports)),
      }),
    },
  };
  known.set(policy, rules);
  return rules;
}

/**
 * "If no policyTypes are specified on a NetworkPolicy then by default Ingress will always be set
 * and Egress will be set if the NetworkPolicy has any egress rules." (Network Policies) The API
 * server writes them into what it stores; what is not stored yet may lack them.
 */
export function policyTypes({ spec = {} }: NetworkPolicy): readonly Direction[] {
  const { policyTypes: written = [], egress = [] } = spec;
  if (written.length > 0) return written;
  return egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

/** "If this field is empty or missing, this rule matches all sources", and so for ports. (API) */
function ruleOf(
  peers: readonly NetworkPolicyPeer[] = [],
  ports: readonly NetworkPolicyPort[] = [],
): Rule {
  return {
    peers: peers.length === 0 ? 'Everyone' : peers.flatMap(peerOf),
    ports: ports.length === 0 ? 'All' : ports.map(portOf),
  };
}

/** A peer without any field is refused by API servers, and matches nobody. */
function peerOf({
  ipBlock,
  namespaceSelector: namespaces,
  podSelector: pods,
}: NetworkPolicyPeer): readonly Peer[] {
  if (ipBlock !== undefined) return [{ ipBlock }];
  if (namespaces === undefined && pods === undefined) return [];
  return [{ ...(namespaces && { namespaces }), ...(pods && { pods }) }];
}

/** `protocol`: "If not specified, this field defaults to TCP." (API) */
function portOf({ protocol = 'TCP', port, endPort }: NetworkPolicyPort): RulePort {
  if (port === undefined) return { protocol, first: 0, last: 65_535 };
  if (typeof port === 'string') return { protocol, name: port };
  return { protocol, first: port, last: endPort ?? port };
}
