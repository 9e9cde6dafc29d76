/** Which credentials a policy is about, but for their environment. */
import { EXCHANGES } from '#api/exchanges.ts';
import { compileSelector } from './label-selector.ts';
import type { Labels } from './label-selector.ts';
import { isRecord, quote, readText } from './reading.ts';
import type { Reader } from './reading.ts';
import type { CredentialFacts } from './request.ts';

export interface CompiledSelection {
  readonly namespaces: readonly string[] | '*';
  /** Undefined: of any name. */
  readonly names: ReadonlySet<string> | undefined;
  /** Undefined: of any exchange, and of none. */
  readonly exchanges: ReadonlySet<string> | undefined;
  /** The selector of labels as text, equal for equal ones; undefined: of any labels. */
  readonly labels: string | undefined;
  /** Whether there is more to it than namespaces and names. */
  readonly isNarrow: boolean;
  /** For people. */
  readonly text: string;
  selects(credential: CredentialFacts): boolean;
  /** Whether it selects all that is, or will be, in a namespace; `*`: in all of them. */
  covers(namespace: string): boolean;
  /** Whether it may select anything there. */
  overlaps(namespace: string): boolean;
}

const PATH = 'spec.credentials';
const FIELDS = ['namespaces', 'names', 'selector', 'exchanges'];
const EXCHANGE_NAMES: ReadonlySet<unknown> = new Set(['*', ...EXCHANGES]);

/** What cannot be understood selects nothing for an Allow, and is no limit to a Deny. */
export function compileCredentials(
  given: unknown,
  isDeny: boolean,
  reader: Reader,
): CompiledSelection {
  const part = isRecord(given) ? given : {};
  const isPresent = FIELDS.some((field) => part[field] !== undefined);
  if (!isPresent) reader.faults.push(`${PATH} says nothing`);
  const isSound = reader.hasOnly(part, PATH, FIELDS) && isPresent;
  if (!isSound && !isDeny) return NOTHING;

  /** Undefined: no limit. */
  const setOf = (
    field: string,
    read: (entry: unknown) => string | undefined,
  ): ReadonlySet<string> | undefined => {
    if (part[field] === undefined) return undefined;
    const { values, isSound } = reader.list(part[field], `${PATH}.${field}`, read);
    const isLimit = !values.includes('*') && (isSound || !isDeny);
    return isLimit ? new Set(values) : undefined;
  };
  const namespaces = setOf('namespaces', readText);
  const names = setOf('names', readText);
  const exchanges = setOf('exchanges', (entry) =>
    EXCHANGE_NAMES.has(entry) ? readText(entry) : undefined,
  );
  const { selector } = part;
  let fits: ((labels: Labels) => boolean) | undefined;
  if (selector !== undefined) {
    fits = compileSelector(selector);
    if (fits === undefined) {
      reader.faults.push(`${PATH}.selector cannot be understood`);
      if (!isDeny) return NOTHING;
    }
  }
  const isNarrow = exchanges !== undefined || fits !== undefined;
  const isEmpty = [namespaces, names, exchanges].some((set) => set?.size === 0);
  const isEverywhere = namespaces === undefined;
  return {
    names,
    exchanges,
    labels: fits === undefined ? undefined : JSON.stringify(sorted(selector)),
    isNarrow,
    namespaces: isEverywhere ? '*' : [...namespaces],
    text: textOf(namespaces, names, exchanges, fits === undefined ? undefined : selector),
    selects: (credential) =>
      (isEverywhere || namespaces.has(credential.namespace)) &&
      (names === undefined || names.has(credential.name)) &&
      (exchanges === undefined ||
        (credential.exchange !== undefined && exchanges.has(credential.exchange))) &&
      (fits === undefined || fits(credential.labels)),
    covers: (namespace) =>
      !isNarrow && names === undefined && (isEverywhere || namespaces.has(namespace)),
    overlaps: (namespace) =>
      !isEmpty && (isEverywhere || namespace === '*' || namespaces.has(namespace)),
  };
}

const NOTHING: CompiledSelection = {
  names: undefined,
  exchanges: undefined,
  labels: undefined,
  isNarrow: false,
  namespaces: [],
  text: 'no credential',
  selects: () => false,
  covers: () => false,
  overlaps: () => false,
};

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return members.map(([key, one]) => [key, sorted(one)]);
}

function textOf(
  namespaces: ReadonlySet<string> | undefined,
  names: ReadonlySet<string> | undefined,
  exchanges: ReadonlySet<string> | undefined,
  selector: unknown,
): string {
  const join = (set: ReadonlySet<string>) => [...set].map(quote).join(', ') || 'none known';
  return [
    namespaces === undefined ? 'every namespace' : `namespaces ${join(namespaces)}`,
    ...(names === undefined ? [] : [`names ${join(names)}`]),
    ...(exchanges === undefined ? [] : [`exchanges ${join(exchanges)}`]),
    ...(selector === undefined ? [] : [`labels that fit ${quote(selector)}`]),
  ].join('; ');
}
