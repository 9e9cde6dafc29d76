/**
 * Reads YAML that may hold secrets. The parser's errors and warnings quote their input (a line, the
 * name of an alias, a tag), so none of its messages is passed on: only the file and the line are.
 */
import { LineCounter, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';
import { usageError } from '#cli/errors.ts';

/** The documents of a file, each without a fault. Throws a usage error. */
export function parseYamlDocuments(text: string, file: string): readonly Document.Parsed[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, logLevel: 'error' });
  if (!Array.isArray(documents)) return [];
  for (const { errors, warnings } of documents) {
    const [error] = errors;
    if (error !== undefined) {
      throw usageError(
        `${file}: not valid YAML at line ${lines.linePos(error.pos[0]).line} (${error.code})`,
      );
    }
    const [warning] = warnings;
    if (warning !== undefined) {
      throw usageError(
        `${file}: line ${lines.linePos(warning.pos[0]).line}: a value begins with "!", which YAML takes for a tag; put it in quotes`,
      );
    }
  }
  return documents;
}

/** The plain value of a document. Throws a usage error where an alias leads nowhere. */
export function toPlain(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS() as unknown;
  } catch {
    throw usageError(
      `${file}: a value begins with "*", which YAML takes for an alias, and it leads nowhere; put it in quotes`,
    );
  }
}

/** The plain value of a file with one document; undefined for an empty file. */
export function parseYaml(text: string, file: string): unknown {
  const [document, second] = parseYamlDocuments(text, file);
  if (second !== undefined) throw usageError(`${file}: one YAML document is wanted`);
  return document === undefined ? undefined : toPlain(document, file);
}
