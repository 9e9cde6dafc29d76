/** Reads members of parsed JSON strictly: what is not of its type is a fault with its place. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** What is wrong with a review: the member, and what is expected of it; never its content. */
export class ReviewFault extends Error {
  override readonly name = 'ReviewFault';
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own member; what every object inherits, such as `constructor`, is none. Null counts as absent. */
export function member(of: JsonObject, name: string): unknown {
  return Object.hasOwn(of, name) ? (of[name] ?? undefined) : undefined;
}

export function objectAt(of: JsonObject, name: string, place: string): JsonObject {
  const value = member(of, name);
  if (!isObject(value)) throw new ReviewFault(`${place}${name} must be an object`);
  return value;
}

export function textAt(of: JsonObject, name: string, place: string, maxLength: number): string {
  const value = member(of, name);
  if (typeof value !== 'string') throw new ReviewFault(`${place}${name} must be a string`);
  if (value.length > maxLength) {
    throw new ReviewFault(`${place}${name} has more than ${maxLength} characters`);
  }
  return value;
}

/** Absent: the empty string. */
export function textOrEmpty(
  of: JsonObject,
  name: string,
  place: string,
  maxLength: number,
): string {
  return member(of, name) === undefined ? '' : textAt(of, name, place, maxLength);
}

/** Absent: none. */
export function textsAt(
  of: JsonObject,
  name: string,
  place: string,
  limits: { readonly items: number; readonly length: number },
): readonly string[] {
  const value = member(of, name) ?? [];
  if (!Array.isArray(value)) throw new ReviewFault(`${place}${name} must be a list of strings`);
  if (value.length > limits.items) {
    throw new ReviewFault(`${place}${name} has more than ${limits.items} items`);
  }
  for (const item of value) {
    if (typeof item !== 'string')
      throw new ReviewFault(`${place}${name} must be a list of strings`);
    if (item.length > limits.length) {
      throw new ReviewFault(`${place}${name} has an item of more than ${limits.length} characters`);
    }
  }
  return value as readonly string[];
}

/** Checks that a member, where it is there, maps strings to strings. */
export function checkTextMap(of: JsonObject, name: string, place: string): void {
  const value = member(of, name);
  if (value === undefined) return;
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== 'string')) {
    throw new ReviewFault(`${place}${name} must map strings to strings`);
  }
}
