/** Whether anything in the cluster enforces NetworkPolicies, read off what runs in it. */
import type { DaemonSet, Node } from '#kube/objects.ts';
import type { ClusterFacts } from '../cluster-facts.ts';

type PolicyEngine = ClusterFacts['policyEngine'];

export interface EngineTraces {
  readonly nodes: readonly Node[];
  /** Those of kube-system; absent: they may not be read. */
  readonly daemonSets?: readonly DaemonSet[];
  /** Groups that the API server serves; absent: not known. */
  readonly apiGroups?: readonly string[];
}

/** DaemonSets of kube-system that enforce NetworkPolicies wherever they run. */
const DAEMON_SETS: Readonly<Record<string, string>> = {
  'calico-node': 'Calico',
  canal: 'Canal',
  'rke2-canal': 'Canal',
  cilium: 'Cilium',
  // GKE Dataplane V2, which is Cilium.
  anetd: 'Cilium',
  'antrea-agent': 'Antrea',
  'kube-network-policies': 'kube-network-policies',
  'weave-net': 'Weave Net',
  'ovnkube-node': 'OVN-Kubernetes',
  'kube-ovn-cni': 'Kube-OVN',
  'azure-npm': 'Azure NPM',
};

/** Those that enforce them unless they are told not to, or only when they are told to. */
const CONDITIONAL_DAEMON_SETS: Readonly<
  Record<string, { readonly name: string; readonly enforces: (daemonSet: DaemonSet) => boolean }>
> = {
  'kube-router': {
    name: 'kube-router',
    enforces: (daemonSet) => !hasArgument(daemonSet, '--run-firewall=false'),
  },
  'aws-node': {
    name: 'AWS network policy agent',
    enforces: (daemonSet) => hasArgument(daemonSet, '--enable-network-policy=true'),
  },
  kindnet: { name: 'kindnet', enforces: bundlesNetworkPolicies },
};

/** Groups of engines whose agents run in other namespaces, under names of an operator. */
const API_GROUPS: Readonly<Record<string, string>> = {
  'cilium.io': 'Cilium',
  'crd.projectcalico.org': 'Calico',
  'projectcalico.org': 'Calico',
  'crd.antrea.io': 'Antrea',
  'k8s.ovn.org': 'OVN-Kubernetes',
  'kubeovn.io': 'Kube-OVN',
};

const INSTANCE_TYPE = 'node.kubernetes.io/instance-type';
/** `auto`: the engine is in the nodes themselves, and nothing shows whether it is switched on. */
const EKS_COMPUTE_TYPE = 'eks.amazonaws.com/compute-type';
const K3S_ARGUMENTS = 'k3s.io/node-args';

/** What of a node's labels and annotations is looked at. */
export const ENGINE_LABELS: readonly string[] = [INSTANCE_TYPE, EKS_COMPUTE_TYPE];
export const ENGINE_ANNOTATIONS: readonly string[] = [K3S_ARGUMENTS];

/**
 * `Yes` and its name where an engine was seen; `No` where one would have been seen, had it been
 * there; `Unknown` where too little may be read for that.
 */
export function policyEngine(traces: EngineTraces): PolicyEngine {
  const { nodes, daemonSets, apiGroups } = traces;
  const name =
    daemonSets?.flatMap((daemonSet) => engineOf(daemonSet) ?? []).toSorted(byName)[0] ??
    apiGroups?.flatMap((group) => API_GROUPS[group] ?? []).toSorted(byName)[0] ??
    (nodes.some(isK3sWithPolicies) ? 'k3s' : undefined);
  if (name !== undefined) return { seen: 'Yes', name };
  if (nodes.some(({ metadata }) => metadata.labels?.[EKS_COMPUTE_TYPE] === 'auto')) {
    return { seen: 'Unknown', name: 'EKS Auto Mode' };
  }
  return { seen: daemonSets === undefined || apiGroups === undefined ? 'Unknown' : 'No' };
}

function engineOf(daemonSet: DaemonSet): string | undefined {
  const { metadata, status } = daemonSet;
  // One that is meant for no node enforces nothing.
  if (status?.desiredNumberScheduled === 0) return undefined;
  const conditional = CONDITIONAL_DAEMON_SETS[metadata.name];
  if (conditional === undefined) return DAEMON_SETS[metadata.name];
  return conditional.enforces(daemonSet) ? conditional.name : undefined;
}

/** k3s brings kube-router's engine within its own process, unless it was told not to. */
function isK3sWithPolicies({ metadata, status }: Node): boolean {
  const isK3s =
    status?.nodeInfo?.kubeletVersion?.includes('+k3s') === true ||
    metadata.labels?.[INSTANCE_TYPE] === 'k3s';
  const told = metadata.annotations?.[K3S_ARGUMENTS] ?? '';
  return isK3s && !told.includes('--disable-network-policy');
}

function hasArgument(daemonSet: DaemonSet, argument: string): boolean {
  return containersOf(daemonSet).some(({ command = [], args = [] }) =>
    [...command, ...args].includes(argument),
  );
}

/** kindnetd enforces them since kind 0.24; its images are tagged with the day they were built. */
function bundlesNetworkPolicies(daemonSet: DaemonSet): boolean {
  return containersOf(daemonSet).every(({ image = '' }) => {
    const [, day] = /:v(20[0-9]{6})-/.exec(image) ?? [];
    return day === undefined || Number(day) >= 20_240_723;
  });
}

function containersOf({ spec }: DaemonSet) {
  return spec?.template?.spec?.containers ?? [];
}

function byName(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
