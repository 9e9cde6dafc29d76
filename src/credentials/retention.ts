import type { ExchangeCredentialSpec } from '#api/exchange-credential.ts';
import { parseDuration } from '#api/duration.ts';
import type { VaultEntry, VersionState } from '#vault/entry.ts';

export const DEFAULT_KEEP_VERSIONS = 10;
export const DEFAULT_KEEP_FOR = '720h';

/** Versions in use, or about to be, are never ended by the rule. */
const ENDED: ReadonlySet<VersionState> = new Set(['Retired', 'Revoked', 'Failed']);

export interface Retention {
  /** Versions that the rule of `spec.history` ends now. */
  readonly due: readonly number[];
  /** When the next one is due, in ms since the epoch. */
  readonly nextMs?: number;
}

/**
 * A version goes when it is beyond the newest `keepVersions` *and* has been out of use for
 * `keepFor`: both a busy and a quiet credential keep what a rollback would need.
 */
export function applyRetention(
  entry: VaultEntry,
  history: ExchangeCredentialSpec['history'],
  nowMs: number,
): Retention {
  const keepVersions = history?.keepVersions ?? DEFAULT_KEEP_VERSIONS;
  const keepForMs = parseDuration(history?.keepFor ?? DEFAULT_KEEP_FOR);
  const beyond = [...entry.versions]
    .sort((a, b) => b.version - a.version)
    .slice(keepVersions)
    .filter(({ state }) => ENDED.has(state))
    .map(({ version, changedAt }) => ({ version, atMs: Date.parse(changedAt) + keepForMs }));
  const later = beyond.filter(({ atMs }) => atMs > nowMs).map(({ atMs }) => atMs);
  return {
    due: beyond.filter(({ atMs }) => atMs <= nowMs).map(({ version }) => version),
    ...(later.length === 0 ? {} : { nextMs: Math.min(...later) }),
  };
}
