/** Lists with one entry a line: FireHOL netsets, Spamhaus DROP and plain lists. */
import { addressSet } from '../../cidr/address-set.ts';
import { createIntake } from './intake.ts';
import type { Intake } from './intake.ts';
import { createLineSplitter, LONGEST_LINE } from './lines.ts';
import { judgeWhole, refused, tooMany } from './parsed-feed.ts';
import type { FeedParser, ParsedFeed } from './parsed-feed.ts';

/** How one kind of list reads its lines. */
export interface LineFormat {
  /** A line that is not empty. What stands for it goes to `add`. */
  line(text: string, where: string, isLast: boolean): void;
  /** What is missing at the end, if anything. */
  end(): ParsedFeed | undefined;
}

export type CreateLineFormat = (
  add: (entry: string, where: string) => void,
  intake: Intake,
) => LineFormat;

export function createListParser(createFormat: CreateLineFormat, maxEntries: number): FeedParser {
  const intake = createIntake();
  const cidrs: string[] = [];
  const format = createFormat((entry, where) => cidrs.push(...intake.take(entry, where)), intake);
  let hasBegun = false;
  let refusal: ParsedFeed | undefined;
  const splitter = createLineSplitter((text, number, isLast) => {
    if (text === '' || refusal !== undefined) return;
    if (!hasBegun) {
      hasBegun = true;
      refusal = judgeBeginning(text);
      if (refusal !== undefined) return;
    }
    const where = `line ${number}`;
    if (text.length >= LONGEST_LINE) intake.junk(where, 'is longer than any entry');
    else format.line(text, where, isLast);
    if (intake.seen > maxEntries) refusal = tooMany(maxEntries);
  });

  return {
    push(chunk) {
      if (refusal === undefined) splitter.push(chunk);
      return refusal === undefined;
    },
    end() {
      splitter.end();
      if (refusal !== undefined) return refusal;
      if (!hasBegun) return refused('Empty', 'answers with nothing');
      const counts = intake.counts();
      const fault = judgeWhole(counts, intake.junkSeen) ?? format.end();
      if (fault !== undefined) return fault;
      if (counts.entries === 0) {
        const why = counts.skippedSamples[0] ?? 'nothing but comments';
        return refused('NoAddress', `holds no address that may be blocked: ${why}`);
      }
      const items = addressSet(cidrs)
        .cidrs()
        .map((cidr) => ({ cidr }));
      return { ok: true, items, removed: [], counts };
    },
  };
}

/** What a text can be told by its first line to be. */
export function judgeBeginning(text: string): ParsedFeed | undefined {
  if (text.startsWith('<')) {
    return refused('Html', 'answers with a web page or XML, not with a list; check the URL');
  }
  if (/[\0\uFFFD]/.test(text)) {
    return refused('NoText', 'answers with something that is no text, perhaps a compressed file');
  }
  return undefined;
}
