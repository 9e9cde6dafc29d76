/** Tells what came of asking a feed: a record of what is blocked from now on, Events, metrics. */
import type { IPBlock } from '#api/ip-block.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import type { ReconcileContext } from '#runtime/controller.ts';
import type { EventRecorder } from '#runtime/events.ts';
import type { FeedOutcome } from '../feeds/feed.ts';
import type { NetworkMetrics } from './metrics.ts';

export function createFeedTeller(deps: {
  readonly audit: Audit;
  readonly actor: AuditActor;
  readonly events: EventRecorder;
  readonly metrics: NetworkMetrics;
}): (block: IPBlock, outcome: FeedOutcome, context: ReconcileContext) => Promise<void> {
  return async (block, outcome, { reconcileId, signal }) => {
    const { apiVersion, kind, metadata } = block;
    if (outcome.kind === 'Refused' || outcome.kind === 'Unreachable') {
      deps.metrics.feedFailed(metadata.name);
      deps.events.emit({
        object: block,
        type: 'Warning',
        reason: 'FeedFailed',
        action: 'FetchFeed',
        note: outcome.message,
      });
      return;
    }
    if (outcome.kind === 'Held' || !outcome.isNew) return;
    const { entries, skipped } = outcome.copy.counts;
    await deps.audit(
      {
        act: 'FeedUpdated',
        actor: deps.actor,
        object: {
          apiVersion,
          kind,
          name: metadata.name,
          ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
        },
        reason: block.spec.reason,
        decision: 'Allow',
        outcome: 'Succeeded',
        requestId: reconcileId,
        details: { entries, skipped },
      },
      signal,
    );
  };
}
