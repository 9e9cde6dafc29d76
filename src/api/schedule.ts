/**
 * Schedules as five fields of cron: minute, hour, day of the month, month, day of the week. Numbers,
 * `*`, lists, ranges and steps; MON and JAN for days and months. What other crons have beside
 * (`@daily`, `L`, `?`, `#`) is refused: readers differ on it.
 */

const DAYS = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ');

/** Also the CRD's rule, hence without lookahead, which RE2 lacks. */
export const SCHEDULE_PATTERN: string = `^${[
  field('[0-5]?[0-9]', '[1-9]|[1-5][0-9]'),
  field('[01]?[0-9]|2[0-3]', '[1-9]|1[0-9]|2[0-3]'),
  field('0?[1-9]|[12][0-9]|3[01]', '[1-9]|[12][0-9]|3[01]'),
  field('0?[1-9]|1[0-2]', '[1-9]|1[0-2]', MONTHS),
  field('[0-7]', '[1-7]', ['SUN', ...DAYS]),
].join(' ')}$`;

/** Matches a schedule with a range that runs backwards, such as `17-8` or `FRI-MON`. */
export const REVERSED_RANGE_PATTERN: string = `(^|[ ,])(${[
  '[1-9][0-9]-0?[0-9]',
  ...digits(1).map((high) => `0?${high}-0?[0-${high - 1}]`),
  ...[2, 3, 4, 5].map((high) => `${high}[0-9]-[1-${high - 1}][0-9]`),
  ...[1, 2, 3, 4, 5].map((ten) => sameTen(ten)),
  ...reversedNames(DAYS),
  ...reversedNames(MONTHS),
].join('|')})([ ,/]|$)`;

const schedule = new RegExp(SCHEDULE_PATTERN);
const reversed = new RegExp(REVERSED_RANGE_PATTERN);

export function isSchedule(text: string): boolean {
  return schedule.test(text) && !reversed.test(text);
}

function field(number: string, step: string, names: readonly string[] = []): string {
  const value = `(${number})`;
  const name = names.length === 0 ? [] : [`(${names.join('|')})`];
  const parts = [value, ...name].map((one) => `${one}(-${one}(/(${step}))?)?`);
  const part = `([*](/(${step}))?|${parts.join('|')})`;
  return `${part}(,${part})*`;
}

function digits(from: number): readonly number[] {
  return Array.from({ length: 10 - from }, (_, index) => from + index);
}

function sameTen(ten: number): string {
  const pairs = digits(1).map((high) => `${high}-${ten}[0-${high - 1}]`);
  return `${ten}(${pairs.join('|')})`;
}

function reversedNames(names: readonly string[]): readonly string[] {
  return names.slice(1).map((late, index) => `${late}-(${names.slice(0, index + 1).join('|')})`);
}
