/**
 * Edits an ExchangeCredential manifest as text. Only the bytes of the field concerned change:
 * comments, order, quoting and the other documents of the file stay as their author wrote them.
 */
import { isMap, isPair, isScalar } from 'yaml';
import type { Document, Pair, YAMLMap } from 'yaml';
import { usageError } from '#cli/errors.ts';
import { parseYamlDocuments } from '#cli/yaml.ts';

export interface CredentialManifest {
  /** Index of the document in the file. */
  readonly index: number;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly type: string;
  /** As it is bound into a seal: empty for backing systems, `exchangeName` for Other. */
  readonly exchange: string;
}

/** The ExchangeCredentials of a file. Throws a usage error for text that is not YAML. */
export function findCredentials(text: string, file: string): readonly CredentialManifest[] {
  return parseYamlDocuments(text, file).flatMap((document, index) => {
    if (!isCredential(document)) return [];
    const name = stringAt(document, ['metadata', 'name']);
    if (name === undefined) {
      throw usageError(`${file}: metadata.name of the ExchangeCredential is missing`);
    }
    const exchange = stringAt(document, ['spec', 'exchange']) ?? '';
    return [
      {
        index,
        name,
        namespace: stringAt(document, ['metadata', 'namespace']),
        type: stringAt(document, ['spec', 'type']) ?? '',
        exchange:
          exchange === 'Other' ? (stringAt(document, ['spec', 'exchangeName']) ?? '') : exchange,
      },
    ];
  });
}

/** Picks the one credential that is meant, or says why it cannot. */
export function selectCredential(
  credentials: readonly CredentialManifest[],
  file: string,
  name: string | undefined,
): CredentialManifest {
  const matching = name === undefined ? credentials : credentials.filter((c) => c.name === name);
  const [only, second] = matching;
  if (only === undefined) {
    throw usageError(
      name === undefined
        ? `${file}: no ExchangeCredential found`
        : `${file}: no ExchangeCredential named ${name}; found ${listNames(credentials)}`,
    );
  }
  if (second !== undefined) {
    throw usageError(
      `${file}: several ExchangeCredentials (${listNames(matching)}); say which with --name`,
    );
  }
  return only;
}

/**
 * Puts re-sealed ciphertexts in the place of those that are applied. A value that was sealed into
 * the file since then is newer than what the operator re-sealed, so it is refused to replace it.
 */
export function resealFields(
  text: string,
  file: string,
  index: number,
  applied: Readonly<Record<string, string>>,
  resealed: Readonly<Record<string, string>>,
): string {
  const document = parseYamlDocuments(text, file)[index];
  let result = text;
  for (const [field, token] of Object.entries(resealed)) {
    const present =
      document === undefined ? undefined : stringAt(document, ['spec', 'source', 'sealed', field]);
    if (present !== applied[field]) {
      throw usageError(
        `${file}: spec.source.sealed.${field} differs from what is applied; apply the file first, then reseal`,
      );
    }
    result = setSealedField(result, file, index, field, token);
  }
  return result;
}

/** Sets `spec.source.sealed.<field>` of one document and returns the new text of the whole file. */
export function setSealedField(
  text: string,
  file: string,
  index: number,
  field: string,
  token: string,
): string {
  const documents = parseYamlDocuments(text, file);
  const document = documents[index];
  if (document === undefined) throw usageError(`${file}: document ${index + 1} does not exist`);
  for (const other of ['secretRef', 'generate']) {
    if (document.hasIn(['spec', 'source', other])) {
      throw usageError(
        `${file}: spec.source.${other} is set; a credential has one source, so remove it before sealing`,
      );
    }
  }
  const sealed = document.getIn(['spec', 'source', 'sealed'], true);
  if (isMap(sealed)) {
    return replaceValue(text, sealed, field, token) ?? insertPair(text, sealed, field, token);
  }
  const source = document.getIn(['spec', 'source'], true);
  if (isMap(source) && source.items.length > 0) {
    throw usageError(
      `${file}: spec.source.sealed is not a mapping; write "sealed: {}" or remove it`,
    );
  }
  const spec = document.getIn(['spec'], true);
  if (!isMap(spec)) throw usageError(`${file}: spec is missing`);
  return insertSource(text, spec, field, token);
}

function isCredential(document: Document.Parsed): boolean {
  return (
    stringAt(document, ['kind']) === 'ExchangeCredential' &&
    (stringAt(document, ['apiVersion']) ?? '').startsWith('strongroom.dev/')
  );
}

function stringAt(document: Document.Parsed, path: readonly string[]): string | undefined {
  const value: unknown = document.getIn(path);
  return typeof value === 'string' ? value : undefined;
}

function listNames(credentials: readonly CredentialManifest[]): string {
  return credentials.length === 0 ? 'none' : credentials.map((c) => c.name).join(', ');
}

function replaceValue(
  text: string,
  map: YAMLMap,
  field: string,
  token: string,
): string | undefined {
  const pair = map.items.find((item) => isPair(item) && keyText(item) === field);
  if (pair === undefined) return undefined;
  const { key, value } = pair;
  const range = isRanged(value) ? value.range : undefined;
  if (range && range[1] > range[0]) {
    // A block scalar's range takes in its last line break.
    const end = text[range[1] - 1] === '\n' ? range[1] - 1 : range[1];
    return splice(text, range[0], end, token);
  }
  // "field:" with nothing behind it.
  if (!isRanged(key) || !key.range) return undefined;
  const colon = text.indexOf(':', key.range[1]);
  return splice(text, colon + 1, colon + 1, ` ${token}`);
}

function insertPair(text: string, map: YAMLMap, field: string, token: string): string {
  const range = map.range;
  if (!range) throw usageError('spec.source.sealed cannot be located in the file');
  if (map.flow === true) {
    const end = text.lastIndexOf('}', range[1]);
    const separator = map.items.length > 0 ? ', ' : ' ';
    const before = text.slice(0, end).trimEnd();
    return `${before}${separator}${field}: ${token} ${text.slice(end)}`;
  }
  const indent = columnOf(text, range[0]);
  const end = lineEndAfter(text, lastValueEnd(map) ?? range[1]);
  return splice(text, end, end, `\n${' '.repeat(indent)}${field}: ${token}`);
}

function insertSource(text: string, spec: YAMLMap, field: string, token: string): string {
  const range = spec.range;
  if (!range || spec.flow === true) {
    throw usageError('spec is written in one line; write it in block style, one field a line');
  }
  const indent = columnOf(text, range[0]);
  const source = spec.items.find((item) => keyText(item) === 'source');
  const body = `${' '.repeat(indent + 2)}sealed:\n${' '.repeat(indent + 4)}${field}: ${token}`;
  if (source !== undefined && isRanged(source.key) && source.key.range) {
    // "source:" or "source: {}".
    const start = source.key.range[1];
    const end =
      isRanged(source.value) && source.value.range && source.value.range[1] > start
        ? source.value.range[1]
        : text.indexOf(':', start) + 1;
    return splice(text, start, end, `:\n${body}`);
  }
  const end = lineEndAfter(text, lastValueEnd(spec) ?? range[1]);
  return splice(text, end, end, `\n${' '.repeat(indent)}source:\n${body}`);
}

interface Ranged {
  readonly range?: readonly [number, number, number] | null;
}

function isRanged(node: unknown): node is Ranged {
  return typeof node === 'object' && node !== null && 'range' in node;
}

function keyText(pair: Pair): string | undefined {
  const { key } = pair;
  return isScalar(key) ? String(key.value) : undefined;
}

/** Where the last value of a block map ends, looking into nested block maps. */
function lastValueEnd(map: YAMLMap): number | undefined {
  const last = map.items.at(-1);
  if (last === undefined) return undefined;
  if (isMap(last.value) && last.value.flow !== true) return lastValueEnd(last.value);
  if (isRanged(last.value) && last.value.range && last.value.range[1] > last.value.range[0]) {
    return last.value.range[1];
  }
  return isRanged(last.key) && last.key.range ? last.key.range[1] : undefined;
}

function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf('\n', offset - 1) + 1);
}

/** The end of the line that `offset` is on, so that a comment behind a value stays with it. */
function lineEndAfter(text: string, offset: number): number {
  const from = text[offset - 1] === '\n' ? offset - 1 : offset;
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

function splice(text: string, start: number, end: number, insert: string): string {
  return text.slice(0, start) + insert + text.slice(end);
}
