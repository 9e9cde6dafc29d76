import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigMap } from '#kube/objects.ts';
import type { NetworkPod } from '../cluster-facts.ts';
import type { Ban } from './ban.ts';
import { nodeBlockConfigMaps, NODE_BLOCKS_INDEX, revisionOf } from './node-blocks.ts';
import type { NodeBlockGroup } from './node-blocks.ts';
import { formatRange } from './range-text.ts';
import { readNodeBlocks } from './read-node-blocks.ts';

const NAMESPACE = 'strongroom-system';

const bans: fc.Arbitrary<readonly Ban[]> = fc
  .array(
    fc.record({
      gap: fc.bigInt({ min: 0n, max: 2n ** 22n }),
      size: fc.bigInt({ min: 0n, max: 2n ** 20n }),
      until: fc.constantFrom(undefined, 1_764_151_200_000, 1_764_151_200_500),
      family: fc.constantFrom('IPv4' as const, 'IPv6' as const),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((drafts) => {
    const from = { IPv4: 0n, IPv6: 0x2001_0db8n << 96n };
    return drafts
      .map(({ gap, size, until, family }) => {
        const first = from[family] + gap;
        from[family] = first + size + 1n;
        const range = { family, first, last: first + size };
        return until === undefined ? range : { ...range, expiresAtMs: until };
      })
      .toSorted((a, b) => (a.family < b.family ? -1 : a.family > b.family ? 1 : 0));
  });

function pod(namespace: string, name: string, address: string, hostNetwork = false): NetworkPod {
  const rest = { labels: {}, serviceAccount: 'default', ports: [] };
  return { namespace, name, addresses: [address], hostNetwork, ...rest };
}

function both(
  namespaces: NodeBlockGroup['namespaces'],
  intervals: readonly Ban[],
): NodeBlockGroup[] {
  return [
    { namespaces, direction: 'Ingress', intervals },
    { namespaces, direction: 'Egress', intervals },
  ];
}

/** Each banned range with the second it ends at, neighbours put together. */
function flat(list: readonly Ban[]): readonly string[] {
  const out: Ban[] = [];
  const seconds = (ban: Ban): number => Math.ceil((ban.expiresAtMs ?? Infinity) / 1000);
  for (const ban of list) {
    const last = out.at(-1);
    if (
      last !== undefined &&
      last.family === ban.family &&
      last.last + 1n === ban.first &&
      seconds(last) === seconds(ban)
    ) {
      out[out.length - 1] = { ...last, last: ban.last };
    } else out.push(ban);
  }
  return out.map((ban) => `${formatRange(ban)} ${seconds(ban)}`);
}

const names = (objects: readonly ConfigMap[]): readonly string[] =>
  objects.map(({ metadata }) => metadata.name);

describe('blocks for the node agents', () => {
  it('come to the agent as they were, however they are cut up', () => {
    fc.assert(
      fc.property(bans, bans, fc.integer({ min: 60, max: 3000 }), (whole, scoped, partBytes) => {
        const objects = nodeBlockConfigMaps({
          groups: [...both('*', whole), ...both(['trading', 'research'], scoped)],
          pods: [pod('trading', 'a', '10.0.0.1'), pod('research', 'b', '2001:db8::1')],
          namespace: NAMESPACE,
          partBytes,
        });
        const read = readNodeBlocks(objects);
        if (!read.complete) throw new Error(read.reason);
        expect(read.blocks.revision).toBe(revisionOf(objects));
        const [node, scope] = read.blocks.scopes;
        expect(flat(node?.bans.both ?? [])).toEqual(flat(whole));
        expect(flat(scope?.bans.both ?? [])).toEqual(flat(scoped));
        expect(scope?.namespaces).toEqual(['research', 'trading']);
        expect(scope?.pods.toSorted()).toEqual(['10.0.0.1', '2001:db8::1']);
      }),
    );
  });

  const range = (first: bigint, size = 1n): Ban => ({
    family: 'IPv4',
    first,
    last: first + size - 1n,
  });
  const many = Array.from({ length: 2000 }, (_, index) => range(BigInt(index) << 21n, 7n));
  const compile = (intervals: readonly Ban[], pods: readonly NetworkPod[] = []) =>
    nodeBlockConfigMaps({
      groups: [...both('*', intervals), ...both(['trading'], many.slice(0, 3))],
      pods,
      namespace: NAMESPACE,
      partBytes: 4096,
    });

  it('write one part and the index for one changed ban', () => {
    const before = compile(many);
    const after = compile([...many, range(2n ** 32n - 9n, 2n)]);
    const old = new Map(before.map((each) => [each.metadata.name, JSON.stringify(each.data)]));
    const written = after.filter(
      (each) => old.get(each.metadata.name) !== JSON.stringify(each.data),
    );
    expect(before.length).toBeGreaterThan(8);
    expect(names(written)).toEqual([expect.stringMatching(/-node-v4-f/), NODE_BLOCKS_INDEX]);
    const kept = new Set(names(after));
    expect(names(before).filter((name) => !kept.has(name))).toHaveLength(1);
  });

  it('keep every part within its size, and the order of writing', () => {
    const objects = compile(many);
    for (const { data = {} } of objects.filter((each) => each.metadata.name.includes('-v4-'))) {
      expect(Object.values(data).join('').length).toBeLessThan(4096 + 32);
    }
    expect(names(objects).at(0)).toBe('strongroom-node-pods-trading');
    expect(names(objects).at(-1)).toBe(NODE_BLOCKS_INDEX);
    for (const name of names(objects)) expect(name).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
  });

  it('rewrite only the addresses when pods come and go', () => {
    const before = compile(many, [pod('trading', 'a', '10.0.0.1')]);
    const after = compile(many, [
      pod('trading', 'b', '10.0.0.2'),
      pod('trading', 'host', '192.0.2.1', true),
      pod('other', 'c', '10.0.0.3'),
    ]);
    expect(names(after)).toEqual(names(before));
    const changed = after.filter(
      (each, index) => JSON.stringify(each) !== JSON.stringify(before[index]),
    );
    expect(names(changed)).toEqual(['strongroom-node-pods-trading']);
    expect(changed[0]?.data?.['addresses']).toBe('10.0.0.2\n');
  });

  it('are the same for the same input, whatever its order', () => {
    const groups = [...both('*', many.slice(0, 9)), ...both(['a', 'b'], many.slice(3, 5))];
    const input = { pods: [], namespace: NAMESPACE };
    const other = groups
      .toReversed()
      .map((group) =>
        group.namespaces === '*' ? group : { ...group, namespaces: ['b', 'a', 'b'] },
      );
    expect(nodeBlockConfigMaps({ ...input, groups: other })).toEqual(
      nodeBlockConfigMaps({ ...input, groups }),
    );
  });

  it('leave an index without parts when nothing is banned, so that the agents let go', () => {
    const objects = nodeBlockConfigMaps({ groups: [], pods: [], namespace: NAMESPACE });
    expect(names(objects)).toEqual([NODE_BLOCKS_INDEX]);
    expect(readNodeBlocks(objects)).toMatchObject({ complete: true, blocks: { scopes: [] } });
  });
});

describe('what an agent takes', () => {
  const objects = nodeBlockConfigMaps({
    groups: both(['trading'], [{ family: 'IPv4', first: 5n, last: 5n }]),
    pods: [pod('trading', 'a', '10.0.0.1')],
    namespace: NAMESPACE,
  });

  it.each([0, 1, 2])('is nothing while one of the ConfigMaps is missing (%i)', (index) => {
    const read = readNodeBlocks(objects.toSpliced(index, 1));
    const reason = `the ConfigMap ${objects[index]?.metadata.name} is not there`;
    expect(read).toMatchObject({
      complete: false,
      reason: expect.stringContaining(reason) as string,
    });
  });

  it.each([
    ['a ban more', { both: '0.0.0.5\n198.51.100.7\n' }],
    ['a command', { both: '0.0.0.5 }\nflush ruleset\n' }],
    ['other namespaces', { namespaces: '*' }],
  ])('is nothing with %s in a part', (_, change) => {
    const tampered = objects.map((each, index) =>
      index === 1 ? { ...each, data: { ...each.data, ...change } } : each,
    );
    expect(readNodeBlocks(tampered)).toMatchObject({
      complete: false,
      reason: expect.stringContaining('not what the operator wrote') as string,
    });
  });

  it('is nothing with a pod whose address is none', () => {
    const tampered = objects.map((each, index) =>
      index === 0 ? { ...each, data: { ...each.data, addresses: '10.0.0.0/8\n' } } : each,
    );
    expect(readNodeBlocks(tampered)).toMatchObject({
      complete: false,
      reason: 'the ConfigMap strongroom-node-pods-trading holds "10.0.0.0/8", which is no address',
    });
  });
});
