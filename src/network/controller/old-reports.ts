import { LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import { NODE_BLOCKS_COMPONENT } from '../node-agent/node-blocks.ts';
import { NODE_REPORT_COMPONENT, readNodeReports } from '../node-agent/node-report.ts';

/** A node that is made anew within this time reports under the same name. */
const KEEP_MS = 3_600_000;

/** Reports of nodes that are not there any more. */
export function oldReports(
  reports: readonly ConfigMap[],
  nodes: readonly string[],
  nowMs: number,
): readonly ConfigMap[] {
  return reports.filter((configMap) => {
    const [report] = readNodeReports([configMap]);
    return report !== undefined && !nodes.includes(report.node) && nowMs - report.atMs > KEEP_MS;
  });
}

export async function removeReports(
  client: Pick<KubeClient, 'delete'>,
  reports: readonly ConfigMap[],
  signal: AbortSignal,
): Promise<void> {
  for (const { metadata } of reports) {
    const { namespace = '', name } = metadata;
    try {
      await client.delete(CONFIG_MAPS, { namespace, name }, { signal });
    } catch (error) {
      if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
    }
  }
}

/** What was written for node agents, and what they reported; they are not installed any more. */
export async function removeNodeBlocks(
  client: Pick<KubeClient, 'delete' | 'list'>,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  for (const component of [NODE_BLOCKS_COMPONENT, NODE_REPORT_COMPONENT]) {
    const labelSelector = `${LABELS.component}=${component}`;
    const { items } = await client.list(CONFIG_MAPS, { namespace }, { labelSelector, signal });
    await removeReports(client, items, signal);
  }
}
