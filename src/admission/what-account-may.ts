/**
 * What policies give a ServiceAccount, and who holds all of that. Whoever runs a pod as an account, or
 * has its token, acts as it: so they need whatever it may do. Decided by what policies say, never by
 * what credentials there are: a pod outlives the moment in which there was nothing to take yet, and
 * CEL decides the same by a table of the namespace.
 */
import {
  SYSTEM_MASTERS,
  isAnonymous,
  serviceAccountIdentity,
  serviceAccountUsername,
} from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import type { CompiledPolicy } from '#access/compile.ts';
import { permissionsIn } from '#access/permission-set.ts';
import type { PolicyIndex } from '#access/policy-index.ts';
import { ACCESS_LEVELS, ENVIRONMENTS } from '#api/roles.ts';
import type { Permission } from '#api/roles.ts';
import { mapOf, put } from './kept-answers.ts';
import type { AdmissionWorld } from './world.ts';

/** What a policy is about, in parts that another policy is about as a whole or not. */
interface Part {
  /** `*`: all of them, also those to come. */
  readonly namespaces: readonly string[];
  /** `*`: every one, which is asked about where a namespace has none. */
  readonly environments: readonly string[];
  /** Of credentials; `*`: of any name. */
  readonly names: readonly string[];
  readonly exchanges: ReadonlySet<string> | undefined;
  readonly labels: string | undefined;
}

/** One permission of an account, over one part. */
export interface AccountRight {
  readonly permission: Permission;
  /** Rank of the level. */
  readonly level: number;
  /** AccessPolicy that gives it. */
  readonly policy: string;
  readonly part: Part;
  /** Denies that are certain for the account too: what they take, it does not have either. */
  readonly shared: ReadonlySet<CompiledPolicy>;
}

export type AccountAnswer =
  | { readonly isAllowed: true; readonly policies: readonly string[] }
  | { readonly isAllowed: false; readonly right: AccountRight };

const ANYTHING: AccountAnswer = { isAllowed: true, policies: [] };
const MAX_POLICIES = 10;

const rightsByIndex = new WeakMap<PolicyIndex, Map<string, readonly AccountRight[]>>();

/**
 * What the account may at some time: constraints of an Allow count as met, and a Deny takes away only
 * what it denies without one. Found once for an index.
 */
export function accountRights(
  index: PolicyIndex,
  namespace: string,
  account: string,
): readonly AccountRight[] {
  const kept = mapOf(rightsByIndex, index);
  const known = knownAs(index, namespace, account);
  const key = `${namespace}/${known}`;
  const present = kept.get(key);
  if (present !== undefined) return present;
  const found = findRights(index, namespace, known);
  put(kept, key, found);
  return found;
}

function findRights(
  index: PolicyIndex,
  namespace: string,
  account: string,
): readonly AccountRight[] {
  const about = policiesAbout(index, serviceAccountIdentity(namespace, account));
  const denies = about.filter(({ effect, constrained }) => effect === 'Deny' && !constrained);
  const shared = new Set(denies);
  const rights = new Map<string, AccountRight>();
  for (const policy of about) {
    if (policy.effect === 'Deny' || policy.permissions === 0) continue;
    for (const part of partsOf(policy)) {
      for (const permission of permissionsIn(policy.permissions)) {
        const level = remainingLevel(policy, permission, part, denies);
        if (level === -1) continue;
        const { exchanges } = part;
        const key = JSON.stringify([permission, level, part, exchanges && [...exchanges].sort()]);
        if (!rights.has(key)) {
          rights.set(key, { permission, level, policy: policy.name, part, shared });
        }
      }
    }
  }
  return [...rights.values()];
}

/** Each once, sorted by name. */
function policiesAbout(index: PolicyIndex, identity: Identity): readonly CompiledPolicy[] {
  const found = new Set<CompiledPolicy>();
  index.forEach(identity, '*', ({ policy }) => found.add(policy));
  return [...found].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** A policy of more parts is one by itself: hundreds of names in hundreds of namespaces are too many. */
const MAX_PARTS = 1_000;

function partsOf(policy: CompiledPolicy): readonly Part[] {
  const { exchanges, labels } = policy.selects;
  const namespaces = policy.namespaces === '*' ? ['*'] : policy.namespaces;
  const environments = isEverywhere(policy.environments) ? ['*'] : policy.environments;
  const names = [...(policy.selects.names ?? ['*'])];
  if (namespaces.length * environments.length * names.length > MAX_PARTS) {
    return [{ namespaces, environments, names, exchanges, labels }];
  }
  return namespaces.flatMap((namespace) =>
    environments.flatMap((environment) =>
      names.map((name) => ({
        namespaces: [namespace],
        environments: [environment],
        names: [name],
        exchanges,
        labels,
      })),
    ),
  );
}

function isEverywhere(environments: readonly string[]): boolean {
  return ENVIRONMENTS.every((environment) => environments.includes(environment));
}

/** The level that is left of an Allow by Denies that take all of the part; -1: none. */
function remainingLevel(
  policy: CompiledPolicy,
  permission: Permission,
  part: Part,
  denies: readonly CompiledPolicy[],
): number {
  let level = policy.rank(permission);
  for (const deny of denies) {
    const from = deny.rank(permission);
    if (from !== -1 && from <= level && coversPart(deny, part)) level = from - 1;
  }
  return level;
}

/** Whether a policy is about all of the part. False where in doubt. */
function coversPart({ namespaces, environments, selects }: CompiledPolicy, part: Part): boolean {
  const { names, exchanges, labels } = selects;
  return (
    (namespaces === '*' || part.namespaces.every((one) => namespaces.includes(one))) &&
    (isEverywhere(environments) || part.environments.every((one) => environments.includes(one))) &&
    (names === undefined || part.names.every((one) => one !== '*' && names.has(one))) &&
    (exchanges === undefined || (part.exchanges?.isSubsetOf(exchanges) ?? false)) &&
    (labels === undefined || labels === part.labels)
  );
}

/** Whether a policy may be about some of the part. True where in doubt. */
function touchesPart(policy: CompiledPolicy, part: Part): boolean {
  const { names, exchanges } = policy.selects;
  return (
    part.namespaces.some((namespace) =>
      part.environments.some((environment) => policy.overlaps(namespace, environment)),
    ) &&
    (names === undefined || part.names.some((one) => one === '*' || names.has(one))) &&
    (exchanges === undefined || !(part.exchanges?.isDisjointFrom(exchanges) ?? false))
  );
}

/**
 * What a policy says about a right, of those that it is about: an Allow that gives all of it, a Deny
 * that takes some of it and not also from the account. Undefined: nothing.
 */
export function effectOnRight(
  policy: CompiledPolicy,
  { permission, level, part, shared }: AccountRight,
): CompiledPolicy['effect'] | undefined {
  const rank = policy.rank(permission);
  if (rank === -1) return undefined;
  if (policy.effect === 'Allow') {
    return rank >= level && coversPart(policy, part) ? 'Allow' : undefined;
  }
  return rank <= level && !shared.has(policy) && touchesPart(policy, part) ? 'Deny' : undefined;
}

/** Of a ServiceAccount that no policy names; no name of an account. */
export const OTHER_ACCOUNTS = '*';

/** ServiceAccounts of the namespace that a policy says something about by their own name; sorted. */
export function namedAccounts(index: PolicyIndex, namespace: string): readonly string[] {
  const prefix = serviceAccountUsername(namespace, '');
  return [...namedUsers(index)]
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .filter((name) => name !== OTHER_ACCOUNTS)
    .sort();
}

const namesByIndex = new WeakMap<PolicyIndex, ReadonlySet<string>>();

/** Usernames that policies name, also those of ServiceAccounts. */
function namedUsers(index: PolicyIndex): ReadonlySet<string> {
  const present = namesByIndex.get(index);
  if (present !== undefined) return present;
  const entries = index.policies.flatMap((policy) => policy.entries);
  const names = new Set(entries.flatMap(({ by, name }) => (by === 'User' ? [name] : [])));
  namesByIndex.set(index, names);
  return names;
}

/**
 * All that no policy names are the same one: a template can name accounts that do not exist, and what
 * is kept of each would fill the memory.
 */
function knownAs(index: PolicyIndex, namespace: string, account: string): string {
  const isNamed = namedUsers(index).has(serviceAccountUsername(namespace, account));
  return isNamed ? account : OTHER_ACCOUNTS;
}

interface Answer {
  readonly answer: AccountAnswer;
  /** Of the clock, where the answer hangs on it; schedules begin and end with whole seconds. */
  readonly second: number | undefined;
}

const answersByIndex = new WeakMap<PolicyIndex, Map<string, Answer>>();

/**
 * Whether who asks holds all that the account may; members of system:masters do. Kept until policies
 * change, or until the next second where a schedule has a say.
 */
export function mayActAs(
  world: Pick<AdmissionWorld, 'policyIndex'>,
  identity: Identity,
  namespace: string,
  account: string,
  nowMs: number,
): AccountAnswer {
  if (identity.groups.includes(SYSTEM_MASTERS)) return ANYTHING;
  const index = world.policyIndex();
  const rights = accountRights(index, namespace, account);
  const [first] = rights;
  if (first === undefined) return ANYTHING;
  if (isAnonymous(identity)) return { isAllowed: false, right: first };
  const kept = mapOf(answersByIndex, index);
  const { username, groups } = identity;
  const known = knownAs(index, namespace, account);
  const key = JSON.stringify([namespace, known, username, ...[...groups].sort()]);
  const second = Math.floor(nowMs / 1000);
  const present = kept.get(key);
  if (present !== undefined && (present.second === undefined || present.second === second)) {
    return present.answer;
  }
  const about = policiesAbout(index, identity);
  const answer = heldAmong(about, rights, nowMs);
  const hangsOnTime = about.some(({ constrained }) => constrained);
  put(kept, key, { answer, second: hangsOnTime ? second : undefined });
  return answer;
}

function heldAmong(
  about: readonly CompiledPolicy[],
  rights: readonly AccountRight[],
  nowMs: number,
): AccountAnswer {
  const policies = new Set<string>();
  for (const right of rights) {
    const giving = givenBy(right, about, nowMs);
    if (giving === undefined) return { isAllowed: false, right };
    if (policies.size < MAX_POLICIES) policies.add(giving);
  }
  return { isAllowed: true, policies: [...policies] };
}

/** The policy by which a right is held; undefined where it is not. */
function givenBy(
  right: AccountRight,
  about: readonly CompiledPolicy[],
  nowMs: number,
): string | undefined {
  let giving: string | undefined;
  for (const policy of about) {
    const effect = effectOnRight(policy, right);
    if (effect === undefined) continue;
    const verdict = policy.constraint({ atMs: nowMs });
    // What is not known may be just what a Deny is about.
    if (effect === 'Deny' && verdict !== 'NotMet') return undefined;
    if (effect === 'Allow' && verdict === 'Met') giving ??= policy.name;
  }
  return giving;
}

/** `ManageUsers at Admin over namespace trading, environment Production`, for messages. */
export function describeRight({ permission, level, part }: AccountRight): string {
  const { namespaces, environments, names, exchanges, labels } = part;
  const where = [
    told(namespaces, 'namespace') ?? 'every namespace',
    told(environments, 'environment') ?? 'every environment',
    ...(names.includes('*') ? [] : [told(names, 'credential')]),
    ...(exchanges === undefined ? [] : [`exchange ${[...exchanges].sort().join(' or ')}`]),
    ...(labels === undefined ? [] : ['the labels that it selects']),
  ];
  return `${permission} at ${ACCESS_LEVELS[level] ?? ''} over ${where.join(', ')}`;
}

/** `namespace trading`, `250 namespaces`; undefined for all. */
function told(names: readonly string[], what: string): string | undefined {
  if (names.includes('*')) return undefined;
  return names.length === 1 ? `${what} ${names[0]}` : `${names.length} ${what}s`;
}

/** The first account of the namespace that somebody may not act as; undefined where they may act as all. */
export function firstBeyond(
  world: Pick<AdmissionWorld, 'policyIndex'>,
  identity: Identity,
  namespace: string,
  nowMs: number,
): { readonly account: string; readonly right: AccountRight } | undefined {
  for (const account of [OTHER_ACCOUNTS, ...namedAccounts(world.policyIndex(), namespace)]) {
    const held = mayActAs(world, identity, namespace, account, nowMs);
    if (!held.isAllowed) return { account, right: held.right };
  }
  return undefined;
}
