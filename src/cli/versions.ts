import { Command } from 'commander';
import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';
import { table } from '#cli/output.ts';
import { outputOption } from '#cli/status.ts';

interface VersionsOptions extends ClusterOptions {
  readonly output: 'table' | 'json';
}

export function versionsCommand(io: Io): Command {
  return withClusterOptions(new Command('versions'))
    .summary('the versions kept of a credential, newest first')
    .argument('<name>', 'the ExchangeCredential')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  strongroom versions maker -n trading')
    .action((name: string, options: VersionsOptions) => versions(io, name, options));
}

async function versions(io: Io, name: string, options: VersionsOptions): Promise<void> {
  const { getCredential } = await import('#cli/credential.ts');
  await using cluster = await openCluster(io, options);
  const credential = await getCredential(cluster, name, io.signal);
  const newestFirst = [...(credential.status?.versions ?? [])].sort(
    (a, b) => b.version - a.version,
  );
  if (options.output === 'json') {
    print(io, JSON.stringify(newestFirst, null, 2));
    return;
  }
  if (newestFirst.length === 0) {
    print(io, 'No version is kept.');
    return;
  }
  print(
    io,
    table(
      ['VERSION', 'STATE', 'ORIGIN', 'CREATED', 'CHANGED', 'REASON'],
      newestFirst.map((v) => [
        String(v.version),
        v.state,
        v.origin,
        v.createdAt,
        v.changedAt,
        v.reason ?? '',
      ]),
    ),
  );
}
