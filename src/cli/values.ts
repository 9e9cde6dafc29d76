/** Where the values come from that are to be sealed. Never from a plain argument: those are seen
 * by every process of the machine and end in the shell's history. */
import type { CredentialFields } from '#vault/secret-bytes.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice } from '#cli/io.ts';
import { promptSecret } from '#cli/prompt.ts';
import { readNamedFile } from '#cli/read-file.ts';

export interface ValueOptions {
  /** Fields to ask for, or the one field that stdin carries. */
  readonly field?: readonly string[];
  readonly stdin?: boolean;
  /** `field=path` */
  readonly fromFile?: readonly string[];
  readonly fromEnvFile?: string;
  /** `field=NAME` for --from-env-file and --from-secret. */
  readonly map?: readonly string[];
  readonly fromSecret?: string;
  readonly keepNewline?: boolean;
}

/** Reads the values of all sources given. At least one source or field must be named. */
export async function readValues(io: Io, options: ValueOptions): Promise<CredentialFields> {
  const values = new Map<string, SecretBytes>();
  const add = (field: string, bytes: Uint8Array): void => {
    if (values.has(field)) throw usageError(`${field} is given twice`);
    if (bytes.length === 0) throw usageError(`${field} is empty; nothing was sealed`);
    values.set(field, SecretBytes.fromBytes(bytes));
  };
  const names = parsePairs(options.map ?? [], '--map');
  const fields = options.field ?? [];

  for (const [field, file] of parsePairs(options.fromFile ?? [], '--from-file')) {
    add(field, trimNewline(io, field, await readNamedFile(io, file), options));
  }
  if (options.fromEnvFile !== undefined) {
    const { parse } = await import('dotenv');
    const variables = parse(await readNamedFile(io, options.fromEnvFile));
    pick(
      new Map(Object.entries(variables)),
      names,
      options.fromEnvFile,
      '--map field=NAME',
      (f, v) => add(f, Buffer.from(v, 'utf8')),
    );
  }
  if (options.fromSecret !== undefined) {
    const data = await readSecretManifest(
      await readNamedFile(io, options.fromSecret),
      options.fromSecret,
    );
    pick(data, names, options.fromSecret, '--map field=KEY', add);
  }
  const asked = fields.filter((field) => !values.has(field));
  if (options.stdin === true) {
    const [field, ...others] = asked;
    if (field === undefined || others.length > 0) {
      throw usageError('--stdin carries exactly one value; name its field with --field');
    }
    const chunks: Buffer[] = [];
    for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk as Uint8Array | string));
    add(field, trimNewline(io, field, Buffer.concat(chunks), options));
  } else {
    for (const field of asked) {
      add(field, Buffer.from(await promptSecret(io, field), 'utf8'));
    }
  }
  if (values.size === 0) {
    throw usageError(
      'no value to seal: name a field to be asked for (--field), or use --stdin, --from-file, --from-env-file or --from-secret',
    );
  }
  return values;
}

/** The fields that the options name, without reading anything. */
export function namedFields(options: ValueOptions): readonly string[] {
  return [
    ...(options.field ?? []),
    ...parsePairs(options.fromFile ?? [], '--from-file').keys(),
    ...parsePairs(options.map ?? [], '--map').keys(),
  ];
}

/** `a=b` pairs in order; a usage error names the flag, never what stands behind the sign. */
export function parsePairs(pairs: readonly string[], flag: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0 || at === pair.length - 1) {
      throw usageError(`${flag} takes field=…, with something on both sides of the sign`);
    }
    map.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return map;
}

function pick<V>(
  from: ReadonlyMap<string, V>,
  names: ReadonlyMap<string, string>,
  file: string,
  flag: string,
  add: (field: string, value: V) => void,
): void {
  const wanted = names.size > 0 ? names : new Map([...from.keys()].map((key) => [key, key]));
  for (const [field, name] of wanted) {
    const value = from.get(name);
    if (value === undefined) {
      throw usageError(
        `${file} has no ${name} (${flag}); it has ${[...from.keys()].join(', ') || 'nothing'}`,
      );
    }
    add(field, value);
  }
}

async function readSecretManifest(
  text: Buffer,
  file: string,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { parseYaml } = await import('#cli/yaml.ts');
  const manifest = parseYaml(text.toString('utf8'), file);
  if (!isRecord(manifest) || manifest['kind'] !== 'Secret') {
    throw usageError(`${file}: not the manifest of one Secret`);
  }
  const data = new Map<string, Uint8Array>();
  const encoded = manifest['data'];
  if (isRecord(encoded)) {
    for (const [key, value] of Object.entries(encoded)) {
      if (typeof value !== 'string') throw usageError(`${file}: data.${key} is not a string`);
      // Line breaks are allowed, as in the API server. Anything else that is no base64 would be
      // passed over by decoding, and something else sealed than was meant.
      const compact = value.replaceAll(/[\r\n]/g, '');
      if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact)) {
        throw usageError(`${file}: data.${key} is not base64; use stringData for plain text`);
      }
      data.set(key, Buffer.from(compact, 'base64'));
    }
  }
  const plain = manifest['stringData'];
  if (isRecord(plain)) {
    for (const [key, value] of Object.entries(plain)) {
      if (typeof value !== 'string') throw usageError(`${file}: stringData.${key} is not a string`);
      data.set(key, Buffer.from(value, 'utf8'));
    }
  }
  return data;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Editors and `echo` end a file with a line break that is no part of a key. */
function trimNewline(io: Io, field: string, bytes: Buffer, options: ValueOptions): Buffer {
  if (options.keepNewline === true) return bytes;
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end -= 1;
  if (end < bytes.length && bytes[end - 1] === 0x0d) end -= 1;
  // PEM files end with a line break by their format, and nobody minds it.
  if (end === bytes.length || bytes.subarray(0, 10).toString('latin1') === '-----BEGIN')
    return bytes;
  notice(io, `note: a trailing line break of ${field} was left out (--keep-newline keeps it)`);
  return bytes.subarray(0, end);
}
