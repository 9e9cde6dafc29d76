/** What the comparison with cyclonus cannot show; see test/oracle/left-out.ts. */
import { describe, expect, it } from 'vitest';
import type { NetworkPolicy, NetworkPolicyPeer } from '#kube/objects.ts';
import type { NetworkPod } from '../cluster-facts.ts';
import { createEvaluator } from './evaluator.ts';
import type { Connection, Endpoint } from './evaluator.ts';

type Spec = NonNullable<NetworkPolicy['spec']>;

function pod(name: string, fields: Partial<NetworkPod> = {}): NetworkPod {
  return {
    namespace: 'trading',
    name,
    labels: { app: name },
    serviceAccount: 'default',
    addresses: [],
    hostNetwork: false,
    ports: [],
    ...fields,
  };
}

function policy(name: string, spec: Spec, namespace = 'trading'): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec,
  };
}

const node = ['172.18.0.2', '2001:db8:ffff::2'];
const maker = pod('maker', { addresses: ['10.0.0.1', 'fd00::1'], nodeAddresses: node });
const feed = pod('feed', { addresses: ['10.0.0.2', 'fd00::2'] });
const agent = pod('agent', { addresses: node, hostNetwork: true });
const closed = policy('closed', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });

function judge(
  policies: readonly NetworkPolicy[],
  from: Endpoint,
  to: Endpoint,
  rest: Partial<Connection> = {},
) {
  const evaluator = createEvaluator({
    policies,
    pods: [maker, feed, agent],
    namespaces: [{ name: 'trading', labels: { team: 'mm' } }],
  });
  return evaluator.judge({ from, to, port: 443, protocol: 'TCP', ...rest });
}

const ingressFrom = (...from: readonly NetworkPolicyPeer[]): NetworkPolicy =>
  policy('ingress', { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from }] });

describe('a pod and itself', () => {
  it('can always talk', () => {
    const { allowed, egress, ingress } = judge([closed], { pod: maker }, { pod: maker });
    expect({ allowed, applies: [egress.applies, ingress.applies] }).toEqual({
      allowed: true,
      applies: [false, false],
    });
  });

  it('can so by its address, and by the other one of its two', () => {
    expect(judge([closed], { address: '10.0.0.1' }, { address: '10.0.0.1' }).allowed).toBe(true);
    const ours = { pod: maker };
    expect(judge([closed], ours, { address: 'FD00:0::1' }).allowed).toBe(true);
  });

  it('are not a pod and another one of the same name', () => {
    const namesake = pod('maker', { namespace: 'risk', addresses: ['10.0.0.9'] });
    expect(judge([closed], { pod: namesake }, { pod: maker }).allowed).toBe(false);
  });
});

describe('a pod and its node', () => {
  it.each(node)('can always talk: %s', (address) => {
    expect(judge([closed], { address }, { pod: maker }).allowed).toBe(true);
    expect(judge([closed], { pod: maker }, { address }).allowed).toBe(true);
  });

  it('can talk through a pod of the node with hostNetwork', () => {
    expect(judge([closed], { pod: agent }, { pod: maker }).allowed).toBe(true);
  });

  it('are not a pod and another node', () => {
    expect(judge([closed], { address: '172.18.0.3' }, { pod: maker }).allowed).toBe(false);
    expect(judge([closed], { address: '172.18.0.2' }, { pod: feed }).allowed).toBe(false);
  });
});

describe('a pod with hostNetwork', () => {
  it('is covered by no policy', () => {
    const { ingress } = judge([closed], { address: '192.0.2.1' }, { pod: agent });
    expect(ingress).toEqual({ allowed: true, applies: false, isolatedBy: [], allowedBy: [] });
  });

  it('is no peer by its labels, but by the address of its node', () => {
    const byLabels = ingressFrom({ podSelector: {} }, { namespaceSelector: {} });
    const byAddress = ingressFrom({ ipBlock: { cidr: '172.18.0.0/24' } });
    expect(judge([byLabels], { pod: agent }, { pod: feed }).allowed).toBe(false);
    expect(judge([byAddress], { pod: agent }, { pod: feed }).allowed).toBe(true);
  });
});

describe('addresses as others write them', () => {
  it.each([
    ['10.0.0.77/24', '10.0.0.2', true],
    ['010.000.000.000/24', '10.0.0.2', true],
    ['2001:DB8:0:0::/32', '2001:db8::1', true],
    ['::ffff:192.0.2.0/120', '192.0.2.1', true],
    ['192.0.2.0/24', '::ffff:192.0.2.1', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['nonsense', '192.0.2.1', false],
  ])('the block %s and %s', (cidr, address, isAllowed) => {
    const allowing = ingressFrom({ ipBlock: { cidr } });
    expect(judge([allowing], { address }, { pod: maker }).allowed).toBe(isAllowed);
  });

  it('leave out an except with bits behind its prefix', () => {
    const allowing = ingressFrom({ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.9/29'] } });
    expect(judge([allowing], { address: '192.0.2.8' }, { pod: maker }).allowed).toBe(false);
    expect(judge([allowing], { address: '192.0.2.16' }, { pod: maker }).allowed).toBe(true);
  });
});

describe('what is absent', () => {
  it('isolates all pods of the namespace for ingress, without a spec', () => {
    const bare: NetworkPolicy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'bare', namespace: 'trading' },
    };
    const { egress, ingress } = judge([bare], { pod: maker }, { pod: feed });
    expect([egress.isolatedBy, ingress.isolatedBy]).toEqual([[], ['trading/bare']]);
  });

  it('matches nobody, in a peer without fields', () => {
    expect(judge([ingressFrom({})], { pod: maker }, { pod: feed }).allowed).toBe(false);
  });

  it('is the name among the labels, of a namespace that was not seen yet', () => {
    const stranger = pod('maker', { namespace: 'new', addresses: ['10.0.0.9'] });
    const allowing = ingressFrom({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'new' } },
    });
    expect(judge([allowing], { pod: stranger }, { pod: feed }).allowed).toBe(true);
  });
});

describe('families', () => {
  const ipv6 = ingressFrom({ ipBlock: { cidr: 'fd00::/64' } });

  it('one that lets a connection through is enough, unless one is asked about', () => {
    const ends = [{ pod: maker }, { pod: feed }] as const;
    expect(judge([ipv6], ...ends).allowed).toBe(true);
    expect(judge([ipv6], ...ends, { family: 'IPv6' }).allowed).toBe(true);
    expect(judge([ipv6], ...ends, { family: 'IPv4' }).allowed).toBe(false);
  });

  it('a pod without addresses goes by its labels alone', () => {
    const starting = pod('starting');
    const byLabels = ingressFrom({ podSelector: { matchLabels: { app: 'starting' } } });
    expect(judge([byLabels], { pod: starting }, { pod: feed }).allowed).toBe(true);
    expect(judge([ipv6], { pod: starting }, { pod: feed }).allowed).toBe(false);
  });
});

it('names the policies that isolate, and of these the ones that allow', () => {
  const web = policy('web', { podSelector: {}, ingress: [{ ports: [{ port: 443 }] }] });
  const other = policy('other', { podSelector: { matchLabels: { app: 'maker' } } });
  const { allowed, egress, ingress } = judge([closed, web, other], { pod: maker }, { pod: feed });
  expect({ allowed, egress, ingress }).toEqual({
    allowed: false,
    egress: { allowed: false, applies: true, isolatedBy: ['trading/closed'], allowedBy: [] },
    ingress: {
      allowed: true,
      applies: true,
      isolatedBy: ['trading/closed', 'trading/web'],
      allowedBy: ['trading/web'],
    },
  });
});
