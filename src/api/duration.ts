/**
 * Durations as Go prints and people write them: whole hours, minutes and seconds, in this order.
 * `1h`, `60m` and `1h0m0s` are the same duration; GitOps tools see only what the author wrote.
 */

/**
 * Also the CRD's rule, hence without lookahead, which RE2 lacks. Six digits a unit keep the sum
 * (about 116 years) far from any overflow.
 */
export const DURATION_PATTERN = '^[0-9]{1,6}(h([0-9]{1,6}m)?([0-9]{1,6}s)?|m([0-9]{1,6}s)?|s)$';

const pattern = new RegExp(DURATION_PATTERN);
const SECOND_MS = 1000;
const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', SECOND_MS],
] as const;

/** What is wrong with a duration; the text itself is not repeated. */
export class DurationError extends Error {
  readonly code = 'ERR_API_DURATION' as const;
  override readonly name = 'DurationError';
}

export function isDuration(text: string): boolean {
  return pattern.test(text);
}

/** Milliseconds of a duration such as `1h30m`. @throws DurationError for anything else. */
export function parseDuration(text: string): number {
  if (!isDuration(text)) {
    throw new DurationError(
      'not a duration: write whole hours, minutes and seconds, such as 720h or 1h30m',
    );
  }
  return UNITS.map(([unit, ms]) => count(text, unit) * ms).reduce((sum, ms) => sum + ms);
}

/** The number before a unit; zero for a unit that is not there. */
function count(text: string, unit: 'h' | 'm' | 's'): number {
  return Number(new RegExp(`([0-9]+)${unit}`).exec(text)?.[1] ?? 0);
}
