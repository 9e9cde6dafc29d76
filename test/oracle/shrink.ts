/**
 * The smallest that is left of a value when parts of it are taken away, one after another, as long
 * as it still is what it was.
 */
export async function shrink<T>(value: T, isStill: (smaller: T) => Promise<boolean>): Promise<T> {
  for (const smaller of withoutOnePart(value)) {
    if (await isStill(smaller as T)) return shrink(smaller as T, isStill);
  }
  return value;
}

function* withoutOnePart(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    for (const index of list.keys()) yield list.toSpliced(index, 1);
    for (const [index, part] of list.entries()) {
      for (const smaller of withoutOnePart(part)) yield list.with(index, smaller);
    }
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    for (const [key] of entries) yield Object.fromEntries(entries.filter(([each]) => each !== key));
    for (const [key, part] of entries) {
      for (const smaller of withoutOnePart(part)) yield { ...value, [key]: smaller };
    }
  }
}
