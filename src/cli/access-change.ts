/** What `--with` and `--without` make of the world, and what somebody gains or loses by it. */
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Action } from '#access/actions.ts';
import { compilePolicy } from '#access/compile.ts';
import { concerns } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import { describeSubject, parseServiceAccount } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import { createPolicyIndex } from '#access/policy-index.ts';
import type { PolicyIndex } from '#access/policy-index.ts';
import type { Target } from '#access/request.ts';
import { identityOf } from '#access/identity.ts';
import { answerText, isAbout, judgeOf } from '#access/judge.ts';
import type { Judge } from '#access/judge.ts';
import type { AccessOptions, Circumstances } from '#cli/access-options.ts';
import type { AccessWorld } from '#cli/access-world.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';

/** Policies and credentials as they are, or as they would be. */
export interface AccessState {
  readonly policies: readonly AccessPolicy[];
  readonly index: PolicyIndex;
  readonly credentials: ReadonlyMap<string, ExchangeCredential>;
}

export interface GatheredAccess {
  /** As it is; the same as `after` without `--with` and `--without`. */
  readonly before: AccessState;
  /** What the answers are about. */
  readonly after: AccessState;
  readonly isPlanned: boolean;
  /** The one that is asked about. */
  readonly credential?: ExchangeCredential;
  readonly notes: readonly string[];
}

/**
 * What somebody may do otherwise than before. `before` and `after` are `no`, `yes`, or `only …` and
 * `yes, but not …` with the constraints. Part of the contract of JSON output.
 */
export interface AccessChange {
  readonly change: 'Gained' | 'Lost' | 'Changed';
  readonly subject: Subject;
  readonly action: string;
  /** `*` as the name: everything in the namespace, also what is to come. */
  readonly credential: { readonly namespace: string; readonly name: string };
  readonly before: string;
  readonly after: string;
}

/** What is asked about, before and after; a credential that is not there is asked for by nobody. */
export interface AccessTarget {
  readonly namespace: string;
  readonly name: string;
  readonly before: Target | undefined;
  readonly after: Target | undefined;
}

/**
 * Loads policies, and either the credential of a name or, with `all`, those of the namespace; then
 * puts upon them what the options say. Throws a CliError for a credential that nobody knows.
 */
export async function gatherAccess(
  io: Io,
  world: AccessWorld,
  options: AccessOptions,
  wanted: { readonly credential?: string; readonly all?: boolean },
): Promise<GatheredAccess> {
  const planned = await plannedObjects(io, options);
  // First: who may not see them is told so, whatever else they may not see.
  const policies = await world.policies();
  const loaded =
    wanted.credential !== undefined
      ? await world.credentialsNamed(wanted.credential)
      : wanted.all === true
        ? await world.credentials()
        : [];
  const before = stateOf(policies, loaded);
  const isPlanned = options.with !== undefined || options.without !== undefined;
  const isAsked = ({ metadata }: ExchangeCredential): boolean =>
    (world.namespace === '*' || metadata.namespace === world.namespace) &&
    (wanted.credential === undefined || metadata.name === wanted.credential);
  const after = isPlanned
    ? stateOf(withPolicies(policies, planned.policies, options.without ?? []), [
        ...loaded,
        ...planned.credentials.filter(isAsked),
      ])
    : before;
  const credential =
    wanted.credential === undefined
      ? undefined
      : onlyCredential(wanted.credential, after, world.namespace, options);
  return {
    before,
    after,
    isPlanned,
    notes: [...planned.notes, ...faultNotes(after.index)],
    ...(credential === undefined ? {} : { credential }),
  };
}

/** Policies of a cluster can be older than the rules that they would be held to today. */
function faultNotes({ policies }: PolicyIndex): readonly string[] {
  return policies.flatMap(({ name, effect, faults }) =>
    faults.length === 0
      ? []
      : [
          `AccessPolicy ${name} cannot be understood in full (${faults.join('; ')}), so it ${effect === 'Deny' ? 'denies more' : 'grants less'} than it says`,
        ],
  );
}

async function plannedObjects(io: Io, options: AccessOptions) {
  if (options.with === undefined) return { policies: [], credentials: [], notes: [] };
  const { readAccessFiles } = await import('#cli/access-files.ts');
  const files = await readAccessFiles(io, options.with, options.namespace);
  if (files.policies.length === 0 && files.credentials.length === 0) {
    throw usageError(
      `no AccessPolicy or ExchangeCredential found in ${options.with.join(', ')}, which --with names`,
    );
  }
  const others = [files.namespaces, files.roles, files.roleBindings, files.clusterRoles];
  return {
    policies: files.policies,
    credentials: files.credentials,
    notes: [...others, files.clusterRoleBindings].some((objects) => objects.length > 0)
      ? ['--with takes AccessPolicies and ExchangeCredentials; other objects are passed over']
      : [],
  };
}

function stateOf(
  policies: readonly AccessPolicy[],
  credentials: readonly ExchangeCredential[],
): AccessState {
  return {
    policies,
    index: createPolicyIndex(policies),
    // A later one of the same name takes the place of an earlier one.
    credentials: new Map(credentials.map((credential) => [keyOf(credential), credential])),
  };
}

function keyOf({ metadata }: ExchangeCredential): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function withPolicies(
  policies: readonly AccessPolicy[],
  added: readonly AccessPolicy[],
  removed: readonly string[],
): readonly AccessPolicy[] {
  const byName = new Map(policies.map((policy) => [policy.metadata.name, policy]));
  for (const policy of added) {
    const present = byName.get(policy.metadata.name);
    byName.set(
      policy.metadata.name,
      // The object stays the one that it is, with its UID.
      present === undefined
        ? policy
        : { ...policy, metadata: { ...present.metadata, ...policy.metadata } },
    );
  }
  for (const name of removed) {
    if (!byName.delete(name)) {
      throw new CliError(
        `AccessPolicy ${name}, which --without names, does not exist; there are ${[...byName.keys()].sort().join(', ') || 'none'}`,
        EXIT.notFound,
      );
    }
  }
  return [...byName.values()];
}

function onlyCredential(
  name: string,
  { credentials }: AccessState,
  namespace: string,
  options: AccessOptions,
): ExchangeCredential {
  const [only, second] = [...credentials.values()].filter(({ metadata }) => metadata.name === name);
  if (second !== undefined) {
    throw usageError(
      `ExchangeCredentials of that name are ${[...credentials.keys()].sort().join(' and ')}; say which with --namespace`,
    );
  }
  if (only !== undefined) return only;
  const where = namespace === '*' ? name : `${namespace}/${name}`;
  throw new CliError(
    options.file === undefined
      ? `ExchangeCredential ${where} does not exist; "strongroom status -n ${namespace}" lists those that do`
      : `ExchangeCredential ${where} is not in ${options.file.join(', ')}`,
    EXIT.notFound,
  );
}

export function credentialTarget(credential: ExchangeCredential): Target {
  return { kind: 'Credential', credential: factsOf(credential) };
}

/** Each credential that there is before or after, by name. */
export function targetsOf({ before, after }: GatheredAccess): readonly AccessTarget[] {
  const keys = [...new Set([...before.credentials.keys(), ...after.credentials.keys()])].sort();
  const targetIn = (state: AccessState, key: string): Target | undefined => {
    const credential = state.credentials.get(key);
    return credential === undefined ? undefined : credentialTarget(credential);
  };
  return keys.map((key) => {
    const [namespace = '', name = ''] = key.split('/');
    return { namespace, name, before: targetIn(before, key), after: targetIn(after, key) };
  });
}

/** The credential that is asked about; else everything in the namespace. */
export function askedTarget(
  gathered: GatheredAccess,
  namespace: string,
  environment: (Target & { kind: 'Scope' })['environment'],
): AccessTarget & { readonly after: Target } {
  const { credential } = gathered;
  if (credential === undefined) return scopeTarget(namespace, environment);
  const key = keyOf(credential);
  const before = gathered.before.credentials.get(key);
  return {
    namespace: credential.metadata.namespace ?? '',
    name: credential.metadata.name,
    before: before === undefined ? undefined : credentialTarget(before),
    after: credentialTarget(credential),
  };
}

/** Everything in a namespace; `*`: in all of them. */
export function scopeTarget(
  namespace: string,
  environment: (Target & { kind: 'Scope' })['environment'],
): AccessTarget & { readonly after: Target } {
  const target: Target = { kind: 'Scope', namespace, environment };
  return { namespace, name: '*', before: target, after: target };
}

/** Everything in what is asked about and, where that is every namespace, in each one too. */
export function scopeTargets(
  gathered: GatheredAccess,
  namespace: string,
  environment: (Target & { kind: 'Scope' })['environment'],
): readonly AccessTarget[] {
  const each =
    namespace === '*'
      ? [...new Set(targetsOf(gathered).map((target) => target.namespace))].sort()
      : [];
  return [namespace, ...each].map((one) => scopeTarget(one, environment));
}

/** Changes for everybody whom a policy names. */
export function changesForAll(
  gathered: GatheredAccess,
  actions: readonly Action[],
  targets: readonly AccessTarget[],
  circumstances: Circumstances,
): readonly AccessChange[] {
  const { before, after } = gathered;
  const changed = [
    ...before.policies.filter((policy) => !after.policies.includes(policy)),
    ...after.policies.filter((policy) => !before.policies.includes(policy)),
  ].map(compilePolicy);
  const touched = targets.filter(
    ({ before: was, after: is }) =>
      isOther(was, is) || (is !== undefined && changed.some((policy) => concerns(policy, is))),
  );
  const subjects = new Map(
    [...before.index.policies, ...after.index.policies].flatMap((policy) =>
      policy.subjects.map((subject) => [describeSubject(subject), subject] as const),
    ),
  );
  return [...subjects.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, subject]) => {
      const identity = identityOf(subject);
      const own = changed.some((policy) => isAbout(policy, identity))
        ? touched
        : touched.filter((target) => isOther(target.before, target.after));
      return changesFor(gathered, identity, actions, own, circumstances).map((change) => ({
        ...change,
        subject,
      }));
    });
}

/** Whether what policies select by is other than before, which can concern everybody. */
function isOther(before: Target | undefined, after: Target | undefined): boolean {
  return before?.kind === 'Credential' && after?.kind === 'Credential'
    ? before.credential !== after.credential
    : before !== after;
}

/** Changes for one identity. */
export function changesFor(
  gathered: GatheredAccess,
  identity: Identity,
  actions: readonly Action[],
  targets: readonly AccessTarget[],
  circumstances: Circumstances,
): readonly AccessChange[] {
  if (targets.length === 0) return [];
  const before = judgeOf(gathered.before.index, identity);
  const after = judgeOf(gathered.after.index, identity);
  const text = (judge: Judge, action: Action, target: Target | undefined): string =>
    target === undefined ? 'no' : answerText(judge({ action, target, ...circumstances }));
  return targets.flatMap((target) =>
    actions.flatMap((action) =>
      changeOf(
        subjectOf(identity),
        action,
        target,
        text(before, action, target.before),
        text(after, action, target.after),
      ),
    ),
  );
}

function changeOf(
  subject: Subject,
  action: Action,
  { namespace, name }: AccessTarget,
  before: string,
  after: string,
): readonly AccessChange[] {
  if (before === after) return [];
  const change =
    before === 'no' || after === 'yes'
      ? 'Gained'
      : after === 'no' || before === 'yes'
        ? 'Lost'
        : 'Changed';
  return [{ change, subject, action: action.name, credential: { namespace, name }, before, after }];
}

/** An identity as policies name it. */
export function subjectOf({ username, groups }: Identity): Subject {
  const account = parseServiceAccount(username);
  if (account !== undefined) return { kind: 'ServiceAccount', ...account };
  const [group] = groups;
  return username === '' && group !== undefined
    ? { kind: 'Group', name: group }
    : { kind: 'User', name: username };
}
