import type { AddressSet } from './cidr/address-set.ts';

export type Family = 'IPv4' | 'IPv6';
export type Direction = 'Ingress' | 'Egress';
export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** A pod, as far as the network is concerned. */
export interface NetworkPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /** One of each family at most; none before it has got them. */
  readonly addresses: readonly string[];
  /** Of the node that it runs on, which it always may talk with. Absent: not known. */
  readonly nodeAddresses?: readonly string[];
  /** It has the addresses of its node, and no NetworkPolicy covers it. */
  readonly hostNetwork: boolean;
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly protocol: Protocol;
  }[];
}

export interface NetworkNamespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What is known of the cluster's network; parts that nobody knows are empty. */
export interface ClusterFacts {
  /** Those that pods have addresses of. Never empty. */
  readonly families: readonly Family[];
  readonly podRanges: AddressSet;
  readonly serviceRanges: AddressSet;
  readonly nodeAddresses: AddressSet;
  /** Behind the Service `kubernetes`, and the Service itself. */
  readonly apiServer: { readonly addresses: AddressSet; readonly ports: readonly number[] };
  /** The cluster's DNS: addresses of the Service, and labels of the pods behind it. */
  readonly dns: {
    readonly addresses: AddressSet;
    readonly namespace: string;
    readonly podLabels: Readonly<Record<string, string>>;
    /** Where those pods listen, beside port 53. Absent: there alone. */
    readonly podPorts?: readonly number[];
  };
  /** Whether anything in the cluster enforces NetworkPolicies; `Unknown` where it cannot be seen. */
  readonly policyEngine: { readonly seen: 'Yes' | 'No' | 'Unknown'; readonly name?: string };
  /** Services that let addresses in from outside and do not keep the source address. */
  readonly rewritingServices: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly selector: Readonly<Record<string, string>>;
  }[];
}
