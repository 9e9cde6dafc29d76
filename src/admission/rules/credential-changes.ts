/** What an update of an ExchangeCredential changes, and what each change needs. */
import { isDeepStrictEqual } from 'node:util';
import { ACTIONS } from '#access/actions.ts';
import type { Action } from '#access/actions.ts';
import { ANNOTATIONS } from '#api/names.ts';
import { rankOf } from '#access/levels.ts';
import { isRecord, parseJson } from '#access/reading.ts';
import { ACCESS_LEVELS } from '#api/roles.ts';
import type { AccessLevel } from '#api/roles.ts';
import { changedAnnotations, changedKeys, changedMetadata } from './metadata-changes.ts';
import type { Credential } from './read-own.ts';

export interface CredentialChange {
  /** The field, for people. */
  readonly field: string;
  readonly action: Action;
  /** Whether an EmergencyAccess is enough: only what is listed here, and nothing that would outlast it. */
  readonly byEmergency: boolean;
}

/** All that an EmergencyAccess covers, for people: whoever adds to the code below adds here. */
export const EMERGENCY_COVERS: string = `new values in spec.source.sealed, spec.state, and the annotations ${ANNOTATIONS.rotate}, ${ANNOTATIONS.rollbackTo} and ${ANNOTATIONS.revoke}, with their reason`;

/** Annotations that ask for something, each authorised on its own: also to take it back. */
const REQUESTS: ReadonlyMap<string, Omit<CredentialChange, 'field'>> = new Map([
  [ANNOTATIONS.rotate, { action: ACTIONS.rotate, byEmergency: true }],
  [ANNOTATIONS.rollbackTo, { action: ACTIONS.rollback, byEmergency: true }],
  [ANNOTATIONS.revoke, { action: ACTIONS.revoke, byEmergency: true }],
  [ANNOTATIONS.adopt, { action: ACTIONS.delete, byEmergency: false }],
  [ANNOTATIONS.rotationDue, { action: ACTIONS.rotate, byEmergency: false }],
]);

/** Whoever opens a credential to lower levels could read it by that, so they must hold its level. */
const LOWER: Readonly<Record<AccessLevel, Action>> = {
  Read: ACTIONS.update,
  Write: ACTIONS.update,
  Admin: { ...ACTIONS.update, level: 'Admin' },
  Emergency: { ...ACTIONS.update, level: 'Emergency' },
};

/** Empty where nothing changed that anybody could mean. */
export function credentialChanges(
  before: Credential,
  after: Credential,
): readonly CredentialChange[] {
  return [
    ...specChanges(before, after),
    ...annotationChanges(before, after),
    ...metadataChanges(before, after),
  ];
}

/** What a new object needs beside `create`: an older vault entry may be waiting for it. */
export function creationNeeds(created: Credential): readonly CredentialChange[] {
  const { metadata, spec } = created;
  const requests = [...REQUESTS].flatMap(([name, need]) =>
    metadata.annotations?.[name] === undefined ? [] : [{ field: annotationField(name), ...need }],
  );
  const isRevoked = spec.state === 'Revoked';
  const isOwned = (metadata.ownerReferences ?? []).length > 0;
  return [
    { field: 'create', action: ACTIONS.create, byEmergency: false },
    ...requests.map((request) => ({ ...request, byEmergency: false })),
    ...(isRevoked ? [{ field: 'spec.state', action: ACTIONS.revoke, byEmergency: false }] : []),
    ...(isOwned ? [OWNED] : []),
  ];
}

/** Whose owner goes is deleted by the garbage collector, which nobody asks. */
const OWNED: CredentialChange = {
  field: 'metadata.ownerReferences',
  action: ACTIONS.delete,
  byEmergency: false,
};

function specChanges(before: Credential, after: Credential): readonly CredentialChange[] {
  const changes: CredentialChange[] = [];
  for (const field of changedKeys(before.spec, after.spec)) {
    if (field === 'state') continue;
    const isLevel = field === 'minimumAccessLevel';
    changes.push({
      field: `spec.${field}`,
      action: isLevel ? levelAction(before, after) : ACTIONS.update,
      byEmergency: field === 'source' && isNewValue(before, after),
    });
  }
  const [from, to] = [stateOf(before), stateOf(after)];
  if (from !== to) {
    const action = [from, to].includes('Revoked') ? ACTIONS.revoke : ACTIONS.suspend;
    changes.push({ field: 'spec.state', action, byEmergency: true });
  }
  return changes;
}

/**
 * Other sealed values, and nothing about where values come from. A Secret, or one that the operator
 * makes, would go on to feed the credential, and who may read that Secret is another question.
 */
function isNewValue(before: Credential, after: Credential): boolean {
  return [before, after].every(
    ({ spec }) =>
      isRecord(spec.source.sealed) &&
      changedKeys(spec.source, { sealed: spec.source.sealed }).length === 0,
  );
}

function levelAction(before: Credential, after: Credential): Action {
  const from = before.spec.minimumAccessLevel ?? 'Read';
  const to = after.spec.minimumAccessLevel ?? 'Read';
  // A level that is not known stands for the greatest.
  const isRaised = ACCESS_LEVELS.includes(from) && rankOf(to) >= rankOf(from);
  return isRaised ? ACTIONS.update : (LOWER[from] ?? LOWER.Emergency);
}

function annotationChanges(before: Credential, after: Credential): readonly CredentialChange[] {
  const changed = changedAnnotations(before.metadata, after.metadata);
  const asked = stateOf(before) !== stateOf(after) || changed.some((name) => REQUESTS.has(name));
  return changed.flatMap((name): readonly CredentialChange[] => {
    const request = REQUESTS.get(name);
    if (request !== undefined) return [{ field: annotationField(name), ...request }];
    // The reason of a request is part of it.
    if (name === ANNOTATIONS.reason && asked) return [];
    const byEmergency = name === LAST_APPLIED && isAsApplied(after);
    return [{ field: annotationField(name), action: ACTIONS.update, byEmergency }];
  });
}

/** What kubectl writes beside every change of its own, and reads to find what to take away next time. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Whether it says of the spec what there is. Something else would come into force with what somebody
 * else applies later.
 */
function isAsApplied({ metadata, spec }: Credential): boolean {
  const text = metadata.annotations?.[LAST_APPLIED];
  // kubectl that applies on the server's side takes it off.
  if (text === undefined) return true;
  const applied = parseJson(text);
  return (
    isRecord(applied) &&
    isRecord(applied['spec']) &&
    Object.entries(applied['spec']).every(([field, value]) =>
      isDeepStrictEqual(value, spec[field as keyof typeof spec]),
    )
  );
}

function metadataChanges(before: Credential, after: Credential): readonly CredentialChange[] {
  return changedMetadata(before.metadata, after.metadata).map((part) =>
    part === 'ownerReferences'
      ? OWNED
      : { field: `metadata.${part}`, action: ACTIONS.update, byEmergency: false },
  );
}

function stateOf({ spec }: Credential): string {
  return spec.state ?? 'Active';
}

function annotationField(name: string): string {
  return `annotation ${name}`;
}
