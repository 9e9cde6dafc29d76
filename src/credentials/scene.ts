import type { Resealed } from '#api/exchange-credential.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import { wipeFields } from '#vault/secret-bytes.ts';
import type { StoredEntry } from '#vault/store.ts';
import type { View } from './view.ts';

/**
 * One reconciliation's state: what decisions see, and beside it what only steps may touch. Steps
 * give back the next scene; nothing outlives the reconciliation.
 */
export interface Scene {
  readonly view: View;
  readonly stored: StoredEntry | undefined;
  /** The source's values, while `view.source` is a value. */
  readonly fields: CredentialFields | undefined;
  readonly resealed: Resealed | undefined;
}

/** `scene` with its entry as it is stored now. */
export function withEntry(scene: Scene, stored: StoredEntry): Scene {
  return {
    ...scene,
    stored,
    view: { ...scene.view, vault: { kind: 'entry', entry: stored.entry } },
  };
}

export function wipeScene({ fields }: Scene): void {
  if (fields !== undefined) wipeFields(fields);
}
