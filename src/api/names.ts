/**
 * Every name that Strongroom writes into a cluster or reads from one: group, labels, annotations,
 * finalizer, condition types and reasons. They are a contract: other people's scripts, alerts and
 * manifests hold them.
 */

export const GROUP = 'strongroom.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = 'strongroom.dev/v1alpha1';

/** Owner of the fields that the operator applies with server-side apply. */
export const FIELD_MANAGER = 'strongroom';

/** Keeps an object until its delivered Secret is withdrawn and its deletion policy is carried out. */
export const FINALIZER = 'strongroom.dev/vault';

export const LABELS = {
  /** On a namespace, `"true"`: Strongroom works here. */
  guarded: 'strongroom.dev/guarded',
  /** On a namespace: the environment that its credentials must have. */
  environment: 'strongroom.dev/environment',
  /** On a delivered Secret: the name of its ExchangeCredential. */
  credential: 'strongroom.dev/credential',
  /** On the operator's own objects: what they are, such as `vault-entry` or `seal-key`. */
  component: 'strongroom.dev/component',
} as const;

export const ANNOTATIONS = {
  /** A request id: take a new version from the source now. */
  rotate: 'strongroom.dev/rotate',
  /** `<version>` or `<version>/<request id>`: make that version current again. */
  rollbackTo: 'strongroom.dev/rollback-to',
  /** `<version>` or `<version>/<request id>`: end that version for good. */
  revoke: 'strongroom.dev/revoke',
  /** Why one of the above is asked for; stands in the audit record. */
  reason: 'strongroom.dev/reason',
  /** UID of the namespace that the vault entry was made in: lets its successor take it over. */
  adopt: 'strongroom.dev/adopt',
  /** On a delivered Secret: the version it holds. */
  version: 'strongroom.dev/version',
} as const;

export const CONDITION_TYPES = [
  'Ready',
  'Reconciling',
  'Stalled',
  'SourceReady',
  'Delivered',
] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** Reasons of conditions, with what each one means; the reference page prints them. */
export const REASONS = {
  Delivered: 'The current version is in the delivered Secret.',
  SourceRead: 'The source was read and holds nothing that is not in the vault.',
  UpToDate: 'Nothing is left to do.',
  Suspended: '`spec.state` is Suspended: the Secret is withdrawn, the versions are kept.',
  Revoked: 'Every version was ended; this cannot be undone.',
  CurrentVersionRevoked: 'The current version was revoked and no other one took its place.',
  NoVersion: 'No version was taken from the source yet.',
  SourceMissing: 'The Secret, or the key in it, that the source names does not exist.',
  SourceRefused: 'The value of the source is not usable; the message says which field and why.',
  SourceHeld:
    'The source still holds the value that was rolled back or revoked; it is not taken again until it differs.',
  SourceRemoved: 'The source Secret was deleted after its import, as `afterImport` asks.',
  ForeignSecret:
    'A Secret of the target name belongs to someone else; it is left alone. Delete it or choose another name.',
  NamespaceNotGuarded: 'The namespace does not carry the label `strongroom.dev/guarded: "true"`.',
  NamespaceReplaced:
    'The namespace was deleted and made anew since the vault entry was written; the annotation `strongroom.dev/adopt` takes it over.',
  NamespaceTerminating: 'The namespace is on its way out; nothing new is delivered.',
  EnvironmentMismatch:
    'The namespace carries another environment in its label `strongroom.dev/environment`.',
  VaultTampered: 'The vault entry does not authenticate: it was changed outside of Strongroom.',
  VaultSwapped: 'The vault entry is that of another credential.',
  VaultRolledBack: 'The vault entry is an older copy of itself.',
  VaultEntryMissing: 'The vault entry is gone although versions were stored in it.',
  VaultUnavailable: 'The vault could not be read or written; it is tried again.',
  ReconcileFailed: 'A step failed; it is tried again.',
  Deleting: 'The object is being deleted and its deletion policy carried out.',
} as const;
export type Reason = keyof typeof REASONS;
