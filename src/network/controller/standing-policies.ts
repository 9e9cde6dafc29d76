/**
 * The operator's NetworkPolicies as the informers know them, and ahead of them as they were written,
 * since a cache lags behind our own writes. What others do to them is noticed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NetworkPolicy } from '#kube/objects.ts';
import type { Change } from '#runtime/store.ts';
import { keyOf } from '#runtime/store.ts';
import { isOurPolicy } from '../compiler/our-policy.ts';

export interface StandingPolicies {
  /** Those of a namespace, of which the informer knows `cached`: ours and those of others. */
  of(
    namespace: string,
    cached: readonly NetworkPolicy[],
  ): { readonly ours: readonly NetworkPolicy[]; readonly foreign: readonly NetworkPolicy[] };
  wrote(policy: NetworkPolicy, isDeleted: boolean): void;
  /** To be told of each change that an informer sees. */
  saw(change: Change<NetworkPolicy>): void;
  /** Names of those that others changed or deleted since the last call. */
  takeTampered(namespace: string): ReadonlySet<string>;
  forget(namespace: string): void;
}

export function createStandingPolicies(): StandingPolicies {
  /** Written and not seen in a cache yet; `isDeleted` ones are on their way out. */
  const ahead = new Map<string, { readonly policy: NetworkPolicy; readonly isDeleted: boolean }>();
  /** Keys of all that was written by this process: still ours when somebody takes our label off. */
  const written = new Set<string>();
  const tampered = new Map<string, Set<string>>();

  const isOurs = (policy: NetworkPolicy): boolean =>
    isOurPolicy(policy) || written.has(keyOf(policy));

  return {
    of(namespace, cached) {
      const found = new Map(cached.map((policy) => [keyOf(policy), policy]));
      for (const [key, { policy, isDeleted }] of ahead) {
        if (policy.metadata.namespace !== namespace) continue;
        if (isDeleted) found.delete(key);
        else found.set(key, policy);
      }
      const all = [...found.values()];
      return {
        ours: all.filter(isOurs),
        foreign: all.filter((policy) => !isOurs(policy)),
      };
    },
    wrote(policy, isDeleted) {
      const key = keyOf(policy);
      ahead.set(key, { policy, isDeleted });
      if (isDeleted) written.delete(key);
      else written.add(key);
    },
    saw(change) {
      const { object } = change;
      const key = keyOf(object);
      const own = ahead.get(key);
      if (own !== undefined && change.type !== 'Deleted' && isOlder(object, own.policy)) return;
      ahead.delete(key);
      if (own === undefined && !written.has(key)) return;
      const isAsWritten =
        own === undefined
          ? change.type === 'Updated' && isDeepStrictEqual(object.spec, change.previous.spec)
          : own.isDeleted === (change.type === 'Deleted') &&
            isDeepStrictEqual(object.spec, own.policy.spec);
      if (isAsWritten) return;
      const { namespace = '', name } = object.metadata;
      tampered.set(namespace, (tampered.get(namespace) ?? new Set()).add(name));
    },
    takeTampered(namespace) {
      const names = tampered.get(namespace) ?? new Set<string>();
      tampered.delete(namespace);
      return names;
    },
    forget(namespace) {
      tampered.delete(namespace);
      for (const [key, { policy }] of ahead) {
        if (policy.metadata.namespace === namespace) ahead.delete(key);
      }
      for (const key of written) if (key.startsWith(`${namespace}/`)) written.delete(key);
    },
  };
}

/** Resource versions are numbers that grow, as Kubernetes promises for its own resources. */
function isOlder(one: NetworkPolicy, than: NetworkPolicy): boolean {
  const [a = '', b = ''] = [one.metadata.resourceVersion, than.metadata.resourceVersion];
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b);
}
