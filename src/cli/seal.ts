import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import type { SealPublicKey } from '#vault/sealing.ts';
import type { ClusterOptions } from '#cli/cluster.ts';
import { withClusterOptions } from '#cli/cluster.ts';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { readNamedFile } from '#cli/read-file.ts';
import type { CredentialManifest } from '#cli/manifest.ts';
import type { ValueOptions } from '#cli/values.ts';

interface SealOptions extends ClusterOptions, ValueOptions {
  readonly into?: string;
  readonly name?: string;
  readonly exchange?: string;
  readonly keyFile?: string;
  readonly operatorNamespace: string;
  readonly scope: 'strict' | 'namespace';
  readonly output: 'text' | 'json';
}

export function sealCommand(io: Io): Command {
  return withClusterOptions(new Command('seal'))
    .summary('encrypt values so that only the operator can open them')
    .description(
      'Encrypts the fields of a credential for one namespace, name and exchange. The result is safe\n' +
        'in git: it opens nowhere but in the operator, and only for the object it was made for.',
    )
    .option('--into <file>', 'manifest whose ExchangeCredential receives the sealed fields')
    .option('--name <name>', 'name of the ExchangeCredential (picks one of several with --into)')
    .option('--exchange <name>', 'exchange the value is bound to, without --into')
    .option('--key-file <file>', 'public seal keys (JWKS); works offline')
    .option('--operator-namespace <name>', 'where the operator runs', 'strongroom-system')
    .addOption(
      new Option('--scope <scope>', 'strict: this object alone; namespace: any name in it')
        .choices(['strict', 'namespace'])
        .default('strict'),
    )
    .option('--field <field...>', 'fields to ask for on the terminal, hidden')
    .option('--stdin', 'read the value of the one --field from stdin')
    .option('--from-file <field=file...>', 'read a field from a file')
    .option('--from-env-file <file>', 'read fields from a .env file')
    .option('--from-secret <file>', 'read fields from the manifest of a Secret')
    .option('--map <field=name...>', 'names in the .env file or Secret, where they differ')
    .option('--keep-newline', 'keep a trailing line break of files and stdin')
    .addOption(
      new Option('-o, --output <format>', 'without --into')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  strongroom seal --into maker.yaml --field privateKey\n' +
        '  strongroom seal --into maker.yaml --key-file seal-keys.json --from-env-file bot.env --map apiKey=KEY apiSecret=SECRET\n' +
        '  pass show hl | strongroom seal -n trading --name maker --exchange Hyperliquid --field privateKey --stdin',
    )
    .action((options: SealOptions) => seal(io, options));
}

async function seal(io: Io, options: SealOptions): Promise<void> {
  const manifest =
    options.into === undefined ? undefined : await readManifest(io, options.into, options);
  const target = manifest?.credential ?? (await explicitTarget(io, options));
  const namespace = target.namespace ?? options.namespace;
  if (namespace === undefined) {
    throw usageError(
      manifest === undefined
        ? 'a seal is bound to a namespace; give it with --namespace'
        : 'metadata.namespace is not in the manifest; a seal is bound to it, so give --namespace',
    );
  }
  if (options.namespace !== undefined && namespace !== options.namespace) {
    throw usageError(
      `the manifest says namespace ${namespace}, --namespace says ${options.namespace}`,
    );
  }
  const [{ namedFields, readValues }, sealing, { fieldFault }] = await Promise.all([
    import('#cli/values.ts'),
    import('#vault/sealing.ts'),
    import('#cli/field-names.ts'),
  ]);
  const check = (field: string): void => {
    const fault = fieldFault(target.type, field);
    if (fault !== undefined) throw usageError(fault);
  };
  // Before anybody is asked for a value, and after a file has named further fields.
  namedFields(options).forEach(check);
  const values = await readValues(io, options);
  [...values.keys()].forEach(check);
  const key = await publicKey(io, options);
  const sealed = new Map<string, string>();
  for (const [field, value] of values) {
    const binding = {
      namespace,
      name: target.name,
      field,
      exchange: target.exchange,
      scope: options.scope,
    };
    sealed.set(field, await sealing.seal(value, binding, key));
    value.wipe();
  }

  if (manifest !== undefined) {
    const { setSealedField } = await import('#cli/manifest.ts');
    let { text } = manifest;
    for (const [field, token] of sealed) {
      text = setSealedField(text, manifest.file, target.index, field, token);
    }
    await writeFile(path.resolve(io.cwd, manifest.file), text);
    notice(
      io,
      `sealed ${[...sealed.keys()].join(', ')} into ${manifest.file} for ${namespace}/${target.name} with key ${key.keyId}`,
    );
  } else if (options.output === 'json') {
    print(io, JSON.stringify({ keyId: key.keyId, sealed: Object.fromEntries(sealed) }, null, 2));
  } else {
    for (const [field, token] of sealed) print(io, `${field}: ${token}`);
  }
}

interface ManifestFile {
  readonly file: string;
  readonly text: string;
  readonly credential: CredentialManifest;
}

export async function readManifest(
  io: Io,
  file: string,
  options: { readonly name?: string },
): Promise<ManifestFile> {
  const { findCredentials, selectCredential } = await import('#cli/manifest.ts');
  const text = (await readNamedFile(io, file)).toString('utf8');
  return {
    file,
    text,
    credential: selectCredential(findCredentials(text, file), file, options.name),
  };
}

/** Without a manifest the flags say what the value is bound to; all of it must be said. */
async function explicitTarget(io: Io, options: SealOptions): Promise<CredentialManifest> {
  if (options.name === undefined) {
    throw usageError(
      'say what the value is sealed for: --into FILE, or --name with --namespace and --exchange',
    );
  }
  const { EXCHANGES } = await import('#api/exchanges.ts');
  if (options.exchange === undefined) {
    notice(io, 'note: no --exchange given; the value is sealed for a backing system');
  } else if (!EXCHANGES.some((name) => name === options.exchange)) {
    notice(
      io,
      `note: ${options.exchange} is none of ${EXCHANGES.join(', ')}; it is bound as the exchangeName of Other`,
    );
  }
  return {
    index: 0,
    namespace: options.namespace,
    name: options.name,
    type: '',
    exchange: options.exchange ?? '',
  };
}

async function publicKey(io: Io, options: SealOptions): Promise<SealPublicKey> {
  const { parsePublicKeys } = await import('#vault/public-keys.ts');
  if (options.keyFile !== undefined) {
    const text = (await readNamedFile(io, options.keyFile)).toString('utf8');
    return parsePublicKeys(text, options.keyFile).active;
  }
  const { fetchPublicKeys } = await import('#cli/fetch-public-keys.ts');
  const text = await fetchPublicKeys(io, options);
  return parsePublicKeys(text, `ConfigMap strongroom-seal-keys of ${options.operatorNamespace}`)
    .active;
}
