/** What the status of an IPBlock says. A pure function of what was found. */
import type { Condition, IPBlock, IPBlockStatus } from '#api/ip-block.ts';
import type { IPBlockReason } from '#api/names.ts';
import { setCondition } from '#runtime/conditions.ts';
import type { BackendName } from '../backends/backend.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { Direction } from '../cluster-facts.ts';
import type { FeedCopy } from '../feeds/feed.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { BlockState } from './block-state.ts';

export type Judged = 'Enforced' | 'PartiallyEnforced' | 'Ineffective';

/** What one backend does about a block. */
export interface BackendOutcome {
  readonly name: BackendName;
  /** For each direction of the block; absent: not written yet. */
  readonly judged: Partial<Record<Direction, Judged>>;
  readonly gaps: readonly NetworkGap[];
  readonly objects?: number;
  readonly hits?: number;
}

export interface FeedOutcomeOfBlock {
  readonly copy?: FeedCopy;
  readonly changedAtMs?: number;
  /** Why the last attempt failed. */
  readonly error?: string;
  /** Whether what was answered is no list, against no answer at all. */
  readonly isRefused?: boolean;
  readonly isStale: boolean;
}

export interface BlockOutcome {
  readonly block: IPBlock;
  readonly state: BlockState;
  readonly backends: readonly BackendOutcome[];
  readonly podsInScope: number;
  readonly podsCut: number;
  /** Pods that can talk to the addresses now; told with the mode Observe. */
  readonly podsAffected: number;
  readonly nodes?: { readonly ready: number; readonly total: number };
  readonly feed?: FeedOutcomeOfBlock;
  /** About the block as a whole: protected ranges, missing families. */
  readonly gaps: readonly NetworkGap[];
  /** Not everything has been written yet. */
  readonly isPending: boolean;
  /** All is written, and some nodes have not taken it over yet. */
  readonly isCatchingUp?: boolean;
  /** What failed, in words without any value. */
  readonly failure?: string;
}

const MAX_GAPS = 100;
const MAX_RANGES = 50;
const MAX_MESSAGE = 4096;

export function ipBlockStatus(outcome: BlockOutcome, nowMs: number): IPBlockStatus {
  const { block, state, backends, feed } = outcome;
  const verdict = verdictOf(outcome);
  const isInForce = state.phase === 'Active';
  const gaps = [
    ...(isInForce && verdict.enforcement !== 'Enforced'
      ? backends.flatMap((backend) => backend.gaps)
      : []),
    ...outcome.gaps,
  ];
  const protectedRanges = state.leftOut.flatMap(({ name, cidrs }) =>
    cidrs.map((cidr) => `${cidr} (${name})`),
  );
  const { generation } = block.metadata;
  let conditions: readonly Condition[] = block.status?.conditions ?? [];
  for (const next of conditionsOf(outcome, verdict)) {
    conditions = setCondition(
      conditions,
      { ...next, ...(generation === undefined ? {} : { observedGeneration: generation }) },
      nowMs,
    );
  }
  const expiresAtMs = state.block.expiresAtMs;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions,
    enforcement: verdict.enforcement,
    ...(expiresAtMs === undefined ? {} : { expiresAt: timeOf(expiresAtMs) }),
    ...(block.spec.owner === undefined ? {} : { owner: block.spec.owner }),
    reason: block.spec.reason,
    addresses: String(sizeOf(state.block.addresses)),
    ranges: state.block.addresses.intervals().length,
    protectedRanges: protectedRanges.slice(0, MAX_RANGES),
    protectedRangeCount: protectedRanges.length,
    ...(isInForce && { backends: backends.map((backend) => told(backend, state)) }),
    podsInScope: outcome.podsInScope,
    ...(isInForce && {
      podsCut: verdict.enforcement === 'Enforced' ? outcome.podsInScope : outcome.podsCut,
    }),
    ...(isInForce && outcome.nodes !== undefined && { nodes: outcome.nodes }),
    ...(state.phase === 'Observed' && { wouldCut: { podsAffected: outcome.podsAffected } }),
    gapCount: gaps.length,
    gaps: gaps.slice(0, MAX_GAPS).map(shortened),
    ...(feed !== undefined && { feed: feedStatus(feed) }),
    ...(isInForce && hitsOf(backends)),
  };
}

interface BlockVerdict {
  readonly enforcement: NonNullable<IPBlockStatus['enforcement']>;
  readonly holds: Condition['status'];
  readonly reason: IPBlockReason;
  readonly message: string;
  /** Whether nothing but a person can change it. */
  readonly isStuck: boolean;
}

function verdictOf(outcome: BlockOutcome): BlockVerdict {
  const { state } = outcome;
  const say = (
    enforcement: BlockVerdict['enforcement'],
    holds: BlockVerdict['holds'],
    reason: IPBlockReason,
    message: string,
    isStuck = false,
  ): BlockVerdict => ({ enforcement, holds, reason, message, isStuck });
  switch (state.phase) {
    case 'Expired':
      return say(
        'Expired',
        'False',
        'Expired',
        'Its time is over: it does nothing any more and can be deleted',
      );
    case 'FeedPending':
      return say('Pending', 'False', 'FeedNeverFetched', 'Nothing of the feed was read yet');
    case 'FactsMissing':
      return say(
        'Pending',
        'False',
        'FactsMissing',
        'The addresses of nodes and API server are not known yet, and must not be cut off',
      );
    case 'Empty':
      return say(
        'Pending',
        'False',
        'NothingToBlock',
        state.listed.isEmpty
          ? 'No address is listed'
          : 'All that is listed is protected; protectedRanges says as what',
        !state.listed.isEmpty,
      );
    case 'WideBan':
      return say(
        'Pending',
        'False',
        'WideBan',
        `${listSome(state.wide)} is wider than /8 (IPv4) or /19 (IPv6); set spec.acknowledgeWideBan: true if that is meant`,
        true,
      );
    case 'Observed':
      return say(
        'Observed',
        'False',
        'Observed',
        `Nothing is written; ${countPods(outcome.podsAffected)} could talk to the addresses and would lose that`,
      );
    case 'Active':
      return activeVerdict(outcome, say);
  }
}

function activeVerdict(
  { state, backends, podsInScope, podsCut, isPending, nodes }: BlockOutcome,
  say: (
    enforcement: BlockVerdict['enforcement'],
    holds: BlockVerdict['holds'],
    reason: IPBlockReason,
    message: string,
    isStuck?: boolean,
  ) => BlockVerdict,
): BlockVerdict {
  const judged = directionsOf(state).map((direction) => best(backends, direction));
  if (judged.every((one) => one === 'Enforced')) {
    const by = backends
      .filter(({ judged: of }) => directionsOf(state).some((way) => of[way] === 'Enforced'))
      .map(({ name }) => name);
    return say('Enforced', 'True', 'Enforced', `Enforced by ${by.join(' and ')}`);
  }
  if (isPending) {
    return say('Pending', 'Unknown', 'ReconcileFailed', 'Not everything is written yet');
  }
  if (podsInScope === 0 && (nodes === undefined || nodes.total === 0)) {
    return say('Pending', 'Unknown', 'NothingToProtect', 'No pod is in its scope yet');
  }
  const gaps = [
    ...new Set(backends.flatMap((backend) => backend.gaps.map(({ message }) => message))),
  ];
  const why =
    gaps.length === 0
      ? 'see gaps'
      : `${gaps[0] ?? ''}${gaps.length > 1 ? `; and ${gaps.length - 1} more, see gaps` : ''}`;
  return judged.every((one) => one === 'Ineffective' || one === undefined)
    ? say('Ineffective', 'False', 'Ineffective', why, true)
    : say(
        'PartiallyEnforced',
        'False',
        'PartiallyEnforced',
        `${podsCut} of ${countPods(podsInScope)} are cut off; ${why}`,
      );
}

export function directionsOf({ block }: Pick<BlockState, 'block'>): readonly Direction[] {
  return [
    ...(block.ingress ? (['Ingress'] as const) : []),
    ...(block.egress ? (['Egress'] as const) : []),
  ];
}

const RANKS: readonly Judged[] = ['Ineffective', 'PartiallyEnforced', 'Enforced'];

function best(backends: readonly BackendOutcome[], direction: Direction): Judged | undefined {
  return backends
    .flatMap(({ judged }) => judged[direction] ?? [])
    .toSorted((one, other) => RANKS.indexOf(other) - RANKS.indexOf(one))[0];
}

function conditionsOf(
  { state, feed, failure, isPending }: BlockOutcome,
  verdict: BlockVerdict,
): readonly Omit<Condition, 'lastTransitionTime'>[] {
  const enforced = {
    type: 'Enforced',
    status: verdict.holds,
    reason: verdict.reason,
    message: verdict.message.slice(0, MAX_MESSAGE),
  };
  const isBroken = failure !== undefined;
  const failed = { reason: 'ReconcileFailed', message: `${failure ?? ''}; it is tried again` };
  const isWorking =
    isBroken ||
    (state.phase === 'Active' && isPending) ||
    state.phase === 'FactsMissing' ||
    state.phase === 'FeedPending';
  const about = { reason: verdict.reason, message: verdict.message.slice(0, MAX_MESSAGE) };
  const fine = { reason: 'UpToDate', message: 'Nothing is left to do' };
  return [
    {
      type: 'Ready',
      status: isWorking || verdict.isStuck ? 'False' : 'True',
      ...(isBroken ? failed : about),
    },
    {
      type: 'Reconciling',
      status: isWorking ? 'True' : 'False',
      ...(isBroken ? failed : isWorking ? about : fine),
    },
    {
      type: 'Stalled',
      status: verdict.isStuck && !isWorking ? 'True' : 'False',
      ...(verdict.isStuck ? about : fine),
    },
    enforced,
    ...(feed === undefined ? [] : [feedCondition(feed)]),
  ];
}

function feedCondition(feed: FeedOutcomeOfBlock): Omit<Condition, 'lastTransitionTime'> {
  const { copy, error, isRefused, isStale } = feed;
  const reason: IPBlockReason =
    error !== undefined && isRefused === true
      ? 'FeedRefused'
      : copy === undefined
        ? 'FeedNeverFetched'
        : isStale
          ? 'FeedStale'
          : 'FeedFetched';
  const message =
    error ??
    (copy === undefined
      ? 'It has not been fetched yet'
      : isStale
        ? 'The copy in force is older than it should be'
        : 'The list was fetched and read');
  return {
    type: 'FeedReady',
    status: reason === 'FeedFetched' ? 'True' : 'False',
    reason,
    message: message.slice(0, MAX_MESSAGE),
  };
}

function feedStatus({
  copy,
  changedAtMs,
  error,
}: FeedOutcomeOfBlock): NonNullable<IPBlockStatus['feed']> {
  return {
    ...(copy !== undefined && {
      fetchedAt: timeOf(copy.fetchedAtMs),
      entries: copy.counts.entries,
      skipped: copy.counts.skipped,
    }),
    ...(changedAtMs !== undefined && { changedAt: timeOf(changedAtMs) }),
    ...(error !== undefined && { error: error.slice(0, 1024) }),
  };
}

function told(
  backend: BackendOutcome,
  state: BlockState,
): NonNullable<IPBlockStatus['backends']>[number] {
  const judged = directionsOf(state).map((direction) => backend.judged[direction]);
  const [first] = backend.gaps;
  const of = (): NonNullable<IPBlockStatus['backends']>[number]['state'] => {
    if (judged.includes(undefined)) return 'Pending';
    if (judged.every((one) => one === 'Enforced')) return 'Enforced';
    return judged.every((one) => one === 'Ineffective') ? 'Ineffective' : 'PartiallyEnforced';
  };
  return {
    name: backend.name,
    state: of(),
    ...(first !== undefined && { message: first.message.slice(0, 1024) }),
    ...(backend.objects !== undefined && { objects: backend.objects }),
    ...(backend.hits !== undefined && { hits: backend.hits }),
  };
}

function sizeOf(addresses: AddressSet): bigint {
  return addresses.intervals().reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}

function hitsOf(backends: readonly BackendOutcome[]): { readonly hits?: number } {
  const counted = backends.flatMap(({ hits }) => hits ?? []);
  return counted.length === 0 ? {} : { hits: counted.reduce((sum, hits) => sum + hits, 0) };
}

function shortened(gap: NetworkGap): NonNullable<IPBlockStatus['gaps']>[number] {
  const { accessPolicies: _policies, ...kept } = gap;
  return { ...kept, message: gap.message.slice(0, MAX_MESSAGE) };
}

function countPods(count: number): string {
  return `${count} ${count === 1 ? 'pod' : 'pods'}`;
}

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
