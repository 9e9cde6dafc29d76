/** What the network of every AccessPolicy gives to which ServiceAccount, kept until it changes. */
import type { AccessPolicy } from '#api/access-policy.ts';
import type { NetworkGrant } from '../compiler/grant.ts';
import { hostsWantedBy, networkGrants } from '../grants/network-grants.ts';
import type { GrantSurroundings, PolicyGrants } from '../grants/network-grants.ts';

export interface GrantBook {
  of(policy: string): PolicyGrants | undefined;
  /** Looks at a policy again; answers the namespaces that its grants were and are in. */
  look(name: string, policy: AccessPolicy | undefined): ReadonlySet<string>;
  inNamespace(namespace: string): readonly NetworkGrant[];
  policies(): readonly string[];
  /** Host names that any of them opens. */
  hosts(): readonly string[];
  /** Those that the pods of each ServiceAccount of a namespace may reach. */
  hostsIn(namespace: string): ReadonlyMap<string, readonly string[]>;
}

export function createGrantBook(surroundings: () => GrantSurroundings): GrantBook {
  const book = new Map<
    string,
    { readonly granted: PolicyGrants; readonly hosts: readonly string[] }
  >();
  let byNamespace: ReadonlyMap<string, readonly NetworkGrant[]> | undefined;

  const namespacesOf = (name: string): readonly string[] =>
    (book.get(name)?.granted.grants ?? []).map(({ namespace }) => namespace);

  return {
    of: (name) => book.get(name)?.granted,
    look(name, policy) {
      const before = namespacesOf(name);
      if (policy?.spec.network === undefined) {
        if (!book.delete(name)) return new Set();
      } else {
        const granted = networkGrants(policy, surroundings());
        book.set(name, { granted, hosts: hostsWantedBy(policy) });
      }
      byNamespace = undefined;
      return new Set([...before, ...namespacesOf(name)]);
    },
    inNamespace(namespace) {
      byNamespace ??= grouped(
        [...book]
          .sort(([one], [other]) => (one < other ? -1 : 1))
          .flatMap(([, { granted }]) => granted.grants),
      );
      return byNamespace.get(namespace) ?? [];
    },
    policies: () => [...book.keys()],
    hostsIn(namespace) {
      const found = new Map<string, Set<string>>();
      for (const { granted, hosts } of book.values()) {
        for (const { namespace: of, grant } of granted.grants) {
          if (of !== namespace || hosts.length === 0) continue;
          const all = found.get(grant.serviceAccount) ?? new Set();
          found.set(grant.serviceAccount, all.union(new Set(hosts)));
        }
      }
      return new Map([...found].map(([account, hosts]) => [account, [...hosts].sort()]));
    },
    hosts: () => [...new Set([...book.values()].flatMap(({ hosts }) => hosts))],
  };
}

function grouped(grants: PolicyGrants['grants']): ReadonlyMap<string, readonly NetworkGrant[]> {
  return new Map(
    [...Map.groupBy(grants, ({ namespace }) => namespace)].map(([namespace, all]) => [
      namespace,
      all.map(({ grant }) => grant),
    ]),
  );
}
