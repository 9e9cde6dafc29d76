import { describe, expect, it } from 'vitest';
import type { ServedVersion } from '#kube/discovery.ts';
import { detectBackends } from './detect-backends.ts';

const CILIUM_V2: ServedVersion = {
  group: 'cilium.io',
  version: 'v2',
  resources: ['ciliumclusterwidenetworkpolicies', 'ciliumnetworkpolicies', 'ciliumcidrgroups'],
};
const CILIUM_OLD: readonly ServedVersion[] = [
  { ...CILIUM_V2, resources: ['ciliumclusterwidenetworkpolicies', 'ciliumnetworkpolicies'] },
  { group: 'cilium.io', version: 'v2alpha1', resources: ['ciliumcidrgroups'] },
];
const CALICO_KINDS = ['globalnetworkpolicies', 'globalnetworksets', 'tiers'];
const calico = (group: string, version: string, resources = CALICO_KINDS): ServedVersion => ({
  group,
  version,
  resources,
});
const CNP: ServedVersion = {
  group: 'policy.networking.k8s.io',
  version: 'v1alpha2',
  resources: ['clusternetworkpolicies'],
};

describe('backends that are served', () => {
  it.each<readonly [string, readonly ServedVersion[], readonly string[]]>([
    ['nothing but Kubernetes', [], []],
    ['Cilium 1.18', [CILIUM_V2], ['Cilium']],
    ['Cilium 1.16', CILIUM_OLD, ['Cilium']],
    ['Cilium without CIDR groups', CILIUM_OLD.slice(0, 1), []],
    ['CIDR groups alone', CILIUM_OLD.slice(1), []],
    ['Calico by its API server', [calico('projectcalico.org', 'v3')], ['Calico']],
    ['Calico by its CRDs', [calico('crd.projectcalico.org', 'v1')], ['Calico']],
    ['Calico before tiers', [calico('crd.projectcalico.org', 'v1', CALICO_KINDS.slice(0, 2))], []],
    [
      'half of one API and half of the other',
      [
        calico('projectcalico.org', 'v3', CALICO_KINDS.slice(0, 2)),
        calico('crd.projectcalico.org', 'v1', CALICO_KINDS.slice(2)),
      ],
      [],
    ],
    [
      'Calico with an API server that is away',
      [{ group: 'projectcalico.org', version: 'v3', resources: [], stale: true }],
      ['Calico'],
    ],
    ['ClusterNetworkPolicy v1alpha2', [CNP], ['ClusterNetworkPolicy']],
    ['ClusterNetworkPolicy v1beta1', [{ ...CNP, version: 'v1beta1' }], ['ClusterNetworkPolicy']],
    [
      'AdminNetworkPolicy',
      [{ ...CNP, version: 'v1alpha1', resources: ['adminnetworkpolicies'] }],
      [],
    ],
    ['two', [CILIUM_V2, CNP], ['Cilium', 'ClusterNetworkPolicy']],
  ])('%s', (_, served, expected) => {
    expect(detectBackends(served)).toEqual(['NetworkPolicy', ...expected]);
  });
});
