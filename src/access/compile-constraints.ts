/** When and from where a policy counts, in three values: what is not known is neither met nor not. */
import { COUNTRIES } from '#api/countries.ts';
import { isRecord, readText } from './reading.ts';
import type { Reader } from './reading.ts';
import type { AccessRequest } from './request.ts';
import { compileWindow } from './schedule.ts';
import { compileRange, parseAddress } from './source-ranges.ts';

export type Verdict = 'Met' | 'NotMet' | 'Unknown';

export type Circumstances = Pick<AccessRequest, 'atMs' | 'sourceAddress' | 'country'>;

export interface CompiledConstraint {
  /** For people, such that it goes on from "when". */
  readonly text: string;
  verdict(circumstances: Circumstances): Verdict;
}

/** The last instant that JavaScript's dates know. */
const LAST_MS = 8.64e15;

/** One a kind: all of them must be met. */
export function compileConstraints(
  constraints: unknown,
  reader: Reader,
): readonly CompiledConstraint[] {
  const path = 'spec.constraints';
  if (constraints === undefined) return [];
  if (!isRecord(constraints)) return [unreadable(reader, path)];
  const { sourceRanges, times, countries, ...rest } = constraints;
  return [
    ...(sourceRanges === undefined ? [] : [compileRanges(sourceRanges, reader)]),
    ...(times === undefined ? [] : [compileTimes(times, reader)]),
    ...(countries === undefined ? [] : [compileCountries(countries, reader)]),
    ...Object.keys(rest).map((kind) => unreadable(reader, `${path}.${kind}`)),
  ];
}

export function verdictOf(
  constraints: readonly CompiledConstraint[],
  circumstances: Circumstances,
): Verdict {
  let verdict: Verdict = 'Met';
  for (const constraint of constraints) {
    const one = constraint.verdict(circumstances);
    if (one === 'NotMet') return one;
    if (one === 'Unknown') verdict = one;
  }
  return verdict;
}

function unreadable(reader: Reader, path: string): CompiledConstraint {
  reader.faults.push(`${path} cannot be understood`);
  return { text: `under ${path}, which cannot be understood`, verdict: () => 'Unknown' };
}

function compileRanges(value: unknown, reader: Reader): CompiledConstraint {
  const { values, isSound } = reader.list(value, 'spec.constraints.sourceRanges', (entry) => {
    const range = typeof entry === 'string' ? compileRange(entry) : undefined;
    return range === undefined ? undefined : { range, text: String(entry) };
  });
  return {
    text: `from ${values.map(({ text }) => text).join(', ') || 'no range'}`,
    verdict({ sourceAddress }) {
      const address = sourceAddress === undefined ? undefined : parseAddress(sourceAddress);
      if (address === undefined) return 'Unknown';
      for (const { range } of values) if (range.contains(address)) return 'Met';
      return isSound ? 'NotMet' : 'Unknown';
    },
  };
}

function compileTimes(value: unknown, reader: Reader): CompiledConstraint {
  const { values, isSound } = reader.list(value, 'spec.constraints.times', compileWindow);
  return {
    text: values.map(({ text }) => text).join(' or ') || 'at no time',
    verdict({ atMs }) {
      if (!(atMs >= 0 && atMs <= LAST_MS)) return 'Unknown';
      for (const window of values) if (window.isOpen(atMs)) return 'Met';
      return isSound ? 'NotMet' : 'Unknown';
    },
  };
}

const CODES: ReadonlySet<unknown> = new Set(COUNTRIES);

function compileCountries(value: unknown, reader: Reader): CompiledConstraint {
  const path = 'spec.constraints.countries';
  if (!isRecord(value)) return unreadable(reader, path);
  const { allow, deny, ...rest } = value;
  const read = (list: unknown, name: string) =>
    list === undefined
      ? undefined
      : reader.list(list, `${path}.${name}`, (entry) =>
          CODES.has(entry) ? readText(entry) : undefined,
        );
  const allowed = read(allow, 'allow');
  const denied = read(deny, 'deny');
  if ((allowed ?? denied) === undefined || Object.keys(rest).length > 0) {
    return unreadable(reader, path);
  }
  const allowedSet = new Set(allowed?.values);
  const deniedSet = new Set(denied?.values);
  const [among, outside] = [[...allowedSet].join(', '), [...deniedSet].join(', ')];
  return {
    text: [
      ...(allowed === undefined ? [] : [`from the countries ${among || 'none'}`]),
      ...(denied === undefined ? [] : [`not from the countries ${outside || 'none'}`]),
    ].join(' and '),
    verdict({ country }) {
      if (country === undefined || !CODES.has(country)) return 'Unknown';
      if (deniedSet.has(country)) return 'NotMet';
      if (allowed !== undefined && !allowedSet.has(country)) {
        return allowed.isSound ? 'NotMet' : 'Unknown';
      }
      return denied === undefined || denied.isSound ? 'Met' : 'Unknown';
    },
  };
}
