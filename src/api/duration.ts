/**
 * Durations as Go prints and people write them: whole hours, minutes and seconds, in this order.
 * `1h`, `60m` and `1h0m0s` are the same duration; GitOps tools see only what the author wrote.
 */

/** Also the CRD's rule. Six digits a unit keep the sum (about 116 years) far from any overflow. */
export const DURATION_PATTERN = '^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$';

const pattern = new RegExp(DURATION_PATTERN);
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1000;

/** What is wrong with a duration; the text itself is not repeated. */
export class DurationError extends Error {
  readonly code = 'ERR_API_DURATION' as const;
  override readonly name = 'DurationError';
}

export function isDuration(text: string): boolean {
  return text !== '' && pattern.test(text);
}

/** Milliseconds of a duration such as `1h30m`. @throws DurationError for anything else. */
export function parseDuration(text: string): number {
  const match = pattern.exec(text);
  if (text === '' || match === null) {
    throw new DurationError(
      'not a duration: write whole hours, minutes and seconds, such as 720h or 1h30m',
    );
  }
  const [, hours, minutes, seconds] = match;
  return count(hours) * HOUR_MS + count(minutes) * MINUTE_MS + count(seconds) * SECOND_MS;
}

/** The number before the unit; zero for a unit that is not there. */
function count(part: string | undefined): number {
  return part === undefined ? 0 : Number(part.slice(0, -1));
}

/**
 * The shortest text of a duration, without units that are zero; parts of a second are dropped.
 * @throws RangeError for a negative or infinite number, or one beyond what parseDuration reads.
 */
export function formatDuration(ms: number): string {
  const seconds = Math.trunc(ms / SECOND_MS);
  if (!Number.isFinite(seconds) || seconds < 0 || seconds >= 3600 * 1_000_000) {
    throw new RangeError('a duration lies between 0 and 999999 hours');
  }
  const units = [
    [Math.trunc(seconds / 3600), 'h'],
    [Math.trunc(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  return units.map(([n, unit]) => (n === 0 ? '' : `${n}${unit}`)).join('') || '0s';
}

/** Whether two texts are the same duration: `60m` and `1h0m0s` are. @throws DurationError */
export function isSameDuration(a: string, b: string): boolean {
  return parseDuration(a) === parseDuration(b);
}
