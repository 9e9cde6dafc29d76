/** Whether packets of pods can pass the node without netfilter, judged by its interfaces. */
import type { NodeProblem } from './node-report.ts';

export interface DataPathOptions {
  /** Cilium is set so (`bpf.hostLegacyRouting`) that packets of pods pass through the host's stack. */
  readonly ciliumLegacyHostRouting: boolean;
}

/**
 * The interfaces are those that these engines make on each node; their settings cannot be seen from
 * a node. Cilium: with host routing in eBPF packets of pods go from the device to the pod; Calico:
 * the eBPF data plane does the same, and has these two interfaces, which the iptables one has not.
 */
export function dataPathProblems(
  interfaces: readonly string[],
  options: DataPathOptions,
): readonly NodeProblem[] {
  const found = (names: readonly string[]): string | undefined =>
    names.find((name) => interfaces.includes(name));
  const cilium = options.ciliumLegacyHostRouting ? undefined : found(['cilium_host', 'cilium_net']);
  const calico = found(['bpfin.cali', 'bpfout.cali']);
  return [
    ...(cilium === undefined
      ? []
      : [
          problem(
            `the interface ${cilium} shows Cilium, which by default forwards packets of pods in eBPF, past this table; blocks hold for the host's own traffic. Use Strongroom's Cilium backend, or set bpf.hostLegacyRouting=true in Cilium and nodeAgent.ciliumLegacyHostRouting=true here`,
          ),
        ]),
    ...(calico === undefined
      ? []
      : [
          problem(
            `the interface ${calico} shows Calico's eBPF data plane, which forwards packets of pods past this table; blocks hold for the host's own traffic. Use Strongroom's Calico backend, or Calico's iptables or nftables data plane`,
          ),
        ]),
  ];
}

function problem(message: string): NodeProblem {
  return { type: 'DataPathBypassesNetfilter', message };
}
