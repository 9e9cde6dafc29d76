/** What the cluster holds, in the shape that the pure parts ask for; kept until it changes. */
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { LABELS } from '#api/names.ts';
import { ENVIRONMENTS } from '#api/roles.ts';
import type { Namespace } from '#kube/objects.ts';
import { factsOf } from './facts.ts';
import type { CompiledPolicy } from './compile.ts';
import type { GuardedAccess } from './deps.ts';
import type { NamespaceFacts, PolicyWorld } from './policy-findings.ts';
import type { StandingNamespace } from './rbac/grants.ts';

export interface AccessCaches {
  /** Guarded namespaces that a policy may reach; `ready` ones with what is in them. */
  reachedBy(policy: CompiledPolicy): {
    readonly ready: readonly StandingNamespace[];
    readonly unready: readonly string[];
  };
  standing(namespace: string): StandingNamespace;
  /** All of them, guarded or not; the same lists while nothing changed. */
  facts(): Pick<PolicyWorld, 'credentials' | 'namespaces'>;
  /** What is in a namespace, or how it is labelled, changed. */
  forget(namespace: string): void;
}

export function createAccessCaches(guarded: GuardedAccess): AccessCaches {
  const kept = new Map<string, StandingNamespace>();
  let facts: ReturnType<AccessCaches['facts']> | undefined;

  function standing(name: string): StandingNamespace {
    const present = kept.get(name);
    if (present !== undefined) return present;
    const environment = environmentOf(guarded.namespaces.get(name));
    const made: StandingNamespace = {
      name,
      ...(environment === undefined ? {} : { environment }),
      credentials: guarded.credentials
        .byIndex('namespace', name)
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map((credential) => standingCredential(guarded, credential)),
    };
    // What is in a namespace is only known once the operator is at work there.
    if (guarded.isReady(name)) kept.set(name, made);
    return made;
  }

  return {
    reachedBy({ namespaces }) {
      const named =
        namespaces === '*'
          ? guarded.namespaces.list()
          : namespaces.flatMap((name) => guarded.namespaces.get(name) ?? []);
      const names = named.filter(isGuarded).map(({ metadata }) => metadata.name);
      return {
        ready: names
          .filter((name) => guarded.isReady(name))
          .sort()
          .map(standing),
        unready: names.filter((name) => !guarded.isReady(name)).sort(),
      };
    },
    standing,
    facts: () =>
      (facts ??= {
        credentials: guarded.credentials.list().map(factsOf),
        namespaces: guarded.namespaces.list().map(namespaceFacts),
      }),
    forget(namespace) {
      kept.delete(namespace);
      facts = undefined;
    },
  };
}

export function isGuarded({ metadata }: Namespace): boolean {
  return metadata.labels?.[LABELS.guarded] === 'true' && metadata.deletionTimestamp === undefined;
}

export function environmentOf(namespace: Namespace | undefined): StandingNamespace['environment'] {
  const label = namespace?.metadata.labels?.[LABELS.environment];
  return ENVIRONMENTS.find((environment) => environment === label);
}

function namespaceFacts(namespace: Namespace): NamespaceFacts {
  const environment = environmentOf(namespace);
  return {
    name: namespace.metadata.name,
    guarded: isGuarded(namespace),
    ...(environment === undefined ? {} : { environment }),
  };
}

function standingCredential(guarded: GuardedAccess, credential: ExchangeCredential) {
  const deliveredSecret = guarded.deliveredSecret(credential);
  return {
    facts: factsOf(credential),
    ...(deliveredSecret === undefined ? {} : { deliveredSecret }),
  };
}
