/**
 * What the cluster's own RBAC should allow for one policy. RBAC knows no deny, no time and no
 * address, and cannot narrow `create` or `list`: what it cannot say exactly it is not made to say.
 */
import type { Subject } from '#api/access-policy.ts';
import { GROUP } from '#api/names.ts';
import { ACCESS_LEVELS, PERMISSIONS } from '#api/roles.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import type { CompiledPolicy } from '#access/compile.ts';
import { describeSubject, identityOf, isAnonymous } from '#access/identity.ts';
import type { CredentialFacts } from '#access/request.ts';
import type { PolicyRule } from '#kube/objects.ts';
import { mayBeSamePerson } from './same-person.ts';

export interface StandingCredential {
  readonly facts: CredentialFacts;
  /** The Secret that holds its value; absent unless the operator itself made it. */
  readonly deliveredSecret?: string;
}

/** A guarded namespace in which the operator may write RBAC. */
export interface StandingNamespace {
  readonly name: string;
  /** From its label: the only environment that its credentials have. */
  readonly environment?: CredentialFacts['environment'];
  readonly credentials: readonly StandingCredential[];
}

export interface RbacWorld {
  readonly denies: readonly CompiledPolicy[];
  readonly namespaces: readonly StandingNamespace[];
  serviceAccountExists(namespace: string, name: string): boolean;
}

/** Subjects that get the same rules in a namespace. */
export interface Grant {
  readonly namespace: string;
  readonly subjects: readonly Subject[];
  readonly rules: readonly PolicyRule[];
  /** Whether these are the rules of the policy with nothing withheld. */
  readonly isWhole: boolean;
}

/** A right that the policy gives and RBAC does not, since a Deny may be about the same person. */
export interface Withheld {
  readonly namespace: string;
  readonly subject: Subject;
  /** Names of the policies that deny. */
  readonly denies: readonly string[];
}

export interface WantedAccess {
  readonly grants: readonly Grant[];
  readonly withheld: readonly Withheld[];
}

/**
 * Whoever a policy gives anything in a namespace may ask for emergency access there, and end it: a
 * Deny takes nothing of that, since that is when it is asked for. Who may approve and who may end
 * what, admission decides, and the operator believes nothing that admission did not stamp.
 */
const EMERGENCY_RULE: PolicyRule = {
  apiGroups: [GROUP],
  resources: ['emergencyaccesses'],
  verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'],
};

const NOTHING: WantedAccess = { grants: [], withheld: [] };

/**
 * Sorted, so that the same policies always give the same objects. A policy under a constraint gets
 * nothing: a read never passes admission, and RBAC has no expiry.
 */
export function wantedAccess(policy: CompiledPolicy, world: RbacWorld): WantedAccess {
  if (policy.effect === 'Deny' || policy.constrained) return NOTHING;
  const subjects = policy.subjects.filter(
    (subject) =>
      !isAnonymous(identityOf(subject)) &&
      (subject.kind !== 'ServiceAccount' ||
        world.serviceAccountExists(subject.namespace ?? '', subject.name)),
  );
  const grants: Grant[] = [];
  const withheld: Withheld[] = [];
  for (const { denies, group } of byDenies(subjects, world.denies)) {
    for (const namespace of world.namespaces) {
      const whole = rulesIn(namespace, policy, []);
      if (whole.length === 0) continue;
      const rules = denies.length === 0 ? whole : rulesIn(namespace, policy, denies);
      const isWhole = JSON.stringify(rules) === JSON.stringify(whole);
      grants.push({
        namespace: namespace.name,
        subjects: group,
        rules: [...rules, EMERGENCY_RULE],
        isWhole,
      });
      if (isWhole) continue;
      const names = denies.map(({ name }) => name);
      withheld.push(
        ...group.map((subject) => ({ namespace: namespace.name, subject, denies: names })),
      );
    }
  }
  return { grants: mergeEqual(grants), withheld };
}

/** Subjects for which the same denies count. */
function byDenies(
  subjects: readonly Subject[],
  denies: readonly CompiledPolicy[],
): readonly { readonly denies: readonly CompiledPolicy[]; readonly group: readonly Subject[] }[] {
  const groups = new Map<string, { denies: readonly CompiledPolicy[]; group: Subject[] }>();
  for (const subject of subjects) {
    const relevant = denies.filter(({ entries }) =>
      entries.some(
        ({ by, subject: denied }) => by === 'Anyone' || mayBeSamePerson(subject, denied),
      ),
    );
    const key = relevant.map(({ name }) => name).join('\n');
    const entry = groups.get(key) ?? { denies: relevant, group: [] };
    entry.group.push(subject);
    groups.set(key, entry);
  }
  return [...groups.values()];
}

/** Different denies can leave the same rules: those subjects share a Role. */
function mergeEqual(grants: readonly Grant[]): readonly Grant[] {
  const merged = new Map<string, Grant>();
  for (const grant of grants) {
    const key = JSON.stringify([grant.namespace, grant.rules]);
    const present = merged.get(key);
    merged.set(
      key,
      present === undefined
        ? grant
        : { ...present, subjects: [...present.subjects, ...grant.subjects] },
    );
  }
  return [...merged.values()].map((grant) => ({
    ...grant,
    subjects: [...grant.subjects].sort((a, b) => compare(describeSubject(a), describeSubject(b))),
  }));
}

function rulesIn(
  namespace: StandingNamespace,
  policy: CompiledPolicy,
  denies: readonly CompiledPolicy[],
): readonly PolicyRule[] {
  const given = namespace.credentials.filter(({ facts }) => policy.matches(facts));
  const visible = given.filter(({ facts }) => isVisible(facts, policy, denies));
  const readable = given.filter(({ facts }) => isReadable(facts, policy, denies));
  const secrets = readable.flatMap(({ deliveredSecret }) => deliveredSecret ?? []);
  const isAllVisible =
    visible.length === namespace.credentials.length &&
    PERMISSIONS.some((permission) => isWhole(namespace, policy, denies, permission, 'Read'));
  const names = visible.map(({ facts }) => facts.name).sort(compare);
  const rules: PolicyRule[] = [];
  if (isAllVisible) rules.push(credentialRule(['get', 'list', 'watch']));
  else if (names.length > 0) rules.push(credentialRule(['get', 'list', 'watch'], names));
  if (isWhole(namespace, policy, denies, 'AccessSecrets', 'Write')) {
    rules.push(credentialRule(['create', 'update', 'patch']));
  }
  if (isWhole(namespace, policy, denies, 'AccessSecrets', 'Admin')) {
    rules.push(credentialRule(['delete']));
  }
  // Never list or watch: both return every value of the namespace.
  if (secrets.length > 0) {
    rules.push({
      apiGroups: [''],
      resources: ['secrets'],
      resourceNames: [...new Set(secrets)].sort(compare),
      verbs: ['get'],
    });
  }
  if (rules.length > 0) {
    rules.push({
      apiGroups: ['', 'events.k8s.io'],
      resources: ['events'],
      verbs: ['get', 'list', 'watch'],
    });
  }
  return rules;
}

function credentialRule(verbs: readonly string[], resourceNames?: readonly string[]): PolicyRule {
  return {
    apiGroups: [GROUP],
    resources: ['exchangecredentials'],
    ...(resourceNames === undefined ? {} : { resourceNames }),
    verbs,
  };
}

/** Whoever has any permission on a credential may see it. */
function isVisible(
  facts: CredentialFacts,
  policy: CompiledPolicy,
  denies: readonly CompiledPolicy[],
): boolean {
  const denying = denies.filter((deny) => deny.matches(facts));
  return PERMISSIONS.some((permission) => isGiven(policy, denying, permission, 'Read'));
}

function isReadable(
  facts: CredentialFacts,
  policy: CompiledPolicy,
  denies: readonly CompiledPolicy[],
): boolean {
  const denying = denies.filter((deny) => deny.matches(facts));
  return isGiven(policy, denying, 'AccessSecrets', facts.minimumAccessLevel ?? 'Read');
}

/** Whether the policy gives it for all that is, or may come, in the namespace. */
function isWhole(
  { name, environment, credentials }: StandingNamespace,
  policy: CompiledPolicy,
  denies: readonly CompiledPolicy[],
  permission: Permission,
  level: AccessLevel,
): boolean {
  // Until admission holds credentials to the label, one of another environment may be there.
  const isPinned =
    environment !== undefined &&
    credentials.every(({ facts }) => facts.environment === environment);
  const reach = isPinned ? environment : '*';
  if (!policy.covers(name, reach)) return false;
  const denying = denies.filter((deny) => deny.overlaps(name, reach));
  return isGiven(policy, denying, permission, level);
}

/** A Deny under a constraint counts at all times: RBAC cannot come and go with it. */
function isGiven(
  policy: CompiledPolicy,
  denying: readonly CompiledPolicy[],
  permission: Permission,
  level: AccessLevel,
): boolean {
  const needed = ACCESS_LEVELS.indexOf(level);
  if (policy.rank(permission) < needed) return false;
  return !denying.some((deny) => {
    const from = deny.rank(permission);
    return from !== -1 && needed >= from;
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
