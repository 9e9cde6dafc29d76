/**
 * Answers that hold for as long as an object does, such as the index of all policies: a new index
 * takes all answers of the old one with it.
 */

/** Of one object, by account or by requester; beyond that all is forgotten. */
const MAX_KEPT = 10_000;

export function mapOf<K extends object, V>(
  maps: WeakMap<K, Map<string, V>>,
  key: K,
): Map<string, V> {
  const present = maps.get(key);
  if (present !== undefined) return present;
  const map = new Map<string, V>();
  maps.set(key, map);
  return map;
}

export function put<V>(kept: Map<string, V>, key: string, value: V): void {
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, value);
}
