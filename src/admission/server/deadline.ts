/** What the API server waits where its request does not say. */
const DEFAULT_MS = 10_000;
/** The most that a webhook can have. */
const MAX_MS = 30_000;
/** Kept for the way back: a tenth, at most half a second. */
const MARGIN_PART = 0.1;
const MAX_MARGIN_MS = 500;

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000001,
};
const DURATION = /^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+$/;
const PARTS = /(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g;

/**
 * Milliseconds for a review whose URL has `?timeout=` (a duration in Go's way, such as `10s`), less
 * a margin to answer in time. Without one, or with one that is no duration, of 10 s.
 */
export function deadlineMs(timeout: string | null): number {
  const asked = timeout === null ? undefined : parse(timeout);
  const ms = Math.min(asked ?? DEFAULT_MS, MAX_MS);
  return ms - Math.min(ms * MARGIN_PART, MAX_MARGIN_MS);
}

function parse(text: string): number | undefined {
  if (text.length > 64 || !DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, number = '', unit = ''] of text.matchAll(PARTS)) {
    ms += Number(number) * (UNIT_MS[unit] ?? 0);
  }
  return ms > 0 ? ms : undefined;
}
