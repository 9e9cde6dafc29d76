const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Certificates begin before they are made: clocks of API servers may be behind. */
export const BACKDATE_MS: number = HOUR_MS;
export const CA_VALIDITY_MS: number = 365 * DAY_MS;
export const LEAF_VALIDITY_MS: number = 90 * DAY_MS;
/** Renewed when this part of the time is over: what fails can be tried again for weeks. */
export const RENEW_AFTER: number = 2 / 3;
/** From the write of a configuration until every API server has surely read it. */
export const SETTLE_MS: number = 5 * MINUTE_MS;
/** From the write of a serving certificate until every replica surely serves it. */
export const FOLLOW_MS: number = HOUR_MS;
/** So near to its end a serving certificate is replaced, whatever else would be waited for. */
export const LAST_MOMENT_MS: number = DAY_MS;
