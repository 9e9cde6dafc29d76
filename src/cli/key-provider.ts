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
  const bytes = await readFile(keyProvider.passphraseFile);
  using passphrase = SecretBytes.fromUtf8(bytes.toString('utf8').replace(/\r?\n$/, ''));
  bytes.fill(0);
  return {
    keyProvider: await createPassphraseKeyProvider({ client, namespace, passphrase, signal }),
  };
}
