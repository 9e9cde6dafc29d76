import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { OpenCluster } from '#cli/cluster.ts';

/** Reads one credential; a missing one is told in the words of the person's question. */
export async function getCredential(
  cluster: OpenCluster,
  name: string,
  signal: AbortSignal,
): Promise<ExchangeCredential> {
  const { EXCHANGE_CREDENTIALS } = await import('#api/exchange-credential.ts');
  const { namespace } = cluster;
  const found = await cluster.client.find<ExchangeCredential>(
    EXCHANGE_CREDENTIALS,
    { namespace, name },
    { signal },
  );
  if (found !== undefined) return found;
  throw new CliError(
    `ExchangeCredential ${namespace}/${name} does not exist; "strongroom status -n ${namespace}" lists those that do`,
    EXIT.notFound,
  );
}
