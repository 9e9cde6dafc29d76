import { describe, expect, it } from 'vitest';
import type { NetworkPolicy } from '#kube/objects.ts';
import { OUR_POLICY_LABELS } from '../compiler/our-policy.ts';
import { createStandingPolicies } from './standing-policies.ts';

function policy(
  resourceVersion: string,
  parts: Partial<NetworkPolicy['spec']> = {},
): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'trading', name: 'ours', resourceVersion, labels: OUR_POLICY_LABELS },
    spec: { podSelector: {}, policyTypes: ['Ingress'], ...parts },
  };
}

const namesOf = (policies: readonly NetworkPolicy[]) =>
  policies.map(({ metadata }) => metadata.name);

describe('createStandingPolicies', () => {
  it('knows what was written before a cache does', () => {
    const standing = createStandingPolicies();
    standing.wrote(policy('5'), false);
    expect(namesOf(standing.of('trading', []).ours)).toEqual(['ours']);
    // What the cache still has is older.
    standing.saw({ type: 'Added', object: policy('4') });
    expect(standing.of('trading', [policy('4')]).ours).toEqual([policy('5')]);
    standing.saw({ type: 'Updated', object: policy('5'), previous: policy('4') });
    expect(standing.takeTampered('trading')).toEqual(new Set());
  });

  it('knows what was deleted before a cache does', () => {
    const standing = createStandingPolicies();
    standing.wrote(policy('5'), false);
    standing.saw({ type: 'Added', object: policy('5') });
    standing.wrote(policy('5'), true);
    expect(standing.of('trading', [policy('5')])).toEqual({ ours: [], foreign: [] });
    standing.saw({ type: 'Deleted', object: policy('6') });
    expect(standing.takeTampered('trading')).toEqual(new Set());
  });

  it('notices what others change, delete, or take the label off', () => {
    const standing = createStandingPolicies();
    standing.wrote(policy('5'), false);
    standing.saw({ type: 'Added', object: policy('5') });
    const changed = policy('6', { ingress: [{}] });
    standing.saw({ type: 'Updated', object: changed, previous: policy('5') });
    expect(standing.takeTampered('trading')).toEqual(new Set(['ours']));
    expect(standing.takeTampered('trading')).toEqual(new Set());
    standing.saw({ type: 'Deleted', object: changed });
    expect(standing.takeTampered('trading')).toEqual(new Set(['ours']));
    const bare = { ...changed, metadata: { ...changed.metadata, labels: {} } };
    expect(namesOf(standing.of('trading', [bare]).ours)).toEqual(['ours']);
  });

  it('leaves those of others alone', () => {
    const standing = createStandingPolicies();
    const theirs = { ...policy('1'), metadata: { namespace: 'trading', name: 'theirs' } };
    standing.saw({ type: 'Added', object: theirs });
    expect(namesOf(standing.of('trading', [theirs]).foreign)).toEqual(['theirs']);
    expect(standing.takeTampered('trading')).toEqual(new Set());
  });
});
