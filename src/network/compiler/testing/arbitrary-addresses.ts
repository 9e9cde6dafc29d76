/** CIDRs so close to each other that they overlap, touch and contain one another. */
import fc from 'fast-check';
import { addressSet } from '../../cidr/address-set.ts';
import type { AddressSet } from '../../cidr/address-set.ts';
import { parseCidr } from '../../cidr/parse-cidr.ts';

/** Mostly single addresses: what wider ones hold is soon everything. */
function prefixOf(bits: number): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant(bits) },
    { weight: 1, arbitrary: fc.integer({ min: bits - 8, max: bits }) },
  );
}

const v4 = fc
  .tuple(fc.integer({ min: 0, max: 255 }), prefixOf(32))
  .map(([octet, prefix]) => canonical(`203.0.113.${octet}/${prefix}`));

const v6 = fc
  .tuple(fc.integer({ min: 0, max: 255 }), prefixOf(128))
  .map(([octet, prefix]) => canonical(`2001:db8::${octet.toString(16)}/${prefix}`));

const wide = fc.constantFrom(
  '0.0.0.0/0',
  '128.0.0.0/1',
  '203.0.0.0/8',
  '::/0',
  '2000::/3',
  '2001:db8::/32',
);

const anywhere = fc
  .tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 9, max: 32 }))
  .map(([word, prefix]) => {
    const octets = [24, 16, 8, 0].map((shift) => (word >>> shift) & 255);
    return canonical(`${octets.join('.')}/${prefix}`);
  });

export const arbitraryCidr: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: v4 },
  { weight: 4, arbitrary: v6 },
  { weight: 2, arbitrary: anywhere },
  { weight: 1, arbitrary: wide },
);

/** Without the widest: beside them hardly anything would be left to look at. */
const narrow = fc.oneof({ weight: 6, arbitrary: v4 }, { weight: 4, arbitrary: v6 }, anywhere);

export const arbitraryAllowed: fc.Arbitrary<AddressSet> = fc
  .oneof(
    fc.constantFrom(['0.0.0.0/0', '::/0'], ['0.0.0.0/0'], ['203.0.113.0/24', '2001:db8::/120']),
    fc.array(arbitraryCidr, { maxLength: 8 }),
  )
  .map(addressSet);

export const arbitraryHoles: fc.Arbitrary<AddressSet> = fc
  .oneof(
    { weight: 5, arbitrary: fc.array(narrow, { minLength: 40, maxLength: 120 }) },
    { weight: 3, arbitrary: fc.array(narrow, { maxLength: 20, size: 'max' }) },
    { weight: 1, arbitrary: fc.array(arbitraryCidr, { maxLength: 5 }) },
  )
  .map(addressSet);

function canonical(text: string): string {
  const parsed = parseCidr(text);
  if (parsed.ok) return parsed.cidr;
  return parsed.corrected ?? text;
}
