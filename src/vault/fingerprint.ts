import { createHmac } from 'node:crypto';
import type { CredentialFields, SecretBytes } from '#vault/secret-bytes.ts';

export interface Fingerprints {
  /** Over all fields. */
  readonly fingerprint: string;
  readonly fieldFingerprints: Readonly<Record<string, string>>;
}

/**
 * Keyed hashes (HMAC-SHA-256, base64url) that tell equal values from different ones. Never plain
 * hashes: a passphrase that a person chose can be guessed, and whoever reads metadata could try.
 */
export function computeFingerprints(key: SecretBytes, fields: CredentialFields): Fingerprints {
  const names = [...fields.keys()].sort();
  const whole = createHmac('sha256', key.bytes()).update('fields\0');
  const fieldFingerprints: Record<string, string> = {};
  for (const name of names) {
    const value = fields.get(name)?.bytes() ?? new Uint8Array();
    const prefix = prefixOf(name, value);
    whole.update(prefix).update(value);
    fieldFingerprints[name] = fieldFingerprint(key, name, value);
  }
  return { fingerprint: whole.digest('base64url'), fieldFingerprints };
}

/** Of one field alone. */
export function fieldFingerprint(key: SecretBytes, name: string, value: Uint8Array): string {
  return createHmac('sha256', key.bytes())
    .update('field\0')
    .update(prefixOf(name, value))
    .update(value)
    .digest('base64url');
}

/** Lengths go first, so that no two sets of fields give the same bytes. */
function prefixOf(name: string, value: Uint8Array): string {
  return `${Buffer.byteLength(name)}:${name}${value.length}:`;
}
