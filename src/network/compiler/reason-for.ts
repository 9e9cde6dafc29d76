/** So many of each kind are named, and that there are others. */
export const NAMED = 10;

/**
 * "AccessPolicies maker, taker; IPBlocks scanner and others", for an annotation. Both lists are
 * sorted. Names are 253 characters at most, so it has some 5 KB. How many others there are is not
 * said: it would change with each of them.
 */
export function reasonFor(of: {
  readonly accessPolicies: readonly string[];
  readonly ipBlocks: readonly string[];
}): string {
  return [listOf('AccessPolicies', of.accessPolicies), listOf('IPBlocks', of.ipBlocks)]
    .filter((one) => one !== '')
    .join('; ');
}

function listOf(kind: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const others = names.length > NAMED ? ' and others' : '';
  return `${kind} ${names.slice(0, NAMED).join(', ')}${others}`;
}
