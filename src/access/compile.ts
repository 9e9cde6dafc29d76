/**
 * A policy in the form that decisions are made with. Nothing here throws: a part that cannot be
 * understood makes an Allow grant less and a Deny deny more.
 */
import type { AccessPolicy, Effect, Subject } from '#api/access-policy.ts';
import { ACCESS_LEVELS, ENVIRONMENTS, PERMISSIONS, ROLE_PERMISSIONS, ROLES } from '#api/roles.ts';
import type { Permission } from '#api/roles.ts';
import { compileConstraints, verdictOf } from './compile-constraints.ts';
import type { Circumstances, CompiledConstraint, Verdict } from './compile-constraints.ts';
import { compileCredentials } from './compile-credentials.ts';
import type { CompiledSelection } from './compile-credentials.ts';
import { compileSubjects } from './compile-subjects.ts';
import type { CompiledSubject } from './compile-subjects.ts';
import { rankOf } from './levels.ts';
import { ALL_PERMISSIONS, permissionBit } from './permission-set.ts';
import { createReader, isRecord, quote } from './reading.ts';
import type { Reader } from './reading.ts';
import type { CredentialFacts, DecidingRule } from './request.ts';

export type { Circumstances, Verdict } from './compile-constraints.ts';

export interface CompiledPolicy {
  readonly name: string;
  readonly effect: Effect;
  readonly subjects: readonly Subject[];
  /** Namespaces of the credentials that it selects. */
  readonly namespaces: readonly string[] | '*';
  readonly environments: readonly string[];
  /** By what else it selects credentials. */
  readonly selects: Pick<CompiledSelection, 'names' | 'exchanges' | 'labels'>;
  readonly constrained: boolean;
  readonly constraints: readonly CompiledConstraint[];
  /** Parts that could not be understood. */
  readonly faults: readonly string[];
  /** The credentials that it selects, for people. */
  readonly selection: string;
  /** Its constraints, such that it goes on from "when"; empty without any. */
  readonly condition: string;
  /** The permissions that it is about, as bits. */
  readonly permissions: number;
  /** Rank of the level that an Allow grants at most, or a Deny takes at least. */
  readonly level: number;
  /** One a subject, for the index to find it by. */
  readonly entries: readonly PolicyEntry[];
  /** `level`, or -1 when the policy is not about the permission. */
  rank(permission: Permission): number;
  /** `role Trader`, or `permissions`; empty when the policy is not about it. */
  grantedBy(permission: Permission): string;
  /** Whether it selects the credential, its environment included. */
  matches(credential: CredentialFacts): boolean;
  /** Whether it is about an environment; `*`: an Allow about all of them, a Deny about any. */
  isIn(environment: string): boolean;
  /** Whether it selects all that is, or will be, in a namespace and environment. */
  covers(namespace: string, environment: string): boolean;
  /** Whether it may select anything there. */
  overlaps(namespace: string, environment: string): boolean;
  constraint(circumstances: Circumstances): Verdict;
}

/** A policy under one of its subjects, with what decisions look at first at hand. */
export interface PolicyEntry extends CompiledSubject {
  readonly policy: CompiledPolicy;
  readonly isDeny: boolean;
  readonly permissions: number;
  readonly level: number;
  /** As bits of `environmentBit`. */
  readonly environments: number;
  /** Undefined: of any name. */
  readonly names: ReadonlySet<string> | undefined;
  /** Whether credentials are selected by more than namespace, name and environment. */
  readonly isNarrow: boolean;
  readonly constrained: boolean;
  /** Its place among the subjects. */
  readonly place: number;
  /** By the permission's place in PERMISSIONS; made when first told. */
  readonly rules: (DecidingRule | undefined)[];
}

/** An environment that nobody knows has a bit too, which a Deny always has. */
export function environmentBit(environment: string): number {
  return ENVIRONMENT_BITS.get(environment) ?? UNKNOWN_ENVIRONMENT;
}

/** The same object each time. */
export function ruleOf(entry: PolicyEntry, index: number): DecidingRule {
  const present = entry.rules[index];
  if (present !== undefined) return present;
  const { policy, subject } = entry;
  const permission = PERMISSIONS[index] ?? PERMISSIONS[0];
  const rule: DecidingRule = {
    policy: policy.name,
    effect: policy.effect,
    subject,
    permission,
    grantedBy: policy.grantedBy(permission),
    level: ACCESS_LEVELS[policy.level] ?? ACCESS_LEVELS[0],
  };
  entry.rules[index] = rule;
  return rule;
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

function compile(policy: AccessPolicy): CompiledPolicy {
  const reader = createReader();
  const spec: Readonly<Record<string, unknown>> = isRecord(policy.spec) ? policy.spec : {};
  const { effect: given = 'Allow' } = spec;
  // An effect that is not known is no reason to grant anything.
  const effect: Effect = given === 'Allow' ? 'Allow' : 'Deny';
  if (given !== effect) reader.faults.push(`spec.effect ${quote(given)} is not known`);
  const isDeny = effect === 'Deny';

  const subjects = compileSubjects(spec['subjects'], isDeny, reader);
  const grants = compileGrants(spec, isDeny, reader);
  const level = compileLevel(spec['accessLevel'], isDeny, reader);
  const environments = compileEnvironments(spec['environments'], isDeny, reader);
  const selection = compileCredentials(spec['credentials'], isDeny, reader);
  const constraints = compileConstraints(spec['constraints'], reader);
  const isEverywhere = ENVIRONMENTS.every((environment) => environments.has(environment));

  /** An environment that nobody knows may be the one that a Deny is about. */
  const isIn = (environment: string): boolean =>
    environments.has(environment) || (isDeny && !ENVIRONMENT_BITS.has(environment));
  const entries: PolicyEntry[] = [];
  const made: CompiledPolicy = {
    name: policy.metadata.name,
    effect,
    subjects: subjects.map(({ subject }) => subject),
    namespaces: selection.namespaces,
    environments: [...environments],
    selects: selection,
    constrained: constraints.length > 0,
    constraints,
    faults: reader.faults,
    selection: selection.text,
    condition: constraints.map(({ text }) => text).join(' and '),
    permissions: level === -1 ? 0 : grants.set,
    level,
    entries,
    rank: (permission) => ((grants.set & permissionBit(permission)) === 0 ? -1 : level),
    grantedBy: (permission) => grants.by.get(permission) ?? '',
    matches: (credential) => isIn(credential.environment) && selection.selects(credential),
    isIn: (environment) =>
      environment === '*' ? isEverywhere || (isDeny && environments.size > 0) : isIn(environment),
    covers: (namespace, environment) =>
      (environment === '*' ? isEverywhere : environments.has(environment)) &&
      selection.covers(namespace),
    overlaps: (namespace, environment) =>
      (environment === '*' ? environments.size > 0 : isIn(environment)) &&
      selection.overlaps(namespace),
    constraint: (circumstances) => verdictOf(constraints, circumstances),
  };
  const bits = [...environments].reduce((set, one) => set | environmentBit(one), 0);
  for (const [place, { subject, by, name }] of subjects.entries()) {
    entries.push({
      subject,
      by,
      name,
      policy: made,
      isDeny,
      permissions: made.permissions,
      level,
      environments: isDeny ? bits | UNKNOWN_ENVIRONMENT : bits,
      names: selection.names,
      isNarrow: selection.isNarrow,
      constrained: made.constrained,
      place,
      rules: [],
    });
  }
  return made;
}

const ENVIRONMENT_BITS: ReadonlyMap<string, number> = new Map(
  ENVIRONMENTS.map((environment, index) => [environment, 1 << index]),
);
const UNKNOWN_ENVIRONMENT = 1 << ENVIRONMENTS.length;
const KNOWN_ROLES: ReadonlySet<unknown> = new Set(ROLES);

interface Grants {
  readonly set: number;
  /** Where each permission stands. */
  readonly by: ReadonlyMap<Permission, string>;
}

function compileGrants(
  spec: Readonly<Record<string, unknown>>,
  isDeny: boolean,
  reader: Reader,
): Grants {
  const by = new Map<Permission, string>();
  const add = (permissions: readonly Permission[], where: string) => {
    for (const permission of permissions) if (!by.has(permission)) by.set(permission, where);
  };
  const permissions = readOptional(spec['permissions'], 'spec.permissions', reader, (entry) =>
    PERMISSIONS.find((permission) => permission === entry),
  );
  const roles = readOptional(spec['roles'], 'spec.roles', reader, (entry) =>
    KNOWN_ROLES.has(entry) ? ROLES.find((role) => role === entry) : undefined,
  );
  add(permissions.values, 'permissions');
  for (const role of roles.values) add(ROLE_PERMISSIONS[role], `role ${role}`);
  if (isDeny && !(permissions.isSound && roles.isSound)) add(PERMISSIONS, 'what is not known');
  const set = [...by.keys()].reduce((bits, permission) => bits | permissionBit(permission), 0);
  return { set: set & ALL_PERMISSIONS, by };
}

/** No list, or an empty one, is no role: that is understood. */
function readOptional<T>(
  value: unknown,
  path: string,
  reader: Reader,
  read: (entry: unknown) => T | undefined,
): { readonly values: readonly T[]; readonly isSound: boolean } {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) {
    return { values: [], isSound: true };
  }
  return reader.list(value, path, read);
}

function compileLevel(given: unknown, isDeny: boolean, reader: Reader): number {
  if (given === undefined) return 0;
  const rank = rankOf(given);
  if (rank === -1) reader.faults.push(`spec.accessLevel ${quote(given)} is not known`);
  return rank === -1 && isDeny ? 0 : rank;
}

function compileEnvironments(given: unknown, isDeny: boolean, reader: Reader): ReadonlySet<string> {
  const { values, isSound } = reader.list(given, 'spec.environments', (entry) =>
    ENVIRONMENTS.find((environment) => environment === entry),
  );
  return new Set(isDeny && !isSound ? ENVIRONMENTS : values);
}
