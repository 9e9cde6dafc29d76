import { createHash } from 'node:crypto';
import { SealError } from '#vault/errors.ts';

/** The public half of a seal key: all that is needed to seal, and no secret. */
export interface SealPublicKey {
  /** JWK thumbprint (RFC 7638) of the key. */
  readonly keyId: string;
  /** The X25519 public key, base64url. */
  readonly x: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339; until then a value under this key is taken, absent while the key is the active one. */
  readonly acceptedUntil?: string;
}

export interface SealPublicKeys {
  /** The newest one, to seal with. */
  readonly active: SealPublicKey;
  readonly all: readonly SealPublicKey[];
}

/** ConfigMap of the operator's namespace that publishes the keys, and the key in it. */
export const PUBLISHED_NAME = 'strongroom-seal-keys';
export const PUBLISHED_KEY = 'keys.json';

const CREATED_AT = 'strongroom.dev/createdAt';
const ACCEPTED_UNTIL = 'strongroom.dev/acceptedUntil';

/** 32 bytes in base64url without padding. */
const X25519_PATTERN = /^[A-Za-z0-9_-]{43}$/;

/** A JWK Set (RFC 7517), newest key first. Equal keys give equal text. */
export function formatPublicKeys(keys: readonly SealPublicKey[]): string {
  const members = [...keys].sort(newestFirst).map((key) => ({
    kty: 'OKP',
    crv: 'X25519',
    x: key.x,
    use: 'enc',
    alg: 'ECDH-ES+A256KW',
    kid: key.keyId,
    [CREATED_AT]: key.createdAt,
    ...(key.acceptedUntil === undefined ? {} : { [ACCEPTED_UNTIL]: key.acceptedUntil }),
  }));
  return `${JSON.stringify({ keys: members }, null, 2)}\n`;
}

/**
 * Reads what {@link formatPublicKeys} wrote.
 * @param where names the text in errors, such as a file name
 * @throws SealError ERR_SEAL_KEYS
 */
export function parsePublicKeys(text: string, where: string): SealPublicKeys {
  const fault = (what: string): SealError =>
    new SealError('ERR_SEAL_KEYS', `${where}: ${what}; expected the public seal keys (JWK Set)`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw fault('not JSON');
  }
  if (!isRecord(document) || !Array.isArray(document['keys'])) throw fault('no list of keys');
  const all = document['keys'].map((jwk: unknown, index): SealPublicKey => {
    if (!isRecord(jwk)) throw fault(`key ${index} is not an object`);
    const { kty, crv, x, kid, d } = jwk;
    if (kty !== 'OKP' || crv !== 'X25519') throw fault(`key ${index} is not an X25519 key`);
    if (d !== undefined) throw fault(`key ${index} is a private key`);
    if (typeof x !== 'string' || !X25519_PATTERN.test(x))
      throw fault(`key ${index} has no valid x`);
    if (kid !== thumbprint(x)) throw fault(`key ${index} has a kid that is not its thumbprint`);
    const createdAt = jwk[CREATED_AT];
    const acceptedUntil = jwk[ACCEPTED_UNTIL];
    if (!isTime(createdAt)) throw fault(`key ${index} does not say when it was made`);
    if (acceptedUntil === undefined) return { keyId: kid, x, createdAt };
    if (!isTime(acceptedUntil)) throw fault(`key ${index} has an end that is not a time`);
    return { keyId: kid, x, createdAt, acceptedUntil };
  });
  const [active] = [...all].sort(newestFirst);
  if (active === undefined) throw fault('the list of keys is empty');
  return { active, all };
}

/** JWK thumbprint (RFC 7638), over the members that RFC 8037 requires of an OKP key. */
export function thumbprint(x: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'X25519', kty: 'OKP', x }))
    .digest('base64url');
}

/** By time, then by id, so that replicas agree on keys of the same instant. */
export function newestFirst(a: SealPublicKey, b: SealPublicKey): number {
  return Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.keyId < b.keyId ? -1 : 1);
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && Number.isFinite(Date.parse(value));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
