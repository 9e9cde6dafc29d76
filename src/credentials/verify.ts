/**
 * A type's own check of its fields, before a value is stored: what would only be found out by an
 * exchange's refusal, at night, is refused here. Messages name the field and the fault, never a
 * part of the value.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { CredentialType } from '#api/fields.ts';
import { CREDENTIAL_FIELDS } from '#api/fields.ts';
import type { CredentialFields, SecretBytes } from '#vault/secret-bytes.ts';

/** Of one field, in bytes. Larger values are not credentials, and would crowd out versions. */
export const MAX_FIELD_BYTES = 48_000;

/** What is wrong with a source's value. The message is for people and holds no value. */
export class SourceRefusedError extends Error {
  override readonly name = 'SourceRefusedError';
  readonly code = 'ERR_SOURCE_REFUSED' as const;
  readonly retryable = false;
}

/** @throws SourceRefusedError for the first fault found */
export function verifyFields(type: CredentialType, fields: CredentialFields): void {
  const { required, optional } = CREDENTIAL_FIELDS[type];
  for (const name of required) {
    if (!fields.has(name)) throw refused(name, `is missing; ${type} needs ${required.join(', ')}`);
  }
  for (const [name, value] of fields) {
    if (!required.includes(name) && !optional.includes(name)) {
      throw refused(name, `is not a field of ${type}`);
    }
    verifyLength(name, value);
  }
  if (type === 'Certificate') {
    verifyCertificate(fields);
    return;
  }
  for (const [name, value] of fields) {
    if (type !== 'EncryptionKey') verifyText(name, value.bytes());
    if (name === 'port') verifyPort(name, value);
  }
}

export function verifyLength(name: string, { length }: { readonly length: number }): void {
  if (length === 0) throw refused(name, 'is empty');
  if (length > MAX_FIELD_BYTES) {
    throw refused(name, `is larger than ${MAX_FIELD_BYTES} bytes`);
  }
}

/** Byte order marks, which editors leave and nobody sees. UTF-8's comes after the check for it. */
const UTF16_MARKS: readonly (readonly [number, number])[] = [
  [0xff, 0xfe],
  [0xfe, 0xff],
];

function verifyText(name: string, bytes: Uint8Array): void {
  if (UTF16_MARKS.some(([a, b]) => bytes[0] === a && bytes[1] === b)) {
    throw refused(name, 'is UTF-16; save it as UTF-8 without a byte order mark');
  }
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw refused(name, 'begins with a byte order mark; save it as UTF-8 without one');
  }
  if (bytes.includes(0)) {
    throw refused(name, 'holds a NUL byte; it is binary, or text in UTF-16');
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused(name, 'is not valid UTF-8');
  }
  if (isPem(text)) return;
  if (/[\r\n]$/.test(text)) {
    throw refused(name, 'ends with a line break; write it without one, for example with printf %s');
  }
  if (text.trim() !== text) throw refused(name, 'begins or ends with white space');
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    throw refused(name, 'holds a control character such as a line break or tab');
  }
}

/** Keys in PEM end with a line break, and have them inside. */
function isPem(text: string): boolean {
  return /^-----BEGIN [A-Z0-9 ]+-----\r?\n[\s\S]+\r?\n-----END [A-Z0-9 ]+-----\r?\n?$/.test(text);
}

function verifyPort(name: string, value: SecretBytes): void {
  const text = value.utf8();
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 65_535) {
    throw refused(name, 'is not a port number from 1 to 65535');
  }
}

function verifyCertificate(fields: CredentialFields): void {
  const certificate = readPem(fields, 'tls.crt', (pem) => new X509Certificate(pem));
  const key = readPem(fields, 'tls.key', (pem): KeyObject => createPrivateKey(pem));
  if (fields.has('ca.crt')) readPem(fields, 'ca.crt', (pem) => new X509Certificate(pem));
  if (certificate !== undefined && key !== undefined && !certificate.checkPrivateKey(key)) {
    throw refused('tls.key', 'does not belong to the certificate in tls.crt');
  }
}

function readPem<T>(
  fields: CredentialFields,
  name: string,
  parse: (pem: string) => T,
): T | undefined {
  const value = fields.get(name);
  if (value === undefined) return undefined;
  verifyTextOfPem(name, value.bytes());
  try {
    return parse(value.utf8());
  } catch {
    // OpenSSL's words are of no use to who reads them, and the cause can quote its input.
    throw refused(name, 'cannot be read; it must be PEM, and a private key must not be encrypted');
  }
}

function verifyTextOfPem(name: string, bytes: Uint8Array): void {
  if (bytes.includes(0)) throw refused(name, 'is not PEM: it holds NUL bytes');
}

export function refused(field: string, what: string): SourceRefusedError {
  return new SourceRefusedError(`Field "${field}" ${what}.`);
}
