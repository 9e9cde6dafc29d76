import { expect, it } from 'vitest';
import type { NetworkPod } from '#network/cluster-facts.ts';
import { packetSample } from '../node/packet-sample.ts';

function pod(namespace: string, app: string, address: string): NetworkPod {
  return {
    namespace,
    name: app,
    labels: { app },
    serviceAccount: 'default',
    addresses: [address],
    hostNetwork: false,
    ports: [{ name: 'fix', port: 9000, protocol: 'TCP' }],
  };
}

it('gives rounds of policies for pods that run, in which both happens', () => {
  const running = {
    pods: [
      pod('trading', 'maker', '10.0.1.2'),
      pod('trading', 'feed', '10.0.2.2'),
      pod('risk', 'desk', '10.0.2.3'),
    ],
    namespaces: [
      { name: 'trading', labels: { team: 'mm' } },
      { name: 'risk', labels: { team: 'ops' } },
    ],
    ports: [9000, 9001],
  };
  const rounds = packetSample(running, 30);
  expect(rounds).toHaveLength(30);
  for (const { policies, expected } of rounds) {
    expect(policies.length).toBeGreaterThan(0);
    expect(expected).toHaveLength(3 * 2 * 2);
    expect(new Set(expected.map(({ allowed }) => allowed)).size).toBe(2);
  }
  expect(packetSample(running, 30)).toEqual(rounds);
});
