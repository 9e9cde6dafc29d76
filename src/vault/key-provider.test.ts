import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWrappedKey, encodeWrappedKey, isCurrent } from '#vault/key-provider.ts';

describe('encodeWrappedKey and decodeWrappedKey', () => {
  it('are inverse', () => {
    const data = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64'));
    const wrapped = fc.record({ provider: fc.string(), keyId: fc.string(), data });
    fc.assert(
      fc.property(wrapped, (key) => {
        expect(decodeWrappedKey(encodeWrappedKey(key))).toEqual(key);
      }),
    );
  });

  it.each([
    ['nothing', undefined],
    ['the empty text', ''],
    ['no JSON', encoded('{')],
    ['null', encoded('null')],
    ['a list', encoded('[]')],
    ['no provider', encoded('{"keyId":"a","data":"b"}')],
    ['a number as key id', encoded('{"provider":"p","keyId":1,"data":"b"}')],
    ['base64url', encoded('{"provider":"p","keyId":"a","data":"ab-_"}')],
    ['loose last bits', encoded('{"provider":"p","keyId":"a","data":"YR=="}')],
    ['stray characters', encoded('{"provider":"p","keyId":"a","data":"YQ= ="}')],
    ['no data', encoded('{"provider":"p","keyId":"a"}')],
  ])('give no key for %s', (_, text) => {
    expect(decodeWrappedKey(text)).toBeUndefined();
  });

  function encoded(text: string): string {
    return Buffer.from(text).toString('base64');
  }
});

describe('isCurrent', () => {
  const wrapped = { provider: 'local', keyId: '2', data: '' };
  const provider = {
    wrap: () => Promise.reject(new Error('not to be called')),
    unwrap: () => Promise.reject(new Error('not to be called')),
  };

  it.each([
    ['the same key', 'local', '2', true],
    ['an older key', 'local', '3', false],
    ['a key of this id of another provider', 'passphrase', '2', false],
  ])('compares with %s', (_, name, keyId, expected) => {
    expect(isCurrent({ ...provider, name, keyId }, wrapped)).toBe(expected);
  });
});
