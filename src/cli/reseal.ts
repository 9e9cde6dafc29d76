import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import type { Io } from '#cli/io.ts';
import { notice } from '#cli/io.ts';
import { readManifest } from '#cli/seal.ts';

interface ResealOptions extends ClusterOptions {
  readonly name?: string;
}

export function resealCommand(io: Io): Command {
  return withClusterOptions(new Command('reseal'))
    .summary('put the ciphertexts under the present seal key into a manifest')
    .description(
      'The operator re-encrypts values whose seal key is being retired and shows the new\n' +
        'ciphertexts in status; this command copies them into the file. No plaintext is involved.',
    )
    .argument('<file>', 'manifest with the ExchangeCredential')
    .option('--name <name>', 'which ExchangeCredential, when the file has several')
    .addHelpText('after', '\nExample:\n  strongroom reseal maker.yaml')
    .action((file: string, options: ResealOptions) => reseal(io, file, options));
}

async function reseal(io: Io, file: string, options: ResealOptions): Promise<void> {
  const [{ getCredential }, { resealFields }] = await Promise.all([
    import('#cli/credential.ts'),
    import('#cli/manifest.ts'),
  ]);
  const manifest = await readManifest(io, file, options);
  const namespace = manifest.credential.namespace ?? options.namespace;
  await using cluster = await openCluster(io, {
    ...options,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const credential = await getCredential(cluster, manifest.credential.name, io.signal);
  const { resealed } = credential.status ?? {};
  if (resealed === undefined) {
    notice(
      io,
      `${file}: nothing to do, ${credential.metadata.name} is sealed under the present key`,
    );
    return;
  }
  const text = resealFields(
    manifest.text,
    file,
    manifest.credential.index,
    credential.spec.source.sealed ?? {},
    resealed.sealed,
  );
  await writeFile(path.resolve(io.cwd, file), text);
  notice(
    io,
    `resealed ${Object.keys(resealed.sealed).join(', ')} in ${file} under key ${resealed.keyId}`,
  );
}
