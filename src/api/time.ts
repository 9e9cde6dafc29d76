/**
 * A time of RFC 3339 in the years 2000 to 2999, with seconds and either `Z` or an offset. Also the
 * CRD's rule, hence without lookahead, which RE2 lacks. Which days a month has is not in it.
 */
export const TIME_PATTERN =
  '^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$';

const pattern = new RegExp(TIME_PATTERN);

export function isTime(text: string): boolean {
  if (!pattern.test(text)) return false;
  // A day that the month does not have runs into the next one.
  const day = text.slice(0, 'YYYY-MM-DD'.length);
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}
