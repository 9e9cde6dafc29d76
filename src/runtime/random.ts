/** A number in [0, 1), as `Math.random`. For jitter, never for keys. */
export type Random = () => number;
