/**
 * What was applied, and as what it came out: kept in a ConfigMap, so that a change by others is told
 * from a change of mind, also by the next leader. Pure; the controller reads and writes.
 */
import { createHash } from 'node:crypto';
import { isRecord, parseJson } from '#access/reading.ts';
import type { KubeObject } from '#kube/objects.ts';

export interface Remembered {
  /** Digest of what was asked for, the CA bundle left out. */
  readonly wanted: string;
  /** Digest of what the API server made of it. Absent while it is being applied. */
  readonly found?: string;
}

/** By `Kind/name`. */
export type Memory = Readonly<Record<string, Remembered>>;

export type ObjectStep =
  /** It is as it should be. */
  | 'Leave'
  /** For the first time, or anew because something else is wanted. */
  | 'Apply'
  /** Only the CA bundle: also on what others changed. */
  | 'RenewBundle'
  | 'Missing'
  | 'Changed'
  | 'ChangedRenewBundle';

export function memoryKey({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}`;
}

/** What is to be done about one object. `isRestoring`: somebody asked for changes to be undone. */
export function stepFor(
  wanted: KubeObject,
  found: KubeObject | undefined,
  remembered: Remembered | undefined,
  isRestoring: boolean,
): ObjectStep {
  if (remembered?.found === undefined) return 'Apply';
  if (found === undefined) return isRestoring ? 'Apply' : 'Missing';
  const hasBundle = hasBundleOf(wanted, found);
  if (contentDigest(found) !== remembered.found) {
    if (isRestoring) return 'Apply';
    return hasBundle ? 'Changed' : 'ChangedRenewBundle';
  }
  if (contentDigest(wanted) !== remembered.wanted) return 'Apply';
  return hasBundle ? 'Leave' : 'RenewBundle';
}

interface WithWebhooks {
  readonly webhooks?: readonly {
    readonly name?: string;
    readonly clientConfig?: { readonly caBundle?: string };
  }[];
}

/** Whether every webhook of ours in an object has the CA bundle that is wanted. */
export function hasBundleOf(wanted: KubeObject, found: KubeObject): boolean {
  const [bundle] = ((wanted as WithWebhooks).webhooks ?? []).map(
    ({ clientConfig }) => clientConfig?.caBundle,
  );
  if (bundle === undefined) return true;
  return ((found as WithWebhooks).webhooks ?? []).every(
    ({ clientConfig }) => clientConfig?.caBundle === bundle,
  );
}

/** Of all that decides: everything but the CA bundle, metadata and status. */
export function contentDigest(object: KubeObject): string {
  const { apiVersion: _version, metadata: _metadata, ...rest } = object;
  const { status: _status, ...content } = rest as Readonly<Record<string, unknown>>;
  return createHash('sha256').update(canonical(content)).digest('base64url');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([key, member]) => key !== 'caBundle' && member !== undefined && member !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}

/** What stands in the ConfigMap; nothing where it cannot be read, so that all is applied anew. */
export function readMemory(text: string | undefined): Memory {
  const value = parseJson(text);
  return isRecord(value) ? (value as Memory) : {};
}
