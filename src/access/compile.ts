/**
 * A policy in the form that decisions are made with. Nothing here throws: a part that cannot be
 * understood makes an Allow grant less and a Deny deny more.
 */
import type { AccessPolicy, Constraints, Effect, Subject } from '#api/access-policy.ts';
import { ENVIRONMENTS, PERMISSIONS, ROLE_PERMISSIONS } from '#api/roles.ts';
import type { Permission, Role } from '#api/roles.ts';
import { compileSelector } from './label-selector.ts';
import { rankOf } from './levels.ts';
import type { AccessRequest, CredentialFacts } from './request.ts';
import { compileWindow } from './schedule.ts';
import { compileRanges } from './source-ranges.ts';

export type Verdict = 'Met' | 'NotMet' | 'Unknown';

export type Circumstances = Pick<AccessRequest, 'atMs' | 'sourceAddress' | 'country'>;

export interface CompiledPolicy {
  readonly name: string;
  readonly effect: Effect;
  readonly subjects: readonly Subject[];
  /** Namespaces of the credentials that it selects. */
  readonly namespaces: readonly string[] | '*';
  readonly environments: readonly string[];
  readonly constrained: boolean;
  /** Parts that could not be understood. */
  readonly faults: readonly string[];
  /**
   * Rank of the level that an Allow grants at most, or a Deny takes at least; -1 when the policy is
   * not about the permission.
   */
  rank(permission: Permission): number;
  /** `role Trader`, or `permissions`; empty when the policy is not about it. */
  grantedBy(permission: Permission): string;
  /** Whether it selects the credential, its environment included. */
  matches(credential: CredentialFacts): boolean;
  /** Whether it selects all that is, or will be, in a namespace and environment. */
  covers(namespace: string, environment: string): boolean;
  /** Whether it may select anything there. */
  overlaps(namespace: string, environment: string): boolean;
  constraint(circumstances: Circumstances): Verdict;
  /** What it selects, and under which constraints, in words; empty without any. */
  readonly selection: string;
  readonly condition: string;
}

const compiled = new WeakMap<AccessPolicy, CompiledPolicy>();

/** Made once for an object: objects of a cache never change. */
export function compilePolicy(policy: AccessPolicy): CompiledPolicy {
  const present = compiled.get(policy);
  if (present !== undefined) return present;
  const made = compile(policy);
  compiled.set(policy, made);
  return made;
}

function compile({ metadata, spec }: AccessPolicy): CompiledPolicy {
  const faults: string[] = [];
  // An effect that is not known is no reason to grant anything.
  const effect: Effect = (spec.effect ?? 'Allow') === 'Allow' ? 'Allow' : 'Deny';
  if (spec.effect !== undefined && !['Allow', 'Deny'].includes(spec.effect)) {
    faults.push(`spec.effect ${String(spec.effect)} is not known`);
  }
  const isDeny = effect === 'Deny';
  const grants = compileGrants(spec.roles ?? [], spec.permissions ?? [], isDeny, faults);
  const rank = compileLevel(spec.accessLevel ?? 'Read', isDeny, faults);
  const environments = compileEnvironments(spec.environments ?? [], isDeny, faults);
  const { namespaces, names, exchanges, selector } = spec.credentials ?? {};
  const isNarrow = isGiven(names) || isGiven(exchanges) || selector !== undefined;
  const selects = selector === undefined ? () => true : compileSelector(selector);
  if (selects === undefined) faults.push('spec.credentials.selector cannot be read');
  const isEmpty = [namespaces, names, exchanges, selector].every((part) => part === undefined);
  if (isEmpty) faults.push('spec.credentials selects nothing');
  const namespaceSet = isGiven(namespaces) ? new Set(namespaces) : undefined;
  const nameSet = isGiven(names) ? new Set(names) : undefined;
  const exchangeSet = isGiven(exchanges) ? new Set<string>(exchanges) : undefined;
  const constraint = compileConstraints(spec.constraints, isDeny, faults);

  const inEnvironment = (environment: string): boolean =>
    environment === '*'
      ? ENVIRONMENTS.every((one) => environments.has(one))
      : environments.has(environment);
  return {
    name: metadata.name,
    effect,
    subjects: spec.subjects ?? [],
    namespaces: namespaceSet === undefined ? '*' : [...namespaceSet],
    environments: [...environments],
    constrained: spec.constraints !== undefined && Object.keys(spec.constraints).length > 0,
    faults,
    rank: (permission) => (grants.has(permission) ? rank : -1),
    grantedBy: (permission) => grants.get(permission) ?? '',
    matches(credential) {
      if (isEmpty || selects === undefined) return isDeny;
      return (
        environments.has(credential.environment) &&
        (namespaceSet === undefined || namespaceSet.has(credential.namespace)) &&
        (nameSet === undefined || nameSet.has(credential.name)) &&
        (exchangeSet === undefined || exchangeSet.has(credential.exchange ?? '')) &&
        selects(credential.labels)
      );
    },
    covers(namespace, environment) {
      if (isEmpty || isNarrow || !inEnvironment(environment)) return false;
      return namespaceSet === undefined || (namespace !== '*' && namespaceSet.has(namespace));
    },
    overlaps(namespace, environment) {
      if (isEmpty) return isDeny;
      const isThere = environment === '*' ? environments.size > 0 : environments.has(environment);
      return (
        isThere && (namespaceSet === undefined || namespace === '*' || namespaceSet.has(namespace))
      );
    },
    constraint,
    selection: describeSelection(spec.credentials ?? {}),
    condition: describeConstraints(spec.constraints ?? {}),
  };
}

function describeSelection({
  namespaces,
  names,
  exchanges,
  selector,
}: AccessPolicy['spec']['credentials']): string {
  const labels = [
    ...Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`),
    ...(selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) =>
      `${key} ${operator} ${values.join(',')}`.trim(),
    ),
  ];
  return [
    namespaces && `namespaces ${namespaces.join(', ')}`,
    names && `names ${names.join(', ')}`,
    exchanges && `exchanges ${exchanges.join(', ')}`,
    labels.length > 0 && `labels ${labels.join(', ')}`,
  ]
    .filter(Boolean)
    .join('; ');
}

function describeConstraints({ sourceRanges, times, countries }: Constraints): string {
  return [
    sourceRanges && `from ${sourceRanges.join(', ')}`,
    times &&
      times
        .map(
          ({ schedule, duration, timeZone = 'UTC' }) =>
            `for ${duration} from each "${schedule}" in ${timeZone}`,
        )
        .join(' or '),
    countries?.allow && `from the countries ${countries.allow.join(', ')}`,
    countries?.deny && `not from the countries ${countries.deny.join(', ')}`,
  ]
    .filter(Boolean)
    .join('; ');
}

/** `["*"]`, like nothing at all, leaves everything in. */
function isGiven(list: readonly string[] | undefined): list is readonly string[] {
  return list !== undefined && !list.includes('*');
}

function compileGrants(
  roles: readonly Role[],
  permissions: readonly Permission[],
  isDeny: boolean,
  faults: string[],
): ReadonlyMap<Permission, string> {
  const grants = new Map<Permission, string>();
  const add = (permission: Permission, by: string) => {
    if (!grants.has(permission)) grants.set(permission, by);
  };
  for (const permission of permissions) {
    if (PERMISSIONS.includes(permission)) add(permission, 'permissions');
    else faults.push(`the permission ${String(permission)} is not known`);
  }
  for (const role of roles) {
    const given = Object.hasOwn(ROLE_PERMISSIONS, role) ? ROLE_PERMISSIONS[role] : undefined;
    if (given === undefined) faults.push(`the role ${String(role)} is not known`);
    for (const permission of given ?? []) add(permission, `role ${role}`);
  }
  if (isDeny && faults.length > 0) {
    for (const permission of PERMISSIONS) add(permission, 'what is not known');
  }
  return grants;
}

function compileLevel(level: string, isDeny: boolean, faults: string[]): number {
  const rank = rankOf(level);
  if (rank === -1) faults.push(`the access level ${level} is not known`);
  return rank === -1 && isDeny ? 0 : rank;
}

function compileEnvironments(
  given: readonly string[],
  isDeny: boolean,
  faults: string[],
): ReadonlySet<string> {
  const unknown = given.filter((one) => !ENVIRONMENTS.some((known) => known === one));
  for (const one of unknown) faults.push(`the environment ${one} is not known`);
  if (given.length === 0) faults.push('spec.environments names none');
  if (isDeny && (unknown.length > 0 || given.length === 0)) return new Set(ENVIRONMENTS);
  return new Set(given.filter((one) => !unknown.includes(one)));
}

const CONSTRAINTS = ['sourceRanges', 'times', 'countries'];

function compileConstraints(
  constraints: Constraints | undefined,
  isDeny: boolean,
  faults: string[],
): (circumstances: Circumstances) => Verdict {
  if (constraints === undefined) return () => 'Met';
  const { sourceRanges, times, countries } = constraints;
  const inRange = sourceRanges === undefined ? undefined : compileRanges(sourceRanges);
  const windows = times?.map(compileWindow);
  const unread = [
    ...(sourceRanges !== undefined && inRange === undefined ? ['sourceRanges'] : []),
    ...(windows?.includes(undefined) === true ? ['times'] : []),
    ...Object.keys(constraints).filter((part) => !CONSTRAINTS.includes(part)),
  ];
  for (const part of unread) faults.push(`spec.constraints.${part} cannot be read`);
  if (unread.length > 0) return () => (isDeny ? 'Met' : 'NotMet');
  return ({ atMs, sourceAddress, country }) => {
    const verdicts: Verdict[] = [];
    if (inRange !== undefined) {
      verdicts.push(
        sourceAddress === undefined ? 'Unknown' : inRange(sourceAddress) ? 'Met' : 'NotMet',
      );
    }
    if (windows !== undefined) {
      verdicts.push(windows.some((window) => window?.isOpen(atMs)) ? 'Met' : 'NotMet');
    }
    if (countries !== undefined) {
      verdicts.push(country === undefined ? 'Unknown' : isCountryLetIn(countries, country));
    }
    if (verdicts.includes('NotMet')) return 'NotMet';
    return verdicts.includes('Unknown') ? 'Unknown' : 'Met';
  };
}

function isCountryLetIn(
  { allow, deny }: NonNullable<Constraints['countries']>,
  country: string,
): Verdict {
  const isDenied = deny?.includes(country) === true;
  const isLetIn = allow === undefined || allow.includes(country);
  return isLetIn && !isDenied ? 'Met' : 'NotMet';
}
