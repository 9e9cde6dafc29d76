import { parseDuration } from '#api/duration.ts';

/**
 * When a block ends, in milliseconds since 1970; undefined where it stands until it is removed. A
 * duration counts from when the object was made, so that neither a restart nor a change begins it
 * anew; of an object that is not made yet it has no end.
 *
 * @throws DurationError, or RangeError for an `expiresAt` that is no time; the CRD refuses both
 */
export function expiryOf(block: {
  readonly spec: { readonly duration?: string; readonly expiresAt?: string };
  readonly metadata: { readonly creationTimestamp?: string };
}): number | undefined {
  const { duration, expiresAt } = block.spec;
  if (expiresAt !== undefined) return timeOf('spec.expiresAt', expiresAt);
  if (duration === undefined) return undefined;
  const durationMs = parseDuration(duration);
  const { creationTimestamp } = block.metadata;
  if (creationTimestamp === undefined) return undefined;
  return timeOf('metadata.creationTimestamp', creationTimestamp) + durationMs;
}

function timeOf(field: string, text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new RangeError(`${field} is no time: ${JSON.stringify(text)}`);
  return time;
}
