import { readFileSync, globSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { CREDENTIAL_TYPES } from '#api/fields.ts';
import type { IPBlock } from '#api/ip-block.ts';
import {
  validateAccessPolicy,
  validateEmergencyAccess,
  validateExchangeCredential,
  validateIPBlock,
} from '#api/validate.ts';

const root = path.resolve(import.meta.dirname, '../..');

function read(pattern: string): readonly { readonly file: string; readonly object: unknown }[] {
  return globSync(pattern, { cwd: root }).flatMap((file) =>
    parseAllDocuments(readFileSync(path.join(root, file), 'utf8')).map((document) => ({
      file,
      object: document.toJS() as unknown,
    })),
  );
}

function isCredential(object: unknown): object is ExchangeCredential {
  return (object as { kind?: unknown }).kind === 'ExchangeCredential';
}

const credentials = read('examples/*.yaml').filter(({ object }) => isCredential(object));
const policies = read('examples/*.yaml').filter(
  ({ object }) => (object as { kind?: unknown }).kind === 'AccessPolicy',
);
const blocks = read('examples/*.yaml').filter(
  ({ object }) => (object as { kind?: unknown }).kind === 'IPBlock',
);
const emergencies = read('examples/*.yaml').filter(
  ({ object }) => (object as { kind?: unknown }).kind === 'EmergencyAccess',
);

describe('examples', () => {
  test.each(credentials)('$file is valid', ({ object }) => {
    expect(validateExchangeCredential(object)).toEqual([]);
  });

  test.each(policies)('$file, a policy, is valid', ({ object }) => {
    expect(validateAccessPolicy(object)).toEqual([]);
  });

  test.each(blocks)('$file, a block, is valid', ({ object }) => {
    expect(validateIPBlock(object)).toEqual([]);
  });

  test.each(emergencies)('$file, an emergency, is valid', ({ object }) => {
    expect(validateEmergencyAccess(object)).toEqual([]);
  });

  test('show an emergency that ends', () => {
    expect(emergencies.map(({ object }) => (object as EmergencyAccess).spec.duration)).toEqual([
      expect.any(String),
    ]);
  });

  test('show an Allow, a Deny, constraints and a network', () => {
    const specs = policies.map(({ object }) => (object as AccessPolicy).spec);
    expect(specs.some(({ effect }) => effect === undefined)).toBe(true);
    expect(specs.some(({ effect }) => effect === 'Deny')).toBe(true);
    expect(specs.some(({ constraints }) => constraints !== undefined)).toBe(true);
    expect(specs.some(({ network }) => network !== undefined)).toBe(true);
  });

  test('show a block of addresses that ends, and one by a feed', () => {
    const specs = blocks.map(({ object }) => (object as IPBlock).spec);
    expect(specs.some(({ cidrs, duration }) => cidrs !== undefined && duration !== undefined)).toBe(
      true,
    );
    expect(specs.some(({ feed }) => feed !== undefined)).toBe(true);
  });

  test('show every type', () => {
    const types = credentials.map(({ object }) => (object as ExchangeCredential).spec.type);
    expect(types.toSorted()).toEqual(CREDENTIAL_TYPES.toSorted());
  });

  test.each(read('examples/to-be-sealed/*.yaml'))(
    '$file lacks its sealed values and nothing else',
    ({ object }) => {
      expect(validateExchangeCredential(object)).toEqual([
        { path: 'spec.source', message: 'is required; add it' },
      ]);
    },
  );

  test('hold no Secret and no sealed value', () => {
    for (const { object } of read('examples/**/*.yaml')) {
      expect(object).not.toMatchObject({ kind: 'Secret' });
      expect(JSON.stringify(object)).not.toContain('"sealed"');
    }
  });
});
