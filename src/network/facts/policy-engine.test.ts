import { describe, expect, it } from 'vitest';
import type { DaemonSet, Node } from '#kube/objects.ts';
import { policyEngine } from './policy-engine.ts';

function node(
  about: {
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
    readonly version?: string;
  } = {},
): Node {
  const { labels = {}, annotations = {}, version = 'v1.37.0' } = about;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'one', labels, annotations },
    status: { nodeInfo: { kubeletVersion: version } },
  };
}

function daemonSet(
  name: string,
  about: {
    readonly args?: readonly string[];
    readonly image?: string;
    readonly scheduled?: number;
  } = {},
): DaemonSet {
  const { args = [], image = 'registry.example/agent:v1', scheduled = 3 } = about;
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system' },
    spec: { template: { spec: { containers: [{ name: 'agent', image, args }] } } },
    status: { desiredNumberScheduled: scheduled },
  };
}

/** Which engine the DaemonSets tell, where everything else tells none. */
function seen(...daemonSets: readonly DaemonSet[]) {
  return policyEngine({ nodes: [node()], daemonSets, apiGroups: ['apps'] });
}

describe('policyEngine', () => {
  it.each([
    ['calico-node', 'Calico'],
    ['canal', 'Canal'],
    ['rke2-canal', 'Canal'],
    ['cilium', 'Cilium'],
    ['anetd', 'Cilium'],
    ['antrea-agent', 'Antrea'],
    ['kube-network-policies', 'kube-network-policies'],
    ['weave-net', 'Weave Net'],
    ['ovnkube-node', 'OVN-Kubernetes'],
    ['kube-ovn-cni', 'Kube-OVN'],
    ['azure-npm', 'Azure NPM'],
    ['kube-router', 'kube-router'],
    ['kindnet', 'kindnet'],
  ])('knows DaemonSet %s', (name, engine) => {
    expect(seen(daemonSet('kube-proxy'), daemonSet(name))).toEqual({ seen: 'Yes', name: engine });
  });

  it.each([
    ['cilium.io', 'Cilium'],
    ['crd.projectcalico.org', 'Calico'],
    ['projectcalico.org', 'Calico'],
    ['crd.antrea.io', 'Antrea'],
    ['k8s.ovn.org', 'OVN-Kubernetes'],
    ['kubeovn.io', 'Kube-OVN'],
  ])('knows API group %s', (group, engine) => {
    expect(policyEngine({ nodes: [], daemonSets: [], apiGroups: ['apps', group] })).toEqual({
      seen: 'Yes',
      name: engine,
    });
  });

  it('knows k3s by version or label, unless it was told to leave policies alone', () => {
    const nothing = { daemonSets: [], apiGroups: [] };
    const k3s = { seen: 'Yes', name: 'k3s' };
    expect(policyEngine({ ...nothing, nodes: [node({ version: 'v1.34.1+k3s1' })] })).toEqual(k3s);
    const labels = { 'node.kubernetes.io/instance-type': 'k3s' };
    expect(policyEngine({ ...nothing, nodes: [node({ labels })] })).toEqual(k3s);
    const annotations = { 'k3s.io/node-args': '["server","--disable-network-policy"]' };
    expect(policyEngine({ ...nothing, nodes: [node({ labels, annotations })] })).toEqual({
      seen: 'No',
    });
  });

  it.each([
    ['none at all', seen()],
    ['flannel, which only connects', seen(daemonSet('kube-flannel-ds'))],
    ['one that is meant for no node', seen(daemonSet('cilium', { scheduled: 0 }))],
    [
      'kube-router without its firewall',
      seen(daemonSet('kube-router', { args: ['--run-router=true', '--run-firewall=false'] })),
    ],
    ['the AWS agent as it comes', seen(daemonSet('aws-node'))],
    [
      'the AWS agent switched off',
      seen(daemonSet('aws-node', { args: ['--enable-network-policy=false'] })),
    ],
    [
      'kindnet of kind 0.23',
      seen(daemonSet('kindnet', { image: 'docker.io/kindest/kindnetd:v20240513-cd2ac642' })),
    ],
  ])('sees none where there is %s', (_, engine) => {
    expect(engine).toEqual({ seen: 'No' });
  });

  it('sees those that were switched on', () => {
    expect(seen(daemonSet('aws-node', { args: ['--enable-network-policy=true'] }))).toEqual({
      seen: 'Yes',
      name: 'AWS network policy agent',
    });
    const image = 'docker.io/kindest/kindnetd:v20240813-c6f155d6';
    expect(seen(daemonSet('kindnet', { image })).seen).toBe('Yes');
  });

  it('does not say No where it could not look', () => {
    expect(policyEngine({ nodes: [node()], apiGroups: [] }).seen).toBe('Unknown');
    expect(policyEngine({ nodes: [node()], daemonSets: [] }).seen).toBe('Unknown');
    const labels = { 'eks.amazonaws.com/compute-type': 'auto' };
    expect(policyEngine({ nodes: [node({ labels })], daemonSets: [], apiGroups: [] })).toEqual({
      seen: 'Unknown',
      name: 'EKS Auto Mode',
    });
  });

  it('does not hang on the order of objects', () => {
    const [one, other] = [daemonSet('cilium'), daemonSet('azure-npm')];
    expect(seen(one, other)).toEqual(seen(other, one));
  });
});
