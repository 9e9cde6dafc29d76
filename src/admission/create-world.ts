/**
 * What rules know of the cluster, from what informers keep: every answer comes at once, and none
 * from the API server.
 */
import type { PolicyIndex } from '#access/policy-index.ts';
import { subjectUsername } from '#access/emergency/subject.ts';
import { environmentOf } from '#access/world.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { NamespaceAccessSpec } from '#api/namespace-access.ts';
import { LABELS } from '#api/names.ts';
import type { KubeObject, Namespace, Pod, Service, ServiceAccount } from '#kube/objects.ts';
import type { Informer } from '#runtime/informer.ts';
import { createFormerSecrets } from './former-secrets.ts';
import type { AccountView, AdmissionWorld, NamespaceView } from './world.ts';

/** What is known of what is in one guarded namespace. */
export interface GuardedContents {
  pod(name: string): Pod | undefined;
  pods(): readonly Pod[];
  podsOnNode(node: string): readonly Pod[];
}

export type Followed<T extends KubeObject> = Pick<
  Informer<T>,
  'get' | 'list' | 'byIndex' | 'onChange'
>;

export interface AdmissionWorldDeps {
  readonly policies: {
    /** Compiled; the same object until a policy changes. */
    index(): PolicyIndex;
    /** Those that are not being deleted, and Denies also then. */
    inForce(): readonly AccessPolicy[];
    get(name: string): AccessPolicy | undefined;
  };
  readonly namespaces: Followed<Namespace>;
  /** Indexed by `namespace`, and by `secret`: `namespace/name` of those that hold its values. */
  readonly credentials: Followed<ExchangeCredential>;
  readonly accounts: Pick<Informer<ServiceAccount>, 'get'>;
  readonly emergencyAccesses: Followed<EmergencyAccess>;
  /** Undefined where a namespace is not guarded, and until all of it is known. */
  contents(namespace: string): GuardedContents | undefined;
  /** A pod of a guarded namespace changed, came or went. */
  onPods(handler: (namespace: string) => void): void;
  /** The NamespaceAccess that the leader wrote last; undefined where there is none. */
  writtenAccess(namespace: string): NamespaceAccessSpec | undefined;
  /** Milliseconds. */
  now(): number;
  service(namespace: string, name: string): Service | undefined;
  ownerOfValue(value: Uint8Array): string | undefined;
}

/** Shorter values are not looked up: whoever could ask for them could guess them. */
const MIN_VALUE_BYTES = 16;

export function createAdmissionWorld(deps: AdmissionWorldDeps): AdmissionWorld {
  const { policies, namespaces, credentials, accounts, emergencyAccesses } = deps;

  const former = createFormerSecrets({
    isGuarded: (namespace, secret) =>
      credentials.byIndex('secret', `${namespace}/${secret}`).length > 0,
    written: deps.writtenAccess,
    pods: (namespace) => deps.contents(namespace)?.pods(),
    now: deps.now,
  });
  deps.onPods(former.prune);

  let guarded: readonly NamespaceView[] | undefined;
  namespaces.onChange(({ type, object }) => {
    guarded = undefined;
    if (type === 'Deleted' || !viewOf(object).isGuarded) former.forget(object.metadata.name);
  });
  const guardedNamespaces = (): readonly NamespaceView[] =>
    (guarded ??= namespaces
      .list()
      .map(viewOf)
      .filter(({ isGuarded }) => isGuarded));

  /** Lists of thousands are not made anew for every review. */
  const credentialLists = new Map<string, readonly ExchangeCredential[]>();
  credentials.onChange((change) => {
    credentialLists.delete(change.object.metadata.namespace ?? '');
    former.heard(change);
  });

  interface EmergencyBook {
    readonly byNamespace: ReadonlyMap<string, readonly EmergencyAccess[]>;
    readonly bySubject: ReadonlyMap<string, readonly EmergencyAccess[]>;
  }
  let emergency: EmergencyBook | undefined;
  emergencyAccesses.onChange(() => (emergency = undefined));
  function emergencyBook(): EmergencyBook {
    if (emergency !== undefined) return emergency;
    const all = emergencyAccesses.list();
    emergency = {
      byNamespace: Map.groupBy(all, ({ metadata }) => metadata.namespace ?? ''),
      bySubject: Map.groupBy(all, subjectUsername),
    };
    return emergency;
  }

  return {
    policyIndex: policies.index,
    policies: policies.inForce,
    policy: policies.get,
    namespace(name) {
      const found = namespaces.get(name);
      return found === undefined ? undefined : viewOf(found);
    },
    guardedNamespaces,
    credential: (namespace, name) => credentials.get(`${namespace}/${name}`),
    credentials(namespace) {
      const kept = credentialLists.get(namespace);
      if (kept !== undefined) return kept;
      const found = credentials.byIndex('namespace', namespace);
      // Not for names that anybody can ask for: only of what exists.
      if (found.length > 0) credentialLists.set(namespace, found);
      return found;
    },
    credentialsOfSecret: (namespace, secret) =>
      credentials.byIndex('secret', `${namespace}/${secret}`),
    wasGuarded: former.has,
    formerSecrets: former.names,
    account(namespace, name) {
      const found = accounts.get(`${namespace}/${name}`);
      return found === undefined ? undefined : accountView(found);
    },
    knowsPods: (namespace) => deps.contents(namespace) !== undefined,
    pod: (namespace, name) => deps.contents(namespace)?.pod(name),
    pods: (namespace) => deps.contents(namespace)?.pods() ?? [],
    podsOnNode: (node) =>
      guardedNamespaces().flatMap(({ name }) => deps.contents(name)?.podsOnNode(node) ?? []),
    service: deps.service,
    emergencyAccesses: (namespace) => emergencyBook().byNamespace.get(namespace) ?? [],
    emergencyAccessesOf: (username) => emergencyBook().bySubject.get(username) ?? [],
    ownerOfValue: (value) =>
      value.length < MIN_VALUE_BYTES ? undefined : deps.ownerOfValue(value),
  };
}

function viewOf(namespace: Namespace): NamespaceView {
  const { metadata, status } = namespace;
  const environment = environmentOf(namespace);
  return {
    name: metadata.name,
    isGuarded: metadata.labels?.[LABELS.guarded] === 'true',
    ...(environment === undefined ? {} : { environment }),
    isDeleting: metadata.deletionTimestamp !== undefined || status?.phase === 'Terminating',
  };
}

function accountView({ imagePullSecrets = [] }: ServiceAccount): AccountView {
  return {
    imagePullSecrets: imagePullSecrets.flatMap(({ name }) => (name === undefined ? [] : [name])),
  };
}
