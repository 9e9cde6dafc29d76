/** A world for tests, made of plain lists: whatever is not given is not there. */
import { createPolicyIndex } from '#access/policy-index.ts';
import { subjectUsername } from '#access/emergency/subject.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { Environment, ExchangeCredential } from '#api/exchange-credential.ts';
import type { Pod, Service } from '#kube/objects.ts';
import type { AccountView, AdmissionWorld, NamespaceView } from '../world.ts';

export interface WorldParts {
  readonly policies?: readonly AccessPolicy[];
  /** Guarded and of Production, unless told; `trading` when absent. */
  readonly namespaces?: readonly (Partial<NamespaceView> & { readonly name: string })[];
  readonly credentials?: readonly ExchangeCredential[];
  /** Secrets that were guarded and are not, `namespace/name`. */
  readonly formerSecrets?: readonly string[];
  /** By `namespace/name`. */
  readonly accounts?: Readonly<Record<string, Partial<AccountView>>>;
  readonly pods?: readonly Pod[];
  /** Namespaces whose pods are not known yet; none when absent. */
  readonly unknownPods?: readonly string[];
  readonly services?: readonly Service[];
  readonly emergencyAccesses?: readonly EmergencyAccess[];
  /** By the value as text: the credential, `namespace/name`. */
  readonly values?: Readonly<Record<string, string>>;
}

const PRODUCTION: Environment = 'Production';

/** Lists are made once, so that the same question is answered by the same object. */
export function worldOf(parts: WorldParts = {}): AdmissionWorld {
  const { policies = [], credentials = [], pods = [], services = [] } = parts;
  const { emergencyAccesses = [], values = {}, accounts = {} } = parts;
  const index = createPolicyIndex(policies);
  const namespaces = new Map(
    (parts.namespaces ?? [{ name: 'trading' }]).map((namespace): [string, NamespaceView] => [
      namespace.name,
      {
        isGuarded: true,
        environment: PRODUCTION,
        isDeleting: false,
        ...namespace,
      },
    ]),
  );
  const byNamespace = Map.groupBy(credentials, ({ metadata }) => metadata.namespace ?? '');
  const isIn =
    (namespace: string) =>
    ({ metadata }: ExchangeCredential | EmergencyAccess | Pod | Service): boolean =>
      metadata.namespace === namespace;
  const named = <T extends Pod | Service | EmergencyAccess | ExchangeCredential>(
    list: readonly T[],
    namespace: string,
    name: string,
  ): T | undefined => list.filter(isIn(namespace)).find(({ metadata }) => metadata.name === name);
  return {
    policyIndex: () => index,
    policies: () => policies,
    policy: (name) => policies.find(({ metadata }) => metadata.name === name),
    namespace: (name) => namespaces.get(name),
    guardedNamespaces: () => [...namespaces.values()].filter(({ isGuarded }) => isGuarded),
    credential: (namespace, name) => named(credentials, namespace, name),
    credentials: (namespace) => byNamespace.get(namespace) ?? [],
    credentialsOfSecret: (namespace, secret) =>
      (byNamespace.get(namespace) ?? []).filter(
        ({ spec, status }) =>
          spec.delivery.secret?.name === secret ||
          status?.delivery?.secretName === secret ||
          spec.source.secretRef?.name === secret,
      ),
    wasGuarded: (namespace, secret) =>
      parts.formerSecrets?.includes(`${namespace}/${secret}`) === true,
    formerSecrets: (namespace) =>
      (parts.formerSecrets ?? [])
        .filter((key) => key.startsWith(`${namespace}/`))
        .map((key) => key.slice(namespace.length + 1)),
    account(namespace, name) {
      const found = accounts[`${namespace}/${name}`];
      return found === undefined ? undefined : { imagePullSecrets: [], ...found };
    },
    knowsPods: (namespace) => parts.unknownPods?.includes(namespace) !== true,
    pod: (namespace, name) => named(pods, namespace, name),
    pods: (namespace) => pods.filter(isIn(namespace)),
    podsOnNode: (node) => pods.filter(({ spec }) => spec?.nodeName === node),
    service: (namespace, name) => named(services, namespace, name),
    emergencyAccesses: (namespace) => emergencyAccesses.filter(isIn(namespace)),
    emergencyAccessesOf: (username) =>
      emergencyAccesses.filter((access) => subjectUsername(access) === username),
    ownerOfValue: (value) =>
      value.length < 16 ? undefined : values[Buffer.from(value).toString('utf8')],
  };
}
