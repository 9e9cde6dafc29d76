import path from 'node:path';
import { Command, Option } from 'commander';
import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import type { OperatorConfig } from '#cli/operator-config.ts';

interface RewrapOptions extends ClusterOptions {
  readonly operatorNamespace: string;
  readonly passphraseFile?: string;
  readonly previousPassphraseFile?: string;
  readonly newKey?: boolean;
  readonly output: 'text' | 'json';
}

export function rewrapCommand(io: Io): Command {
  return withClusterOptions(new Command('rewrap'))
    .summary('put the vault’s data keys under the present key-encryption key')
    .description(
      'Needs the rights of the operator in its namespace. No value is decrypted: only the keys around\n' +
        'the values are wrapped anew. Stopped half-way it does no harm; call it again.',
    )
    .option('--operator-namespace <name>', 'where the operator runs', 'strongroom-system')
    .option('--new-key', 'make a new key-encryption key first (provider local)')
    .option('--passphrase-file <file>', 'use the provider passphrase, with this file')
    .option('--previous-passphrase-file <file>', 'file with the passphrase that is to be replaced')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'),
    )
    .addHelpText('after', '\nExample:\n  strongroom rewrap --new-key')
    .action((options: RewrapOptions) => rewrap(io, options));
}

async function rewrap(io: Io, options: RewrapOptions): Promise<void> {
  const [
    { openKeyProvider },
    { loadVaultKeys },
    { createVault },
    { createSealKeyStore },
    { rewrapAll },
    { findDependent },
  ] = await Promise.all([
    import('#cli/key-provider.ts'),
    import('#vault/vault-keys.ts'),
    import('#vault/store.ts'),
    import('#vault/seal-key-store.ts'),
    import('#vault/rewrap.ts'),
    import('#vault/providers/dependent.ts'),
  ]);
  await using cluster = await openCluster(io, options);
  const { client } = cluster;
  const { signal } = io;
  const namespace = options.operatorNamespace;
  const provider = providerOf(io, options);
  // Opening the keys of a vault makes them where there are none, such as in a mistyped namespace.
  if ((await findDependent(client, namespace, signal)) === undefined) {
    throw new CliError(`there is no vault in namespace ${namespace}`, EXIT.notFound);
  }
  const { keyProvider, rotate } = await openKeyProvider(
    { namespace, keyProvider: provider },
    client,
    signal,
  );
  const keys = await loadVaultKeys({ client, namespace, keyProvider, signal });
  if (options.newKey === true) {
    if (rotate === undefined)
      throw usageError(`--new-key: the provider ${keyProvider.name} keeps no keys of its own`);
    notice(io, `new key-encryption key ${await rotate(signal)}`);
  }
  const { rewrapped, faults } = await rewrapAll({
    client,
    namespace,
    keyProvider,
    sealKeys: createSealKeyStore({ client, namespace, keyProvider }),
    vault: createVault({ client, namespace, keyProvider, keys }),
    onProgress: ({ done, total }) => {
      if (done % 100 === 0 || done === total) notice(io, `${done} of ${total} entries`);
    },
    signal,
  });
  const failed = faults.map(({ secretName, error }) => ({
    secret: secretName,
    error: String(error),
  }));
  print(
    io,
    options.output === 'json'
      ? JSON.stringify({ keyId: keyProvider.keyId, rewrapped, failed }, null, 2)
      : `${rewrapped} Secrets are now under key ${keyProvider.keyId}`,
  );
  if (failed.length > 0) {
    throw new CliError(
      `${failed.length} Secrets could not be rewrapped; keep the older keys:\n${failed.map((f) => `  ${namespace}/${f.secret}: ${f.error}`).join('\n')}`,
    );
  }
}

function providerOf(
  io: Io,
  { passphraseFile, previousPassphraseFile }: RewrapOptions,
): OperatorConfig['keyProvider'] {
  if (passphraseFile === undefined) {
    if (previousPassphraseFile !== undefined) {
      throw usageError('--previous-passphrase-file goes with --passphrase-file');
    }
    return { name: 'local' };
  }
  return {
    name: 'passphrase',
    passphraseFile: path.resolve(io.cwd, passphraseFile),
    ...(previousPassphraseFile === undefined
      ? {}
      : { previousPassphraseFile: path.resolve(io.cwd, previousPassphraseFile) }),
  };
}
