/**
 * Answers of CrowdSec's Local API to GET /v1/decisions/stream: decisions that are `new`, and such as
 * are `deleted` or have run out. With `startup=true`, `new` holds all that are in force.
 * https://docs.crowdsec.net/docs/local_api/bouncers and its API description (`/v1/decisions/stream`)
 */
import { parseGoDuration } from './go-duration.ts';
import { createIntake } from './intake.ts';
import type { Intake } from './intake.ts';
import { judgeBeginning } from './list-parser.ts';
import { judgeWhole, refused, tooMany } from './parsed-feed.ts';
import type { FeedParser, ParsedFeed, ParsedItem } from './parsed-feed.ts';

/** As far as it is of use; what comes over the wire can be anything. */
interface Decision {
  readonly type?: unknown;
  readonly scope?: unknown;
  readonly value?: unknown;
  readonly duration?: unknown;
  readonly simulated?: unknown;
}

/** JSON has no meaning before its end, so it is kept whole; its size is the reader's to limit. */
export function createCrowdSecParser(maxEntries: number): FeedParser {
  const chunks: string[] = [];
  return {
    push(chunk) {
      chunks.push(chunk);
      return true;
    },
    end: () => parseStream(chunks.join('').trim(), maxEntries),
  };
}

function parseStream(text: string, maxEntries: number): ParsedFeed {
  if (text === '') return refused('Empty', 'answers with nothing');
  const beginning = judgeBeginning(text.slice(0, 200));
  if (beginning !== undefined) return beginning;
  const answer = parseJson(text);
  if (answer === undefined) {
    return text.startsWith('{') && !text.endsWith('}')
      ? refused('Truncated', 'is cut off: the JSON has no end')
      : refused('Junk', 'answers with something that is no JSON; check the URL');
  }
  const fresh = decisionsOf(answer, 'new');
  const deleted = decisionsOf(answer, 'deleted');
  if (fresh === undefined || deleted === undefined) {
    return refused(
      'Junk',
      'answers with something that is no stream of decisions (new and deleted); check the URL',
    );
  }
  if (fresh.length > maxEntries) return tooMany(maxEntries);
  const intake = createIntake();
  const items: ParsedItem[] = [];
  for (const [index, decision] of fresh.entries()) {
    const where = `decision ${index + 1}`;
    const durationMs = durationOf(decision);
    if (!isBanOfAddress(decision)) {
      intake.skip(where, 'is no ban of an address or range');
    } else if (typeof decision.value !== 'string' || durationMs === undefined) {
      intake.junk(where, 'has no value or no duration');
    } else if (durationMs > 0) {
      for (const cidr of intake.take(decision.value, where)) items.push({ cidr, durationMs });
    }
  }
  const counts = intake.counts();
  const fault = judgeWhole(counts, intake.junkSeen);
  return fault ?? { ok: true, items, removed: removedBy(deleted, createIntake()), counts };
}

function removedBy(deleted: readonly Decision[], intake: Intake): readonly string[] {
  return deleted.flatMap((decision) =>
    isBanOfAddress(decision) && typeof decision.value === 'string'
      ? intake.take(decision.value, '')
      : [],
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Go writes `null` for an empty list. */
function decisionsOf(answer: unknown, key: 'new' | 'deleted'): readonly Decision[] | undefined {
  if (typeof answer !== 'object' || answer === null || !(key in answer)) return undefined;
  const list = (answer as Readonly<Record<string, unknown>>)[key] ?? [];
  if (!Array.isArray(list)) return undefined;
  return list.every((entry) => typeof entry === 'object' && entry !== null)
    ? (list as readonly Decision[])
    : undefined;
}

function isBanOfAddress({ type, scope, simulated }: Decision): boolean {
  return lower(type) === 'ban' && ['ip', 'range'].includes(lower(scope)) && simulated !== true;
}

function durationOf({ duration }: Decision): number | undefined {
  return typeof duration === 'string' ? parseGoDuration(duration) : undefined;
}

function lower(value: unknown): string {
  return typeof value === 'string' ? value.toLowerCase() : '';
}
