import { readFile } from 'node:fs/promises';
import type { OperatorConfig } from '#cli/operator-config.ts';
import type { KubeClient } from '#kube/client.ts';
import type { KeyProvider } from '#vault/key-provider.ts';
import { createLocalKeyProvider } from '#vault/providers/local.ts';
import { createPassphraseKeyProvider } from '#vault/providers/passphrase.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

export interface OpenKeyProvider {
  readonly keyProvider: KeyProvider;
  /** Makes a new key-encryption key, where the provider keeps its keys itself. */
  readonly rotate?: (signal: AbortSignal) => Promise<string>;
}

/** Opens the key provider that the configuration names. */
export async function openKeyProvider(
  { namespace, keyProvider }: Pick<OperatorConfig, 'namespace' | 'keyProvider'>,
  client: KubeClient,
  signal: AbortSignal,
): Promise<OpenKeyProvider> {
  if (keyProvider.name === 'local') {
    const local = await createLocalKeyProvider({ client, namespace, signal });
    return { keyProvider: local, rotate: local.rotate };
  }
  const { passphraseFile, previousPassphraseFile } = keyProvider;
  using passphrase = await readPassphrase(passphraseFile);
  using previousPassphrase =
    previousPassphraseFile === undefined ? undefined : await readPassphrase(previousPassphraseFile);
  return {
    keyProvider: await createPassphraseKeyProvider({
      client,
      namespace,
      passphrase,
      ...(previousPassphrase === undefined ? {} : { previousPassphrase }),
      signal,
    }),
  };
}

/** The bytes of the file, which need not be text, without one line break at the end. */
async function readPassphrase(file: string): Promise<SecretBytes> {
  const bytes = await readFile(file);
  const lineBreak = bytes.at(-1) !== 0x0a ? 0 : bytes.at(-2) === 0x0d ? 2 : 1;
  try {
    return SecretBytes.fromBytes(bytes.subarray(0, bytes.length - lineBreak));
  } finally {
    bytes.fill(0);
  }
}
