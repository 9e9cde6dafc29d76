import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
import { describe, expect, it } from 'vitest';
import { formatPublicKeys, parsePublicKeys, thumbprint } from '#vault/public-keys.ts';
import { createSealKeyring, nextSealKeyAt } from '#vault/seal-keys.ts';
import type { SealKeyPair } from '#vault/seal-keys.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-01-01T00:00:00Z');
const POLICY = { rotateEveryMs: 90 * DAY, acceptForMs: 30 * DAY };
const { publicKey, privateKey } = generateKeyPairSync('x25519');
const { x = '' } = publicKey.export({ format: 'jwk' });

function pair(keyId: string, day: number): SealKeyPair {
  return { keyId, x, createdAt: new Date(START + day * DAY).toISOString(), privateKey };
}

function freshPair(day: number): SealKeyPair {
  const fresh = generateKeyPairSync('x25519');
  const { x: own = '' } = fresh.publicKey.export({ format: 'jwk' });
  return { ...pair(thumbprint(own), day), x: own, privateKey: fresh.privateKey };
}

function states(pairs: readonly SealKeyPair[], day: number): Record<string, string | undefined> {
  const keyring = createSealKeyring(pairs, POLICY, START + day * DAY);
  return Object.fromEntries(pairs.map(({ keyId }) => [keyId, keyring.find(keyId)?.state]));
}

describe('createSealKeyring', () => {
  it.each([
    ['one key', [pair('a', 0)], 1, { a: 'Active' }],
    ['one key, however old', [pair('a', 0)], 4000, { a: 'Active' }],
    ['a key just replaced', [pair('a', 0), pair('b', 90)], 90, { a: 'Accepted', b: 'Active' }],
    ['until the overlap ends', [pair('a', 0), pair('b', 90)], 119, { a: 'Accepted', b: 'Active' }],
    ['when the overlap ends', [pair('a', 0), pair('b', 90)], 120, { a: 'Retired', b: 'Active' }],
    ['late rotation', [pair('a', 0), pair('b', 200)], 229, { a: 'Accepted', b: 'Active' }],
    ['early rotation', [pair('a', 0), pair('b', 5)], 119, { a: 'Accepted', b: 'Active' }],
    ['early rotation, later', [pair('a', 0), pair('b', 5)], 120, { a: 'Retired', b: 'Active' }],
    [
      'three keys',
      [pair('c', 180), pair('a', 0), pair('b', 90)],
      181,
      { a: 'Retired', b: 'Accepted', c: 'Active' },
    ],
  ])('gives the states of %s', (_, pairs, day, expected) => {
    expect(states(pairs, day)).toEqual(expected);
  });

  it('seals with the newest key, publishes all that are accepted, and says until when', () => {
    const keyring = createSealKeyring(
      [pair('a', 0), pair('b', 90), pair('c', 180)],
      POLICY,
      START + 181 * DAY,
    );
    expect(keyring.active.keyId).toBe('c');
    expect(keyring.published.map((key) => [key.keyId, key.acceptedUntil])).toEqual([
      ['c', undefined],
      ['b', new Date(START + 210 * DAY).toISOString()],
    ]);
    expect(keyring.published.some((key) => 'privateKey' in key)).toBe(false);
  });

  it('takes no key for no keyring', () => {
    expect(() => createSealKeyring([], POLICY, START)).toThrow('no seal key');
  });

  it('has one active key, in any order of reading, and never revives a retired one', () => {
    const days = fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(days, fc.nat(2000), fc.nat(500), (made, day, later) => {
        const pairs = made.map((at) => pair(`k${at}`, at));
        const now = states(pairs, day);
        expect(Object.values(now).filter((state) => state === 'Active')).toHaveLength(1);
        expect(states([...pairs].reverse(), day)).toEqual(now);
        const then = states(pairs, day + later);
        const retired = Object.keys(now).filter((keyId) => now[keyId] === 'Retired');
        for (const keyId of retired) expect(then[keyId]).toBe('Retired');
      }),
    );
  });
});

describe('nextSealKeyAt', () => {
  it('is due at once without a key, else when the newest one is old enough', () => {
    expect(nextSealKeyAt([], POLICY)).toBe(0);
    expect(nextSealKeyAt([pair('b', 10), pair('a', 0)], POLICY)).toBe(START + 100 * DAY);
  });
});

describe('formatPublicKeys and parsePublicKeys', () => {
  it('are inverse, and find the newest key', () => {
    const newest = freshPair(90);
    const { published } = createSealKeyring([freshPair(80), newest], POLICY, START);
    const { active, all } = parsePublicKeys(formatPublicKeys(published), 'keys.json');
    expect(all).toEqual(published);
    expect(active.keyId).toBe(newest.keyId);
  });

  it('name keys by the thumbprint of RFC 7638', async () => {
    const expected = await calculateJwkThumbprint({ kty: 'OKP', crv: 'X25519', x });
    expect(thumbprint(x)).toBe(expected);
  });

  it('write no private member', () => {
    const { published } = createSealKeyring([pair('a', 0)], POLICY, START);
    expect(Object.keys(JSON.parse(formatPublicKeys(published)).keys[0])).toEqual([
      'kty',
      'crv',
      'x',
      'use',
      'alg',
      'kid',
      'strongroom.dev/createdAt',
    ]);
  });

  const good = {
    kty: 'OKP',
    crv: 'X25519',
    x,
    kid: thumbprint(x),
    'strongroom.dev/createdAt': '2026-01-01T00:00:00Z',
  };

  it.each([
    ['not JSON', '{', 'not JSON'],
    ['a list', '[]', 'no list of keys'],
    ['no keys', '{"keys":[]}', 'empty'],
    ['a number', '{"keys":[1]}', 'key 0 is not an object'],
    ['an RSA key', JSON.stringify({ keys: [{ ...good, kty: 'RSA' }] }), 'not an X25519 key'],
    ['another curve', JSON.stringify({ keys: [{ ...good, crv: 'Ed25519' }] }), 'not an X25519'],
    ['a private key', JSON.stringify({ keys: [{ ...good, d: x }] }), 'is a private key'],
    ['a short x', JSON.stringify({ keys: [{ ...good, x: 'AA' }] }), 'no valid x'],
    ['no kid', JSON.stringify({ keys: [{ ...good, kid: '' }] }), 'not its thumbprint'],
    [
      'a key under the id of another',
      JSON.stringify({ keys: [{ ...good, x: freshPair(0).x }] }),
      'not its thumbprint',
    ],
    [
      'no time',
      JSON.stringify({ keys: [{ ...good, 'strongroom.dev/createdAt': 'x' }] }),
      'does not say when',
    ],
    [
      'a bad end',
      JSON.stringify({ keys: [{ ...good, 'strongroom.dev/acceptedUntil': 1 }] }),
      'an end that is not a time',
    ],
  ])('refuse %s, naming the file', (_, text, message) => {
    expect(() => parsePublicKeys(text, 'keys.json')).toThrow(message);
    expect(() => parsePublicKeys(text, 'keys.json')).toThrow('keys.json: ');
  });
});
