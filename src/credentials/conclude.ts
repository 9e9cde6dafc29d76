import type { Reason } from '#api/names.ts';
import { isRevokedFingerprint, versionIn } from '#vault/entry.ts';
import { deletionObstacle, entryOf, isNewValue, withheldFor } from './decide.ts';
import { deliveryOf } from './delivery.ts';
import { findObstacle } from './obstacle.ts';
import { withheldMessage } from './pods-without-right.ts';
import type { TargetView, View } from './view.ts';

/** A condition without what is the same for all of them. */
export interface Finding {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled' | 'SourceReady' | 'Delivered';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
}

interface Fact {
  readonly isTrue: boolean;
  readonly reason: Reason;
  readonly message: string;
}

/**
 * The conditions of a credential for which nothing is left to do, or nothing can be done. Ready
 * says whether the delivered Secret holds what it should and will follow its source; Stalled that
 * somebody has to change something first.
 */
export function conclude(view: View): readonly Finding[] {
  const obstacle = findObstacle(view);
  const delivered = deliveredFact(view);
  if (view.credential.metadata.deletionTimestamp !== undefined) {
    return concludeDeletion(view, delivered);
  }
  if (obstacle !== undefined) {
    const { reason, message } = obstacle;
    return [
      finding('Ready', { isTrue: false, reason, message }),
      idle(),
      finding('Stalled', { isTrue: true, reason, message }),
      unknown('SourceReady', reason, 'The source is not read.'),
      delivered.reason === 'Delivered'
        ? finding('Delivered', delivered)
        : unknown('Delivered', reason, message),
    ];
  }
  const source = sourceFact(view);
  const ready = readyFact(view, source, delivered);
  const stalled =
    !ready.isTrue && NEEDS_SOMEBODY.has(ready.reason)
      ? { ...ready, isTrue: true }
      : { isTrue: false, reason: 'UpToDate' as const, message: 'Nothing stands in the way.' };
  return [
    finding('Ready', ready),
    waits(ready)
      ? finding('Reconciling', { isTrue: true, reason: ready.reason, message: ready.message })
      : idle(),
    finding('Stalled', stalled),
    finding('SourceReady', source),
    finding('Delivered', delivered),
  ];
}

/** Reasons that do not go away by themselves. */
const NEEDS_SOMEBODY: ReadonlySet<Reason> = new Set([
  'SourceRefused',
  'SourceHeld',
  'ForeignSecret',
  'PodsWithoutRight',
  'CurrentVersionRevoked',
]);

/** A Secret that is missing may come at any time, and is looked for. */
function waits({ isTrue, reason }: Fact): boolean {
  return !isTrue && (reason === 'SourceMissing' || reason === 'NoVersion');
}

function readyFact(view: View, source: Fact, delivered: Fact): Fact {
  if (delivered.reason === 'Suspended' || delivered.reason === 'Revoked') return delivered;
  if (view.source.kind === 'missing' || view.source.kind === 'refused') return source;
  if (!delivered.isTrue && delivered.reason === 'NoVersion' && !source.isTrue) return source;
  if (!delivered.isTrue) return delivered;
  return { isTrue: true, reason: 'UpToDate', message: delivered.message };
}

function sourceFact(view: View): Fact {
  const entry = entryOf(view);
  switch (view.source.kind) {
    case 'value': {
      const { fingerprint } = view.source;
      const current = entry === undefined ? undefined : versionIn(entry, 'Current');
      if (isNewValue(entry, fingerprint) || current?.fingerprint === fingerprint) {
        return { isTrue: true, reason: 'SourceRead', message: 'The source was read.' };
      }
      const isRevoked = entry !== undefined && isRevokedFingerprint(entry, fingerprint);
      return {
        isTrue: false,
        reason: 'SourceHeld',
        message: isRevoked
          ? 'The source still holds a value that was revoked; it is not taken again. Put a new one there.'
          : 'The source still holds the value that was rolled back; it is not taken again until it differs. Correct it there.',
      };
    }
    case 'generate':
      return { isTrue: true, reason: 'SourceRead', message: 'Values are generated.' };
    case 'removed':
      return {
        isTrue: true,
        reason: 'SourceRemoved',
        message: 'The source Secret was deleted after its import.',
      };
    case 'missing':
      return { isTrue: false, reason: 'SourceMissing', message: view.source.message };
    case 'refused':
      return { isTrue: false, reason: 'SourceRefused', message: view.source.message };
    case 'unread':
      return { isTrue: false, reason: 'Revoked', message: 'The source is not read any more.' };
  }
}

function deliveredFact(view: View): Fact {
  const { target, credential } = view;
  const entry = entryOf(view);
  const current = entry === undefined ? undefined : versionIn(entry, 'Current');
  const state = credential.spec.state ?? 'Active';
  if (state !== 'Active') {
    return {
      isTrue: false,
      reason: state,
      message:
        state === 'Suspended'
          ? 'The Secret is withdrawn until spec.state is Active again; the versions are kept.'
          : 'Every version was ended and the Secret withdrawn; this cannot be undone.',
    };
  }
  if (target.kind === 'foreign') {
    return { isTrue: false, reason: 'ForeignSecret', message: foreignMessage(target) };
  }
  const withheld = withheldFor(view);
  if (withheld.length > 0) {
    const message = withheldMessage(deliveryOf(credential).name, withheld);
    return { isTrue: false, reason: 'PodsWithoutRight', message };
  }
  if (current !== undefined && target.kind === 'ours') {
    return {
      isTrue: true,
      reason: 'Delivered',
      message: `Version ${target.version ?? current.version} is in Secret ${target.secret.name}.`,
    };
  }
  if (target.kind === 'ours') {
    // With an entry that cannot be read the Secret is left as it was.
    return {
      isTrue: true,
      reason: 'Delivered',
      message: `Secret ${target.secret.name} is as it was left.`,
    };
  }
  if (entry?.versions.some((record) => record.state === 'Revoked') === true && !current) {
    return {
      isTrue: false,
      reason: 'CurrentVersionRevoked',
      message:
        view.source.kind === 'generate'
          ? 'The current version was revoked. Ask for a new value with "strongroom rotate", or roll back to another version.'
          : 'The current version was revoked. Put a new value into the source, or roll back to another version.',
    };
  }
  return { isTrue: false, reason: 'NoVersion', message: 'There is no version to deliver yet.' };
}

export function foreignMessage({ name, owner }: TargetView & { readonly kind: 'foreign' }): string {
  const whose = owner === undefined ? 'was not made by this credential' : `belongs to ${owner}`;
  return `Secret ${name} ${whose} and is left alone; delete it, or choose another name in spec.delivery.secret.name.`;
}

function concludeDeletion(view: View, delivered: Fact): readonly Finding[] {
  const obstacle = deletionObstacle(view);
  const deleting: Fact = {
    isTrue: false,
    reason: 'Deleting',
    message: obstacle?.message ?? 'The object is being deleted.',
  };
  return [
    finding('Ready', deleting),
    finding('Reconciling', { ...deleting, isTrue: obstacle === undefined }),
    finding('Stalled', { ...deleting, isTrue: obstacle !== undefined }),
    unknown('SourceReady', 'Deleting', 'The source is not read any more.'),
    finding('Delivered', delivered),
  ];
}

function finding(type: Finding['type'], { isTrue, reason, message }: Fact): Finding {
  return { type, status: isTrue ? 'True' : 'False', reason, message };
}

function unknown(type: Finding['type'], reason: Reason, message: string): Finding {
  return { type, status: 'Unknown', reason, message };
}

function idle(): Finding {
  return finding('Reconciling', {
    isTrue: false,
    reason: 'UpToDate',
    message: 'Nothing is under way.',
  });
}
