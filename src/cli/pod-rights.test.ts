import { describe, expect, it } from 'vitest';
import { createPolicyIndex } from '#access/policy-index.ts';
import { policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import { credentialOf } from '#admission/testing/core-objects.ts';
import { createPodRights } from '#cli/pod-rights.ts';

const MAKER = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' } as const;
const AT_NIGHT = { times: [{ schedule: '0 3 * * *', duration: '1m' }] };

function rightsBy(...policies: readonly AccessPolicy[]) {
  const index = createPolicyIndex(policies);
  return createPodRights(() => ({ index: () => index, inForce: () => policies }));
}

describe('the rights of pods', () => {
  it.each<[string, readonly AccessPolicy[], boolean]>([
    ['no policy', [], false],
    ['an Allow', [policyOf({ subjects: [MAKER] }, 'maker')], true],
    ['an Allow at some time', [policyOf({ subjects: [MAKER], constraints: AT_NIGHT }, 'a')], true],
    [
      'a Deny',
      [policyOf({ subjects: [MAKER] }, 'a'), policyOf({ subjects: [MAKER], effect: 'Deny' }, 'b')],
      false,
    ],
    [
      'another environment',
      [policyOf({ subjects: [MAKER], environments: ['Staging'] }, 'a')],
      false,
    ],
    ['another account', [policyOf({ subjects: [{ ...MAKER, name: 'other' }] }, 'a')], false],
  ])('with %s', (_, policies, mayMount) => {
    expect(rightsBy(...policies).mayMount(credentialOf('maker'), 'maker')).toBe(mayMount);
  });

  it('are about the Secrets that a pod names anywhere', () => {
    const used = rightsBy().secretsOf({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'bot', namespace: 'trading' },
      spec: {
        containers: [{ name: 'main', envFrom: [{ secretRef: { name: 'from' } }] }],
        imagePullSecrets: [{ name: 'pull' }],
        volumes: [
          { name: 'a', secret: { secretName: 'volume' } },
          { name: 'b', csi: { driver: 'x', nodePublishSecretRef: { name: 'csi' } } } as never,
        ],
      },
    });
    expect([...used].sort()).toEqual(['csi', 'from', 'pull', 'volume']);
  });
});
