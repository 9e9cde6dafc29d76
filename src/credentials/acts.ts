/** How each step is told: the audit record before and after it, and the Event for people. */
import type { AskedFor } from './requests.ts';
import type { Step } from './step.ts';
import type { View } from './view.ts';

/** What happens, in the words of audit records and Events; the reference page prints them. */
export const ACTS = {
  CredentialTakenUp: 'The operator put its finalizer on the object.',
  CredentialLetGo: 'The deletion policy was carried out and the finalizer taken off.',
  NamespaceAdopted: 'The vault entry of a former namespace of this name was taken over.',
  CredentialRevoked: 'Every version was ended.',
  VersionRevoked: 'A version, and every other one of the same value, was ended.',
  VersionRolledBack: 'An older version was made current again.',
  HoldReleased: 'The source differs from the value that was rolled back, and is taken again.',
  VersionFailed: 'A stored version was not put into use.',
  VersionStaged: 'A new value was encrypted and stored.',
  VersionPromoted: 'A stored version was made the current one.',
  SecretCreated: 'The Secret was made.',
  SecretDelivered: 'The current version was put into the Secret.',
  SecretRepaired: 'The Secret was changed by somebody else and put back.',
  SecretWithdrawn: 'The Secret was deleted.',
  SourceDeleted: 'The imported source Secret was deleted.',
  VersionsDropped: 'Old versions were ended by the rule of spec.history.',
  VaultEntryRemoved: 'All versions were removed with the object.',
  RequestRefused: 'A request by annotation cannot be carried out.',
  NothingNew: 'A rotation was asked for, and the source holds nothing new.',
  SourceRefused: 'The value of the source is not usable.',
  RoleBindingCreated: 'The operator was let into a guarded namespace.',
  RoleBindingRepaired:
    'The subjects of that RoleBinding were changed by somebody else and put back.',
  RoleBindingRemoved: 'The operator left a namespace that is not guarded any more.',
  SealKeyCreated: 'A new seal key was made; the former one is accepted for a while.',
} as const;
export type ActName = keyof typeof ACTS;

export interface Telling {
  readonly act: ActName;
  readonly version?: number;
  /** Public facts for the record. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
  /** A sentence for an Event; none where the step is of no interest by itself. */
  readonly note?: string;
  readonly isWarning?: boolean;
  /** Somebody asked for it, so their reason belongs to it. */
  readonly isRequested?: boolean;
  /** What of it somebody asked for, who is then the one who acts. */
  readonly askedFor?: AskedFor;
}

/** Undefined for what changes nothing but the book of handled requests. */
export function tell(step: Step, { credential, requests }: View): Telling | undefined {
  switch (step.kind) {
    case 'addFinalizer':
      return { act: 'CredentialTakenUp' };
    case 'removeFinalizer':
      return {
        act: 'CredentialLetGo',
        details: { deletionPolicy: credential.spec.deletionPolicy ?? 'Retain' },
      };
    case 'adoptEntry':
      return {
        act: 'NamespaceAdopted',
        details: { formerNamespaceUid: step.from },
        note: `Took over the vault entry of the former namespace ${step.from}.`,
        isRequested: true,
        askedFor: 'adopt',
      };
    case 'revokeAll':
      return {
        act: 'CredentialRevoked',
        details: { because: step.because },
        note: 'Ended every version; this cannot be undone.',
        isRequested: true,
        ...(step.because === 'State' && { askedFor: 'state' }),
      };
    case 'revokeVersions':
      return {
        act: 'VersionRevoked',
        ...one(requests.revoke?.version),
        details: { versions: step.versions.join(',') },
        note: `Ended version ${step.versions.join(', ')}.`,
        isRequested: true,
        askedFor: 'revoke',
      };
    case 'rollBack':
      return {
        act: 'VersionRolledBack',
        version: step.version,
        note: `Made version ${step.version} current again.`,
        isRequested: true,
        askedFor: 'rollbackTo',
      };
    case 'releaseHold':
      return { act: 'HoldReleased' };
    case 'failStaged':
      return {
        act: 'VersionFailed',
        version: step.version,
        details: { because: step.because },
        note: `Did not put version ${step.version} into use: ${step.because}.`,
        isWarning: true,
      };
    case 'stage':
      return step.reason === undefined
        ? { act: 'VersionStaged', isRequested: false }
        : { act: 'VersionStaged', isRequested: true, askedFor: 'rotate' };
    case 'promote':
      return {
        act: 'VersionPromoted',
        version: step.version,
        note: `Made version ${step.version} the current one.`,
      };
    case 'createSecret':
      return { act: 'SecretCreated', version: step.version };
    case 'applySecret':
      return step.repairs.length === 0
        ? {
            act: 'SecretDelivered',
            version: step.version,
            details: { secret: step.secret.name },
            note: `Put version ${step.version} into Secret ${step.secret.name}.`,
          }
        : {
            act: 'SecretRepaired',
            version: step.version,
            details: { secret: step.secret.name, differences: step.repairs.join('; ') },
            note: `Put Secret ${step.secret.name} back: ${step.repairs.join('; ')}.`,
            isWarning: true,
          };
    case 'withdrawSecret':
      return {
        act: 'SecretWithdrawn',
        details: { secret: step.secret.name, because: step.because },
        note: `Withdrew Secret ${step.secret.name}.`,
        isRequested: step.because === 'State' || step.because === 'Deletion',
        ...(step.because === 'State' && { askedFor: 'state' }),
      };
    case 'deleteSource':
      return {
        act: 'SourceDeleted',
        version: step.version,
        details: { secret: step.secret.name },
        note: `Deleted source Secret ${step.secret.name}: version ${step.version} is stored.`,
      };
    case 'dropVersions':
      return { act: 'VersionsDropped', details: { versions: step.versions.join(',') } };
    case 'removeEntry':
      return {
        act: 'VaultEntryRemoved',
        note: 'Removed every version from the vault.',
        isRequested: true,
      };
    case 'refuseRequest':
      return {
        act: 'RequestRefused',
        details: { request: step.request, id: step.id },
        note: `Refused ${step.request} "${step.id}": ${step.message}`,
        isWarning: true,
        isRequested: true,
        askedFor: step.request,
      };
    case 'reportNothingNew':
      return {
        act: 'NothingNew',
        details: { id: step.id },
        note: step.message,
        isRequested: true,
        askedFor: 'rotate',
      };
    case 'closeRequest':
      return undefined;
  }
}

function one(version: number | undefined): { readonly version?: number } {
  return version === undefined ? {} : { version };
}
