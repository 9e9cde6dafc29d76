/** All policies, found by who they are about and where. */
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import { compilePolicy } from './compile.ts';
import type { CompiledPolicy } from './compile.ts';
import { serviceAccountUsername } from './identity.ts';
import type { Identity } from './identity.ts';

export interface IndexedPolicy {
  readonly policy: CompiledPolicy;
  /** The subject by which it was found. */
  readonly subject: Subject;
}

/** The policies of one subject: those of any namespace, and those that name some. */
interface SubjectPolicies {
  readonly anywhere: IndexedPolicy[];
  readonly byNamespace: Map<string, IndexedPolicy[]>;
}

export interface PolicyIndex {
  /** Sorted by name. */
  readonly policies: readonly CompiledPolicy[];
  /** Calls `visit` for every policy about the identity that may reach the namespace (`*`: any). */
  forEach(identity: Identity, namespace: string, visit: (entry: IndexedPolicy) => void): void;
}

/** The order of `policies` does not matter. */
export function createPolicyIndex(policies: readonly AccessPolicy[]): PolicyIndex {
  const sorted = policies.map(compilePolicy).sort((a, b) => (a.name < b.name ? -1 : 1));
  const users = new Map<string, SubjectPolicies>();
  const groups = new Map<string, SubjectPolicies>();
  for (const policy of sorted) {
    for (const subject of policy.subjects) {
      const { kind, name, namespace = '' } = subject;
      const map = kind === 'Group' ? groups : users;
      const key = kind === 'ServiceAccount' ? serviceAccountUsername(namespace, name) : name;
      let entry = map.get(key);
      if (entry === undefined) {
        entry = { anywhere: [], byNamespace: new Map() };
        map.set(key, entry);
      }
      add(entry, policy, subject);
    }
  }

  function visitAll(
    { anywhere, byNamespace }: SubjectPolicies,
    namespace: string,
    visit: (entry: IndexedPolicy) => void,
  ): void {
    for (const one of anywhere) visit(one);
    if (namespace !== '*') {
      for (const one of byNamespace.get(namespace) ?? []) visit(one);
      return;
    }
    for (const some of byNamespace.values()) for (const one of some) visit(one);
  }

  return {
    policies: sorted,
    forEach({ username, groups: claimed }, namespace, visit) {
      const own = users.get(username);
      if (own !== undefined) visitAll(own, namespace, visit);
      for (const group of claimed) {
        const entry = groups.get(group);
        if (entry !== undefined) visitAll(entry, namespace, visit);
      }
    },
  };
}

function add(entry: SubjectPolicies, policy: CompiledPolicy, subject: Subject): void {
  if (policy.namespaces === '*') {
    entry.anywhere.push({ policy, subject });
    return;
  }
  for (const namespace of policy.namespaces) {
    const list = entry.byNamespace.get(namespace);
    if (list === undefined) entry.byNamespace.set(namespace, [{ policy, subject }]);
    else list.push({ policy, subject });
  }
}
