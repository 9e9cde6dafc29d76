/** What the Secret of the webhook's certificates holds, as far as it can be read. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { isIP } from 'node:net';

/** In the operator's namespace. */
export const ADMISSION_SECRET_NAME = 'strongroom-admission-tls';

/** PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface StoredPki {
  /** Signs new serving certificates. */
  readonly authority?: KeyPair;
  /** Is served. For a while after a new authority still by the one before. */
  readonly serving?: KeyPair;
  /** PEM certificates of all authorities that API servers are to trust. */
  readonly bundle: readonly string[];
  /** HMAC key of the stamps on decisions. */
  readonly stampKey?: Uint8Array;
}

export const STAMP_KEY_BYTES = 32;

const PARTS = {
  authorityCert: 'ca.crt',
  authorityKey: 'ca.key',
  cert: 'tls.crt',
  key: 'tls.key',
  bundle: 'ca-bundle.crt',
  stampKey: 'stamp.key',
} as const;

type SecretData = Readonly<Record<string, string>>;

/** Never throws: a part that is missing or no such thing is absent. `data` as in a Secret, base64. */
export function readPki(data: SecretData = {}): StoredPki {
  const authority = readPair(textOf(data, PARTS.authorityCert), textOf(data, PARTS.authorityKey));
  const serving = readPair(textOf(data, PARTS.cert), textOf(data, PARTS.key));
  const stampKey = bytesOf(data, PARTS.stampKey);
  const bundle = splitPem(textOf(data, PARTS.bundle)).filter(
    (pem) => readCertificate(pem)?.ca === true,
  );
  return {
    ...(authority === undefined ? {} : { authority }),
    ...(serving === undefined ? {} : { serving }),
    bundle,
    ...(stampKey.length === STAMP_KEY_BYTES ? { stampKey: Uint8Array.from(stampKey) } : {}),
  };
}

/** `data` of the Secret. */
export function writePki({ authority, serving, bundle, stampKey }: StoredPki): SecretData {
  const texts: Readonly<Record<string, string | undefined>> = {
    [PARTS.authorityCert]: authority?.cert,
    [PARTS.authorityKey]: authority?.key,
    [PARTS.cert]: serving?.cert,
    [PARTS.key]: serving?.key,
    [PARTS.bundle]: joinPem(bundle),
  };
  const data = Object.entries(texts).flatMap(([part, text = '']) =>
    text === '' ? [] : [[part, Buffer.from(text, 'utf8').toString('base64')] as const],
  );
  return {
    ...Object.fromEntries(data),
    ...(stampKey === undefined
      ? {}
      : { [PARTS.stampKey]: Buffer.from(stampKey).toString('base64') }),
  };
}

/** Those of cert-manager: `tls.crt`, `tls.key`, and the authority in `ca.crt`. */
export function readExternal(data: SecretData = {}): Omit<StoredPki, 'stampKey' | 'authority'> {
  const serving = readPair(textOf(data, PARTS.cert), textOf(data, PARTS.key));
  const bundle = splitPem(textOf(data, PARTS.authorityCert)).filter(
    (pem) => readCertificate(pem) !== undefined,
  );
  return { ...(serving === undefined ? {} : { serving }), bundle };
}

export function joinPem(bundle: readonly string[]): string {
  return bundle.map((pem) => `${pem.trim()}\n`).join('');
}

export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Whether `authority` signed it. */
export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** Whether a client that asks for any of the names takes the certificate. */
export function coversNames(certificate: X509Certificate, names: readonly string[]): boolean {
  return names.every((name) =>
    isIP(name) === 0
      ? certificate.checkHost(name, { subject: 'never' }) !== undefined
      : certificate.checkIP(name) !== undefined,
  );
}

/** A pair that can be read and belongs together. */
function readPair(cert: string, key: string): KeyPair | undefined {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
      ? { cert, key }
      : undefined;
  } catch {
    return undefined;
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;

function splitPem(text: string): readonly string[] {
  return (text.match(CERTIFICATE) ?? []).map((pem) => `${pem}\n`);
}

function bytesOf(data: SecretData, part: string): Buffer {
  const value: unknown = Object.hasOwn(data, part) ? data[part] : undefined;
  return Buffer.from(typeof value === 'string' ? value : '', 'base64');
}

function textOf(data: SecretData, part: string): string {
  return bytesOf(data, part).toString('utf8');
}
