/**
 * Secrets that ceased to be guarded: the name of a credential's delivery was changed, or the credential
 * deleted. Nothing is in them any more; but pods that mounted them before go on with what they got,
 * and a way into these is still a way to a key. Each replica remembers what it saw; what the leader
 * wrote into the NamespaceAccess remembers it over restarts.
 */
import { guardedSecretsOf } from '#api/credential-secrets.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { NamespaceAccessSpec } from '#api/namespace-access.ts';
import type { Pod } from '#kube/objects.ts';
import type { Change } from '#runtime/store.ts';
import { secretsOf } from './pods/secrets-of.ts';

export interface FormerSecretsDeps {
  /** Whether a Secret is guarded now. */
  isGuarded(namespace: string, secret: string): boolean;
  /** What the leader wrote last, as this replica sees it. */
  written(namespace: string): NamespaceAccessSpec | undefined;
  /** Undefined until all pods of the namespace are known. */
  pods(namespace: string): readonly Pod[] | undefined;
  /** Milliseconds. */
  now(): number;
}

export interface FormerSecrets {
  /** To be called with every change of a credential, when `isGuarded` answers by it already. */
  heard(change: Change<ExchangeCredential>): void;
  /** Whether a Secret was guarded, and is not now. */
  has(namespace: string, secret: string): boolean;
  /** Those that live pods use; all of them until pods are known. Sorted. */
  names(namespace: string): readonly string[];
  /** To be called when pods change: forgets what none uses. */
  prune(namespace: string): void;
  /** The namespace is gone, or is not guarded any more. */
  forget(namespace: string): void;
}

/** A pod that was made before may be heard of later than what happened to its Secret. */
const KEEP_MS = 60_000;

export function createFormerSecrets(deps: FormerSecretsDeps): FormerSecrets {
  const { isGuarded, written, pods, now } = deps;
  /** By namespace: names, and when they ceased to be guarded. */
  const seen = new Map<string, Map<string, number>>();

  function isInUse(namespace: string): (secret: string) => boolean {
    const known = pods(namespace);
    if (known === undefined) return () => true;
    const used = secretsInUse(known);
    return (secret) => used.has(secret);
  }

  return {
    heard(change) {
      if (change.type === 'Added') return;
      const before = change.type === 'Updated' ? change.previous : change.object;
      const { namespace = '' } = before.metadata;
      for (const secret of guardedSecretsOf(before)) {
        if (isGuarded(namespace, secret)) continue;
        const names = seen.get(namespace) ?? new Map<string, number>();
        names.set(secret, now());
        seen.set(namespace, names);
      }
    },
    has(namespace, secret) {
      if (isGuarded(namespace, secret)) return false;
      if (seen.get(namespace)?.has(secret) === true) return true;
      const { secrets = {}, formerSecrets = [] } = written(namespace) ?? {};
      // What the table still lists was guarded, whoever saw it cease to be.
      return formerSecrets.includes(secret) || Object.hasOwn(secrets, secret);
    },
    names(namespace) {
      const { secrets = {}, formerSecrets = [] } = written(namespace) ?? {};
      const remembered = seen.get(namespace)?.keys() ?? [];
      const all = [...new Set([...remembered, ...formerSecrets, ...Object.keys(secrets)])];
      const former = all.filter((secret) => !isGuarded(namespace, secret));
      return former.length === 0 ? former : former.filter(isInUse(namespace)).sort();
    },
    prune(namespace) {
      const names = seen.get(namespace);
      if (names === undefined) return;
      const old = [...names].filter(([, sinceMs]) => now() - sinceMs >= KEEP_MS);
      if (old.length === 0) return;
      const inUse = isInUse(namespace);
      for (const [name] of old) if (!inUse(name)) names.delete(name);
      if (names.size === 0) seen.delete(namespace);
    },
    forget: (namespace) => void seen.delete(namespace),
  };
}

function secretsInUse(pods: readonly Pod[]): ReadonlySet<string> {
  return new Set(
    pods.filter(isLive).flatMap(({ spec }) => secretsOf(spec).map(({ secret }) => secret)),
  );
}

/** One that has ended never runs again. */
export function isLive({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}
