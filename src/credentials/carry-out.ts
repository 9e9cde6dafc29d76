/** Carries out steps. Each one is a single write, or a write whose repetition changes nothing. */
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { boundExchange } from '#api/exchanges.ts';
import { FINALIZER } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import { addFinalizer, removeFinalizer } from '#runtime/finalizers.ts';
import type { Clock } from '#runtime/clock.ts';
import { dropVersions, findVersion, transition } from '#vault/entry.ts';
import type { VaultEntry } from '#vault/entry.ts';
import { VaultError } from '#vault/errors.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import { wipeFields } from '#vault/secret-bytes.ts';
import type { StoredEntry, Vault } from '#vault/store.ts';
import { recordToCompare } from './decide.ts';
import {
  applySecret,
  createSecret,
  deliveryOf,
  inspectTarget,
  withdrawSecret,
} from './delivery.ts';
import type { Scene } from './scene.ts';
import { withEntry } from './scene.ts';
import { generateFields } from './sources/generate.ts';
import type { RequestName, Step } from './step.ts';
import { verifyFields } from './verify.ts';

export interface StepDeps {
  readonly client: KubeClient;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly entropy: (bytes: number) => Uint8Array;
  /** Writes the status as of `scene`: before the only step that destroys what others made. */
  readonly saveStatus: (scene: Scene) => Promise<void>;
}

export async function carryOut(
  deps: StepDeps,
  step: Step,
  scene: Scene,
  signal: AbortSignal,
): Promise<Scene> {
  const { client, vault } = deps;
  const { credential } = scene.view;
  const { namespace = '' } = credential.metadata;
  const at = new Date(deps.clock.now()).toISOString();

  const save = async (change: (entry: VaultEntry) => VaultEntry): Promise<Scene> => {
    const stored = storedOf(scene);
    return withEntry(scene, await vault.save(stored, change(stored.entry), signal));
  };

  switch (step.kind) {
    case 'addFinalizer':
      return withCredential(
        scene,
        await addFinalizer(client, EXCHANGE_CREDENTIALS, credential, FINALIZER, signal),
      );
    case 'removeFinalizer':
      return withCredential(
        scene,
        await removeFinalizer(client, EXCHANGE_CREDENTIALS, credential, FINALIZER, signal),
      );

    case 'adoptEntry': {
      const namespaceUid = scene.view.namespace?.uid ?? '';
      return save((entry) => ({ ...entry, namespaceUid }));
    }
    case 'revokeAll':
      return save((entry) =>
        entry.versions
          .filter(({ state }) => state !== 'Revoked')
          .reduce((next, { version }) => transition(next, version, 'Revoked', at), entry),
      );
    case 'revokeVersions': {
      const { reason } = scene.view.requests;
      return save((entry) =>
        step.versions.reduce(
          (next, version) => transition(next, version, 'Revoked', at, reason),
          entry,
        ),
      );
    }
    case 'rollBack': {
      // A version that does not open must not replace one that does.
      wipeFields(await vault.open(storedOf(scene), step.version, signal));
      const { reason } = scene.view.requests;
      return save((entry) => ({
        ...withoutHold(transition(entry, step.version, 'Current', at, reason)),
        ...(step.hold === undefined ? {} : { heldFingerprint: step.hold }),
      }));
    }
    case 'releaseHold':
      return save(withoutHold);
    case 'failStaged':
      return save((entry) => transition(entry, step.version, 'Failed', at, step.because));
    case 'promote':
      // The reason of a version is why it was made; it stays with it.
      return save((entry) =>
        transition(entry, step.version, 'Current', at, findVersion(entry, step.version)?.reason),
      );
    case 'dropVersions':
      return save((entry) => dropVersions(entry, step.versions));

    case 'stage':
      return withEntry(scene, await stage(deps, step.reason, scene, at, signal));

    case 'createSecret': {
      const created = await withFields(vault, storedOf(scene), step.version, signal, (fields) =>
        createSecret(client, credential, fields, signal),
      );
      // Somebody was faster; whose it is, is seen by looking.
      const found =
        created ??
        (await client.find(SECRETS, { namespace, name: deliveryOf(credential).name }, { signal }));
      return withTarget(scene, vault, found);
    }
    case 'applySecret': {
      const applied = await withFields(vault, storedOf(scene), step.version, signal, (fields) =>
        applySecret(client, credential, step.secret, step.version, fields, signal),
      );
      const next = withTarget(scene, vault, applied);
      const { target } = next.view;
      if (target.kind !== 'ours') return next;
      // The time of delivery is after the write: what started before it may have read the old value.
      const nowMs = deps.clock.now();
      return { ...next, view: { ...next.view, nowMs, target: { ...target, isApplied: true } } };
    }
    case 'withdrawSecret': {
      await withdrawSecret(client, namespace, step.secret, signal);
      return withoutSecret(scene, step.secret.uid);
    }

    case 'deleteSource':
      await deleteSource(deps, step, scene, signal);
      return {
        ...scene,
        view: { ...scene.view, source: { kind: 'removed', secret: step.secret } },
      };

    case 'removeEntry': {
      await vault.remove(storedOf(scene), signal);
      return { ...scene, stored: undefined, view: { ...scene.view, vault: { kind: 'absent' } } };
    }

    case 'closeRequest':
    case 'refuseRequest':
      return withHandled(scene, step.request, step.id);
    case 'reportNothingNew':
      return withHandled(scene, 'rotate', step.id);
  }
}

function storedOf({ stored }: Scene): StoredEntry {
  if (stored === undefined) throw new Error('a step on a vault entry that was not read');
  return stored;
}

async function stage(
  deps: StepDeps,
  reason: string | undefined,
  scene: Scene,
  at: string,
  signal: AbortSignal,
): Promise<StoredEntry> {
  const { vault, entropy } = deps;
  const { credential, source, namespace } = scene.view;
  const { metadata, spec } = credential;
  const identity = {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    exchange: boundExchange(spec),
    type: spec.type,
  };
  const stored = scene.stored ?? (await vault.create(identity, namespace?.uid ?? '', signal));
  const about = { at, ...(reason === undefined ? {} : { reason }) };
  if (source.kind === 'value' && scene.fields !== undefined) {
    const [sealKey] = source.sealKeys;
    return vault.stage(
      stored,
      scene.fields,
      { ...about, origin: source.origin, ...(sealKey === undefined ? {} : { sealKey }) },
      signal,
    );
  }
  const generated = generateFields({
    type: spec.type,
    ...(spec.exchange === undefined ? {} : { exchange: spec.exchange }),
    entropy,
  });
  try {
    verifyFields(spec.type, generated);
    return await vault.stage(stored, generated, { ...about, origin: 'Generate' }, signal);
  } finally {
    wipeFields(generated);
  }
}

/**
 * Deletes what was imported: only after the version was read back from the API server, opened, and
 * found to be the very value, and only the Secret that it was read from.
 */
async function deleteSource(
  { client, vault, saveStatus }: StepDeps,
  { version, secret }: Step & { readonly kind: 'deleteSource' },
  scene: Scene,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = '', name } = scene.view.credential.metadata;
  const { revision } = storedOf(scene).entry;
  const stored = await vault.read({ namespace, name }, { atLeastRevision: revision }, signal);
  if (stored === undefined || scene.fields === undefined) {
    throw new VaultError('ERR_VAULT_UNKNOWN_VERSION', `version ${version} was not read back`);
  }
  const { fields } = scene;
  const isSame = await withFields(vault, stored, version, signal, (kept) =>
    Promise.resolve(isEqual(kept, fields)),
  );
  if (!isSame) {
    throw new VaultError('ERR_VAULT_TAMPERED', `version ${version} differs from its source`);
  }
  await saveStatus(scene);
  await withdrawSecret(client, namespace, secret, signal);
}

function isEqual(a: CredentialFields, b: CredentialFields): boolean {
  return (
    a.size === b.size &&
    [...a].every(([name, value]) => {
      const other = b.get(name);
      return other !== undefined && value.equals(other);
    })
  );
}

/** Opens a version for as long as `use` takes. */
async function withFields<T>(
  vault: Vault,
  stored: StoredEntry,
  version: number,
  signal: AbortSignal,
  use: (fields: CredentialFields) => Promise<T>,
): Promise<T> {
  const fields = await vault.open(stored, version, signal);
  try {
    return await use(fields);
  } finally {
    wipeFields(fields);
  }
}

function withCredential(scene: Scene, credential: ExchangeCredential): Scene {
  return { ...scene, view: { ...scene.view, credential } };
}

function withHandled(scene: Scene, request: RequestName, id: string): Scene {
  const handled = { ...scene.view.handled, [request]: id };
  return { ...scene, view: { ...scene.view, handled } };
}

function withTarget(scene: Scene, vault: Vault, secret: Secret | undefined): Scene {
  const { view } = scene;
  const target = inspectTarget(view.credential, recordToCompare(view), secret, vault.fingerprint);
  return { ...scene, view: { ...view, target } };
}

function withoutSecret(scene: Scene, uid: string): Scene {
  const { target, orphans } = scene.view;
  const isTarget = target.kind === 'ours' && target.secret.uid === uid;
  return {
    ...scene,
    view: {
      ...scene.view,
      target: isTarget ? { kind: 'absent' } : target,
      orphans: orphans.filter((orphan) => orphan.uid !== uid),
    },
  };
}

function withoutHold({ heldFingerprint: _held, ...entry }: VaultEntry): VaultEntry {
  return entry;
}
