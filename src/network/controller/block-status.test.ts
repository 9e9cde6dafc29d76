import { describe, expect, it } from 'vitest';
import type { IPBlock, IPBlockStatus } from '#api/ip-block.ts';
import { addressSet } from '../cidr/address-set.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { BlockPhase, BlockState } from './block-state.ts';
import { ipBlockStatus } from './block-status.ts';
import type { BackendOutcome, BlockOutcome, Judged } from './block-status.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const GAP: NetworkGap = {
  type: 'ForeignPolicyReopens',
  namespace: 'trading',
  networkPolicy: 'wide',
  message: 'NetworkPolicy wide re-opens it',
};

function stateOf(phase: BlockPhase, parts: Partial<BlockState> = {}): BlockState {
  return {
    phase,
    listed: addressSet(['198.51.100.0/24']),
    leftOut: [],
    wide: [],
    namesGateway: false,
    block: {
      name: 'scanner',
      addresses: addressSet(['198.51.100.0/24']),
      ingress: true,
      egress: true,
      namespaces: '*',
    },
    ...parts,
  };
}

function backend(
  name: BackendOutcome['name'],
  ingress: Judged | undefined,
  egress: Judged | undefined,
  gaps: readonly NetworkGap[] = [],
): BackendOutcome {
  return {
    name,
    judged: {
      ...(ingress === undefined ? {} : { Ingress: ingress }),
      ...(egress === undefined ? {} : { Egress: egress }),
    },
    gaps,
  };
}

const block: IPBlock = {
  apiVersion: 'strongroom.dev/v1alpha1',
  kind: 'IPBlock',
  metadata: { name: 'scanner', generation: 3 },
  spec: { cidrs: ['198.51.100.0/24'], reason: 'stuffing', owner: 'security' },
};

function statusOf(parts: Partial<BlockOutcome> = {}): IPBlockStatus {
  return ipBlockStatus(
    {
      block,
      state: stateOf('Active'),
      backends: [backend('NetworkPolicy', 'Enforced', 'Enforced')],
      podsInScope: 2,
      podsCut: 2,
      podsAffected: 0,
      gaps: [],
      isPending: false,
      ...parts,
    },
    NOW,
  );
}

/** `Type=Status Reason` of each condition. */
function conditionsOf({ conditions = [] }: IPBlockStatus): Readonly<Record<string, string>> {
  return Object.fromEntries(
    conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  );
}

describe('ipBlockStatus', () => {
  it.each<[string, Partial<BlockOutcome>, IPBlockStatus['enforcement'], string, string]>([
    ['all holds', {}, 'Enforced', 'True Enforced', 'True Enforced'],
    [
      'a policy of others re-opens it',
      { backends: [backend('NetworkPolicy', 'Ineffective', 'Ineffective', [GAP])], podsCut: 0 },
      'Ineffective',
      'False Ineffective',
      'False Ineffective',
    ],
    [
      'one direction holds',
      { backends: [backend('NetworkPolicy', 'Ineffective', 'Enforced', [GAP])], podsCut: 0 },
      'PartiallyEnforced',
      'False PartiallyEnforced',
      'True PartiallyEnforced',
    ],
    [
      'each backend does one direction',
      {
        backends: [
          backend('NetworkPolicy', 'Ineffective', 'Enforced', [GAP]),
          backend('NodeAgent', 'Enforced', 'PartiallyEnforced'),
        ],
      },
      'Enforced',
      'True Enforced',
      'True Enforced',
    ],
    [
      'something is not written yet',
      { backends: [backend('NetworkPolicy', undefined, undefined)], isPending: true },
      'Pending',
      'Unknown ReconcileFailed',
      'False ReconcileFailed',
    ],
    [
      'nobody is there',
      {
        podsInScope: 0,
        podsCut: 0,
        backends: [backend('NetworkPolicy', 'Ineffective', 'Ineffective')],
      },
      'Pending',
      'Unknown NothingToProtect',
      'True NothingToProtect',
    ],
    ['it is over', { state: stateOf('Expired') }, 'Expired', 'False Expired', 'True Expired'],
    [
      'it is only watched',
      { state: stateOf('Observed'), podsAffected: 2 },
      'Observed',
      'False Observed',
      'True Observed',
    ],
    [
      'it is too wide',
      { state: stateOf('WideBan', { wide: ['0.0.0.0/1'] }) },
      'Pending',
      'False WideBan',
      'False WideBan',
    ],
    [
      'the cluster is not known',
      { state: stateOf('FactsMissing') },
      'Pending',
      'False FactsMissing',
      'False FactsMissing',
    ],
    [
      'all of it is protected',
      { state: stateOf('Empty') },
      'Pending',
      'False NothingToBlock',
      'False NothingToBlock',
    ],
  ])('says so where %s', (_, parts, enforcement, enforced, ready) => {
    const status = statusOf(parts);
    expect(status.enforcement).toBe(enforcement);
    expect(conditionsOf(status)).toMatchObject({ Enforced: enforced, Ready: ready });
  });

  it('never says Enforced where a direction of the block is not', () => {
    const states: readonly (Judged | undefined)[] = [
      'Enforced',
      'PartiallyEnforced',
      'Ineffective',
      undefined,
    ];
    for (const ingress of states) {
      for (const egress of states) {
        const status = statusOf({ backends: [backend('NetworkPolicy', ingress, egress)] });
        expect(status.enforcement === 'Enforced').toBe(
          ingress === 'Enforced' && egress === 'Enforced',
        );
      }
    }
  });

  it('names what is at fault, first in the message and all in gaps', () => {
    const status = statusOf({
      backends: [backend('NetworkPolicy', 'Ineffective', 'Ineffective', [GAP])],
      podsCut: 0,
    });
    expect(status.gaps).toEqual([GAP]);
    expect(status.conditions?.find(({ type }) => type === 'Enforced')?.message).toContain(
      'wide re-opens it',
    );
  });

  it('does not hold a gap of one backend against what another closes', () => {
    const status = statusOf({
      backends: [
        backend('NetworkPolicy', 'Ineffective', 'Ineffective', [GAP]),
        backend('NodeAgent', 'Enforced', 'Enforced'),
      ],
    });
    expect(status.gaps).toEqual([]);
    expect(status.backends).toMatchObject([{ state: 'Ineffective' }, { state: 'Enforced' }]);
  });

  it('tells of a feed: when it was read, what was left out, and why it could not be', () => {
    const copy = {
      url: 'https://lists.example/drop',
      format: 'Plain' as const,
      items: [],
      counts: { entries: 10, corrected: 0, skipped: 2, skippedSamples: [] },
      fetchedAtMs: NOW - 60_000,
    };
    const fresh = statusOf({ feed: { copy, isStale: false } });
    expect(fresh.feed).toEqual({ fetchedAt: '2026-11-24T11:59:00Z', entries: 10, skipped: 2 });
    expect(conditionsOf(fresh)).toMatchObject({ FeedReady: 'True FeedFetched' });
    const refused = statusOf({
      feed: { copy, isStale: true, error: 'it is HTML', isRefused: true },
    });
    expect(refused.enforcement).toBe('Enforced');
    expect(conditionsOf(refused)).toMatchObject({ FeedReady: 'False FeedRefused' });
    expect(conditionsOf(statusOf({ feed: { copy, isStale: true } }))).toMatchObject({
      FeedReady: 'False FeedStale',
    });
  });

  it('counts addresses beyond what an integer holds, and lists what was protected', () => {
    const status = statusOf({
      state: stateOf('Active', {
        block: { ...stateOf('Active').block, addresses: addressSet(['2001:db8::/32']) },
        leftOut: [{ name: 'pods', cidrs: ['10.244.0.0/16'] }],
      }),
    });
    expect(status.addresses).toBe(String(2n ** 96n));
    expect(status.protectedRanges).toEqual(['10.244.0.0/16 (pods)']);
  });

  it('does not move the time of a condition that stays', () => {
    const first = statusOf();
    const again = ipBlockStatus(
      {
        block: { ...block, status: first },
        state: stateOf('Active'),
        backends: [backend('NetworkPolicy', 'Enforced', 'Enforced')],
        podsInScope: 2,
        podsCut: 2,
        podsAffected: 0,
        gaps: [],
        isPending: false,
      },
      NOW + 60_000,
    );
    expect(again).toEqual(first);
  });
});
