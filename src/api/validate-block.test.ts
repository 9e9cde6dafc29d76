import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateIPBlock } from '#api/validate.ts';
import { CANARY } from '../../test/samples/exchange-credentials.ts';
import {
  BAD_BLOCKS,
  GOOD_BLOCKS,
  MOST_IPV4,
  MOST_IPV6,
  block,
} from '../../test/samples/ip-blocks.ts';

describe('validateIPBlock', () => {
  test.each(Object.entries(GOOD_BLOCKS))('finds nothing wrong with %s', (_what, object) => {
    expect(validateIPBlock(object)).toEqual([]);
  });

  test.each(BAD_BLOCKS)('refuses $what', ({ object, path, message }) => {
    const faults = validateIPBlock(object);
    expect(faults).toContainEqual({ path, message: expect.stringContaining(message) });
    // One mistake is one fault, so that nobody looks for a second one.
    expect(faults).toHaveLength(1);
    expect(JSON.stringify(faults.map((fault) => fault.message))).not.toContain(CANARY);
  });

  test.each([MOST_IPV4, MOST_IPV6])('takes 50,000 ranges such as %s', (...cidrs) => {
    expect(validateIPBlock(block({ cidrs }))).toEqual([]);
  });

  test('names every fault of an object, not the first alone', () => {
    const object = block({ cidrs: ['198.51.100.7/24', '::1/0'], reason: '', mode: 'Off' });
    expect(validateIPBlock(object).map(({ path }) => path)).toEqual([
      'spec.cidrs[0]',
      'spec.cidrs[1]',
      'spec.reason',
      'spec.mode',
    ]);
  });

  test('takes an object as the API server returns it', () => {
    const object = {
      ...block(),
      metadata: { name: 'scanner', uid: 'e1b0', managedFields: [{ manager: 'kubectl' }] },
      status: {
        observedGeneration: 1,
        enforcement: 'Ineffective',
        addresses: '1208925819614629174706432',
        gapCount: 1,
        gaps: [{ type: 'NoPolicyEngine', message: 'nothing enforces NetworkPolicies here' }],
        backends: [{ name: 'NetworkPolicy', state: 'Ineffective', objects: 2 }],
        nodes: { ready: 0, total: 2 },
      },
    };
    expect(validateIPBlock(object)).toEqual([]);
  });

  test('answers for any JSON at all', () => {
    const member = fc.constantFrom('cidrs', 'feed', 'scope', 'duration', 'expiresAt', 'reason');
    fc.assert(
      fc.property(fc.jsonValue(), member, (value, name) => {
        expect(validateIPBlock(value)).not.toEqual([]);
        expect(() => validateIPBlock(block({ [name]: value }))).not.toThrow();
        expect(() => validateIPBlock(block({ [name]: [value] }))).not.toThrow();
      }),
    );
  });
});

describe('a word about a wide ban', () => {
  const lengths = (most: number): readonly number[] =>
    Array.from({ length: most + 1 }, (_, length) => length);
  const faultsOf = (cidrs: readonly string[]): readonly string[] =>
    validateIPBlock(block({ cidrs })).map(({ path }) => path);

  test.each([
    ['IPv4', '0.0.0.0', 32, 8],
    ['IPv6', '::', 128, 19],
  ])('is needed for %s ranges from %s by their length alone', (_family, first, most, free) => {
    for (const length of lengths(most)) {
      const range = `${first}/${length}`;
      const expected = length < free ? ['spec.cidrs'] : [];
      for (const cidrs of [[range], ['198.51.100.7', range, '2001:db8::/32'], [range, '::1']]) {
        expect([cidrs, faultsOf(cidrs)]).toEqual([cidrs, expected]);
      }
    }
  });

  test.each(['128.0.0.0/1', '254.0.0.0/7', '8000::/1', 'fc00::/7', 'fd00::/8', '2001:c000::/18'])(
    'is needed for %s too',
    (range) => expect(faultsOf([range])).toEqual(['spec.cidrs']),
  );
});
