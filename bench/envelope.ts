/** Encryption at rest, against the same in JOSE: what the vault does for each field of a version. */
import { CompactEncrypt, compactDecrypt } from 'jose';
import { associatedData, decrypt, encrypt, generateKey } from '../src/vault/envelope.ts';
import { SecretBytes } from '../src/vault/secret-bytes.ts';
import { sample } from './benchmark.ts';
import type { Benchmark } from './benchmark.ts';

const ROUNDS = 5000;

export const envelope: Benchmark = {
  name: 'envelope',
  async run() {
    const value = SecretBytes.fromBytes(new Uint8Array(256).fill(0x41));
    const key = generateKey();
    const aad = associatedData('bench', 'trading', 'maker', 'Hyperliquid', 'PrivateKey', '1', 'f');
    const ours = await sample(ROUNDS, async () => {
      decrypt(key, encrypt(key, value, aad), aad)?.wipe();
    });
    const jose = await sample(ROUNDS, async () => {
      const token = await new CompactEncrypt(value.bytes())
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(key.bytes());
      await compactDecrypt(token, key.bytes());
    });
    return [{ what: 'encrypt and decrypt 256 bytes', ours, peers: { 'jose dir': jose } }];
  },
};
