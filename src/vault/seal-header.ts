import { SealError } from '#vault/errors.ts';

export const KEY_MANAGEMENT = 'ECDH-ES+A256KW';
export const CONTENT_ENCRYPTION = 'A256GCM';
/** A new form gets a new type, so that old readers refuse it instead of misreading it. */
export const SEAL_TYPE = 'strongroom-sealed+jwe';

/** Longest JWE in characters; the CRD has the same limit. */
export const MAX_SEALED_LENGTH = 65_536;

/** Longest part of a binding, and of a key id: what Kubernetes allows for a name. */
const MAX_BINDING_LENGTH = 253;

export type SealScope = 'strict' | 'namespace';

/** What a sealed value says about itself. Not to be trusted before the value was opened. */
export interface SealHeader {
  readonly keyId: string;
  readonly scope: SealScope;
  readonly namespace: string;
  /** Only with scope `strict`. */
  readonly name?: string;
  readonly field: string;
  readonly exchange: string;
}

/**
 * Reads the header of a sealed value; needs no key.
 *
 * Nothing but the members of this form is let through: `zip` would allow a decompression bomb,
 * `crit` and `apu` other meanings than the ones checked here.
 *
 * @throws SealError ERR_SEAL_MALFORMED, ERR_SEAL_TOO_LARGE
 */
export function inspect(token: string): SealHeader {
  if (token.length > MAX_SEALED_LENGTH) {
    throw new SealError(
      'ERR_SEAL_TOO_LARGE',
      `${token.length} characters; a sealed value has at most ${MAX_SEALED_LENGTH}`,
    );
  }
  const parts = token.split('.');
  if (parts.length !== 5 || !parts.every(isBase64url)) {
    throw malformed('not a JWE in compact form (five parts of base64url, joined by dots)');
  }
  const header = parseHeader(parts[0] ?? '');
  if (header['typ'] !== SEAL_TYPE) throw malformed(`typ is not ${SEAL_TYPE}`);
  if (header['alg'] !== KEY_MANAGEMENT) throw malformed(`alg is not ${KEY_MANAGEMENT}`);
  if (header['enc'] !== CONTENT_ENCRYPTION) throw malformed(`enc is not ${CONTENT_ENCRYPTION}`);
  onlyMembers(header, ['alg', 'enc', 'typ', 'kid', 'sr', 'epk'], 'the header');
  const keyId = text(header, 'kid');
  if (!/^[A-Za-z0-9_-]+$/.test(keyId)) throw malformed('kid is not a key id');
  const binding = header['sr'];
  if (!isRecord(binding)) throw malformed('sr is missing from the header');
  if (binding['v'] !== 1) throw malformed('sr.v is not 1');
  onlyMembers(binding, ['v', 'scope', 'ns', 'name', 'field', 'exchange'], 'sr');
  const { scope } = binding;
  if (scope !== 'strict' && scope !== 'namespace') throw malformed('sr.scope is unknown');
  if (scope === 'namespace' && binding['name'] !== undefined) {
    throw malformed('sr.name does not go with the scope namespace');
  }
  return {
    keyId,
    scope,
    namespace: text(binding, 'ns'),
    ...(scope === 'strict' ? { name: text(binding, 'name') } : {}),
    field: text(binding, 'field'),
    exchange: text(binding, 'exchange'),
  };
}

function parseHeader(encoded: string): Readonly<Record<string, unknown>> {
  try {
    const bytes = Buffer.from(encoded, 'base64url');
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isRecord(header)) return header;
  } catch {
    // The parser's message would quote its input.
  }
  throw malformed('the header is not a JSON object');
}

/** The one form of its bytes: with stray bits in its last character the same bytes have several. */
function isBase64url(part: string): boolean {
  return (
    /^[A-Za-z0-9_-]+$/.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part
  );
}

function text(record: Readonly<Record<string, unknown>>, member: string): string {
  const value = record[member];
  if (typeof value !== 'string') throw malformed(`${member} is missing from the header`);
  // Errors quote bindings, and a condition that holds the error has a limit.
  if (value.length > MAX_BINDING_LENGTH) throw malformed(`${member} is too long`);
  return value;
}

function onlyMembers(
  record: Readonly<Record<string, unknown>>,
  known: readonly string[],
  where: string,
): void {
  if (!Object.keys(record).every((member) => known.includes(member))) {
    throw malformed(`${where} has members that this form does not know`);
  }
}

function malformed(what: string): SealError {
  return new SealError(
    'ERR_SEAL_MALFORMED',
    `not a sealed value: ${what}; make one with "strongroom seal"`,
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
