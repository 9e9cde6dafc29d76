const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  // U+00B5 and U+03BC: Go prints the one and reads both.
  µs: 1e-3,
  μs: 1e-3,
  ns: 1e-6,
};
const DURATION = /^[+-]?(?:\d{1,15}(?:\.\d{1,15})?(?:h|m|s|ms|us|µs|μs|ns))+$/;
const PART = /(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|μs|ns)/g;
const LONGEST = 64;

/**
 * Milliseconds, rounded, of a duration as Go's `time.Duration` prints it (`3h59m57.641s`, `-5m0s`,
 * `0s`); undefined for anything else. Durations of our own API are stricter: `#api/duration.ts`.
 */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text.length > LONGEST || !DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(PART)) {
    ms += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return Math.round(text.startsWith('-') ? -ms : ms);
}
