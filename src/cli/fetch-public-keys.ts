import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster } from '#cli/cluster.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';

/** The public seal keys (JWKS text) that the operator publishes. */
export async function fetchPublicKeys(
  io: Io,
  options: ClusterOptions & { readonly operatorNamespace: string },
): Promise<string> {
  const { CONFIG_MAPS } = await import('#kube/resources.ts');
  await using cluster = await openCluster(io, options);
  const at = { namespace: options.operatorNamespace, name: 'strongroom-seal-keys' };
  const published = await cluster.client.find(CONFIG_MAPS, at, { signal: io.signal });
  const text = published?.data?.['keys.json'];
  if (text === undefined) {
    throw new CliError(
      `ConfigMap ${at.name} with keys.json is not in namespace ${at.namespace}; is the operator running there? (--operator-namespace, or --key-file to work offline)`,
      EXIT.notFound,
    );
  }
  return text;
}
