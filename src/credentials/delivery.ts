/**
 * The delivered Secret: what it should look like, whose it is, and how it differs. It is made by
 * POST and changed by server-side apply with its uid, so a Secret that somebody else made under the
 * same name is never taken over.
 */
import { createHash } from 'node:crypto';
import type { ExchangeCredential, SecretDelivery } from '#api/exchange-credential.ts';
import { ANNOTATIONS, API_VERSION, FIELD_MANAGER, LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { OwnerReference, Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import type { VersionRecord } from '#vault/entry.ts';
import type { Fingerprints } from '#vault/fingerprint.ts';
import { SecretBytes, wipeFields } from '#vault/secret-bytes.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import type { SecretIdentity, TargetView } from './view.ts';

/** A label's value has at most 63 characters; an object's name can have 253. */
const MAX_LABEL_LENGTH = 63;

export function credentialLabel(name: string): string {
  if (name.length <= MAX_LABEL_LENGTH) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 10);
  return `${name.slice(0, 52)}-${digest}`;
}

/** UID of the ExchangeCredential that controls a Secret; the index under which orphans are found. */
export function controllingUid({ metadata }: Secret): string | undefined {
  return metadata.ownerReferences?.find(isOurKind)?.uid;
}

function isOurKind({ apiVersion, kind, controller }: OwnerReference): boolean {
  return controller === true && kind === 'ExchangeCredential' && apiVersion === API_VERSION;
}

export function isManagedByOther({ metadata }: Secret): boolean {
  return metadata.ownerReferences?.some(({ controller }) => controller === true) ?? false;
}

export function identityOf({ metadata }: Secret): SecretIdentity {
  const { name, uid = '', resourceVersion = '' } = metadata;
  return { name, uid, resourceVersion };
}

/**
 * Whose a Secret is and how it differs from what `record` should look like in it. Values are
 * compared by keyed fingerprints, so the vault need not be opened to look.
 */
export function inspectTarget(
  credential: ExchangeCredential,
  record: VersionRecord | undefined,
  secret: Secret | undefined,
  fingerprint: (fields: CredentialFields) => Fingerprints,
): TargetView {
  if (secret === undefined) return { kind: 'absent' };
  if (!isOurs(credential, secret)) {
    const owner = ownerOf(secret);
    const { name } = secret.metadata;
    return { kind: 'foreign', name, ...(owner === undefined ? {} : { owner }) };
  }
  const delivery = deliveryOf(credential);
  const version = Number(secret.metadata.annotations?.[ANNOTATIONS.version]);
  return {
    kind: 'ours',
    secret: identityOf(secret),
    ...(Number.isSafeInteger(version) ? { version } : {}),
    isApplied: false,
    unmendable: secret.immutable === true || (secret.type ?? 'Opaque') !== typeOf(delivery),
    differences: [
      ...(controllingUid(secret) === credential.metadata.uid ? [] : ['its owner was removed']),
      ...labelDifferences(credential, secret),
      ...(record === undefined ? [] : dataDifferences(delivery, record, secret, fingerprint)),
    ],
  };
}

/**
 * Ours by its owner; or, when somebody took the owner off, by the uid that was written down when it
 * was made.
 */
function isOurs({ metadata, status }: ExchangeCredential, secret: Secret): boolean {
  const { uid } = secret.metadata;
  if (metadata.uid === undefined || uid === undefined) return false;
  if (isManagedByOther(secret)) return controllingUid(secret) === metadata.uid;
  return status?.delivery?.secretUid === uid;
}

function ownerOf({ metadata }: Secret): string | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner !== undefined) return `${owner.kind} ${owner.name}`;
  const manager = metadata.labels?.['app.kubernetes.io/managed-by'];
  return manager === undefined ? undefined : `what ${manager} manages`;
}

function labelDifferences(credential: ExchangeCredential, { metadata }: Secret): string[] {
  return Object.entries(labelsOf(credential))
    .filter(([name, value]) => metadata.labels?.[name] !== value)
    .map(([name]) => `label "${name}" was changed`);
}

function dataDifferences(
  delivery: SecretDelivery,
  record: VersionRecord,
  { data = {} }: Secret,
  fingerprint: (fields: CredentialFields) => Fingerprints,
): string[] {
  const keys = record.fields.map((field) => [field, keyOf(delivery, field)] as const);
  const present = new Map<string, SecretBytes>();
  for (const [field, key] of keys) {
    const encoded = data[key];
    if (encoded === undefined) continue;
    const decoded = Buffer.from(encoded, 'base64');
    present.set(field, SecretBytes.fromBytes(decoded));
    decoded.fill(0);
  }
  const { fieldFingerprints } = fingerprint(present);
  wipeFields(present);
  const expected = new Set(keys.map(([, key]) => key));
  return [
    ...keys
      .filter(([field]) => fieldFingerprints[field] !== record.fieldFingerprints[field])
      .map(([field, key]) => `data key "${key}" was ${present.has(field) ? 'changed' : 'removed'}`),
    ...Object.keys(data)
      .filter((key) => !expected.has(key))
      .map((key) => `data key "${key}" was added`),
  ];
}

/** Makes the Secret; undefined when one of that name exists already. */
export async function createSecret(
  client: KubeClient,
  credential: ExchangeCredential,
  fields: CredentialFields,
  signal: AbortSignal,
): Promise<Secret | undefined> {
  const delivery = deliveryOf(credential);
  const { namespace = '' } = credential.metadata;
  try {
    // With its data from the start: a pod that waits for the Secret must not find it empty. The
    // version is written by the apply that follows, so that a stop in between is noticed.
    return await client.create<Secret>(
      SECRETS,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: delivery.name,
          namespace,
          labels: { [LABELS.credential]: credentialLabel(credential.metadata.name) },
          ownerReferences: [ownerReferenceTo(credential)],
        },
        type: typeOf(delivery),
        data: encodeData(delivery, fields),
      },
      { fieldManager: FIELD_MANAGER, signal },
    );
  } catch (error) {
    if (isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) return undefined;
    throw error;
  }
}

/**
 * Brings the Secret `secret` to `version`. With a uid that is not that of the Secret there, the
 * server answers ERR_KUBE_CONFLICT.
 */
export async function applySecret(
  client: KubeClient,
  credential: ExchangeCredential,
  secret: SecretIdentity,
  version: number,
  fields: CredentialFields,
  signal: AbortSignal,
): Promise<Secret> {
  const delivery = deliveryOf(credential);
  const { namespace = '' } = credential.metadata;
  const data = encodeData(delivery, fields);
  const applied = await client.apply<Secret>(
    SECRETS,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: secret.name,
        namespace,
        uid: secret.uid,
        labels: labelsOf(credential),
        annotations: { [ANNOTATIONS.version]: String(version) },
        ownerReferences: [ownerReferenceTo(credential)],
      },
      type: typeOf(delivery),
      data,
    },
    { fieldManager: FIELD_MANAGER, force: true, signal },
  );
  // Apply leaves alone what others added, and what the POST added under its own operation.
  const extra = Object.keys(applied.data ?? {}).filter((key) => !Object.hasOwn(data, key));
  if (extra.length === 0) return applied;
  const { uid, resourceVersion } = applied.metadata;
  return client.mergePatch<Secret>(
    SECRETS,
    { namespace, name: secret.name },
    {
      metadata: { uid, resourceVersion },
      data: Object.fromEntries(extra.map((key) => [key, null])),
    },
    { fieldManager: FIELD_MANAGER, signal },
  );
}

/** Deletes exactly the Secret that was looked at; one that is gone already is as good. */
export async function withdrawSecret(
  client: KubeClient,
  namespace: string,
  secret: SecretIdentity,
  signal: AbortSignal,
): Promise<void> {
  const { name, uid, resourceVersion } = secret;
  try {
    await client.delete(SECRETS, { namespace, name }, { uid, resourceVersion, signal });
  } catch (error) {
    if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
  }
}

/** The CRD demands exactly one way of delivery, and knows one. */
export function deliveryOf({ spec }: ExchangeCredential): SecretDelivery {
  const { secret } = spec.delivery;
  if (secret === undefined) throw new Error('spec.delivery has no member that is known here');
  return secret;
}

function typeOf({ type }: SecretDelivery): string {
  return type ?? 'Opaque';
}

function keyOf({ keys }: SecretDelivery, field: string): string {
  return keys?.[field] ?? field;
}

function labelsOf(credential: ExchangeCredential): Readonly<Record<string, string>> {
  return {
    ...deliveryOf(credential).labels,
    [LABELS.credential]: credentialLabel(credential.metadata.name),
  };
}

function encodeData(
  delivery: SecretDelivery,
  fields: CredentialFields,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...fields].map(([field, value]) => [
      keyOf(delivery, field),
      Buffer.from(value.bytes()).toString('base64'),
    ]),
  );
}

function ownerReferenceTo({ metadata }: ExchangeCredential): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: 'ExchangeCredential',
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
    // Would need the right to change the owner's finalizers, and gains nothing here.
    blockOwnerDeletion: false,
  };
}
