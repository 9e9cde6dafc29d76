/**
 * What must not be allowed, said a second time: straight from the review as JSON and from the plain
 * lists of the scene, with nothing of the rules, of their readers or of the evaluator. It says less
 * than the rules do, and only what they must never let pass.
 */
import { ACTIONS } from '#access/actions.ts';
import type { Action, ActionName } from '#access/actions.ts';
import type { Target } from '#access/request.ts';
import { naiveDecide } from '#access/testing/naive-decide.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import { ENVIRONMENTS, ROLE_PERMISSIONS } from '#api/roles.ts';
import {
  CREDENTIALS,
  EMERGENCIES,
  NAMESPACES,
  NOW,
  PODS,
  POLICIES,
  PULLED,
  SERVICES,
} from './scene.ts';

type Json = Readonly<Record<string, unknown>>;

/** Why the review must not be allowed; undefined where it may be. Takes any JSON. */
export function mustRefuse(review: unknown): string | undefined {
  const request = obj(obj(review)?.['request']);
  if (request === undefined) return 'no request';
  if (obj(review)?.['apiVersion'] !== 'admission.k8s.io/v1') return 'another version';
  if (obj(review)?.['kind'] !== 'AdmissionReview') return 'another kind';
  if (text(request['uid']) === '') return 'no uid';
  const asked = read(request);
  if (typeof asked === 'string') return asked;
  const { labels } = asked.now;
  if (labels['strongroom.dev/probe'] !== undefined) return 'the probe';
  if (asked.username === OPERATOR) return undefined;
  if (!asked.known.isOurs && !asked.known.isCluster && isOpen(asked.namespace)) {
    return asked.known.path === '/serviceaccounts/token' && asked.namespace === 'strongroom'
      ? ownTokens(asked)
      : undefined;
  }
  return asked.known.check(asked);
}

const OPERATOR = 'system:serviceaccount:strongroom:strongroom-operator';
const SYSTEM = 'system:serviceaccount:kube-system:';
/** Each lets something pass, which is not looked at here. */
const CLEANERS: readonly string[] = [
  'namespace-controller',
  'generic-garbage-collector',
  'storage-version-migrator-controller',
].map((name) => SYSTEM + name);

interface Part {
  readonly whole: Json | undefined;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Asked {
  readonly known: Known;
  readonly operation: string;
  readonly namespace: string;
  readonly name: string;
  readonly username: string;
  readonly groups: readonly string[];
  readonly now: Part;
  readonly before: Part;
}

interface Known {
  readonly path: string;
  readonly kind: string;
  readonly version: string;
  readonly operations: string;
  readonly check: (asked: Asked) => string | undefined;
  readonly isOurs?: boolean;
  readonly isCluster?: boolean;
}

const W = 'CREATE UPDATE DELETE';
const ours = (plural: string, kind: string, check: Known['check']): readonly Known[] =>
  [
    { path: `strongroom.dev/${plural}`, kind, version: 'v1alpha1', operations: W, check },
    {
      path: `strongroom.dev/${plural}/status`,
      kind,
      version: 'v1alpha1',
      operations: 'UPDATE',
      check: operatorOnly,
    },
  ].map((known) => ({ ...known, isOurs: true }));
const core = (
  path: string,
  kind: string,
  operations: string,
  check: Known['check'],
  more: Partial<Known> = {},
): Known => ({ path, kind, version: 'v1', operations, check, ...more });
const CLUSTER = { isCluster: true };

const KNOWN: readonly Known[] = [
  ...ours('exchangecredentials', 'ExchangeCredential', credential),
  ...ours('accesspolicies', 'AccessPolicy', accessPolicy),
  ...ours('ipblocks', 'IPBlock', block),
  ...ours('emergencyaccesses', 'EmergencyAccess', emergencyAccess),
  ...ours('namespaceaccesses', 'NamespaceAccess', operatorOrCleaner),
  core('/namespaces', 'Namespace', W, namespace, CLUSTER),
  core('/namespaces/status', 'Namespace', 'UPDATE', namespace, CLUSTER),
  core('/namespaces/finalize', 'Namespace', 'UPDATE', namespace, CLUSTER),
  core('/pods', 'Pod', 'CREATE UPDATE', pod),
  core('/pods/ephemeralcontainers', 'Pod', 'UPDATE', pod),
  core('/pods/status', 'Pod', 'UPDATE', podLabel),
  core('/pods/resize', 'Pod', 'UPDATE', podLabel),
  core('/pods/binding', 'Binding', 'CREATE', binding),
  core('/bindings', 'Binding', 'CREATE', binding),
  core('/pods/exec', 'PodExecOptions', 'CONNECT', connect),
  core('/pods/attach', 'PodAttachOptions', 'CONNECT', connect),
  core('/pods/portforward', 'PodPortForwardOptions', 'CONNECT', connect),
  core('/pods/proxy', 'PodProxyOptions', 'CONNECT', connect),
  core('/services/proxy', 'ServiceProxyOptions', 'CONNECT', connect),
  core('/nodes/proxy', 'NodeProxyOptions', 'CONNECT', connect, CLUSTER),
  core('/secrets', 'Secret', W, secret),
  core('/serviceaccounts', 'ServiceAccount', W, serviceAccount),
  core('/serviceaccounts/token', 'TokenRequest', 'CREATE', token),
  core('/podtemplates', 'PodTemplate', 'CREATE UPDATE', workload),
  core('/replicationcontrollers', 'ReplicationController', 'CREATE UPDATE', workload),
  core('apps/deployments', 'Deployment', 'CREATE UPDATE', workload),
  core('apps/statefulsets', 'StatefulSet', 'CREATE UPDATE', workload),
  core('apps/daemonsets', 'DaemonSet', 'CREATE UPDATE', workload),
  core('apps/replicasets', 'ReplicaSet', 'CREATE UPDATE', workload),
  core('apps/controllerrevisions', 'ControllerRevision', 'CREATE UPDATE', revision),
  core('batch/jobs', 'Job', 'CREATE UPDATE', workload),
  core('batch/cronjobs', 'CronJob', 'CREATE UPDATE', workload),
  core('networking.k8s.io/networkpolicies', 'NetworkPolicy', W, generated),
  core('rbac.authorization.k8s.io/roles', 'Role', W, generated),
  core('rbac.authorization.k8s.io/rolebindings', 'RoleBinding', W, generated),
];
const BY_PATH = new Map(KNOWN.map((known) => [known.path, known]));

function read(request: Json): Asked | string {
  const [resource, kind, user] = ['resource', 'kind', 'userInfo'].map((part) => obj(request[part]));
  const subResource = text(request['subResource']);
  const path = `${text(resource?.['group'])}/${text(resource?.['resource'])}${subResource === '' ? '' : `/${subResource}`}`;
  const known = BY_PATH.get(path);
  if (known === undefined) return 'an unknown resource';
  if (resource?.['version'] !== known.version) return 'an unknown version';
  if (kind?.['kind'] !== known.kind) return 'an unknown kind';
  const operation = text(request['operation']);
  if (!known.operations.split(' ').includes(operation)) return 'an unknown operation';
  const username = text(user?.['username']);
  if (username === '') return 'nobody asks';
  const groups = user?.['groups'] ?? [];
  if (!Array.isArray(groups) || groups.some((group) => typeof group !== 'string')) {
    return 'groups that are none';
  }
  const now = part(operation === 'DELETE' ? undefined : request['object']);
  const before = part(['UPDATE', 'DELETE'].includes(operation) ? request['oldObject'] : undefined);
  if (now.whole === undefined && operation !== 'DELETE') return 'no object';
  if (before.whole === undefined && (operation === 'UPDATE' || operation === 'DELETE')) {
    return 'no old object';
  }
  return {
    known,
    operation,
    namespace: text(request['namespace']),
    name: (subResource === '' && (now.name || before.name)) || text(request['name']),
    username,
    groups: groups as readonly string[],
    now,
    before,
  };
}

function part(value: unknown): Part {
  const whole = obj(value);
  const metadata = obj(whole?.['metadata']);
  const map = (name: string) => (obj(metadata?.[name]) ?? {}) as Readonly<Record<string, string>>;
  return {
    whole,
    name: text(metadata?.['name']),
    labels: map('labels'),
    annotations: map('annotations'),
  };
}

function obj(value: unknown): Json | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Json) : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isOpen(name: string): boolean {
  return NAMESPACES.some((one) => one.name === name && one.isGuarded === false);
}

const isMaster = ({ groups }: Asked): boolean => groups.includes('system:masters');
const isCleaner = ({ username }: Asked): boolean => CLEANERS.includes(username);
const isKubelet = ({ username, groups }: Asked): boolean =>
  username.startsWith('system:node:') && groups.includes('system:nodes');

function may(
  identity: { readonly username: string; readonly groups: readonly string[] },
  action: Action,
  target: Target,
  policies: readonly AccessPolicy[] = POLICIES,
): boolean {
  return naiveDecide(policies, { identity, action, target, atMs: NOW });
}

function targetOf({ metadata, spec }: ExchangeCredential): Target {
  const { name, namespace = '', labels = {} } = metadata;
  return { kind: 'Credential', credential: { labels, ...spec, namespace, name } };
}

/** Credentials of a Secret. */
function behind(namespace: string, name: unknown): readonly ExchangeCredential[] {
  return CREDENTIALS.filter(
    ({ metadata, spec }) =>
      metadata.namespace === namespace &&
      (spec.delivery.secret?.name === name || spec.source.secretRef?.name === name),
  );
}

/** Constraints of an Allow count as met, and a Deny under some as away: what the account may ever mount. */
const AT_SOME_TIME: readonly AccessPolicy[] = POLICIES.filter(
  ({ spec }) => spec.effect !== 'Deny' || spec.constraints === undefined,
).map(({ spec: { constraints: _constraints, ...spec }, ...rest }) => ({ ...rest, spec }));

function accountIdentity(namespace: string, name: string) {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    groups: [
      'system:serviceaccounts',
      `system:serviceaccounts:${namespace}`,
      'system:authenticated',
    ],
  };
}

const mounts = new Map<string, readonly ExchangeCredential[]>();

function mountable(namespace: string, account: string): readonly ExchangeCredential[] {
  const key = `${namespace}/${account}`;
  const present = mounts.get(key);
  if (present !== undefined) return present;
  const found = CREDENTIALS.filter(
    (one) =>
      one.metadata.namespace === namespace &&
      may(accountIdentity(namespace, account), ACTIONS.mount, targetOf(one), AT_SOME_TIME),
  );
  if (mounts.size < 1000) mounts.set(key, found);
  return found;
}

function mayMountAll(
  identity: { readonly username: string; readonly groups: readonly string[] },
  credentials: readonly ExchangeCredential[],
): boolean {
  return credentials.every((one) => may(identity, ACTIONS.mount, targetOf(one)));
}

// What makes pods.

/** Strings at a key that has "secret" in it, and names below one. */
function secretNames(value: unknown, isBelow = false, into = new Set<string>()): Set<string> {
  if (Array.isArray(value)) {
    for (const item of value) {
      if (isBelow && typeof item === 'string') into.add(item);
      secretNames(item, isBelow, into);
    }
    return into;
  }
  for (const [key, child] of Object.entries(obj(value) ?? {})) {
    const isSecret = /secret(ref|name|keyref|s)?$/i.test(key);
    if (typeof child === 'string' && (isSecret || (isBelow && key === 'name'))) into.add(child);
    else secretNames(child, isSecret, into);
  }
  return into;
}

const ACCOUNT_FIELDS = ['serviceAccountName', 'serviceAccount'];
const RUNS = ['containers', 'initContainers', 'ephemeralContainers', 'volumes', 'imagePullSecrets'];
const LABEL = 'strongroom.dev/service-account';

function accountOf(spec: Json): string {
  return ACCOUNT_FIELDS.map((field) => text(spec[field])).find((name) => name !== '') ?? 'default';
}

function template(asked: Asked, spec: Json, owners: unknown): string | undefined {
  const { namespace } = asked;
  const account = accountOf(spec);
  if (account.startsWith('strongroom-emergency-')) return 'an account of emergency access';
  if (account.length > 63) return 'an account with a long name';
  if (isMaster(asked)) return undefined;
  const identity = accountIdentity(namespace, account);
  const pulls = Array.isArray(spec['imagePullSecrets']) && spec['imagePullSecrets'].length > 0;
  const names = [...secretNames(spec), ...(pulls ? [] : (PULLED[`${namespace}/${account}`] ?? []))];
  for (const name of names) {
    if (!mayMountAll(identity, behind(namespace, name))) return `its account may not use ${name}`;
  }
  if (isMadeByController(asked, owners)) return undefined;
  if (!mayMountAll(asked, mountable(namespace, account))) return 'who asks may not use the account';
  return undefined;
}

const MAKERS: Readonly<Record<string, string>> = {
  [`${SYSTEM}replicaset-controller`]: 'apps/v1 ReplicaSet',
  [`${SYSTEM}statefulset-controller`]: 'apps/v1 StatefulSet',
  [`${SYSTEM}daemon-set-controller`]: 'apps/v1 DaemonSet',
  [`${SYSTEM}deployment-controller`]: 'apps/v1 Deployment',
  [`${SYSTEM}replication-controller`]: 'v1 ReplicationController',
  [`${SYSTEM}job-controller`]: 'batch/v1 Job',
  [`${SYSTEM}cronjob-controller`]: 'batch/v1 CronJob',
};

function isMadeByController({ username }: Asked, owners: unknown): boolean {
  const wanted = MAKERS[username];
  if (wanted === undefined || !Array.isArray(owners)) return false;
  return owners.some(
    (owner) =>
      obj(owner)?.['controller'] === true &&
      `${text(obj(owner)?.['apiVersion'])} ${text(obj(owner)?.['kind'])}` === wanted,
  );
}

function pod(asked: Asked): string | undefined {
  const { operation, now, before } = asked;
  const spec = obj(now.whole?.['spec']);
  const mirror = 'kubernetes.io/config.mirror';
  if (operation === 'CREATE' && isKubelet(asked) && now.annotations[mirror] !== undefined) {
    return undefined;
  }
  if (spec === undefined) return isMaster(asked) ? undefined : 'no spec';
  const old = obj(before.whole?.['spec']);
  const owners = obj(now.whole?.['metadata'])?.['ownerReferences'];
  const isRelabelled = now.labels[LABEL] !== before.labels[LABEL];
  if ((operation === 'CREATE' || isRelabelled) && now.labels[LABEL] !== accountOf(spec)) {
    return 'the label of another account';
  }
  const fields = [...RUNS, ...ACCOUNT_FIELDS];
  const isSame = old !== undefined && fields.every((field) => equal(spec[field], old[field]));
  return isSame ? undefined : template(asked, spec, owners);
}

/** Of status and of a new size: they can bring another label along, and run nothing else. */
function podLabel(asked: Asked): string | undefined {
  const { now, before } = asked;
  const spec = obj(now.whole?.['spec']);
  if (spec === undefined) return isMaster(asked) ? undefined : 'no spec';
  const [is, was] = [now.labels[LABEL], before.labels[LABEL]];
  return is === was || is === accountOf(spec) ? undefined : 'the label of another account';
}

/** Its labels become those of the pod. */
function binding({ now }: Asked): string | undefined {
  return now.labels[LABEL] === undefined ? undefined : 'a binding that labels';
}

/** A StatefulSet makes pods of it, of whatever account. */
function revision(asked: Asked): string | undefined {
  if (isMaster(asked) || isCleaner(asked)) return undefined;
  const ownersOf = ({ whole }: Part): unknown => obj(whole?.['metadata'])?.['ownerReferences'];
  const ownerOf = (part: Part): string => {
    const owners = ownersOf(part);
    const list: readonly unknown[] = Array.isArray(owners) ? owners : [];
    return text(obj(list.find((one) => obj(one)?.['controller'] === true))?.['uid']);
  };
  const { operation, now, before, namespace } = asked;
  const isUpdate = operation === 'UPDATE';
  if (isUpdate && ownerOf(now) === ownerOf(before)) return undefined;
  const isLetGo = isUpdate && ownerOf(now) === '';
  if (isMadeByController(asked, ownersOf(isLetGo ? before : now))) return undefined;
  const all = CREDENTIALS.filter(({ metadata }) => metadata.namespace === namespace);
  return mayMountAll(asked, all) ? undefined : 'pods of any account';
}

function workload(asked: Asked): string | undefined {
  const { now, before } = asked;
  const [spec, old] = [now, before].map(({ whole }) => templateSpec(asked, whole));
  if (spec === undefined) return isMaster(asked) ? undefined : 'no template';
  if (equal(spec, old)) return undefined;
  return template(asked, spec, obj(now.whole?.['metadata'])?.['ownerReferences']);
}

function templateSpec({ known }: Asked, whole: Json | undefined): Json | undefined {
  const at = known.path === '/podtemplates' ? whole : obj(whole?.['spec']);
  const below = known.path === 'batch/cronjobs' ? obj(obj(at?.['jobTemplate'])?.['spec']) : at;
  return obj(obj(below?.['template'])?.['spec']);
}

// Into pods.

function connect(asked: Asked): string | undefined {
  if (isMaster(asked)) return undefined;
  const { namespace, username, known } = asked;
  const [, resource] = known.path.split('/');
  const name = asked.known.path.endsWith('/proxy') ? hostOf(asked.name) : asked.name;
  if (resource === 'nodes') {
    return PODS.some((one) => one.spec?.nodeName === name && holds(one))
      ? 'a node with a credential on it'
      : undefined;
  }
  if (resource === 'services') {
    const found = SERVICES.find(({ metadata }) => metadata.name === name);
    if (found?.metadata.namespace !== namespace) return 'a service that nobody knows';
    const selector = Object.entries(found.spec?.selector ?? {});
    if (selector.length === 0) return 'a service that leads anywhere';
    const pods = PODS.filter(
      ({ metadata }) =>
        metadata.namespace === namespace &&
        selector.every(([key, value]) => metadata.labels?.[key] === value),
    );
    return pods.every((one) => !holds(one) || leadsInto(username, namespace, one.metadata.name))
      ? undefined
      : 'a service with a credential behind it';
  }
  const found = PODS.find(
    ({ metadata }) => metadata.name === name && metadata.namespace === namespace,
  );
  if (found === undefined) return 'a pod that nobody knows';
  if (!holds(found) || leadsInto(username, namespace, name)) return undefined;
  return 'a pod that holds a credential';
}

function hostOf(name: string): string {
  const parts = name.split(':');
  return (parts.length === 3 ? parts[1] : parts[0]) ?? '';
}

function holds({ metadata, spec }: (typeof PODS)[number]): boolean {
  return [...secretNames(spec)].some((name) => behind(metadata.namespace ?? '', name).length > 0);
}

function active(username: string, namespace: string, permission: string) {
  return EMERGENCIES.filter(
    ({ metadata, spec, status }) =>
      metadata.namespace === namespace &&
      spec.subject.name === username &&
      spec.permissions.some((one) => one === permission) &&
      status?.state === 'Active' &&
      NOW < Date.parse(status.expiresAt ?? ''),
  );
}

function leadsInto(username: string, namespace: string, name: string): boolean {
  return active(username, namespace, 'EmergencyOverride').some(
    ({ spec }) => spec.target.pods?.includes('*') === true || spec.target.pods?.includes(name),
  );
}

// Secrets and accounts.

const MANAGED = 'strongroom.dev/credential';

function secret(asked: Asked): string | undefined {
  const { operation, now, before, namespace, name } = asked;
  const isManaged = [now, before].some(({ labels }) => labels[MANAGED] !== undefined);
  if (isManaged) return isCleaner(asked) ? undefined : 'a managed Secret';
  const delivered = CREDENTIALS.some(
    ({ metadata, spec }) => metadata.namespace === namespace && spec.delivery.secret?.name === name,
  );
  if (operation === 'CREATE' && delivered && name !== '') return 'the name of a managed Secret';
  if (operation === 'DELETE' || now.whole?.['type'] !== 'kubernetes.io/service-account-token') {
    return undefined;
  }
  const account = now.annotations['kubernetes.io/service-account.name'] ?? '';
  const isNew =
    before.whole?.['type'] !== now.whole['type'] ||
    before.annotations['kubernetes.io/service-account.name'] !== account;
  if (!isNew) return undefined;
  if (account.startsWith('strongroom-emergency-')) return 'a lasting token of emergency access';
  return mayMountAll(asked, mountable(namespace, account)) ? undefined : 'a token of an account';
}

function serviceAccount(asked: Asked): string | undefined {
  const { operation, now, before, namespace, name } = asked;
  if (name.startsWith('strongroom-emergency-')) {
    return isCleaner(asked) ? undefined : 'an account of emergency access';
  }
  if (operation === 'DELETE') return undefined;
  const namesIn = ({ whole }: Part): readonly string[] =>
    ['imagePullSecrets', 'secrets'].flatMap((field) => {
      const list = whole?.[field];
      return Array.isArray(list) ? list.map((entry) => text(obj(entry)?.['name'])) : [];
    });
  const old = namesIn(before);
  const added = namesIn(now).filter((one) => !old.includes(one));
  return added.every((one) => mayMountAll(asked, behind(namespace, one)))
    ? undefined
    : 'an account that would give a Secret away';
}

function ownTokens(asked: Asked): string | undefined {
  return isMaster(asked) || isKubelet(asked) ? undefined : "a token of the operator's";
}

function token(asked: Asked): string | undefined {
  const { namespace, name, username, now } = asked;
  if (isMaster(asked) || isKubelet(asked)) return undefined;
  if (namespace === 'strongroom') return ownTokens(asked);
  if (!name.startsWith('strongroom-emergency-')) {
    const holder = EMERGENCIES.some(
      ({ metadata, spec, status }) =>
        metadata.namespace === namespace &&
        spec.subject.name === username &&
        status?.state === 'Active',
    );
    if (holder) return 'another token for who has emergency access';
    return mayMountAll(asked, mountable(namespace, name)) ? undefined : 'a token of an account';
  }
  const [access] = active(username, namespace, 'AccessSecrets').filter(
    ({ status }) => status?.serviceAccount === name,
  );
  if (access === undefined) return 'a token of emergency access';
  const seconds = obj(now.whole?.['spec'])?.['expirationSeconds'] ?? 3600;
  const left = (Date.parse(access.status?.expiresAt ?? '') - NOW) / 1000;
  return typeof seconds === 'number' && seconds <= left ? undefined : 'a token that outlives it';
}

// Namespaces, and what is generated.

function namespace(asked: Asked): string | undefined {
  const { operation, now, before, name } = asked;
  const isGuarded = ({ labels }: Part): boolean => labels['strongroom.dev/guarded'] === 'true';
  const placeOf = ({ labels }: Part): Target => {
    const environment = labels['strongroom.dev/environment'] ?? '';
    const known = ENVIRONMENT_NAMES.includes(environment);
    return {
      kind: 'Scope',
      namespace: before.name || name,
      environment: known ? environment : '*',
    } as Target;
  };
  const mayAt = (one: Part): boolean => may(asked, ACTIONS.delete, placeOf(one));
  const [was, is] = [isGuarded(before), operation !== 'DELETE' && isGuarded(now)];
  const environment = 'strongroom.dev/environment';
  const moves = was && is && now.labels[environment] !== before.labels[environment];
  if (was && (!is || moves) && !mayAt(before)) return 'a guarded namespace that would not be';
  if (is && (!was || moves) && !mayAt(now)) return 'a namespace that would be guarded';
  return undefined;
}

function generated(asked: Asked): string | undefined {
  const { operation, now, before } = asked;
  if (isCleaner(asked)) return undefined;
  if (operation === 'UPDATE' && equal(said(now), said(before))) return undefined;
  const isGenerated = [now, before].some(
    ({ labels }) =>
      labels['app.kubernetes.io/managed-by'] === 'strongroom' ||
      text(labels['strongroom.dev/policy-uid']) !== '' ||
      text(labels['strongroom.dev/emergency-access']) !== '',
  );
  return isGenerated ? 'what the operator generates' : undefined;
}

/** All of an object but what the server keeps of it. */
function said({ whole, labels, annotations }: Part): Json {
  return { ...whole, metadata: { labels, annotations }, status: {} };
}

// Our own kinds.

function operatorOnly(asked: Asked): string | undefined {
  return isMaster(asked) ? undefined : 'what the operator alone writes';
}

function operatorOrCleaner(asked: Asked): string | undefined {
  return isCleaner(asked) ? undefined : operatorOnly(asked);
}

const CREATED_BY = 'strongroom.dev/created-by';

/** Who created it is who asks, and stays. */
function stamp({ operation, username, now, before }: Asked): string | undefined {
  if (operation === 'DELETE') return undefined;
  const told = now.annotations[CREATED_BY];
  if (operation === 'UPDATE') {
    return told === before.annotations[CREATED_BY] ? undefined : 'a creator that changes';
  }
  try {
    const { username: creator } = JSON.parse(told ?? 'null') as { readonly username?: unknown };
    return creator === username ? undefined : 'a creator that is somebody else';
  } catch {
    return 'a creator that is nobody';
  }
}

const ENVIRONMENT_NAMES = ['Development', 'Staging', 'Production'];

const REQUESTS: Readonly<Record<string, ActionName>> = {
  rotate: 'rotate',
  'rollback-to': 'rollback',
  revoke: 'revoke',
  adopt: 'delete',
};

function credential(asked: Asked): string | undefined {
  const { operation, now, before, namespace: here, username } = asked;
  if (isCleaner(asked)) return undefined;
  const stamped = stamp(asked);
  if (stamped !== undefined) return stamped;
  const targets = [before, now]
    .filter(({ whole }) => whole !== undefined)
    .map((one): Target => {
      const spec = obj(one.whole?.['spec']) ?? {};
      // What it was cannot be told: it takes as much as all of the namespace.
      const isTold = ENVIRONMENT_NAMES.some((name) => name === spec['environment']);
      if (!isTold) return { kind: 'Scope', namespace: here, environment: '*' };
      const facts = { labels: one.labels, ...spec, namespace: here, name: one.name || asked.name };
      return { kind: 'Credential', credential: facts } as unknown as Target;
    });
  const [first] = targets;
  const byEmergency = active(username, here, 'AccessSecrets').some(({ spec }) =>
    spec.target.credentials?.includes(before.name),
  );
  const needed: (readonly [string, boolean])[] = [];
  if (operation === 'CREATE') needed.push(['create', false]);
  if (operation === 'DELETE') needed.push(['delete', false]);
  for (const [name, action] of Object.entries(REQUESTS)) {
    const annotation = `strongroom.dev/${name}`;
    if (operation === 'DELETE' || now.annotations[annotation] === before.annotations[annotation]) {
      continue;
    }
    needed.push([action, operation === 'UPDATE' && name !== 'adopt']);
  }
  if (operation === 'UPDATE') {
    const { state, ...rest } = obj(now.whole?.['spec']) ?? {};
    const { state: oldState, ...oldRest } = obj(before.whole?.['spec']) ?? {};
    if (!equal(rest, oldRest)) needed.push(['update', true]);
    if ((state ?? 'Active') !== (oldState ?? 'Active')) needed.push(['suspend', true]);
    if (!equal(now.labels, before.labels)) needed.push(['update', false]);
  }
  const isGood = needed.every(([action, isEnough]) =>
    targets.every(
      (target) => may(asked, ACTIONS[action as ActionName], target) || (isEnough && byEmergency),
    ),
  );
  if (first === undefined || !isGood) return `needs ${needed.map(([name]) => name).join()}`;
  const environment = obj(now.whole?.['spec'])?.['environment'];
  if (operation === 'CREATE' && here === 'trading' && environment !== 'Production') {
    return 'another environment than that of its namespace';
  }
  return undefined;
}

/** In whatever order the keys stand. */
function equal(one: unknown, other: unknown): boolean {
  return same(ordered(one), ordered(other));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  const record = obj(value);
  if (record === undefined) return value;
  const keys = Object.keys(record).sort();
  return keys.map((key) => [key, ordered(record[key])]);
}

const SENSITIVE: readonly Permission[] = [
  'AccessSecrets',
  'ManageUsers',
  'EmergencyOverride',
  'TransferFunds',
];

function accessPolicy(asked: Asked): string | undefined {
  const { operation, now, before, username, groups } = asked;
  if (isCleaner(asked)) return undefined;
  const stamped = stamp(asked);
  if (stamped !== undefined) return stamped;
  if (operation === 'UPDATE' && equal(now.whole?.['spec'], before.whole?.['spec'])) {
    // Labels and the like need a right, too; they give nobody anything.
    return undefined;
  }
  for (const one of [before, now]) {
    if (one.whole === undefined) continue;
    const unmanaged = scopesOf(one).find((target) => !may(asked, ACTIONS['manage-users'], target));
    if (unmanaged !== undefined) return 'needs manage-users';
  }
  const spec = obj(now.whole?.['spec']);
  if (operation !== 'CREATE' || spec === undefined || isMaster(asked)) return undefined;
  if (spec['effect'] !== undefined && spec['effect'] !== 'Allow') return undefined;
  const list = (field: string): readonly string[] =>
    (Array.isArray(spec[field]) ? spec[field] : []).filter((item) => typeof item === 'string');
  const given = new Set([
    ...list('permissions'),
    ...list('roles').flatMap((role): readonly string[] =>
      Object.hasOwn(ROLE_PERMISSIONS, role)
        ? ROLE_PERMISSIONS[role as keyof typeof ROLE_PERMISSIONS]
        : [],
    ),
  ]);
  if (given.size === 0) return undefined;
  const subjects = Array.isArray(spec['subjects']) ? spec['subjects'] : [];
  const isSelf = subjects.some((one) => {
    const { kind, name, namespace: where } = obj(one) ?? {};
    if (kind === 'Group') return typeof name === 'string' && groups.includes(name);
    return (
      username === (kind === 'User' ? name : `system:serviceaccount:${text(where)}:${text(name)}`)
    );
  });
  if (isSelf) return 'a grant to who asks';
  const level = (spec['accessLevel'] ?? 'Read') as AccessLevel;
  for (const permission of SENSITIVE) {
    if (!given.has(permission)) continue;
    const action: Action = { name: 'give', anyOf: [permission], level, description: 'give it' };
    if (scopesOf(now).some((target) => !may(asked, action, target))) return `gives ${permission}`;
  }
  return undefined;
}

/** Every namespace and environment that a policy is plainly about. */
function scopesOf({ whole }: Part): readonly Target[] {
  const spec = obj(whole?.['spec']);
  const namespaces = obj(spec?.['credentials'])?.['namespaces'];
  const environments = spec?.['environments'];
  const strings = (value: unknown): readonly string[] | undefined =>
    Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string')
      ? value
      : undefined;
  const places = strings(namespaces) ?? ['*'];
  const named = strings(environments) ?? ['*'];
  // One that nobody knows may be any: who manages all of them may clear it away.
  const known = named.every((one) => ENVIRONMENTS.some((environment) => environment === one));
  return places.flatMap((place) =>
    (known ? named : ['*']).map(
      (environment) => ({ kind: 'Scope', namespace: place, environment }) as Target,
    ),
  );
}

function block(asked: Asked): string | undefined {
  const { now, before, operation } = asked;
  if (isCleaner(asked)) return undefined;
  const stamped = stamp(asked);
  if (stamped !== undefined) return stamped;
  const isSame = equal(now.whole?.['spec'], before.whole?.['spec']);
  if (operation === 'UPDATE' && isSame) return undefined;
  for (const { whole } of [before, now]) {
    if (whole === undefined) continue;
    const given = obj(obj(whole['spec'])?.['scope'])?.['namespaces'];
    const names = Array.isArray(given) && given.length > 0 ? (given as readonly string[]) : ['*'];
    for (const name of names) {
      const environment = name === 'trading' ? 'Production' : '*';
      const target = { kind: 'Scope', namespace: name, environment } as Target;
      if (!may(asked, ACTIONS['manage-network-blocks'], target))
        return 'needs manage-network-blocks';
    }
  }
  return undefined;
}

function emergencyAccess(asked: Asked): string | undefined {
  const { operation, now, before, namespace: here, username } = asked;
  if (isCleaner(asked)) return undefined;
  const stamped = stamp(asked);
  if (stamped !== undefined) return stamped;
  const place = here === 'trading' ? 'Production' : '*';
  const target = { kind: 'Scope', namespace: here, environment: place } as Target;
  const overrides = may(asked, ACTIONS.override, target);
  const acts = ['approve', 'self-approve', 'deny', 'end', 'review', 'decisions'].map(
    (name) => `strongroom.dev/${name}`,
  );
  const set = acts.filter(
    (name) =>
      now.annotations[name] !== undefined && now.annotations[name] !== before.annotations[name],
  );
  if (operation === 'CREATE') return set.length > 0 ? 'decided as it is created' : undefined;
  const subject = obj(obj(before.whole?.['spec'])?.['subject']);
  const who =
    subject?.['kind'] === 'ServiceAccount'
      ? `system:serviceaccount:${here}:${text(subject['name'])}`
      : text(subject?.['name']);
  if (operation === 'DELETE') {
    const state = obj(before.whole?.['status'])?.['state'];
    const isWhole = EMERGENCIES.some(({ spec }) => equal(spec, before.whole?.['spec']));
    return isWhole && state === 'Active' && !isMaster(asked)
      ? 'deleted while it is active'
      : undefined;
  }
  if (!equal(now.whole?.['spec'], before.whole?.['spec'])) return 'a spec that changes';
  const asks = (name: string): boolean => set.includes(`strongroom.dev/${name}`);
  if (isMaster(asked)) return undefined;
  if (asks('approve') && (username === who || !overrides)) return 'approved by the wrong one';
  if (asks('approve') && username === creatorOf(before)) return 'approved by who asked for it';
  if (asks('deny') && !overrides) return 'turned down by the wrong one';
  if (asks('self-approve')) return 'approved alone';
  if (asks('review') && username === who) return 'reviewed by its subject';
  return undefined;
}

function creatorOf({ annotations }: Part): unknown {
  try {
    return (JSON.parse(annotations[CREATED_BY] ?? 'null') as { username?: unknown } | null)
      ?.username;
  } catch {
    return undefined;
  }
}
