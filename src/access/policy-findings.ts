/**
 * What is remarkable about a policy itself: parts that reach nothing, contradict another policy, or
 * are likely not what was meant. Nothing here changes a decision; a pure function.
 */
import type { AccessPolicy, Finding, Subject } from '#api/access-policy.ts';
import type { Environment } from '#api/exchange-credential.ts';
import { ACCESS_LEVELS, PERMISSIONS } from '#api/roles.ts';
import type { Permission } from '#api/roles.ts';
import { compilePolicy } from './compile.ts';
import type { CompiledPolicy } from './compile.ts';
import { describeSubject, parseServiceAccount } from './identity.ts';
import { oddityOf, skeletonOf } from './look-alikes.ts';
import type { PolicyIndex } from './policy-index.ts';
import { mayBeSamePerson } from './rbac/same-person.ts';
import type { CredentialFacts } from './request.ts';

export interface PolicyWorld {
  /** Keep the same object, and the same lists, while nothing has changed: work is kept by them. */
  readonly index: PolicyIndex;
  readonly credentials: readonly CredentialFacts[];
  readonly namespaces: readonly NamespaceFacts[];
  serviceAccountExists(namespace: string, name: string): boolean;
  readonly operator: { readonly namespace: string; readonly serviceAccount: string };
}

export interface NamespaceFacts {
  readonly name: string;
  readonly guarded: boolean;
  /** From its label. */
  readonly environment?: Environment;
}

/** Sorted, the worst first. */
export function findPolicyFaults(policy: AccessPolicy, world: PolicyWorld): readonly Finding[] {
  const compiled = compilePolicy(policy);
  const view: View = {
    policy,
    compiled,
    world,
    others: othersOf(world.index).policies.filter(({ name }) => name !== compiled.name),
    placed: placedCredentials(world.credentials),
    namespaces: namespacesByName(world.namespaces),
    reached: reachOf(compiled, world.credentials),
  };
  return CHECKS.flatMap((check) => check(view)).sort(byUrgency);
}

interface View {
  readonly policy: AccessPolicy;
  readonly compiled: CompiledPolicy;
  readonly world: PolicyWorld;
  readonly others: readonly CompiledPolicy[];
  readonly placed: ReadonlyMap<string, readonly CredentialFacts[]>;
  readonly namespaces: ReadonlyMap<string, NamespaceFacts>;
  /** The credentials that the policy selects. */
  readonly reached: readonly CredentialFacts[];
}

const CHECKS: readonly ((view: View) => readonly Finding[])[] = [
  partsNotUnderstood,
  subjectsNotFound,
  accountsNotGuarded,
  namespacesOfNoUse,
  credentialsNotFound,
  selectsNothing,
  selectsEverything,
  grantsNothing,
  contradictedByDeny,
  grantsToAdministrator,
  namesOperator,
  confusableNames,
  rateLimits,
];

function partsNotUnderstood({ compiled }: View): readonly Finding[] {
  if (compiled.faults.length === 0) return [];
  const effect =
    compiled.effect === 'Deny'
      ? 'It denies all that it could mean'
      : 'What is not understood grants nothing';
  return [
    {
      type: 'PartNotUnderstood',
      severity: 'Warning',
      message: `${listSome(compiled.faults, '; ')}. ${effect}.`,
    },
  ];
}

function subjectsNotFound({ compiled, world }: View): readonly Finding[] {
  return compiled.subjects.flatMap((subject) => {
    const account = accountOf(subject);
    if (account === undefined || world.serviceAccountExists(account.namespace, account.name)) {
      return [];
    }
    return [
      {
        type: 'SubjectNotFound',
        severity: 'Warning',
        namespace: account.namespace,
        subject: describeSubject(subject),
        message: `ServiceAccount ${account.namespace}/${account.name} does not exist (yet). Whoever creates it has what this policy says.`,
      },
    ];
  });
}

const GROUP_OF_NAMESPACE = 'system:serviceaccounts:';

/**
 * Whoever makes pods or tokens of an account is asked for all that it may, also elsewhere; but where
 * its own namespace is not guarded, admission asks nobody.
 */
function accountsNotGuarded({ compiled, namespaces, world }: View): readonly Finding[] {
  if (compiled.effect === 'Deny' || permissionsOf(compiled).length === 0) return [];
  return compiled.subjects.flatMap((subject): readonly Finding[] => {
    const home =
      accountOf(subject)?.namespace ??
      (subject.kind === 'Group' && subject.name.startsWith(GROUP_OF_NAMESPACE)
        ? subject.name.slice(GROUP_OF_NAMESPACE.length)
        : undefined);
    if (home === undefined || home === world.operator.namespace) return [];
    const found = namespaces.get(home);
    const reached =
      compiled.namespaces === '*'
        ? 'other namespaces'
        : listSome(compiled.namespaces.filter((namespace) => namespace !== home));
    if (found === undefined || found.guarded || reached === '') return [];
    return [
      {
        type: 'AccountNotGuarded',
        severity: 'Warning',
        namespace: home,
        subject: describeSubject(subject),
        message: `Whoever may create pods or tokens in ${home} has what this policy gives in ${reached}, since namespace ${home} is not guarded, so that admission asks nobody there. Let nobody do that who must not have it, guard ${home}, or name a ServiceAccount of a guarded namespace.`,
      },
    ];
  });
}

function namespacesOfNoUse({ compiled, namespaces }: View): readonly Finding[] {
  if (compiled.namespaces === '*') return [];
  return compiled.namespaces.flatMap((namespace): readonly Finding[] => {
    const found = namespaces.get(namespace);
    if (found === undefined) {
      return [
        {
          type: 'NamespaceNotFound',
          severity: 'Warning',
          namespace,
          message: `Namespace ${namespace} does not exist (yet).`,
        },
      ];
    }
    if (found.guarded) return [];
    return [
      {
        type: 'NamespaceNotGuarded',
        severity: 'Warning',
        namespace,
        message: `Namespace ${namespace} is not guarded: nothing is delivered and no RBAC is written there. Label it strongroom.dev/guarded=true.`,
      },
    ];
  });
}

function credentialsNotFound({ policy, compiled, placed }: View): readonly Finding[] {
  const { names = [] } = selectorOf(policy);
  if (names.includes('*')) return [];
  const places = compiled.namespaces === '*' ? [...placed.keys()] : compiled.namespaces;
  const known = new Set(
    places.flatMap((namespace) => (placed.get(namespace) ?? []).map(({ name }) => name)),
  );
  const where = compiled.namespaces === '*' ? 'any namespace' : listSome(compiled.namespaces);
  return unique(names)
    .filter((name) => !known.has(name))
    .map((name) => ({
      type: 'CredentialNotFound',
      severity: 'Warning' as const,
      message: `No ExchangeCredential is called ${name} in ${where} (yet).`,
    }));
}

function selectsNothing(view: View): readonly Finding[] {
  if (view.reached.length > 0) return [];
  return [
    {
      type: 'SelectsNothing',
      severity: 'Info',
      message: `No credential that exists is selected. ${whyNothing(view)}`,
    },
  ];
}

/** One reason that can be told from the labels of the namespaces. */
function whyNothing({ compiled, namespaces, placed }: View): string {
  const { environments } = compiled;
  if (compiled.namespaces !== '*') {
    const labels = compiled.namespaces.map((name) => namespaces.get(name)?.environment);
    const isElsewhere =
      labels.length > 0 &&
      labels.every((label) => label !== undefined && !environments.includes(label));
    if (isElsewhere) {
      return `The namespaces are of ${listSome(unique(labels.map(String)))}, the policy is for ${listSome(environments)}.`;
    }
    if (compiled.namespaces.every((name) => (placed.get(name) ?? []).length === 0)) {
      return 'There is none in its namespaces.';
    }
  }
  return 'Every part of `credentials`, and the environment, must match.';
}

function selectsEverything({ policy, compiled }: View): readonly Finding[] {
  const { namespaces, names, exchanges, selector } = selectorOf(policy);
  const isAll = (list: readonly string[] | undefined): boolean => list?.includes('*') ?? true;
  const isNarrowed =
    Object.keys(selector?.matchLabels ?? {}).length > 0 ||
    (selector?.matchExpressions ?? []).length > 0;
  if (!isAll(namespaces) || !isAll(names) || !isAll(exchanges) || isNarrowed) return [];
  // Nothing given at all is not a selector of everything but a mistake.
  if ((namespaces ?? names ?? exchanges ?? selector) === undefined) return [];
  const what = `every credential of ${listSome(compiled.environments)}, also in namespaces that are guarded later`;
  return [
    compiled.effect === 'Deny'
      ? { type: 'SelectsEverything', severity: 'Info', message: `The policy denies on ${what}.` }
      : {
          type: 'SelectsEverything',
          severity: 'Warning',
          message: `The policy reaches ${what}. Name namespaces, exchanges or labels where fewer are meant.`,
        },
  ];
}

function grantsNothing({ compiled, policy }: View): readonly Finding[] {
  // One that is about the network alone is meant so.
  if (policy.spec.network !== undefined && compiled.subjects.length > 0) return [];
  if (permissionsOf(compiled).length > 0 && compiled.subjects.length > 0) return [];
  const verb = compiled.effect === 'Deny' ? 'denies' : 'grants';
  const cause =
    compiled.subjects.length === 0
      ? 'it names no subject'
      : 'neither its roles nor its permissions say any permission';
  return [
    {
      type: 'GrantsNothing',
      severity: 'Warning',
      message: `The policy ${verb} nothing: ${cause}.`,
    },
  ];
}

function contradictedByDeny(view: View): readonly Finding[] {
  const { compiled, others } = view;
  if (compiled.effect === 'Deny') return [];
  return others.flatMap((deny) => {
    if (deny.effect !== 'Deny') return [];
    const denied = permissionsOf(compiled).filter((permission) =>
      deniesSome(deny, compiled, permission),
    );
    if (denied.length === 0) return [];
    const sure = compiled.subjects.filter((subject) =>
      deny.subjects.some((other) => contains(other, subject) || contains(subject, other)),
    );
    const concerned =
      sure.length > 0
        ? sure
        : compiled.subjects.filter((subject) =>
            deny.subjects.some((other) => mayBeSamePerson(subject, other)),
          );
    if (concerned.length === 0) return [];
    const extent = overlapWith(deny, view);
    if (extent === 'None') return [];
    const isAll =
      extent === 'All' &&
      !deny.constrained &&
      permissionsOf(compiled).every((permission) => deny.rank(permission) === 0) &&
      compiled.subjects.every((subject) => deny.subjects.some((other) => contains(other, subject)));
    const who = listSome(concerned.map(describeSubject));
    const about = `${listSome(denied)} for ${who}${deny.constrained ? ', at some times or from some places' : ''}`;
    const message = isAll
      ? `AccessPolicy ${deny.name} denies all of it, and a Deny always wins: this policy gives nothing.`
      : sure.length > 0
        ? `AccessPolicy ${deny.name} denies some of it, and a Deny always wins: ${about}.`
        : `AccessPolicy ${deny.name} may deny some of it, since the cluster does not know who is in a group: ${about}.`;
    return [
      {
        type: 'ContradictedByDeny',
        severity: isAll ? ('Warning' as const) : ('Info' as const),
        via: `AccessPolicy ${deny.name}`,
        message,
      },
    ];
  });
}

/** A policy gives every level up to its own; a Deny takes its own and every one above. */
function deniesSome(deny: CompiledPolicy, allow: CompiledPolicy, permission: Permission): boolean {
  const from = deny.rank(permission);
  return from >= 0 && from <= allow.rank(permission);
}

/** How much of what a policy reaches, or will reach, a Deny is about. */
function overlapWith(deny: CompiledPolicy, view: View): 'None' | 'Some' | 'All' {
  const scopes = scopesOf(view.compiled);
  if (scopes.length > 0 && scopes.every(([ns, env]) => deny.covers(ns, env))) return 'All';
  let isSome = false;
  let isAll = view.reached.length > 0;
  for (const credential of view.reached) {
    if (deny.matches(credential)) isSome = true;
    else isAll = false;
    if (isSome && !isAll) return 'Some';
  }
  if (isAll) return 'All';
  const isToCome = scopes.some(
    ([ns, env]) => view.compiled.covers(ns, env) && deny.overlaps(ns, env),
  );
  return isToCome ? 'Some' : 'None';
}

/** What only somebody who holds it may grant. */
const SENSITIVE: readonly Permission[] = [
  'AccessSecrets',
  'ManageUsers',
  'EmergencyOverride',
  'TransferFunds',
];

function grantsToAdministrator(view: View): readonly Finding[] {
  const { compiled, world } = view;
  if (compiled.effect === 'Deny') return [];
  const given = SENSITIVE.filter((permission) => compiled.rank(permission) >= 0);
  if (given.length === 0) return [];
  const { administrators } = othersOf(world.index);
  return compiled.subjects.flatMap((subject) => {
    const holds = administrators.holdersOf(subject).filter(({ name }) => name !== compiled.name);
    if (holds.length === 0) return [];
    const beyond = given.filter(
      (permission) =>
        !holds.some(
          (held) => held.rank(permission) >= compiled.rank(permission) && isWithin(view, held),
        ),
    );
    if (beyond.length === 0) return [];
    const names = unique(holds.map(({ name }) => name));
    return [
      {
        type: 'GrantsToAdministrator',
        severity: 'Warning' as const,
        subject: describeSubject(subject),
        via: `AccessPolicy ${listSome(names)}`,
        message: `${describeSubject(subject)} may write policies by ${listSome(names)} and gets here what it does not hold there: ${listSome(beyond)}. Nobody may grant to themselves or beyond their scope; who wrote this policy is not known before admission is in force, so check that it was somebody else who may.`,
      },
    ];
  });
}

/** Whether a policy reaches nothing beyond another one. */
function isWithin(view: View, outer: CompiledPolicy): boolean {
  const { compiled, reached } = view;
  return scopesOf(compiled).every(([namespace, environment]) => {
    if (outer.covers(namespace, environment)) return true;
    if (compiled.covers(namespace, environment) || !outer.overlaps(namespace, environment)) {
      return false;
    }
    // Both are narrowed: what is there now decides.
    return reached.every(
      (credential) =>
        (namespace !== '*' && credential.namespace !== namespace) ||
        credential.environment !== environment ||
        outer.matches(credential),
    );
  });
}

function namesOperator({ compiled, world }: View): readonly Finding[] {
  const { namespace, serviceAccount } = world.operator;
  const operator: Subject = { kind: 'ServiceAccount', namespace, name: serviceAccount };
  return compiled.subjects
    .filter((subject) => contains(subject, operator))
    .map((subject) => {
      const who =
        accountOf(subject) === undefined
          ? `${describeSubject(subject)} holds the operator's own ServiceAccount too`
          : "This is the operator's own ServiceAccount";
      return compiled.effect === 'Deny'
        ? {
            type: 'NamesOperator',
            severity: 'Warning' as const,
            subject: describeSubject(subject),
            message: `${who}. Its rights do not come from policies and stay as they are: the operator goes on delivering.`,
          }
        : {
            type: 'NamesOperator',
            severity: 'Info' as const,
            subject: describeSubject(subject),
            message: `${who}. Its rights do not come from policies; it needs none.`,
          };
    });
}

function confusableNames({ compiled, world }: View): readonly Finding[] {
  const { bySkeleton } = othersOf(world.index);
  return compiled.subjects.flatMap((subject) => {
    const twins = (bySkeleton.get(skeletonKey(subject)) ?? [])
      .filter(({ subject: other }) => keyOf(other) !== keyOf(subject))
      .map(({ subject: other, policy }) => `${describeSubject(other)} of AccessPolicy ${policy}`);
    const oddity = oddityOf(subject.name);
    if (twins.length === 0 && oddity === undefined) return [];
    const parts = [
      ...(oddity === undefined ? [] : [oddity]),
      ...(twins.length === 0 ? [] : [`is easily taken for ${listSome(unique(twins))}`]),
    ];
    return [
      {
        type: 'ConfusableName',
        severity: 'Warning' as const,
        subject: describeSubject(subject),
        message: `The name ${parts.join(' and ')}. Names are compared exactly: check that the right one is meant.`,
      },
    ];
  });
}

function rateLimits({ policy }: View): readonly Finding[] {
  if ((policy.spec.rateLimits ?? []).length === 0) return [];
  return [
    {
      type: 'RateLimitsNotEnforced',
      severity: 'Info',
      message: 'Nothing counts `rateLimits` yet: the gateway will. Until then they limit nobody.',
    },
  ];
}

function permissionsOf(policy: CompiledPolicy): readonly Permission[] {
  return PERMISSIONS.filter((permission) => policy.rank(permission) >= 0);
}

/** Each namespace with each environment that the policy names. */
function scopesOf({
  namespaces,
  environments,
}: CompiledPolicy): readonly (readonly [string, string])[] {
  return (namespaces === '*' ? ['*'] : namespaces).flatMap((namespace) =>
    environments.map((environment) => [namespace, environment] as const),
  );
}

/** One that was written past the schema may lack it. */
function selectorOf({ spec }: AccessPolicy): Partial<AccessPolicy['spec']['credentials']> {
  return spec.credentials ?? {};
}

// --- who is who -------------------------------------------------------------------------------

interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** A User of such a name is that ServiceAccount. */
function accountOf({ kind, name, namespace = '' }: Subject): Account | undefined {
  if (kind === 'ServiceAccount') return { namespace, name };
  return kind === 'User' ? parseServiceAccount(name) : undefined;
}

function keyOf(subject: Subject): string {
  const account = accountOf(subject);
  if (account !== undefined) return `ServiceAccount ${account.namespace}/${account.name}`;
  return `${subject.kind} ${subject.name}`;
}

function skeletonKey(subject: Subject): string {
  const account = accountOf(subject);
  if (account === undefined) return `${subject.kind} ${skeletonOf(subject.name)}`;
  return `ServiceAccount ${skeletonOf(account.namespace)}/${skeletonOf(account.name)}`;
}

const AUTHENTICATED = 'Group system:authenticated';
const ACCOUNTS = 'Group system:serviceaccounts';

/** The subject, and the groups that surely hold everybody whom it stands for. */
function holdersKeys(subject: Subject): readonly string[] {
  const key = keyOf(subject);
  const account = accountOf(subject);
  if (account !== undefined) {
    return [key, `${ACCOUNTS}:${account.namespace}`, ACCOUNTS, AUTHENTICATED];
  }
  if (key.startsWith(`${ACCOUNTS}:`)) return [key, ACCOUNTS, AUTHENTICATED];
  if (key === AUTHENTICATED || key === 'Group system:unauthenticated') return [key];
  return key === 'User system:anonymous'
    ? [key, 'Group system:unauthenticated']
    : [key, AUTHENTICATED];
}

/** Whether everybody of `inner` is surely of `outer`. */
function contains(outer: Subject, inner: Subject): boolean {
  return holdersKeys(inner).includes(keyOf(outer));
}

// --- what is kept for as long as its list is ----------------------------------------------------

interface Others {
  readonly policies: readonly CompiledPolicy[];
  readonly administrators: { holdersOf(subject: Subject): readonly CompiledPolicy[] };
  readonly bySkeleton: ReadonlyMap<
    string,
    readonly { readonly subject: Subject; readonly policy: string }[]
  >;
}

const keptOthers = new WeakMap<PolicyIndex, Others>();

function othersOf(index: PolicyIndex): Others {
  const kept = keptOthers.get(index);
  if (kept !== undefined) return kept;
  const { policies } = index;
  const made: Others = {
    policies,
    administrators: administratorsOf(policies),
    bySkeleton: groupBy(
      policies.flatMap((policy) =>
        skeletonsOf(policy).map(({ subject, key }) => ({ subject, key, policy: policy.name })),
      ),
      ({ key }) => key,
    ),
  };
  keptOthers.set(index, made);
  return made;
}

/** Those who may write policies, by each name under which somebody is one of them. */
function administratorsOf(policies: readonly CompiledPolicy[]): Others['administrators'] {
  const admin = ACCESS_LEVELS.indexOf('Admin');
  const entries = policies
    .filter((policy) => policy.effect === 'Allow' && policy.rank('ManageUsers') >= admin)
    .flatMap((policy) => policy.subjects.map((subject) => ({ policy, subject })));
  const byKey = groupBy(entries, ({ subject }) => keyOf(subject));
  const byHolder = groupBy(
    entries.flatMap((entry) => holdersKeys(entry.subject).map((key) => ({ ...entry, key }))),
    ({ key }) => key,
  );
  return {
    holdersOf(subject) {
      const holding = holdersKeys(subject).flatMap((key) => byKey.get(key) ?? []);
      const held = byHolder.get(keyOf(subject)) ?? [];
      return unique([...holding, ...held].map(({ policy }) => policy));
    },
  };
}

const keptSkeletons = new WeakMap<
  CompiledPolicy,
  readonly { readonly subject: Subject; readonly key: string }[]
>();

function skeletonsOf(policy: CompiledPolicy) {
  const kept = keptSkeletons.get(policy);
  if (kept !== undefined) return kept;
  const made = policy.subjects.map((subject) => ({ subject, key: skeletonKey(subject) }));
  keptSkeletons.set(policy, made);
  return made;
}

const keptPlaces = new WeakMap<
  readonly CredentialFacts[],
  ReadonlyMap<string, readonly CredentialFacts[]>
>();

function placedCredentials(
  credentials: readonly CredentialFacts[],
): ReadonlyMap<string, readonly CredentialFacts[]> {
  const kept = keptPlaces.get(credentials);
  if (kept !== undefined) return kept;
  const made = groupBy(credentials, ({ namespace }) => namespace);
  keptPlaces.set(credentials, made);
  return made;
}

function reachOf(
  policy: CompiledPolicy,
  credentials: readonly CredentialFacts[],
): readonly CredentialFacts[] {
  if (policy.namespaces === '*') return credentials.filter((one) => policy.matches(one));
  const placed = placedCredentials(credentials);
  return policy.namespaces.flatMap((namespace) =>
    (placed.get(namespace) ?? []).filter((one) => policy.matches(one)),
  );
}

const keptNamespaces = new WeakMap<
  readonly NamespaceFacts[],
  ReadonlyMap<string, NamespaceFacts>
>();

function namespacesByName(
  namespaces: readonly NamespaceFacts[],
): ReadonlyMap<string, NamespaceFacts> {
  const kept = keptNamespaces.get(namespaces);
  if (kept !== undefined) return kept;
  const made = new Map(namespaces.map((namespace) => [namespace.name, namespace]));
  keptNamespaces.set(namespaces, made);
  return made;
}

// ------------------------------------------------------------------------------------------------

function groupBy<T>(list: readonly T[], key: (one: T) => string): ReadonlyMap<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), [one]);
    else group.push(one);
  }
  return groups;
}

function unique<T>(list: readonly T[]): readonly T[] {
  return [...new Set(list)];
}

const MAX_LISTED = 3;

function listSome(names: readonly string[], separator = ', '): string {
  const shown = names.slice(0, MAX_LISTED).join(separator);
  return names.length > MAX_LISTED ? `${shown} and ${names.length - MAX_LISTED} more` : shown;
}

const SEVERITIES = ['Critical', 'Warning', 'Info'];

function byUrgency(a: Finding, b: Finding): number {
  return (
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
    compare(a.type, b.type) ||
    compare(a.namespace, b.namespace) ||
    compare(a.subject, b.subject) ||
    compare(a.via, b.via) ||
    compare(a.message, b.message)
  );
}

function compare(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
