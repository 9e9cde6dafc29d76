/** Compiled NetworkPolicies against a real API server: all are taken, and stand as they were sent. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import type { NetworkPolicy } from '../../src/kube/objects.ts';
import { NETWORK_POLICIES } from '../../src/kube/resources.ts';
import { addressSet } from '../../src/network/cidr/address-set.ts';
import { compileNamespace, createCompiler } from '../../src/network/compiler/compiler.ts';
import { arbitraryNamespace } from '../../src/network/compiler/testing/arbitrary-namespace.ts';
import { blockOf, grantOf, inputOf, podOf } from '../../src/network/compiler/testing/builders.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';

let client: KubeClient;
let space: TestNamespace;

beforeAll(async () => {
  client = await connect();
  space = await createNamespace(client, 'network-compiler');
});
afterAll(async () => {
  await space[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

async function tried(policies: readonly NetworkPolicy[]): Promise<readonly NetworkPolicy[]> {
  const taken: NetworkPolicy[] = [];
  for (const policy of policies) {
    taken.push(await client.create(NETWORK_POLICIES, policy, { dryRun: true }));
  }
  return taken;
}

describe('the API server', () => {
  it('takes whatever comes out, and changes nothing of it', async () => {
    const worlds = fc.sample(arbitraryNamespace, { numRuns: 25, seed: 5 });
    let count = 0;
    for (const [index, { input }] of worlds.entries()) {
      const { policies } = createCompiler(index % 2 === 0 ? 40 : 8000).compileNamespace({
        ...input,
        namespace: space.name,
      });
      const taken = await tried(policies);
      expect(taken.map(({ spec }) => spec)).toEqual(policies.map(({ spec }) => spec));
      count += taken.length;
    }
    expect(count).toBeGreaterThan(50);
  });

  it('takes 50,000 blocked CIDRs of both families and both directions', async () => {
    const cidrs = Array.from({ length: 50_000 }, (_, at) => {
      const word = Math.imul(at + 1, 0x9e37_79b1) >>> 0;
      return at % 5 === 0
        ? `2001:db8:${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}:1234:5678:9abc:${(at % 9999) + 1}/128`
        : `${[24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.')}/32`;
    });
    const { policies } = compileNamespace(
      inputOf({
        namespace: space.name,
        pods: [podOf('maker-1', { app: 'maker' }, { serviceAccount: 'maker' }), podOf('other', {})],
        grants: [grantOf('maker', { egress: [{ addresses: addressSet(['0.0.0.0/0', '::/0']) }] })],
        blocks: [blockOf('feed', cidrs)],
      }),
    );
    const holes = policies
      .filter(({ metadata }) => metadata.name.endsWith('block-ingress-0'))
      .flatMap(({ spec }) => spec?.ingress?.flatMap(({ from = [] }) => from) ?? [])
      .flatMap(({ ipBlock }) => ipBlock?.except ?? []);
    expect(addressSet(holes).covers(addressSet(cidrs))).toBe(true);
    const taken = await tried(policies);
    expect(taken.map(({ spec }) => spec)).toEqual(policies.map(({ spec }) => spec));
    expect(taken.length).toBeGreaterThan(10);
  });

  it('is asked by a rule of the compiler for what it would refuse', async () => {
    const [policy] = compileNamespace(
      inputOf({ namespace: space.name, blocks: [blockOf('scanner', ['203.0.113.7/32'])] }),
    ).policies;
    const text = JSON.stringify(policy).replaceAll('203.0.113.7/32', '0.0.0.0/0');
    await expect(tried([JSON.parse(text) as NetworkPolicy])).rejects.toMatchObject({
      message: expect.stringMatching(/strict subset/),
    });
  });
});
