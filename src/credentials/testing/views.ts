/** Views and their parts for tables of tests: a healthy credential, and what differs from it. */
import type {
  ExchangeCredential,
  ExchangeCredentialSpec,
  ExchangeCredentialStatus,
} from '#api/exchange-credential.ts';
import { FINALIZER } from '#api/names.ts';
import type { VaultEntry, VersionRecord } from '#vault/entry.ts';
import { readRequests } from '../requests.ts';
import type { TargetView, View } from '../view.ts';

export const NOW: number = Date.parse('2026-11-24T12:00:00Z');
export const NAMESPACE_UID = 'namespace-uid';

interface CredentialParts {
  readonly spec?: Partial<ExchangeCredentialSpec>;
  readonly status?: ExchangeCredentialStatus;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly isDeleted?: boolean;
  readonly isHeld?: boolean;
  readonly generation?: number;
}

export function credentialOf(parts: CredentialParts = {}): ExchangeCredential {
  const { annotations, isDeleted = false, isHeld = true, generation = 1 } = parts;
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: {
      name: 'maker',
      namespace: 'trading',
      uid: 'maker-uid',
      generation,
      finalizers: isHeld ? [FINALIZER] : [],
      ...(annotations === undefined ? {} : { annotations }),
      ...(isDeleted ? { deletionTimestamp: '2026-11-24T11:59:59Z' } : {}),
    },
    spec: {
      exchange: 'Hyperliquid',
      type: 'PrivateKey',
      environment: 'Production',
      owner: 'market-making',
      source: { sealed: { privateKey: 'eyJ' } },
      delivery: { secret: { name: 'maker-secret' } },
      ...parts.spec,
    },
    status: parts.status ?? { observedGeneration: generation },
  };
}

/** A version whose value, and so its fingerprint, is `value`. */
export function record(
  version: number,
  state: VersionRecord['state'],
  value: string,
  more: Partial<VersionRecord> = {},
): VersionRecord {
  return {
    version,
    state,
    createdAt: '2026-11-01T00:00:00Z',
    changedAt: '2026-11-01T00:00:00Z',
    origin: 'Sealed',
    fields: ['privateKey'],
    fingerprint: value,
    fieldFingerprints: { privateKey: value },
    ...more,
  };
}

export function entryWith(
  versions: readonly VersionRecord[],
  more: Partial<VaultEntry> = {},
): VaultEntry {
  return {
    identity: {
      namespace: 'trading',
      name: 'maker',
      exchange: 'Hyperliquid',
      type: 'PrivateKey',
    },
    namespaceUid: NAMESPACE_UID,
    revision: versions.length + 1,
    nextVersion: Math.max(0, ...versions.map(({ version }) => version)) + 1,
    versions,
    ...more,
  };
}

export function secretNamed(name: string): {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
} {
  return { name, uid: `${name}-uid`, resourceVersion: '7' };
}

export function ours(
  version: number | undefined,
  more: Partial<TargetView & { readonly kind: 'ours' }> = {},
): TargetView {
  return {
    kind: 'ours',
    secret: secretNamed('maker-secret'),
    ...(version === undefined ? {} : { version }),
    differences: [],
    unmendable: false,
    isApplied: false,
    ...more,
  };
}

export function sealedValue(fingerprint: string): View['source'] {
  return { kind: 'value', origin: 'Sealed', fingerprint, sealKeys: ['key-1'] };
}

export function importedValue(fingerprint: string): View['source'] {
  return {
    kind: 'value',
    origin: 'SecretRef',
    fingerprint,
    sealKeys: [],
    secret: secretNamed('import-me'),
  };
}

interface ViewParts extends CredentialParts, Partial<Omit<View, 'credential' | 'vault'>> {
  readonly entry?: VaultEntry | undefined;
  readonly vault?: View['vault'];
}

/** Version 1, of value `a`, is current, delivered and in the source; unless `parts` say otherwise. */
export function viewOf(parts: ViewParts = {}): View {
  const credential = credentialOf(parts);
  const entry = 'entry' in parts ? parts.entry : entryWith([record(1, 'Current', 'a')]);
  return {
    nowMs: NOW,
    credential,
    namespace: { uid: NAMESPACE_UID, guarded: true, terminating: false },
    source: sealedValue('a'),
    target: ours(1),
    orphans: [],
    podsWithoutRight: [],
    requests: readRequests(credential.metadata.annotations),
    handled: {},
    ...parts,
    vault: parts.vault ?? (entry === undefined ? { kind: 'absent' } : { kind: 'entry', entry }),
  };
}
