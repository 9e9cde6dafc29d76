import type {
  Consumer,
  DeliveryStatus,
  ExchangeCredentialStatus,
  Resealed,
  SourceStatus,
  VersionStatus,
} from '#api/exchange-credential.ts';
import { setCondition } from '#runtime/conditions.ts';
import type { Condition } from '#runtime/conditions.ts';
import type { VaultEntry, VersionRecord } from '#vault/entry.ts';
import { versionIn } from '#vault/entry.ts';
import type { Finding } from './conclude.ts';
import { entryOf } from './decide.ts';
import type { View } from './view.ts';

const MAX_VERSIONS = 100;

export interface StatusInput {
  readonly view: View;
  readonly findings: readonly Finding[];
  readonly resealed: Resealed | undefined;
  /** Undefined while the pods are not known: what was known stays. */
  readonly consumers: { readonly list: readonly Consumer[]; readonly count: number } | undefined;
}

/**
 * The whole status. It is what server-side apply sends, so what is left out here is taken out there:
 * what could not be looked at this time is carried over.
 */
export function buildStatus(input: StatusInput): ExchangeCredentialStatus {
  const { view, findings, resealed } = input;
  const { credential, handled, nowMs } = view;
  const { generation } = credential.metadata;
  const previous = credential.status ?? {};
  const entry = entryOf(view);
  const delivery = deliveryStatus(view);
  const source = sourceStatus(view);
  const consumers =
    input.consumers ??
    (previous.consumers === undefined
      ? undefined
      : { list: previous.consumers, count: previous.consumerCount ?? previous.consumers.length });
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: findings.reduce<readonly Condition[]>(
      (list, finding) =>
        setCondition(
          list,
          { ...finding, ...(generation === undefined ? {} : { observedGeneration: generation }) },
          nowMs,
        ),
      previous.conditions ?? [],
    ),
    ...(entry === undefined ? carriedVersions(view) : entryStatus(entry)),
    ...(delivery === undefined ? {} : { delivery }),
    ...(source === undefined ? {} : { source }),
    ...(Object.keys(handled).length === 0 ? {} : { handledRequests: handled }),
    ...(resealed === undefined ? {} : { resealed }),
    ...(consumers === undefined
      ? {}
      : { consumers: consumers.list, consumerCount: consumers.count }),
  };
}

type VersionsPart = Pick<ExchangeCredentialStatus, 'currentVersion' | 'versions' | 'vaultRevision'>;

function entryStatus(entry: VaultEntry): VersionsPart {
  const current = versionIn(entry, 'Current')?.version;
  return {
    ...(current === undefined ? {} : { currentVersion: current }),
    versions: listedVersions(entry).map(versionStatus),
    vaultRevision: entry.revision,
  };
}

/** The newest ones; and those in use, which after a rollback can be old. */
function listedVersions({ versions }: VaultEntry): VaultEntry['versions'] {
  if (versions.length <= MAX_VERSIONS) return versions;
  const isUsed = ({ state }: VersionRecord): boolean => state === 'Current' || state === 'Previous';
  const used = versions.filter(isUsed);
  const others = versions.filter((record) => !isUsed(record)).slice(used.length - MAX_VERSIONS);
  return [...used, ...others].sort((a, b) => a.version - b.version);
}

function versionStatus(record: VersionRecord): VersionStatus {
  const { version, state, createdAt, changedAt, origin, sealKey, reason } = record;
  return {
    version,
    state,
    createdAt,
    changedAt,
    origin,
    ...(sealKey === undefined ? {} : { sealKey }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** An entry that cannot be trusted must not make the status forget what it had to be. */
function carriedVersions({ credential }: View): VersionsPart {
  const { currentVersion, versions, vaultRevision } = credential.status ?? {};
  return {
    ...(currentVersion === undefined ? {} : { currentVersion }),
    ...(versions === undefined ? {} : { versions }),
    ...(vaultRevision === undefined ? {} : { vaultRevision }),
  };
}

/** What is delivered, and since when. */
export function deliveryStatus(view: View): DeliveryStatus | undefined {
  const { target, orphans, credential, nowMs } = view;
  const previous = credential.status?.delivery;
  if (target.kind === 'unread') return previous;
  if (target.kind !== 'ours' || target.version === undefined) {
    // Until it is withdrawn the Secret of a former name holds the value: it is guarded by this.
    return orphans.some(({ uid }) => uid === previous?.secretUid) ? previous : undefined;
  }
  const { name, uid } = target.secret;
  const isSame = previous?.secretUid === uid && previous.version === target.version;
  return {
    secretName: name,
    secretUid: uid,
    version: target.version,
    // After a stop between the delivery and this it is late: evidence may come late, never early.
    deliveredAt: isSame ? previous.deliveredAt : new Date(nowMs).toISOString(),
  };
}

function sourceStatus(view: View): SourceStatus | undefined {
  const { source, credential } = view;
  const previous = credential.status?.source;
  switch (source.kind) {
    case 'value': {
      if (source.origin === 'Sealed') return { sealKeys: source.sealKeys };
      const entry = entryOf(view);
      const isStored = entry?.versions.some((v) => v.fingerprint === source.fingerprint) ?? false;
      if (!isStored || source.secret === undefined) return undefined;
      const { uid, resourceVersion } = source.secret;
      return { imported: { secretUid: uid, resourceVersion } };
    }
    case 'removed':
      if (source.secret !== undefined) {
        const { uid, resourceVersion } = source.secret;
        return { imported: { secretUid: uid, resourceVersion, removed: true } };
      }
      return previous?.imported === undefined
        ? previous
        : { imported: { ...previous.imported, removed: true } };
    case 'generate':
      return undefined;
    case 'missing':
    case 'refused':
    case 'unread':
      return previous;
  }
}
