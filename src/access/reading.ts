/**
 * Reads parts of policies that may be anything: of a newer version, or not checked by an API server.
 * What cannot be understood is left out and told; who reads decides what that means.
 */

export interface ReadList<T> {
  readonly values: readonly T[];
  /** Whether there was nothing else in it, and something at all. */
  readonly isSound: boolean;
}

export interface Reader {
  /** Parts that could not be understood, for people. */
  readonly faults: string[];
  list<T>(value: unknown, path: string, read: (entry: unknown) => T | undefined): ReadList<T>;
  /** Whether a part has no fields but these. */
  hasOnly(part: object, path: string, fields: readonly string[]): boolean;
}

export function createReader(): Reader {
  const faults: string[] = [];
  return {
    faults,
    list(value, path, read) {
      if (!Array.isArray(value) || value.length === 0) {
        faults.push(Array.isArray(value) ? `${path} is empty` : `${path} is no list`);
        return { values: [], isSound: false };
      }
      const entries: readonly unknown[] = value;
      let isSound = true;
      const values = entries.flatMap((entry) => {
        const found = read(entry);
        if (found !== undefined) return [found];
        isSound = false;
        faults.push(`${path} has ${quote(entry)}, which is not known`);
        return [];
      });
      return { values, isSound };
    },
    hasOnly(part, path, fields) {
      const unknown = Object.keys(part).filter((field) => !fields.includes(field));
      for (const field of unknown) faults.push(`${path}.${quote(field)} is not known`);
      return unknown.length === 0;
    },
  };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a text holds as JSON; undefined where it is none. */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

export function readText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const LONGEST = 60;

/** As told to people: short, and on one line. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value);
  const line = text.replaceAll(/\p{C}+/gu, ' ');
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}
