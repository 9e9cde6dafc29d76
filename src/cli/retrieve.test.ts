import { describe, expect, it } from 'vitest';
import type { ExchangeCredential, ExchangeCredentialSpec } from '#api/exchange-credential.ts';
import { fieldToRead } from '#cli/retrieve.ts';

function credential(
  type: ExchangeCredentialSpec['type'],
  source: ExchangeCredentialSpec['source'],
): ExchangeCredential {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { name: 'maker', namespace: 'trading' },
    spec: {
      type,
      environment: 'Production',
      owner: 'desk',
      source,
      // Names where a field is delivered, not which fields there are.
      delivery: { secret: { name: 'maker', keys: { apiKey: 'KEY' } } },
    },
  };
}

const two = credential('ApiKey', { sealed: { apiKey: 'eyJ', apiSecret: 'eyJ' } });

describe('fieldToRead', () => {
  it.each([
    ['the one asked for', two, 'apiSecret', 'apiSecret'],
    [
      'the only one sealed',
      credential('PrivateKey', { sealed: { privateKey: 'e' } }),
      undefined,
      'privateKey',
    ],
    [
      'the only one imported',
      credential('ApiKey', { secretRef: { name: 's', keys: { apiKey: 'k' } } }),
      undefined,
      'apiKey',
    ],
    ['what is generated', credential('Password', { generate: {} }), undefined, 'password'],
  ] as const)('is %s', (_, object, wanted, field) => {
    expect(fieldToRead(object, wanted)).toBe(field);
  });

  it.each([
    ['a field that the type has not', two, 'apikey', /apikey is no field of the type ApiKey/],
    ['a guess between two', two, undefined, /say which field with --field: apiKey, apiSecret$/],
    [
      'a guess where a whole Secret was imported',
      credential('Password', { secretRef: { name: 's' } }),
      undefined,
      /say which field with --field: /,
    ],
  ] as const)('refuses %s', (_, object, wanted, message) => {
    expect(() => fieldToRead(object, wanted)).toThrow(message);
  });
});
