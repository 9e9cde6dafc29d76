import { fromIntervals } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { parseCidr } from '../cidr/parse-cidr.ts';

/**
 * Addresses as objects of others have them. Old ones may be written as nobody may write them today
 * (`10.0.0.1/8`, `010.0.0.0/8`): they mean what network plugins take them for. What is no address
 * at all is left out, since no API server stores it.
 */
export function writtenAddresses(texts: Iterable<string>): AddressSet {
  return fromIntervals(
    Iterator.from(texts).flatMap((text) => {
      const parsed = parseCidr(text);
      if (parsed.ok) return [parsed.interval];
      const meant = parsed.corrected === undefined ? undefined : parseCidr(parsed.corrected);
      return meant?.ok === true ? [meant.interval] : [];
    }),
  );
}

/** The one spelling of an address, by which equal ones are found. */
export function spellingOf(address: string): string {
  const parsed = parseCidr(address);
  return parsed.ok ? parsed.cidr : (parsed.corrected ?? address);
}
