import type { SecretRefSource } from '#api/exchange-credential.ts';
import type { CredentialType } from '#api/fields.ts';
import { CREDENTIAL_FIELDS, fieldsOf } from '#api/fields.ts';
import type { Secret } from '#kube/objects.ts';
import { SecretBytes, wipeFields } from '#vault/secret-bytes.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import { MAX_FIELD_BYTES, refused, SourceRefusedError } from '../verify.ts';

/**
 * Types of Secrets that hold what people put there. The others are identities that the cluster
 * makes: a ServiceAccount's token must not become a credential that lives on without it.
 */
const READABLE_TYPES: ReadonlySet<string> = new Set([
  'Opaque',
  'kubernetes.io/basic-auth',
  'kubernetes.io/ssh-auth',
  'kubernetes.io/tls',
]);

/**
 * Reads the fields of a credential from a Secret. Keys that are not asked for are left alone.
 * @throws SourceRefusedError naming the field, the key and the fault
 */
export function readSecretRef(
  type: CredentialType,
  { name, keys = {} }: SecretRefSource,
  secret: Secret,
): CredentialFields {
  const secretType = secret.type ?? 'Opaque';
  if (!READABLE_TYPES.has(secretType)) {
    throw new SourceRefusedError(
      `Secret ${name} is of type ${secretType}, which is not read; copy the value into an Opaque one.`,
    );
  }
  const data = secret.data ?? {};
  const fields = new Map<string, SecretBytes>();
  try {
    for (const field of fieldsOf(type)) {
      const key = keys[field] ?? field;
      const encoded = data[key];
      if (encoded === undefined) {
        // An optional field may be absent, unless its key was named on purpose.
        if (!CREDENTIAL_FIELDS[type].required.includes(field) && !Object.hasOwn(keys, field))
          continue;
        throw refused(field, `is missing: Secret ${name} has no key "${key}"`);
      }
      // Before it is decoded: four characters hold three bytes.
      if (encoded.length > Math.ceil(MAX_FIELD_BYTES / 3) * 4) {
        throw refused(
          field,
          `is larger than ${MAX_FIELD_BYTES} bytes, in key "${key}" of Secret ${name}`,
        );
      }
      const decoded = Buffer.from(encoded, 'base64');
      fields.set(field, SecretBytes.fromBytes(decoded));
      decoded.fill(0);
    }
  } catch (error) {
    wipeFields(fields);
    throw error;
  }
  return fields;
}
