/** The life of seal keys, as pure functions of their times: Active, then Accepted, then Retired. */
import type { KeyObject } from 'node:crypto';
import { SealError } from '#vault/errors.ts';
import { newestFirst } from '#vault/public-keys.ts';
import type { SealPublicKey } from '#vault/public-keys.ts';

/**
 * Active: the newest one, to seal with. Accepted: replaced, but values under it are still opened.
 * Retired: values under it are refused; the key is kept, so that a longer `acceptFor` brings it back.
 */
export type SealKeyState = 'Active' | 'Accepted' | 'Retired';

export interface SealKeyPolicy {
  /** Age at which a key is replaced. */
  readonly rotateEveryMs: number;
  /** How long a replaced key is accepted. */
  readonly acceptForMs: number;
}

/** A key pair as it is stored. */
export interface SealKeyPair {
  readonly keyId: string;
  readonly x: string;
  /** RFC 3339; authenticated, so that a retired key cannot be made young again. */
  readonly createdAt: string;
  readonly privateKey: KeyObject;
}

export interface SealKey extends SealKeyPair, SealPublicKey {
  readonly state: SealKeyState;
}

export interface SealKeyring {
  readonly active: SealPublicKey;
  find(keyId: string): SealKey | undefined;
  /** Active and Accepted keys: what is published. */
  readonly published: readonly SealPublicKey[];
}

/**
 * The states of all keys at `now` (ms since the epoch). However old, the newest key is active:
 * sealing goes on while rotation is late, and a late rotation shortens no overlap.
 *
 * @throws SealError ERR_SEAL_KEYS when there is no key
 */
export function createSealKeyring(
  pairs: readonly SealKeyPair[],
  policy: SealKeyPolicy,
  now: number,
): SealKeyring {
  const keys: SealKey[] = [];
  let successor: SealKeyPair | undefined;
  for (const pair of [...pairs].sort(newestFirst)) {
    keys.push(withState(pair, successor, policy, now));
    successor = pair;
  }
  const [active] = keys;
  if (active === undefined) {
    throw new SealError(
      'ERR_SEAL_KEYS',
      'there is no seal key yet; the leading operator makes one',
    );
  }
  const byId = new Map(keys.map((key) => [key.keyId, key]));
  return {
    active: publicPart(active),
    find: (keyId) => byId.get(keyId),
    published: keys.filter((key) => key.state !== 'Retired').map(publicPart),
  };
}

function withState(
  pair: SealKeyPair,
  successor: SealKeyPair | undefined,
  { rotateEveryMs, acceptForMs }: SealKeyPolicy,
  now: number,
): SealKey {
  if (successor === undefined) return { ...pair, state: 'Active' };
  const due = Date.parse(pair.createdAt) + rotateEveryMs;
  const end = Math.max(due, Date.parse(successor.createdAt)) + acceptForMs;
  return {
    ...pair,
    acceptedUntil: new Date(end).toISOString(),
    state: now < end ? 'Accepted' : 'Retired',
  };
}

function publicPart({ keyId, x, createdAt, acceptedUntil }: SealKey): SealPublicKey {
  return { keyId, x, createdAt, ...(acceptedUntil === undefined ? {} : { acceptedUntil }) };
}

/** When the next key has to be made, in ms since the epoch; in the past when it is due. */
export function nextSealKeyAt(pairs: readonly SealKeyPair[], policy: SealKeyPolicy): number {
  const [newest] = [...pairs].sort(newestFirst);
  return newest === undefined ? 0 : Date.parse(newest.createdAt) + policy.rotateEveryMs;
}
