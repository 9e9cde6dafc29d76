import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * A secret value that cannot be printed or serialised by accident: string conversion, JSON and
 * `util.inspect` give `[redacted]`, and a structured clone holds nothing.
 *
 * The bytes lie in a buffer of their own, never in Node's shared pool, and are overwritten by
 * {@link SecretBytes.wipe}. Strings made by {@link SecretBytes.utf8} cannot be overwritten; make
 * them late and let go of them early.
 */
export class SecretBytes implements Disposable {
  readonly #bytes: Uint8Array;
  #wiped = false;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Copies `bytes`; the caller's buffer stays the caller's to wipe. */
  static fromBytes(bytes: Uint8Array): SecretBytes {
    const copy = new Uint8Array(bytes.length);
    copy.set(bytes);
    return new SecretBytes(copy);
  }

  static fromUtf8(text: string): SecretBytes {
    return new SecretBytes(new TextEncoder().encode(text));
  }

  /** Number of bytes. */
  get length(): number {
    return this.#bytes.length;
  }

  /**
   * The bytes themselves, not a copy: do not change them, nor keep them longer than this object.
   * @throws Error once the value was wiped, so that zeros are never used as a key.
   */
  bytes(): Uint8Array {
    if (this.#wiped) throw new Error('a secret value was used after it was wiped');
    return this.#bytes;
  }

  /** @throws TypeError when the bytes are not valid UTF-8. */
  utf8(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes());
  }

  /** Takes the same time wherever the values differ; only their lengths can be told apart. */
  equals(other: SecretBytes): boolean {
    const mine = this.bytes();
    const theirs = other.bytes();
    return mine.length === theirs.length && timingSafeEqual(mine, theirs);
  }

  /** Overwrites the bytes. Wiping twice is harmless. */
  wipe(): void {
    this.#bytes.fill(0);
    this.#wiped = true;
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  static {
    // Not a member: isolated declarations cannot name a symbol of another module.
    Object.defineProperty(this.prototype, inspect.custom, { value: () => REDACTED });
  }
}

/** The values of one version, by field name such as `apiSecret`. */
export type CredentialFields = ReadonlyMap<string, SecretBytes>;

export function wipeFields(fields: CredentialFields): void {
  for (const value of fields.values()) value.wipe();
}
