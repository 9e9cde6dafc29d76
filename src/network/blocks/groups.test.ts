import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActiveBlock } from '../active-block.ts';
import { addressSet, unionOf } from '../cidr/address-set.ts';
import { smallBlocks } from '../cidr/testing/naive.ts';
import { groupBlocks } from './groups.ts';

function block(name: string, more: Partial<ActiveBlock> = {}): ActiveBlock {
  return {
    name,
    addresses: addressSet(['192.0.2.1']),
    ingress: true,
    egress: false,
    namespaces: '*',
    ...more,
  };
}

const anyBlock: fc.Arbitrary<ActiveBlock> = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  addresses: fc
    .array(smallBlocks(), { maxLength: 3 })
    .map((blocks) => addressSet(blocks.map(({ text }) => text))),
  ingress: fc.boolean(),
  egress: fc.boolean(),
  namespaces: fc.oneof(
    fc.constant<'*'>('*'),
    fc.array(fc.constantFrom('research', 'trading'), { maxLength: 3 }),
  ),
});

describe('groups of blocks', () => {
  it('have one list a scope and direction', () => {
    const groups = groupBlocks([
      block('scanner', { egress: true }),
      block('feed', { addresses: addressSet(['192.0.2.0', '2001:db8::1']) }),
      block('desk', { namespaces: ['trading', 'research', 'trading'] }),
      block('other', { namespaces: ['research', 'trading'] }),
      block('gateway', { namespaces: [] }),
      block('nothing', { addresses: addressSet([]) }),
    ]);
    expect(
      groups.map(({ addresses, ...group }) => ({ ...group, cidrs: addresses.cidrs() })),
    ).toEqual([
      {
        key: 'egress',
        namespaces: '*',
        direction: 'Egress',
        blocks: ['scanner'],
        cidrs: ['192.0.2.1/32'],
      },
      {
        key: 'ingress',
        namespaces: '*',
        direction: 'Ingress',
        blocks: ['feed', 'scanner'],
        cidrs: ['192.0.2.0/31', '2001:db8::1/128'],
      },
      {
        key: 'ingress research,trading',
        namespaces: ['research', 'trading'],
        direction: 'Ingress',
        blocks: ['desk', 'other'],
        cidrs: ['192.0.2.1/32'],
      },
    ]);
  });

  it('are the same in whatever order blocks come', () => {
    const shuffled = fc
      .uniqueArray(anyBlock, { selector: ({ name }) => name, maxLength: 4 })
      .chain((blocks) =>
        fc.tuple(fc.constant(blocks), fc.shuffledSubarray(blocks, { minLength: blocks.length })),
      );
    const plain = (blocks: readonly ActiveBlock[]): unknown =>
      groupBlocks(blocks).map(({ addresses, ...group }) => [group, addresses.cidrs()]);
    fc.assert(
      fc.property(shuffled, ([blocks, others]) => {
        expect(plain(others)).toEqual(plain(blocks));
      }),
    );
  });

  it('block for each namespace and direction what its blocks do', () => {
    const blocked = (
      all: readonly {
        readonly namespaces: '*' | readonly string[];
        readonly addresses: ActiveBlock['addresses'];
      }[],
      namespace: string,
    ): readonly string[] =>
      unionOf(
        all
          .filter(({ namespaces }) => namespaces === '*' || namespaces.includes(namespace))
          .map(({ addresses }) => addresses),
      ).cidrs();
    fc.assert(
      fc.property(
        fc.array(anyBlock, { maxLength: 8 }),
        fc.constantFrom('research', 'trading', 'other'),
        (blocks, namespace) => {
          const groups = groupBlocks(blocks);
          const [inward, outward] = (['Ingress', 'Egress'] as const).map((direction) =>
            blocked(
              groups.filter((group) => group.direction === direction),
              namespace,
            ),
          );
          expect(inward).toEqual(
            blocked(
              blocks.filter(({ ingress }) => ingress),
              namespace,
            ),
          );
          expect(outward).toEqual(
            blocked(
              blocks.filter(({ egress }) => egress),
              namespace,
            ),
          );
          expect(new Set(groups.map(({ key }) => key)).size).toBe(groups.length);
        },
      ),
    );
  });
});
