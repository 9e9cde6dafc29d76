/**
 * Spamhaus DROP. New: JSON lines, `{"cidr":…,"sblid":…,"rir":…}`, and at the end one with `"type":
 * "metadata"` and the number of records. Old: `1.10.16.0/20 ; SBL256894`, comments behind `;`.
 * https://www.spamhaus.org/blocklists/do-not-route-or-peer/
 */
import type { Intake } from './intake.ts';
import type { CreateLineFormat, LineFormat } from './list-parser.ts';
import { refused } from './parsed-feed.ts';
import { plain } from './text-lists.ts';

const CUT_OFF = 'is cut off';

export const spamhausDrop: CreateLineFormat = (add, intake) => {
  let format: LineFormat | undefined;
  return {
    line(text, where, isLast) {
      format ??= text.startsWith('{') ? jsonLines(add, intake) : plain(add, intake);
      format.line(text, where, isLast);
    },
    end: () => format?.end(),
  };
};

function jsonLines(add: (entry: string, where: string) => void, intake: Intake): LineFormat {
  let records = 0;
  let expected: number | undefined;
  let hasMetadata = false;
  let isCutOff = false;
  return {
    line(text, where, isLast) {
      const record = parseObject(text);
      if (record === undefined) {
        // A last line that is no JSON is one of which the end is missing.
        if (isLast) isCutOff = true;
        else intake.junk(where, 'is no JSON object');
      } else if (record['type'] === 'metadata') {
        hasMetadata = true;
        if (typeof record['records'] === 'number') expected = record['records'];
      } else if (typeof record['cidr'] === 'string') {
        records += 1;
        add(record['cidr'], where);
      } else {
        intake.junk(where, 'has no field cidr');
      }
    },
    end() {
      if (isCutOff) return refused('Truncated', `${CUT_OFF}: its last line is no whole JSON`);
      if (!hasMetadata) {
        return refused('Truncated', `${CUT_OFF}: the metadata line at its end is missing`);
      }
      if (expected !== undefined && records < expected) {
        return refused('Truncated', `${CUT_OFF}: it has ${records} records of ${expected}`);
      }
      return undefined;
    },
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
