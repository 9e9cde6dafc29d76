/**
 * RBAC of others that undermines policies: rights by which somebody comes to a credential, or to a
 * right of Strongroom, that no policy gives. A pure function of what the cluster holds. It looks at
 * each binding by itself, in guarded namespaces, the operator's and the whole cluster, and in
 * kube-system for what makes somebody one of its controllers: rights that are harmless apart and not
 * together are not put together, and who commands another namespace may come from there to rights
 * that are not followed here.
 */
import type { Subject } from '#api/access-policy.ts';
import { CONNECT_ROLE, READ_ROLE } from '#access/emergency/grant.ts';
import { describeSubject, parseServiceAccount } from '#access/identity.ts';
import type { CredentialFacts } from '#access/request.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RbacSubject,
  Role,
  RoleBinding,
} from '#kube/objects.ts';
import { CATALOGUE, TRUSTED_CONFIG_MAPS, WEAKNESS_TYPES, isOfVault } from './catalogue.ts';
import type { CatalogueEntry, Opening, WeaknessType } from './catalogue.ts';
import { grantedVerbs, union } from './rbac-rules.ts';
import type { Names } from './rbac-rules.ts';
import { CONTROLLERS, SYSTEM_NAMESPACE, isOfOperator, isStock } from './system-bindings.ts';

export type { WeaknessType } from './catalogue.ts';

export interface Weakness {
  readonly type: WeaknessType;
  readonly severity: 'Warning' | 'Critical';
  /** `*`: every one, those to come too. */
  readonly namespace: string;
  /** A User that is a ServiceAccount's username is told as that ServiceAccount. */
  readonly subject: Subject;
  /** Such as `RoleBinding trading/debug to ClusterRole edit`. */
  readonly via: string;
  /** Delivered Secrets that a right limited to names reaches; where all namespaces, `ns/name`. */
  readonly secrets?: readonly string[];
  readonly message: string;
}

/** Of the chart; bound for as long as an EmergencyAccess is in force. */
const EMERGENCY_ROLES: ReadonlySet<string> = new Set([CONNECT_ROLE, READ_ROLE]);

export interface DeliveredSecret {
  readonly name: string;
  readonly credential: CredentialFacts;
}

export interface RbacSnapshot {
  readonly roles: readonly Role[];
  readonly clusterRoles: readonly ClusterRole[];
  readonly roleBindings: readonly RoleBinding[];
  readonly clusterRoleBindings: readonly ClusterRoleBinding[];
  /** The guarded ones. */
  readonly namespaces: readonly string[];
  readonly operatorNamespace: string;
  readonly operatorServiceAccount: string;
  deliveredSecrets(namespace: string): readonly DeliveredSecret[];
  /** Whether policies let a subject read the Secret of a credential, at all times. */
  isExpectedReader(subject: Subject, credential: CredentialFacts): boolean;
  /** Whether policies let a subject write our kinds there; `*` is every namespace. */
  isExpectedWriter(subject: Subject, namespace: string, write: OwnWrite): boolean;
  /**
   * Whether a RoleBinding, or the Role that it binds, is one that the operator writes for a policy
   * and keeps right.
   */
  isOwn(object: Role | RoleBinding): boolean;
  /** Whether the operator keeps the RoleBinding for an EmergencyAccess in force. */
  isForEmergency?(binding: RoleBinding): boolean;
}

export interface OwnWrite {
  /** Such as `exchangecredentials` or `exchangecredentials/status`. */
  readonly resource: string;
  readonly verb: string;
}

/** Sorted, the worst first, and each once. */
export function findWeaknesses(snapshot: RbacSnapshot): readonly Weakness[] {
  const search = new Search(snapshot);
  for (const binding of snapshot.clusterRoleBindings) search.lookAtClusterRoleBinding(binding);
  for (const binding of snapshot.roleBindings) search.lookAtRoleBinding(binding);
  return search.found();
}

type Where = 'Guarded' | 'Operator' | 'System' | 'Cluster';

/** A right of a role that opens a weakness. */
interface Right {
  readonly opening: Opening;
  readonly verbs: ReadonlyMap<string, Names>;
}

interface Opened {
  readonly entry: CatalogueEntry;
  readonly rights: readonly Right[];
  readonly message: string;
}

/** In the operator's namespace these are one weakness with a name of its own. */
const OF_VAULT: ReadonlySet<WeaknessType> = new Set([
  'SecretRead',
  'SecretWrite',
  'PodExec',
  'EphemeralContainers',
]);
/** What makes somebody a controller of kube-system, which makes pods in guarded namespaces. */
const OF_SYSTEM: ReadonlySet<WeaknessType> = new Set([
  'WorkloadCreate',
  'TokenRequest',
  'Impersonate',
]);
const CONTROLLER_NAMES: ReadonlySet<string> = new Set(CONTROLLERS);
/** No namespace without a credential is of interest to them. */
const OF_GUARDED: ReadonlySet<WeaknessType> = new Set(['NamespaceLabels', 'CustomResourceWrite']);

class Search {
  readonly #snapshot: RbacSnapshot;
  readonly #roles: ReadonlyMap<string, Role>;
  readonly #clusterRoles: ReadonlyMap<string, ClusterRole>;
  readonly #guarded: ReadonlySet<string>;
  readonly #delivered = new Map<string, ReadonlyMap<string, readonly CredentialFacts[]>>();
  readonly #found = new Map<string, Weakness>();

  constructor(snapshot: RbacSnapshot) {
    this.#snapshot = snapshot;
    this.#roles = new Map(snapshot.roles.map((role) => [keyOf(role), role]));
    this.#clusterRoles = new Map(snapshot.clusterRoles.map((role) => [role.metadata.name, role]));
    this.#guarded = new Set(snapshot.namespaces);
  }

  found(): readonly Weakness[] {
    return [...this.#found.values()].sort(byUrgency);
  }

  lookAtClusterRoleBinding(binding: ClusterRoleBinding): void {
    const { roleRef, metadata } = binding;
    if (roleRef.kind !== 'ClusterRole') return;
    const role = this.#clusterRoles.get(roleRef.name);
    if (role === undefined) return;
    const opened = openedBy(role, 'Cluster');
    if (opened.length === 0) return;
    const via = `ClusterRoleBinding ${metadata.name} to ClusterRole ${roleRef.name}`;
    for (const subject of this.#foreign('ClusterRoleBinding', binding)) {
      for (const one of opened) this.#report(one, '*', subject, via);
    }
  }

  lookAtRoleBinding(binding: RoleBinding): void {
    const { namespace = '', name } = binding.metadata;
    const isGuarded = this.#guarded.has(namespace);
    const isOperators = namespace === this.#snapshot.operatorNamespace;
    const isSystem = namespace === SYSTEM_NAMESPACE;
    if (!isGuarded && !isOperators && !isSystem) return;
    const role = this.#roleOf(binding);
    if (role === undefined || (isGuarded && this.#isOwn(binding, role))) return;
    const opened = [
      ...(isOperators ? openedBy(role, 'Operator') : []),
      ...(isGuarded ? openedBy(role, 'Guarded') : []),
      ...(isSystem && !isGuarded ? openedBy(role, 'System') : []),
    ];
    if (opened.length === 0) return;
    const { roleRef } = binding;
    const via = `RoleBinding ${namespace}/${name} to ${roleRef.kind} ${roleRef.name}`;
    for (const subject of this.#foreign('RoleBinding', binding)) {
      for (const one of opened) this.#report(one, namespace, subject, via);
    }
  }

  #roleOf({ metadata, roleRef }: RoleBinding): Role | ClusterRole | undefined {
    if (roleRef.kind === 'ClusterRole') return this.#clusterRoles.get(roleRef.name);
    if (roleRef.kind === 'Role') return this.#roles.get(`${metadata.namespace}/${roleRef.name}`);
    return undefined;
  }

  /** A name alone would be no proof: one of ours binds a Role of ours, or one of the chart for a time. */
  #isOwn(binding: RoleBinding, role: Role): boolean {
    const { isOwn, isForEmergency } = this.#snapshot;
    if (binding.roleRef.kind === 'Role') return isOwn(binding) && isOwn(role);
    return EMERGENCY_ROLES.has(binding.roleRef.name) && isForEmergency?.(binding) === true;
  }

  #foreign(kind: 'RoleBinding' | 'ClusterRoleBinding', binding: RoleBinding): readonly Subject[] {
    return (binding.subjects ?? [])
      .flatMap((subject) => canonical(subject, binding.metadata.namespace) ?? [])
      .filter(
        (subject) =>
          !isStock(kind, binding, subject) && !isOfOperator(kind, binding, subject, this.#snapshot),
      );
  }

  #report(opened: Opened, namespace: string, subject: Subject, via: string): void {
    const { entry, rights, message } = opened;
    const weakness = {
      type: entry.type,
      severity: entry.severity,
      namespace,
      subject,
      via,
    };
    if (entry.type === 'SecretRead' || entry.type === 'SecretWrite') {
      const secrets = this.#secretsReached(opened, namespace, subject);
      if (secrets === 'none') return;
      this.#add(secrets === 'every' ? { ...weakness, message } : { ...weakness, secrets, message });
      return;
    }
    if (entry.type === 'CustomResourceWrite') {
      const left = rights
        .map(({ opening, verbs }) => ({
          opening,
          verbs: new Map(
            [...verbs].filter(
              ([verb]) =>
                !this.#snapshot.isExpectedWriter(subject, namespace, {
                  resource: pathOf(opening),
                  verb,
                }),
            ),
          ),
        }))
        .filter(({ verbs }) => verbs.size > 0);
      if (left.length > 0) this.#add({ ...weakness, message: messageOf(entry, left) });
      return;
    }
    this.#add({ ...weakness, message });
  }

  /**
   * A right limited to names counts for delivered Secrets; to read one may be what policies give. A
   * right without names always counts: no policy gives what is delivered later.
   */
  #secretsReached(
    { entry, rights }: Opened,
    namespace: string,
    subject: Subject,
  ): readonly string[] | 'every' | 'none' {
    const names = namesIn(rights);
    if (names === 'every') return 'every';
    const places = namespace === '*' ? this.#snapshot.namespaces : [namespace];
    const reached = places.flatMap((place) =>
      [...names]
        .filter((name) => {
          const credentials = this.#credentialsBehind(place).get(name);
          if (credentials === undefined) return false;
          if (entry.type === 'SecretWrite') return true;
          return !credentials.every((one) => this.#snapshot.isExpectedReader(subject, one));
        })
        .map((name) => (namespace === '*' ? `${place}/${name}` : name)),
    );
    if (reached.length > 0) return reached.sort(compare);
    // One that does not exist yet can be made, and be filled with a token by the cluster.
    const creates = rights.some(({ verbs }) => verbs.has('create'));
    return entry.type === 'SecretWrite' && creates ? 'every' : 'none';
  }

  #credentialsBehind(namespace: string): ReadonlyMap<string, readonly CredentialFacts[]> {
    const known = this.#delivered.get(namespace);
    if (known !== undefined) return known;
    const made = new Map<string, CredentialFacts[]>();
    for (const { name, credential } of this.#snapshot.deliveredSecrets(namespace)) {
      const present = made.get(name);
      if (present === undefined) made.set(name, [credential]);
      else present.push(credential);
    }
    this.#delivered.set(namespace, made);
    return made;
  }

  #add(weakness: Weakness): void {
    const { type, namespace, subject, via } = weakness;
    const key = `${type}\n${namespace}\n${describeSubject(subject)}\n${via}`;
    if (!this.#found.has(key)) this.#found.set(key, weakness);
  }
}

/** Read once for as long as the object stays in a cache: a change of one binding costs little. */
const read = new WeakMap<Role, Partial<Record<Where, readonly Opened[]>>>();

function openedBy(role: Role, where: Where): readonly Opened[] {
  const known = read.get(role) ?? {};
  const present = known[where];
  if (present !== undefined) return present;
  const made = open(role.rules ?? [], where);
  read.set(role, { ...known, [where]: made });
  return made;
}

function open(rules: readonly PolicyRule[], where: Where): readonly Opened[] {
  return WEAKNESS_TYPES.filter((type) => counts(type, where)).flatMap((type) => {
    const entry = CATALOGUE[type];
    const rights = entry.openings
      .filter(({ scope }) => scope === 'Namespace' || where === 'Cluster')
      .map((opening) => ({ opening, verbs: verbsOf(type, rules, opening, where) }))
      .filter(({ verbs }) => verbs.size > 0);
    if (rights.length === 0) return [];
    const message = messageOf(entry, rights);
    return [
      { entry, rights, message: where === 'System' ? `${message} ${SYSTEM_REMARK}` : message },
    ];
  });
}

const SYSTEM_REMARK =
  'Controllers of kube-system make pods in guarded namespaces, and nobody asks whether they may.';

function counts(type: WeaknessType, where: Where): boolean {
  switch (where) {
    case 'Cluster':
      return true;
    case 'Guarded':
      return type !== 'VaultAccess';
    case 'Operator':
      return !OF_VAULT.has(type) && !OF_GUARDED.has(type);
    case 'System':
      return OF_SYSTEM.has(type);
  }
}

function verbsOf(
  type: WeaknessType,
  rules: readonly PolicyRule[],
  opening: Opening,
  where: Where,
): ReadonlyMap<string, Names> {
  const granted = grantedVerbs(rules, opening, opening.verbs);
  if (where === 'System' && type !== 'WorkloadCreate') {
    const isController = (name: string): boolean => CONTROLLER_NAMES.has(name);
    return new Map(
      [...granted].filter(([, names]) => names === 'every' || [...names].some(isController)),
    );
  }
  if (type !== 'VaultAccess' || opening.subresource !== undefined) return granted;
  const matters = (name: string): boolean =>
    opening.resource === 'secrets' ? isOfVault(name) : TRUSTED_CONFIG_MAPS.has(name);
  return new Map(
    [...granted].filter(
      ([verb, names]) =>
        names === 'every' ||
        [...names].some(matters) ||
        // A Secret of any name can be filled by the cluster with a token of the operator.
        (verb === 'create' && opening.resource === 'secrets'),
    ),
  );
}

function messageOf({ lets, remedy }: CatalogueEntry, rights: readonly Right[]): string {
  const paths = new Map<string, string[]>();
  for (const { opening, verbs } of rights) {
    const granted = [...verbs.keys()].sort(compare).join(', ');
    paths.set(granted, [...(paths.get(granted) ?? []), pathOf(opening)]);
  }
  const what = [...paths]
    .map(([verbs, resources]) => `${verbs} on ${[...new Set(resources)].join(', ')}`)
    .join('; ');
  const names = namesIn(rights);
  const only = names === 'every' ? '' : `, of ${listSome([...names].sort(compare))} only`;
  return `The subject ${lets} (${what}${only}). ${remedy}.`;
}

/** All of the names to which the rights are limited together. */
function namesIn(rights: readonly Right[]): Names {
  return rights
    .flatMap(({ verbs }) => [...verbs.values()])
    .reduce<Names>((one, other) => union(one, other), new Set<string>());
}

function pathOf({ resource, subresource }: Opening): string {
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

const MAX_LISTED = 5;

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, MAX_LISTED).join(', ');
  return names.length > MAX_LISTED ? `${shown} and ${names.length - MAX_LISTED} more` : shown;
}

/** The subject as policies name it; undefined for what the API server takes for nobody. */
function canonical(
  { kind, name, namespace }: RbacSubject,
  bindingNamespace: string | undefined,
): Subject | undefined {
  switch (kind) {
    case 'Group':
      return { kind, name };
    case 'User': {
      const account = parseServiceAccount(name);
      return account === undefined ? { kind, name } : { kind: 'ServiceAccount', ...account };
    }
    case 'ServiceAccount': {
      const place = namespace || bindingNamespace;
      return place === undefined ? undefined : { kind, name, namespace: place };
    }
    default:
      return undefined;
  }
}

function keyOf({ metadata }: Role): string {
  return `${metadata.namespace}/${metadata.name}`;
}

const TYPE_ORDER: ReadonlyMap<WeaknessType, number> = new Map(
  WEAKNESS_TYPES.map((type, place) => [type, place]),
);

function byUrgency(a: Weakness, b: Weakness): number {
  return (
    compare(a.severity, b.severity) ||
    compare(a.namespace, b.namespace) ||
    (TYPE_ORDER.get(a.type) ?? 0) - (TYPE_ORDER.get(b.type) ?? 0) ||
    compare(a.subject.kind, b.subject.kind) ||
    compare(a.subject.namespace ?? '', b.subject.namespace ?? '') ||
    compare(a.subject.name, b.subject.name) ||
    compare(a.via, b.via)
  );
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
