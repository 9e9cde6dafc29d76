export const CREDENTIAL_TYPES = [
  'ApiKey',
  'PrivateKey',
  'Password',
  'Certificate',
  'DatabaseCredentials',
  'EncryptionKey',
] as const;
export type CredentialType = (typeof CREDENTIAL_TYPES)[number];

export interface FieldNames {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/** The fields that a credential of each type consists of. */
export const CREDENTIAL_FIELDS: Readonly<Record<CredentialType, FieldNames>> = {
  ApiKey: { required: ['apiKey', 'apiSecret'], optional: ['passphrase'] },
  PrivateKey: { required: ['privateKey'], optional: [] },
  Password: { required: ['password'], optional: ['username'] },
  Certificate: { required: ['tls.crt', 'tls.key'], optional: ['ca.crt'] },
  DatabaseCredentials: {
    required: ['username', 'password'],
    optional: ['host', 'port', 'database'],
  },
  EncryptionKey: { required: ['key'], optional: [] },
};

/** The types whose value the operator can make itself; the others are given by somebody else. */
export const GENERATED_TYPES: readonly CredentialType[] = [
  'PrivateKey',
  'Password',
  'EncryptionKey',
];

/** Every field name of `type`, the required ones first. */
export function fieldsOf(type: CredentialType): readonly string[] {
  const { required, optional } = CREDENTIAL_FIELDS[type];
  return [...required, ...optional];
}

/**
 * Longest sealed value in characters: a JWE of 48 KiB of plaintext. Five fields, and the resealed
 * copies of them in status, then stay below the 1.5 MiB that etcd takes for one object.
 */
export const MAX_SEALED_LENGTH = 65_536;
