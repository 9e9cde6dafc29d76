/** Gathers what decides about access: from a cluster with the rights of the person, or from files. */
import type { AccessPolicy } from '#api/access-policy.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { LABELS } from '#api/names.ts';
import type { Identity } from '#access/identity.ts';
import { SYSTEM_NAMESPACE } from '#access/weaknesses/system-bindings.ts';
import type { AccessFiles } from '#cli/access-files.ts';
import type { AccessOptions } from '#cli/access-options.ts';
import type { OpenCluster } from '#cli/cluster.ts';
import { openCluster } from '#cli/cluster.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import type { Scope } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  KubeObject,
  Namespace,
  Role,
  RoleBinding,
} from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  NAMESPACES,
  ROLE_BINDINGS,
  ROLES,
} from '#kube/resources.ts';

/**
 * RBAC of one namespace, or of all guarded ones, that of the operator's namespace and kube-system, and
 * that of the whole cluster.
 */
export interface RbacFound {
  /** Those that are asked about. */
  readonly namespaces: readonly string[];
  readonly roles: readonly Role[];
  readonly roleBindings: readonly RoleBinding[];
  readonly clusterRoles: readonly ClusterRole[];
  readonly clusterRoleBindings: readonly ClusterRoleBinding[];
  /** Those of the same namespaces; none from files, in which nothing is in force. */
  readonly emergencyAccesses: readonly EmergencyAccess[];
  /** What could not be looked at, and the right that is missing. */
  readonly notes: readonly string[];
}

export interface AccessWorld extends AsyncDisposable {
  /** The namespace that is asked about; `*`: every one. */
  readonly namespace: string;
  /** Throws a CliError that names the missing right: no answer is better than "nobody". */
  policies(): Promise<readonly AccessPolicy[]>;
  /** Those of a name: several only in files, where no namespace is given. */
  credentialsNamed(name: string): Promise<readonly ExchangeCredential[]>;
  /** Those of the namespace that is asked about. */
  credentials(): Promise<readonly ExchangeCredential[]>;
  whoAmI(): Promise<Identity>;
  rbac(namespace: string): Promise<RbacFound>;
}

export async function openWorld(io: Io, options: AccessOptions): Promise<AccessWorld> {
  if (options.allNamespaces === true && options.namespace !== undefined) {
    throw usageError('say either --namespace or --all-namespaces');
  }
  if (options.file === undefined) return clusterWorld(io, options, await openCluster(io, options));
  if (options.kubeconfig !== undefined || options.context !== undefined) {
    throw usageError('--file asks no cluster; leave out --kubeconfig and --context');
  }
  const { readAccessFiles } = await import('#cli/access-files.ts');
  return fileWorld(options, await readAccessFiles(io, options.file, options.namespace));
}

function fileWorld(options: AccessOptions, files: AccessFiles): AccessWorld {
  const namespace = options.namespace ?? '*';
  const isAsked = ({ metadata }: KubeObject): boolean =>
    namespace === '*' || metadata.namespace === namespace;
  return {
    namespace,
    policies: () => Promise.resolve(files.policies),
    credentialsNamed: (name) =>
      Promise.resolve(
        files.credentials.filter((one) => one.metadata.name === name && isAsked(one)),
      ),
    credentials: () => Promise.resolve(files.credentials.filter(isAsked)),
    whoAmI: () =>
      Promise.reject(
        usageError(
          'files do not say who you are; name somebody with --as, --as-group or --as-service-account',
        ),
      ),
    rbac(of) {
      const known = files.namespaces.find(({ metadata }) => metadata.name === of);
      const namespaces = of === '*' ? namespacesOf(files) : [of];
      const looked = new Set([...namespaces, options.operatorNamespace, SYSTEM_NAMESPACE]);
      const within = <T extends KubeObject>(objects: readonly T[]): readonly T[] =>
        objects.filter(({ metadata }) => looked.has(metadata.namespace ?? ''));
      return Promise.resolve({
        namespaces,
        roles: within(files.roles),
        roleBindings: within(files.roleBindings),
        clusterRoles: files.clusterRoles,
        clusterRoleBindings: files.clusterRoleBindings,
        emergencyAccesses: [],
        notes: [
          ...fileNotes(files),
          ...(known === undefined || isGuarded(known) ? [] : [unguarded(of)]),
        ],
      });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Guarded ones, where the files say which these are. */
function namespacesOf({ namespaces, credentials }: AccessFiles): readonly string[] {
  const names =
    namespaces.length > 0
      ? namespaces.filter(isGuarded).map(({ metadata }) => metadata.name)
      : credentials.flatMap(({ metadata }) => metadata.namespace ?? []);
  return [...new Set(names)].sort();
}

function fileNotes(files: AccessFiles): readonly string[] {
  const { roles, roleBindings, clusterRoles, clusterRoleBindings } = files;
  const found = [roles, roleBindings, clusterRoles, clusterRoleBindings];
  return found.some((objects) => objects.length > 0)
    ? []
    : ['RBAC was not looked at: no Role or binding is in the files'];
}

function clusterWorld(io: Io, options: AccessOptions, cluster: OpenCluster): AccessWorld {
  const { client } = cluster;
  const { signal } = io;
  const namespace = options.allNamespaces === true ? '*' : cluster.namespace;
  const scopeOf = (of: string): Scope => (of === '*' ? { allNamespaces: true } : { namespace: of });
  const everywhere: Scope = { allNamespaces: true };

  async function list<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
  ): Promise<readonly T[]> {
    return (await client.list(resource, scope, { signal })).items;
  }

  /** A list that we can do without, as long as it is told. */
  async function listOr<T extends KubeObject>(
    resource: Resource<T>,
    of: string,
    notes: string[],
  ): Promise<readonly T[]> {
    try {
      return await list(resource, scopeOf(of));
    } catch (error) {
      if (!isKubeError(error, 'ERR_KUBE_FORBIDDEN')) throw error;
      notes.push(
        `some RBAC was not looked at: you may not ${rightTo('list', resource, of)}, so there can be more`,
      );
      return [];
    }
  }

  /** In a namespace, in the operator's, and in kube-system. */
  async function listAround<T extends KubeObject>(
    resource: Resource<T>,
    of: string,
    notes: string[],
  ): Promise<readonly T[]> {
    if (of === '*') return listOr(resource, of, notes);
    const places = [...new Set([of, options.operatorNamespace, SYSTEM_NAMESPACE])];
    return (await Promise.all(places.map((place) => listOr(resource, place, notes)))).flat();
  }

  return {
    namespace,
    async policies() {
      try {
        return await list<AccessPolicy>(ACCESS_POLICIES, everywhere);
      } catch (error) {
        if (isKubeError(error, 'ERR_KUBE_FORBIDDEN')) {
          throw new CliError(
            `you may not ${rightTo('list', ACCESS_POLICIES, '*')}, so nobody can be told from everybody; that right is missing`,
            EXIT.forbidden,
            { cause: error },
          );
        }
        if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) {
          throw new CliError(
            'the cluster has no AccessPolicies: the CRD accesspolicies.strongroom.dev is not installed',
            EXIT.notFound,
            { cause: error },
          );
        }
        throw error;
      }
    },
    async credentialsNamed(name) {
      if (namespace === '*') {
        throw usageError('a credential is in one namespace; say which with --namespace');
      }
      const found = await client.find<ExchangeCredential>(
        EXCHANGE_CREDENTIALS,
        { namespace, name },
        { signal },
      );
      return found === undefined ? [] : [found];
    },
    credentials: () => list<ExchangeCredential>(EXCHANGE_CREDENTIALS, scopeOf(namespace)),
    async whoAmI() {
      const { whoAmI } = await import('#cli/who-am-i.ts');
      return whoAmI(client, signal);
    },
    async rbac(of) {
      const notes: string[] = [];
      const [
        namespaces,
        roles,
        roleBindings,
        clusterRoles,
        clusterRoleBindings,
        emergencyAccesses,
      ] = await Promise.all([
        of === '*'
          ? listOr(NAMESPACES, '*', notes).then((all) =>
              all.filter(isGuarded).map(({ metadata }) => metadata.name),
            )
          : [of],
        listAround(ROLES, of, notes),
        listAround(ROLE_BINDINGS, of, notes),
        listOr(CLUSTER_ROLES, '*', notes),
        listOr(CLUSTER_ROLE_BINDINGS, '*', notes),
        emergencyAccessesOf(of, notes),
      ]);
      if (of !== '*') notes.push(...(await notesAbout(of)));
      return {
        namespaces,
        roles,
        roleBindings,
        clusterRoles,
        clusterRoleBindings,
        emergencyAccesses,
        notes,
      };
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };

  /** Without them, what stands for one is told like any other binding. */
  async function emergencyAccessesOf(
    of: string,
    notes: string[],
  ): Promise<readonly EmergencyAccess[]> {
    try {
      return await list<EmergencyAccess>(EMERGENCY_ACCESSES, scopeOf(of));
    } catch (error) {
      // A cluster from before this kind has none.
      if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) return [];
      if (!isKubeError(error, 'ERR_KUBE_FORBIDDEN')) throw error;
      notes.push(
        `bindings of an EmergencyAccess in force are told as RBAC of others: you may not ${rightTo('list', EMERGENCY_ACCESSES, of)}`,
      );
      return [];
    }
  }

  async function notesAbout(name: string): Promise<readonly string[]> {
    try {
      const found = await client.find(NAMESPACES, { name }, { signal });
      if (found === undefined) return [`namespace ${name} does not exist`];
      return isGuarded(found) ? [] : [unguarded(name)];
    } catch (error) {
      // Who may not see namespaces is told nothing about them; the answer does not hang on it.
      if (isKubeError(error, 'ERR_KUBE_FORBIDDEN')) return [];
      throw error;
    }
  }
}

/** `list roles.rbac.authorization.k8s.io in namespace trading` */
export function rightTo(verb: string, resource: Resource, namespace: string): string {
  const { group, plural } = resource;
  const where = namespace === '*' ? 'in the whole cluster' : `in namespace ${namespace}`;
  return `${verb} ${group === '' ? plural : `${plural}.${group}`} ${where}`;
}

function isGuarded({ metadata }: Namespace): boolean {
  return metadata.labels?.[LABELS.guarded] === 'true';
}

function unguarded(name: string): string {
  return `namespace ${name} is not guarded (label ${LABELS.guarded}): nothing is delivered there`;
}
