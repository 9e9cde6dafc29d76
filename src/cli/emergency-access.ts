import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import type { OpenCluster } from '#cli/cluster.ts';
import { CliError, EXIT } from '#cli/errors.ts';

/** Reads one; a missing one is told in the words of the person's question. */
export async function getEmergencyAccess(
  { client, namespace }: OpenCluster,
  name: string,
  signal: AbortSignal,
): Promise<EmergencyAccess> {
  const found = await client.find<EmergencyAccess>(
    EMERGENCY_ACCESSES,
    { namespace, name },
    { signal },
  );
  if (found !== undefined) return found;
  throw new CliError(
    `EmergencyAccess ${namespace}/${name} does not exist; "strongroom emergency list -n ${namespace}" lists those that do`,
    EXIT.notFound,
  );
}
