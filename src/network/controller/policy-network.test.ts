import { describe, expect, it } from 'vitest';
import { accountSetName, policyName } from '../compiler/our-policy.ts';
import type { PolicyGrants } from '../grants/network-grants.ts';
import type { NamespaceOutcome } from './namespace-work.ts';
import { policyNetwork } from './policy-network.ts';

const GRANT = { policy: { name: 'maker', uid: 'u' }, serviceAccount: 'maker', egress: [] };
const GRANTED: PolicyGrants = { grants: [{ namespace: 'trading', grant: GRANT }], gaps: [] };

function wanted(part: string, account = 'maker') {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'trading', name: policyName(accountSetName(account), part) },
  };
}

function outcomeOf(parts: Partial<NamespaceOutcome> = {}): ReadonlyMap<string, NamespaceOutcome> {
  const pod = { namespace: 'trading', labels: {}, addresses: [], hostNetwork: false, ports: [] };
  return new Map([
    [
      'trading',
      {
        pods: [
          { ...pod, name: 'maker-0', serviceAccount: 'maker' },
          { ...pod, name: 'other', serviceAccount: 'default' },
        ],
        foreign: [],
        wanted: [wanted(''), wanted('v4-0'), wanted('', 'taker')],
        gaps: [],
        grants: [GRANT],
        blocks: [],
        isApplied: true,
        ...parts,
      },
    ],
  ]);
}

describe('policyNetwork', () => {
  it('counts the pods of its accounts and the policies that stand for them', () => {
    expect(policyNetwork('maker', GRANTED, outcomeOf(), [])).toEqual({
      pods: 1,
      policies: 2,
      isApplied: true,
      gaps: [],
    });
  });

  it.each<[string, PolicyGrants, ReadonlyMap<string, NamespaceOutcome>, readonly string[]]>([
    ['before the namespace was looked at', GRANTED, new Map(), []],
    ['while it is written', GRANTED, outcomeOf({ isApplied: false }), []],
    ['of what was compiled before it came', GRANTED, outcomeOf({ grants: [] }), []],
    ['while the cluster is not known', GRANTED, outcomeOf(), ['nodes']],
    ['where it reaches no namespace', { grants: [], gaps: [] }, outcomeOf(), []],
  ])('claims nothing %s', (_, granted, outcomes, missing) => {
    expect(policyNetwork('maker', granted, outcomes, missing).isApplied).toBe(false);
  });

  it('tells its own gaps and not those of others, and which of them are information', () => {
    const gap = { type: 'PodsNotSelectable', message: 'alike' } as const;
    const { gaps } = policyNetwork(
      'maker',
      { ...GRANTED, gaps: [{ type: 'NameByAddress', message: 'by address' }] },
      outcomeOf({
        gaps: [
          { ...gap, accessPolicies: ['maker'] },
          { ...gap, accessPolicies: ['taker'] },
          { type: 'IsolatedByOthers', message: 'about blocks' },
        ],
      }),
      [],
    );
    expect(gaps).toEqual([
      { type: 'NameByAddress', message: 'by address', isInformation: true },
      { type: 'PodsNotSelectable', message: 'alike' },
    ]);
  });
});
