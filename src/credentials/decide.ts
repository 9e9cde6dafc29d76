/**
 * What to do next with a credential: a chain of rules over what was gathered, the first of which
 * that wants something wins. Pure, so every stop between two steps is just another view that the
 * same rules look at: nothing has to be remembered about what was under way.
 */
import { FINALIZER } from '#api/names.ts';
import type { VaultEntry, VersionRecord } from '#vault/entry.ts';
import { findVersion, isRevokedFingerprint, versionIn } from '#vault/entry.ts';
import { deliveryOf } from './delivery.ts';
import { findObstacle, namespaceObstacle, trustObstacle, vaultObstacle } from './obstacle.ts';
import type { PodWithoutRight } from './pods-without-right.ts';
import type { VersionRequest } from './requests.ts';
import { applyRetention } from './retention.ts';
import type { RequestName, Step } from './step.ts';
import type { View } from './view.ts';

type Rule = (view: View) => Step | undefined;

/** The next step, or undefined when all is as it should be or must be left as it is. */
export function decide(view: View): Step | undefined {
  const { deletionTimestamp } = view.credential.metadata;
  for (const rule of deletionTimestamp === undefined ? LIFE : DELETION) {
    const step = rule(view);
    if (step !== undefined) return step;
  }
  return undefined;
}

/** Whether a value of this fingerprint would be a new version. */
export function isNewValue(entry: VaultEntry | undefined, fingerprint: string): boolean {
  if (entry === undefined) return true;
  return (
    versionIn(entry, 'Current')?.fingerprint !== fingerprint &&
    entry.heldFingerprint !== fingerprint &&
    !isRevokedFingerprint(entry, fingerprint)
  );
}

/** The version that the delivered Secret should hold; undefined when there should be none. */
export function versionToDeliver(view: View): VersionRecord | undefined {
  const entry = entryOf(view);
  if (entry === undefined || stateOf(view) !== 'Active') return undefined;
  return versionIn(entry, 'Current');
}

/**
 * Those that a first delivery waits for: under a name that the credential was not delivered to, or
 * is not any more. A Secret that is delivered is kept up, whoever uses it: what they have, they have,
 * and the others need the new version.
 */
export function withheldFor(view: View): readonly PodWithoutRight[] {
  const { target, credential, podsWithoutRight } = view;
  if (target.kind !== 'absent' || versionToDeliver(view) === undefined) return [];
  const isDelivered = credential.status?.delivery?.secretName === deliveryOf(credential).name;
  return isDelivered ? [] : podsWithoutRight;
}

/** The version that the delivered Secret's content is compared with. */
export function recordToCompare(view: View): VersionRecord | undefined {
  const entry = entryOf(view);
  return entry === undefined ? undefined : versionIn(entry, 'Current');
}

export function entryOf({ vault }: View): VaultEntry | undefined {
  return vault.kind === 'entry' ? vault.entry : undefined;
}

function stateOf({ credential }: View): 'Active' | 'Suspended' | 'Revoked' {
  return credential.spec.state ?? 'Active';
}

/** The reason that a version carries when a rotate request made it. */
export function rotateReason(id: string): string {
  return `rotate/${id}`;
}

// Ending a version or withdrawing a Secret takes something away, so it comes before all that adds.
const LIFE: readonly Rule[] = [
  holdObject,
  adopt,
  withdrawWhereNotActive,
  unlessUntrusted(endVersions),
  unlessUntrusted(revokeOnRequest),
  unlessObstructed(rollBackOnRequest),
  unlessObstructed(releaseHold),
  unlessObstructed(settleStaged),
  unlessObstructed(takeFromSource),
  unlessObstructed(closeRotate),
  unlessObstructed(deliver),
  unlessObstructed(withdrawOrphans),
  unlessObstructed(finishImport),
  unlessObstructed(endOldVersions),
];

const DELETION: readonly Rule[] = [whenHeld(withdrawAll), whenHeld(endEntry), letGo];

function unlessObstructed(rule: Rule): Rule {
  return (view) => (findObstacle(view) === undefined ? rule(view) : undefined);
}

function unlessUntrusted(rule: Rule): Rule {
  return (view) => (trustObstacle(view) === undefined ? rule(view) : undefined);
}

function holdObject(view: View): Step | undefined {
  if (namespaceObstacle(view) !== undefined) return undefined;
  return isHeld(view) ? undefined : { kind: 'addFinalizer' };
}

function isHeld({ credential }: View): boolean {
  return credential.metadata.finalizers?.includes(FINALIZER) ?? false;
}

function adopt(view: View): Step | undefined {
  if (namespaceObstacle(view) !== undefined) return undefined;
  if (vaultObstacle(view)?.reason !== 'NamespaceReplaced') return undefined;
  const from = entryOf(view)?.namespaceUid;
  if (from === undefined || view.requests.adopt !== from) return undefined;
  return { kind: 'adoptEntry', from };
}

/** Needs nothing of the vault: a Suspended credential is withdrawn whatever happened to its entry. */
function withdrawWhereNotActive(view: View): Step | undefined {
  // With the vault in order, versions are ended first: stored before its side effect.
  if (stateOf(view) === 'Active' || endVersions(view) !== undefined) return undefined;
  if (view.target.kind === 'ours') {
    return { kind: 'withdrawSecret', secret: view.target.secret, because: 'State' };
  }
  const [orphan] = view.orphans;
  return orphan === undefined
    ? undefined
    : { kind: 'withdrawSecret', secret: orphan, because: 'State' };
}

function endVersions(view: View): Step | undefined {
  if (stateOf(view) !== 'Revoked' || trustObstacle(view) !== undefined) return undefined;
  return hasUnrevoked(entryOf(view)) ? { kind: 'revokeAll', because: 'State' } : undefined;
}

function hasUnrevoked(entry: VaultEntry | undefined): boolean {
  return entry?.versions.some(({ state }) => state !== 'Revoked') ?? false;
}

function revokeOnRequest(view: View): Step | undefined {
  const request = pending(view, 'revoke');
  if (request === undefined) return undefined;
  const found = versionAsked(view, request);
  if (found === undefined) return refuseUnknown(view, 'revoke', request);
  // What is revoked is the value: a version that holds the same one must not stay in use.
  const versions = (entryOf(view)?.versions ?? [])
    .filter(({ state, fingerprint }) => state !== 'Revoked' && fingerprint === found.fingerprint)
    .map(({ version }) => version);
  return versions.length === 0 ? close('revoke', request.id) : { kind: 'revokeVersions', versions };
}

function rollBackOnRequest(view: View): Step | undefined {
  const request = pending(view, 'rollbackTo');
  if (request === undefined) return undefined;
  const found = versionAsked(view, request);
  if (found === undefined) return refuseUnknown(view, 'rollbackTo', request);
  if (found.state === 'Current') return close('rollbackTo', request.id);
  if (found.state !== 'Previous' && found.state !== 'Retired') {
    return {
      kind: 'refuseRequest',
      request: 'rollbackTo',
      id: request.id,
      message: `Version ${found.version} is ${found.state}; only a version that was in use and was not revoked can be current again.`,
    };
  }
  const entry = entryOf(view);
  if (entry !== undefined && isRevokedFingerprint(entry, found.fingerprint)) {
    return {
      kind: 'refuseRequest',
      request: 'rollbackTo',
      id: request.id,
      message: `Version ${found.version} holds a value that was revoked.`,
    };
  }
  const hold = valueToHold(view, found);
  return {
    kind: 'rollBack',
    version: found.version,
    ...(hold === undefined ? {} : { hold }),
  };
}

/** What the source holds; where it cannot be read, what it held last. */
function valueToHold(view: View, target: VersionRecord): string | undefined {
  if (view.source.kind === 'generate') return undefined;
  const entry = entryOf(view);
  const current = entry === undefined ? undefined : versionIn(entry, 'Current');
  const present = view.source.kind === 'value' ? view.source.fingerprint : current?.fingerprint;
  return present === target.fingerprint ? undefined : present;
}

function pending(view: View, request: 'rollbackTo' | 'revoke'): VersionRequest | undefined {
  const asked = view.requests[request];
  return asked === undefined || asked.id === view.handled[request] ? undefined : asked;
}

function versionAsked(view: View, { version }: VersionRequest): VersionRecord | undefined {
  const entry = entryOf(view);
  return entry === undefined || version === undefined ? undefined : findVersion(entry, version);
}

function refuseUnknown(view: View, request: RequestName, { id, version }: VersionRequest): Step {
  const known = entryOf(view)?.versions.map((record) => record.version) ?? [];
  const hint = known.length === 0 ? 'there are none yet' : `there are ${known.join(', ')}`;
  return {
    kind: 'refuseRequest',
    request,
    id,
    message:
      version === undefined
        ? 'The annotation must be a version, or a version and a request id such as "3/again".'
        : `Version ${version} is not in the vault; ${hint}.`,
  };
}

function close(request: RequestName, id: string): Step {
  return { kind: 'closeRequest', request, id };
}

function releaseHold(view: View): Step | undefined {
  const held = entryOf(view)?.heldFingerprint;
  if (held === undefined || view.source.kind !== 'value') return undefined;
  return view.source.fingerprint === held ? undefined : { kind: 'releaseHold' };
}

/** A staged version was verified before it was stored, so it only needs to be promoted. */
function settleStaged(view: View): Step | undefined {
  const entry = entryOf(view);
  const staged = entry === undefined ? undefined : versionIn(entry, 'Staged');
  if (entry === undefined || staged === undefined) return undefined;
  const { version, fingerprint } = staged;
  if (!isNewValue(entry, fingerprint)) {
    return { kind: 'failStaged', version, because: 'ValueNotTaken' };
  }
  if (view.source.kind === 'value' && view.source.fingerprint !== fingerprint) {
    return { kind: 'failStaged', version, because: 'Superseded' };
  }
  return { kind: 'promote', version };
}

function takeFromSource(view: View): Step | undefined {
  if (stateOf(view) === 'Revoked') return undefined;
  const entry = entryOf(view);
  const rotate = pendingRotate(view);
  const stage: Step =
    rotate === undefined ? { kind: 'stage' } : { kind: 'stage', reason: rotateReason(rotate) };
  switch (view.source.kind) {
    case 'value':
      return isNewValue(entry, view.source.fingerprint) ? stage : undefined;
    case 'generate': {
      // Only for a credential that never had a value: a lost or revoked one is not replaced by
      // itself, somebody has to ask for it.
      const isFirst = entry === undefined || entry.nextVersion === 1;
      return isFirst || (rotate !== undefined && !wasMadeBy(entry, rotate)) ? stage : undefined;
    }
    case 'missing':
    case 'refused':
    case 'removed':
    case 'unread':
      return undefined;
  }
}

function pendingRotate({ requests, handled }: View): string | undefined {
  return requests.rotate === handled.rotate ? undefined : requests.rotate;
}

function wasMadeBy(entry: VaultEntry | undefined, rotate: string): boolean {
  return entry?.versions.some(({ reason }) => reason === rotateReason(rotate)) ?? false;
}

function closeRotate(view: View): Step | undefined {
  const id = pendingRotate(view);
  if (id === undefined) return undefined;
  if (stateOf(view) === 'Revoked') {
    return {
      kind: 'refuseRequest',
      request: 'rotate',
      id,
      message: 'spec.state is Revoked, which cannot be undone.',
    };
  }
  if (wasMadeBy(entryOf(view), id)) return close('rotate', id);
  switch (view.source.kind) {
    case 'value':
      return {
        kind: 'reportNothingNew',
        id,
        message: 'The source holds no value that is not in the vault already; change it first.',
      };
    case 'removed':
      return {
        kind: 'reportNothingNew',
        id,
        message: 'The source Secret was removed after its import; create it anew first.',
      };
    // A source that cannot be read now may be readable later: the request waits.
    case 'generate':
    case 'missing':
    case 'refused':
    case 'unread':
      return undefined;
  }
}

function deliver(view: View): Step | undefined {
  const { target } = view;
  const version = versionToDeliver(view)?.version;
  switch (target.kind) {
    case 'absent':
      if (version === undefined || withheldFor(view).length > 0) return undefined;
      return { kind: 'createSecret', version };
    case 'ours':
      if (version === undefined) {
        return { kind: 'withdrawSecret', secret: target.secret, because: 'NoVersion' };
      }
      if (target.unmendable) {
        return { kind: 'withdrawSecret', secret: target.secret, because: 'Unmendable' };
      }
      if (target.isApplied) return undefined;
      if (
        target.version === version &&
        target.differences.length === 0 &&
        // A label taken out of the spec is no difference that can be seen: apply takes it off.
        view.credential.status?.observedGeneration === view.credential.metadata.generation
      ) {
        return undefined;
      }
      return {
        kind: 'applySecret',
        version,
        secret: target.secret,
        repairs: isUnasked(view, version) ? target.differences : [],
      };
    case 'foreign':
    case 'unread':
      return undefined;
  }
}

/** Whether nothing that Strongroom did or was told explains a difference. */
function isUnasked({ credential, target }: View, version: number): boolean {
  return (
    target.kind === 'ours' &&
    target.version === version &&
    credential.status?.delivery?.secretUid === target.secret.uid &&
    credential.status.observedGeneration === credential.metadata.generation
  );
}

/** After the new Secret is in place, so that there is no time without one. */
function withdrawOrphans(view: View): Step | undefined {
  const [orphan] = view.orphans;
  if (orphan === undefined || view.target.kind === 'foreign') return undefined;
  if (withheldFor(view).length > 0) return undefined;
  return { kind: 'withdrawSecret', secret: orphan, because: 'Renamed' };
}

function finishImport(view: View): Step | undefined {
  const { source, credential } = view;
  if (credential.spec.source.secretRef?.afterImport !== 'Delete') return undefined;
  if (source.kind !== 'value' || source.secret === undefined) return undefined;
  const entry = entryOf(view);
  const current = entry === undefined ? undefined : versionIn(entry, 'Current');
  if (current?.fingerprint !== source.fingerprint) return undefined;
  // While it cannot be delivered, the source may be all that pods have.
  if (versionToDeliver(view) !== undefined && view.target.kind !== 'ours') return undefined;
  return { kind: 'deleteSource', version: current.version, secret: source.secret };
}

function endOldVersions(view: View): Step | undefined {
  const entry = entryOf(view);
  if (entry === undefined) return undefined;
  const { due } = applyRetention(entry, view.credential.spec.history, view.nowMs);
  return due.length === 0 ? undefined : { kind: 'dropVersions', versions: due };
}

function whenHeld(rule: Rule): Rule {
  return (view) => (isHeld(view) ? rule(view) : undefined);
}

/** In a namespace that ends, or that we may not touch, the owner reference does it. */
function withdrawAll(view: View): Step | undefined {
  if (view.target.kind === 'ours') {
    return { kind: 'withdrawSecret', secret: view.target.secret, because: 'Deletion' };
  }
  const [orphan] = view.orphans;
  return orphan === undefined
    ? undefined
    : { kind: 'withdrawSecret', secret: orphan, because: 'Deletion' };
}

function endEntry(view: View): Step | undefined {
  const entry = entryOf(view);
  // The entry of a former namespace is not this object's to end.
  if (entry === undefined || vaultObstacle(view) !== undefined) return undefined;
  switch (view.credential.spec.deletionPolicy ?? 'Retain') {
    case 'Retain':
      return undefined;
    case 'Revoke':
      return hasUnrevoked(entry) ? { kind: 'revokeAll', because: 'Deletion' } : undefined;
    case 'Delete':
      return { kind: 'removeEntry' };
  }
}

function letGo(view: View): Step | undefined {
  return isHeld(view) && deletionObstacle(view) === undefined
    ? { kind: 'removeFinalizer' }
    : undefined;
}

/**
 * Why the object cannot go yet: its policy asks for a change of an entry that cannot be trusted. A
 * namespace on its way out is never held up.
 */
export function deletionObstacle(view: View): { readonly message: string } | undefined {
  const { vault, namespace, credential } = view;
  const policy = credential.spec.deletionPolicy ?? 'Retain';
  if (policy === 'Retain' || namespace === undefined || namespace.terminating) return undefined;
  if (vault.kind !== 'fault' || vault.reason === 'VaultEntryMissing') return undefined;
  return {
    message: `deletionPolicy ${policy} cannot be carried out. ${vault.message} Restore the entry, or set deletionPolicy: Retain to let the object go.`,
  };
}
