/** Looks at one IPBlock: what it means now, how far it is enforced, and tells of it in status. */
import type { IPBlock } from '#api/ip-block.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { FIELD_MANAGER } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import type { EventRecorder } from '#runtime/events.ts';
import { writeStatus } from '#runtime/status.ts';
import type { ActiveBlock } from '../active-block.ts';
import { ipBlockStatus } from './block-status.ts';
import type { BlockOutcome } from './block-status.ts';
import type { BlockBook } from './block-book.ts';
import type { NetworkMetrics } from './metrics.ts';

export interface BlockWorkDeps {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  readonly metrics: NetworkMetrics;
  readonly blocks: { get(name: string): IPBlock | undefined };
  readonly book: BlockBook;
  /** Everything about it but the block and its state. */
  readonly outcome: (
    block: IPBlock,
    state: BlockOutcome['state'],
  ) => Omit<BlockOutcome, 'block' | 'state'>;
  /** What is in force of it changed: from and to. */
  readonly onForce: (changed: readonly ActiveBlock[]) => void;
  readonly now: () => number;
  readonly monotonicMs: () => number;
}

/** The clock can be set: never sleep through the end of a block. */
const MAX_SLEEP_MS = 60_000;
/** After a start, and after a change, things settle before they are told. */
const SETTLE_MS = 500;
const MAX_SETTLING_MS = 15_000;

export function createBlockWork(
  deps: BlockWorkDeps,
): (name: string, context: ReconcileContext) => Promise<Result> {
  const pendingSince = new Map<string, number>();

  return async (name, { signal }) => {
    const changed = deps.book.look(name);
    if (changed.length > 0) deps.onForce(changed);
    const block = deps.blocks.get(name);
    const state = deps.book.of(name);
    if (block === undefined || state === undefined) {
      deps.metrics.forgetBlock(name);
      pendingSince.delete(name);
      return { kind: 'done' };
    }
    const outcome = { ...deps.outcome(block, state), block, state };
    if (isSettling(name, outcome)) return { kind: 'after', ms: SETTLE_MS };
    const status = ipBlockStatus(outcome, deps.now());
    tell(block, status);
    deps.metrics.block(name, status.enforcement ?? 'Pending');
    const { feed } = outcome;
    if (feed !== undefined) {
      const { copy } = feed;
      const ageSeconds = copy && Math.max(0, Math.round((deps.now() - copy.fetchedAtMs) / 1000));
      deps.metrics.feed(name, ageSeconds, copy?.counts.entries ?? 0);
    }
    try {
      await writeStatus(deps.client, IP_BLOCKS, block, status, FIELD_MANAGER, signal);
    } catch (error) {
      // Gone meanwhile.
      if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
    }
    const { nextChangeMs } = state;
    if (nextChangeMs !== undefined) {
      const ms = Math.min(Math.max(nextChangeMs - deps.now() + 1, 1), MAX_SLEEP_MS);
      return { kind: 'after', ms };
    }
    return feed === undefined ? { kind: 'done' } : { kind: 'after', ms: MAX_SLEEP_MS };
  };

  /** Whether a status would tell of a moment only: what is under way is mostly done at once. */
  function isSettling(
    name: string,
    { isPending, isCatchingUp, failure, state }: BlockOutcome,
  ): boolean {
    const isUnderWay =
      state.phase === 'FactsMissing' ||
      ((state.phase === 'Active' || state.phase === 'Observed') &&
        (isPending || isCatchingUp === true));
    if (!isUnderWay || failure !== undefined) {
      pendingSince.delete(name);
      return false;
    }
    const now = deps.monotonicMs();
    const since = pendingSince.get(name) ?? now;
    pendingSince.set(name, since);
    return now - since < MAX_SETTLING_MS;
  }

  function tell(block: IPBlock, status: NonNullable<IPBlock['status']>): void {
    const [before, after] = [block.status?.enforcement, status.enforcement];
    if (before === after) return;
    const note = status.conditions?.find(({ type }) => type === 'Enforced')?.message ?? '';
    if (after === 'Enforced') {
      emit(block, 'Normal', 'BlockEnforced', 'EnforceBlock', note);
    } else if (after === 'Expired' && before !== undefined) {
      emit(block, 'Normal', 'BlockExpired', 'EndBlock', note);
    } else if (
      after === 'Ineffective' ||
      (after === 'PartiallyEnforced' && before === 'Enforced')
    ) {
      emit(block, 'Warning', 'BlockWeakened', 'JudgeBlock', note);
    }
  }

  function emit(
    object: IPBlock,
    type: 'Normal' | 'Warning',
    reason: 'BlockEnforced' | 'BlockExpired' | 'BlockWeakened',
    action: string,
    note: string,
  ): void {
    deps.events.emit({ object, type, reason, action, note });
  }
}
