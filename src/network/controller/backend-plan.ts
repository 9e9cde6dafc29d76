/** What each backend beside NetworkPolicy writes, and where. */
import { LABELS } from '#api/names.ts';
import type { ServedVersion } from '#kube/discovery.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import type { ActiveBlock } from '../active-block.ts';
import { BACKEND_RESOURCES } from '../backends/backend-resources.ts';
import type { BackendName } from '../backends/backend.ts';
import { compileCalico } from '../backends/calico.ts';
import { compileCilium } from '../backends/cilium.ts';
import { compileCiliumFqdn } from '../backends/cilium-fqdn.ts';
import type { HostGrant } from '../backends/cilium-fqdn.ts';
import { compileClusterNetworkPolicy } from '../backends/cluster-network-policy.ts';
import { groupBlocks } from '../blocks/groups.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import { disjointIntervals } from '../blocks/timeline.ts';
import type { ClusterFacts, NetworkPod } from '../cluster-facts.ts';
import {
  NODE_BLOCKS_COMPONENT,
  nodeBlockConfigMaps,
  revisionOf,
} from '../node-agent/node-blocks.ts';
import type { NodeBlockGroup } from '../node-agent/node-blocks.ts';
import type { BackendPlace, BackendPlan } from './backend-work.ts';

export interface PlanInput {
  readonly blocks: readonly ActiveBlock[];
  readonly guardedNamespaces: readonly string[];
  readonly pods: readonly NetworkPod[];
  readonly facts: ClusterFacts;
  readonly served: readonly ServedVersion[];
  readonly hostGrants: readonly HostGrant[];
  readonly operatorNamespace: string;
}

/** Where objects of a backend lie, and how those of the operator are told apart. */
export function placeOf(backend: BackendName, operatorNamespace: string): BackendPlace {
  return backend === 'NodeAgent'
    ? {
        resources: [CONFIG_MAPS],
        scope: { namespace: operatorNamespace },
        labelSelector: `${LABELS.component}=${NODE_BLOCKS_COMPONENT}`,
      }
    : {
        resources: BACKEND_RESOURCES[backend],
        scope: { allNamespaces: true },
        labelSelector: `${LABELS.managedBy}=strongroom,${LABELS.component}=network`,
      };
}

export function planOf(
  backend: BackendName,
  input: PlanInput,
): Omit<BackendPlan, 'blocks'> & { readonly nodeRevision?: string | undefined } {
  const { blocks, guardedNamespaces, facts, served } = input;
  const options = { guardedNamespaces, facts, served };
  const groups = groupBlocks(blocks);
  switch (backend) {
    case 'NetworkPolicy':
      return { objects: [], gaps: [] };
    case 'Cilium': {
      const blocked = compileCilium(groups, options);
      const hosts = compileCiliumFqdn(input.hostGrants, options);
      return {
        objects: [...blocked.objects, ...hosts.objects],
        gaps: [...blocked.gaps, ...hosts.gaps],
      };
    }
    case 'Calico':
      return compileCalico(groups, options);
    case 'ClusterNetworkPolicy':
      return compileClusterNetworkPolicy(groups, options);
    case 'NodeAgent': {
      const objects = nodeBlockConfigMaps({
        groups: groups.map((group) => timed(group, blocks)),
        pods: input.pods,
        namespace: input.operatorNamespace,
      });
      return { objects, gaps: [], nodeRevision: revisionOf(objects) };
    }
  }
}

/** With the end of each ban, so that it ends on the nodes also when nobody is there to end it. */
function timed(
  { namespaces, direction, blocks: names }: BlockGroup,
  blocks: readonly ActiveBlock[],
): NodeBlockGroup {
  const members = blocks.filter(({ name }) => names.includes(name));
  return { namespaces, direction, intervals: disjointIntervals(members) };
}
