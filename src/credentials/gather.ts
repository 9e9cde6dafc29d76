import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Namespace, Pod } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import type { Clock } from '#runtime/clock.ts';
import { isKeyProviderError, isVaultError } from '#vault/errors.ts';
import type { VaultErrorCode } from '#vault/errors.ts';
import type { SealKeyring } from '#vault/seal-keys.ts';
import { wipeFields } from '#vault/secret-bytes.ts';
import type { StoredEntry, Vault } from '#vault/store.ts';
import { recordToCompare } from './decide.ts';
import { deliveryOf, inspectTarget } from './delivery.ts';
import { findObstacle, namespaceObstacle } from './obstacle.ts';
import { readRequests } from './requests.ts';
import type { Scene } from './scene.ts';
import { readSource } from './sources/read-source.ts';
import type { NamespaceView, SecretIdentity, VaultView, View } from './view.ts';

/** What is known from watches, without asking. */
export interface Surroundings {
  namespace(name: string): Namespace | undefined;
  /** Undefined where the namespace is not guarded, and until its informers have synced. */
  guarded(namespace: string): GuardedView | undefined;
  /** It is guarded, but not ready to be worked in. */
  isPreparing(namespace: string): boolean;
}

export interface GuardedView {
  /** Managed Secrets whose controller is the ExchangeCredential of this uid. */
  secretsOwnedBy(uid: string): readonly SecretIdentity[];
  podsUsing(secretName: string): readonly Pod[];
  pods(): readonly Pod[];
  pod(name: string): Pod | undefined;
  podsOnNode(node: string): readonly Pod[];
}

export interface GatherDeps {
  readonly client: KubeClient;
  readonly vault: Vault;
  readonly keyring: () => SealKeyring;
  readonly clock: Clock;
  readonly surroundings: Surroundings;
  /** By credential: the copy of its entry, `uid/resourceVersion`, whose ciphertexts were all opened. */
  readonly authenticated: Map<string, string>;
}

export async function gather(
  deps: GatherDeps,
  credential: ExchangeCredential,
  signal: AbortSignal,
): Promise<Scene> {
  const { metadata, spec, status } = credential;
  const { namespace = '' } = metadata;
  const { stored, vault } = await readVault(deps, credential, signal);
  const ns = deps.surroundings.namespace(namespace);
  const view: View = {
    nowMs: deps.clock.now(),
    credential,
    namespace: ns === undefined ? undefined : namespaceView(ns),
    vault,
    source: { kind: 'unread' },
    target: { kind: 'unread' },
    orphans: [],
    podsWithoutRight: [],
    requests: readRequests(metadata.annotations),
    handled: status?.handledRequests ?? {},
  };
  // Elsewhere there is no right to read Secrets, and no wish to.
  if (namespaceObstacle(view) !== undefined) {
    return { view, stored, fields: undefined, resealed: status?.resealed };
  }

  const { name } = deliveryOf(credential);
  const secret = await deps.client.find(SECRETS, { namespace, name }, { signal });
  const withTarget: View = {
    ...view,
    target: inspectTarget(credential, recordToCompare(view), secret, deps.vault.fingerprint),
    orphans: (
      deps.surroundings.guarded(namespace)?.secretsOwnedBy(metadata.uid ?? '') ?? []
    ).filter((owned) => owned.name !== name),
  };
  const isOver = metadata.deletionTimestamp !== undefined || spec.state === 'Revoked';
  if (isOver || findObstacle(withTarget) !== undefined) {
    return { view: withTarget, stored, fields: undefined, resealed: status?.resealed };
  }
  const source = await readSource(deps, credential, stored?.entry, signal);
  return {
    view: { ...withTarget, source: source.view },
    stored,
    fields: source.fields,
    resealed: source.resealed,
  };
}

function namespaceView({ metadata, status }: Namespace): NamespaceView {
  const environment = metadata.labels?.[LABELS.environment];
  return {
    uid: metadata.uid ?? '',
    guarded: metadata.labels?.[LABELS.guarded] === 'true',
    terminating: metadata.deletionTimestamp !== undefined || status?.phase === 'Terminating',
    ...(environment === undefined ? {} : { environment }),
  };
}

async function readVault(
  { vault, authenticated }: GatherDeps,
  { metadata, status }: ExchangeCredential,
  signal: AbortSignal,
): Promise<{ readonly stored: StoredEntry | undefined; readonly vault: VaultView }> {
  const at = { namespace: metadata.namespace ?? '', name: metadata.name };
  const atLeastRevision = status?.vaultRevision ?? 0;
  try {
    const stored = await vault.read(at, { atLeastRevision }, signal);
    if (stored === undefined) {
      const wasThere = atLeastRevision > 0 && metadata.deletionTimestamp === undefined;
      return { stored, vault: wasThere ? missingEntry(atLeastRevision) : { kind: 'absent' } };
    }
    await authenticate(vault, stored, authenticated, signal);
    return { stored, vault: { kind: 'entry', entry: stored.entry } };
  } catch (error) {
    const fault = faultOf(error);
    if (fault === undefined) throw error;
    return { stored: undefined, vault: fault };
  }
}

/** The table's MAC says nothing of the ciphertexts, so each copy is opened once. */
async function authenticate(
  vault: Vault,
  stored: StoredEntry,
  authenticated: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name } = stored.entry.identity;
  const { uid, resourceVersion } = stored.secret.metadata;
  const copy = `${uid}/${resourceVersion}`;
  if (authenticated.get(`${namespace}/${name}`) === copy) return;
  for (const { version } of stored.entry.versions) {
    wipeFields(await vault.open(stored, version, signal));
  }
  authenticated.set(`${namespace}/${name}`, copy);
}

const FAULTS: Readonly<
  Partial<Record<VaultErrorCode, 'VaultTampered' | 'VaultSwapped' | 'VaultRolledBack'>>
> = {
  ERR_VAULT_TAMPERED: 'VaultTampered',
  ERR_VAULT_SWAPPED: 'VaultSwapped',
  ERR_VAULT_ROLLED_BACK: 'VaultRolledBack',
};

/** The view of a vault that answered with `error`; undefined when it says nothing about the entry. */
export function faultOf(error: unknown): (VaultView & { readonly kind: 'fault' }) | undefined {
  if (isVaultError(error)) {
    const reason = FAULTS[error.code];
    if (reason === undefined) return undefined;
    return {
      kind: 'fault',
      reason,
      message: `${sentence(error.message)} Nothing is delivered from it; restore the entry from a backup.`,
    };
  }
  if (isKeyProviderError(error)) {
    return { kind: 'fault', reason: 'VaultUnavailable', message: sentence(error.message) };
  }
  return undefined;
}

function missingEntry(revision: number): VaultView {
  return {
    kind: 'fault',
    reason: 'VaultEntryMissing',
    message: `The vault entry is gone; its revision was ${revision}. Nothing is delivered; restore the entry from a backup, or delete the object and create it anew to begin with an empty one.`,
  };
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}
