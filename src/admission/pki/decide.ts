/**
 * What is to be done about the webhook's certificates, and when to look again. The rule behind all
 * of it: at any moment whatever a replica serves is signed by an authority that the API servers
 * already trust. So a new authority first goes into the bundle beside the old one, then signs once
 * the bundle has arrived, and the old one goes when nothing by it is served any more.
 */
import type { X509Certificate } from 'node:crypto';
import { BACKDATE_MS, FOLLOW_MS, LAST_MOMENT_MS, RENEW_AFTER, SETTLE_MS } from './periods.ts';
import { coversNames, isIssuedBy, readCertificate } from './stored-pki.ts';
import type { StoredPki } from './stored-pki.ts';

export type PkiStep =
  | { readonly kind: 'keep'; readonly nextAtMs: number }
  /** Nothing usable is there: authority, serving certificate and bundle anew. */
  | { readonly kind: 'create' }
  /** A serving certificate by the present authority. */
  | { readonly kind: 'renewLeaf' }
  /** A new authority beside the old one; what is served stays. */
  | { readonly kind: 'startCa' }
  /** The first serving certificate by the new authority. */
  | { readonly kind: 'switchLeaf' }
  /** Only the present authority stays in the bundle. */
  | { readonly kind: 'dropOldCa' }
  /** The bundle lacks an authority that it must have. */
  | { readonly kind: 'completeBundle' }
  | { readonly kind: 'createStampKey' };

export interface ObservedPki {
  /**
   * Since when every configuration of the webhook carries the bundle just as it is stored, in
   * milliseconds since the epoch. Absent: not all do, or nobody knows.
   */
  readonly bundleInConfigurationsSinceMs?: number;
}

/** Names are host names and IP addresses that the webhook is called by. */
export function decidePki(
  stored: StoredPki,
  names: readonly string[],
  nowMs: number,
  observed: ObservedPki,
): PkiStep {
  const authority = valid(stored.authority?.cert, nowMs);
  const served = valid(stored.serving?.cert, nowMs);
  const bundle = stored.bundle.flatMap((pem) => valid(pem, nowMs) ?? []);
  const serving = served !== undefined && coversNames(served, names) ? served : undefined;
  const isBySame =
    authority !== undefined && serving !== undefined && isIssuedBy(serving, authority);
  const isByKnown = serving !== undefined && bundle.some((one) => isIssuedBy(serving, one));

  if (serving === undefined || !(isBySame || isByKnown)) {
    return { kind: authority === undefined ? 'create' : 'renewLeaf' };
  }
  if (stored.stampKey === undefined) return { kind: 'createStampKey' };
  // Not before a serving certificate that the old one can still renew: its time is the next step's.
  if (authority === undefined) return { kind: 'startCa' };
  if (!has(stored.bundle, authority)) return { kind: 'completeBundle' };

  const servingEndMs = serving.validToDate.getTime();
  if (!isBySame) {
    const arrivedMs = observed.bundleInConfigurationsSinceMs;
    const settledAtMs = arrivedMs === undefined ? Infinity : arrivedMs + SETTLE_MS;
    const switchAtMs = Math.min(settledAtMs, servingEndMs - LAST_MOMENT_MS);
    return nowMs >= switchAtMs ? { kind: 'switchLeaf' } : { kind: 'keep', nextAtMs: switchAtMs };
  }

  const authorityEndMs = authority.validToDate.getTime();
  const leafDueMs = authorityEndMs > servingEndMs ? dueMs(serving) : Infinity;
  if (nowMs >= leafDueMs) return { kind: 'renewLeaf' };
  const authorityDueMs = dueMs(authority);
  if (nowMs >= authorityDueMs) return { kind: 'startCa' };
  const hasOthers = stored.bundle.length > 1;
  const dropAtMs = hasOthers ? issuedAtMs(serving) + FOLLOW_MS : Infinity;
  if (nowMs >= dropAtMs) return { kind: 'dropOldCa' };
  return { kind: 'keep', nextAtMs: Math.min(leafDueMs, authorityDueMs, dropAtMs) };
}

function valid(pem: string | undefined, nowMs: number): X509Certificate | undefined {
  const certificate = pem === undefined ? undefined : readCertificate(pem);
  if (certificate === undefined) return undefined;
  const { validFromDate, validToDate } = certificate;
  return validFromDate.getTime() <= nowMs && nowMs < validToDate.getTime()
    ? certificate
    : undefined;
}

function has(bundle: readonly string[], certificate: X509Certificate): boolean {
  return bundle.some((pem) => readCertificate(pem)?.fingerprint256 === certificate.fingerprint256);
}

function issuedAtMs({ validFromDate }: X509Certificate): number {
  return validFromDate.getTime() + BACKDATE_MS;
}

function dueMs(certificate: X509Certificate): number {
  const fromMs = issuedAtMs(certificate);
  return fromMs + (certificate.validToDate.getTime() - fromMs) * RENEW_AFTER;
}
