/** Time zones by their IANA names. */

/**
 * `UTC` or an area and a place. Not `Local`, which differs from machine to machine, no offsets, and
 * none of `Etc/GMT+5`, which is five hours behind and not ahead.
 */
export const TIME_ZONE_PATTERN = '^(UTC|[A-Z][A-Za-z_]*(/[A-Z][A-Za-z_-]*){1,2})$';

const pattern = new RegExp(TIME_ZONE_PATTERN);

export function isTimeZone(name: string): boolean {
  if (!pattern.test(name)) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    // The API server minds upper and lower case. An old name is resolved to the present one.
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}
