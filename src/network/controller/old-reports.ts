import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import { readNodeReports } from '../node-agent/node-report.ts';

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
