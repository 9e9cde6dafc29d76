/** One entry after the other of any feed: what is taken, put right, or left out, and why. */
import { addressSet } from '../../cidr/address-set.ts';
import { parseCidr } from '../../cidr/parse-cidr.ts';
import type { Interval } from '../../cidr/address-set.ts';
import { PRIVATE_RANGES } from '../../cidr/special-ranges.ts';
import type { FeedCounts } from '../feed.ts';

export interface Intake {
  /**
   * The CIDRs that stand for an entry; none when it is left out. `where` is for people: `line 12`.
   */
  take(entry: string, where: string): readonly string[];
  /** Something that is no entry at all, or one that is not wanted. */
  skip(where: string, why: string): void;
  /** Something that a list of addresses does not have. */
  junk(where: string, why: string): void;
  /** Entries so far, of any kind. */
  readonly seen: number;
  readonly junkSeen: number;
  counts(): FeedCounts;
}

/** How many reasons are kept of what was left out. */
const SAMPLES = 5;
/** As `acknowledgeWideBan` has it: wider is written by a person, not by a list. */
const WIDEST: Readonly<Record<Interval['family'], bigint>> = {
  IPv4: 1n << 24n,
  IPv6: 1n << 109n,
};
/** RFC 4007 §11. */
const ZONED = /^[0-9a-f:.]{2,45}%/i;
const NO_ADDRESS = 'is neither an address nor a CIDR';
const privateIntervals = PRIVATE_RANGES.intervals();

export function createIntake(): Intake {
  let entries = 0;
  let corrected = 0;
  let skipped = 0;
  let junkSeen = 0;
  const samples: string[] = [];

  function skip(where: string, why: string): void {
    skipped += 1;
    if (samples.length < SAMPLES) samples.push(`${where} ${why}`);
  }

  function junk(where: string, why: string): void {
    junkSeen += 1;
    skip(where, why);
  }

  function take(entry: string, where: string): readonly string[] {
    if (ZONED.test(entry)) {
      skip(where, 'has a zone, which means something on one machine alone');
      return [];
    }
    const read = parseCidr(entry);
    const meant = read.ok || read.corrected === undefined ? read : parseCidr(read.corrected);
    if (!meant.ok) {
      junk(where, NO_ADDRESS);
      return [];
    }
    const { cidr, interval } = meant;
    const overlap = privateOverlap(interval);
    if (overlap === 'Whole') {
      skip(where, `(${cidr}) is private or reserved`);
      return [];
    }
    if (interval.last - interval.first >= WIDEST[interval.family]) {
      skip(where, `(${cidr}) is wider than /8 (IPv4) or /19 (IPv6)`);
      return [];
    }
    entries += 1;
    if (!read.ok || overlap === 'Part') corrected += 1;
    return overlap === 'Part' ? addressSet([cidr]).minus(PRIVATE_RANGES).cidrs() : [cidr];
  }

  return {
    take,
    skip,
    junk,
    get seen() {
      return entries + skipped;
    },
    get junkSeen() {
      return junkSeen;
    },
    counts: () => ({ entries, corrected, skipped, skippedSamples: [...samples] }),
  };
}

function privateOverlap({ family, first, last }: Interval): 'None' | 'Part' | 'Whole' {
  let part = false;
  for (const range of privateIntervals) {
    if (range.family !== family || range.last < first || range.first > last) continue;
    if (range.first <= first && range.last >= last) return 'Whole';
    part = true;
  }
  return part ? 'Part' : 'None';
}
