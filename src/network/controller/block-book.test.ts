import { describe, expect, it } from 'vitest';
import type { IPBlock } from '#api/ip-block.ts';
import { EMPTY_SET, addressSet } from '../cidr/address-set.ts';
import { createBlockBook } from './block-book.ts';

function block(name: string, spec: Partial<IPBlock['spec']> = {}): IPBlock {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name },
    spec: { cidrs: ['198.51.100.0/24'], reason: 'test', ...spec },
  };
}

function bookOf(...initial: readonly IPBlock[]) {
  const blocks = new Map(initial.map((one) => [one.metadata.name, one]));
  const loaded = new Set<string>();
  const book = createBlockBook({
    blocks: { get: (name) => blocks.get(name), list: () => [...blocks.values()] },
    feedOf: () => undefined,
    isFeedLoaded: (name) => loaded.has(name),
    surroundings: () => ({
      facts: {
        families: ['IPv4'],
        podRanges: EMPTY_SET,
        serviceRanges: EMPTY_SET,
        nodeAddresses: addressSet(['192.0.2.1']),
        apiServer: { addresses: addressSet(['192.0.2.2']), ports: [443] },
        dns: { addresses: EMPTY_SET, namespace: 'kube-system', podLabels: {} },
        policyEngine: { seen: 'Yes' },
        rewritingServices: [],
      },
      exchanges: EMPTY_SET,
      operatorClients: EMPTY_SET,
      isProtectionKnown: true,
    }),
    now: () => 0,
  });
  return { book, blocks, loaded };
}

const namesOf = (blocks: readonly { readonly name: string }[]) => blocks.map(({ name }) => name);

describe('createBlockBook', () => {
  it('is complete once every block was looked at, and every feed was loaded', () => {
    const feed = { url: 'https://lists.example', format: 'Plain', every: '1h' } as const;
    const { book, blocks, loaded } = bookOf(block('a'));
    expect(book.isComplete()).toBe(false);
    book.look('a');
    expect(book.isComplete()).toBe(true);
    const { cidrs: _cidrs, ...spec } = block('fed').spec;
    blocks.set('fed', { ...block('fed'), spec: { ...spec, feed } });
    book.look('fed');
    expect(book.isComplete()).toBe(false);
    loaded.add('fed');
    expect(book.isComplete()).toBe(true);
    blocks.set('late', block('late'));
    expect(book.isComplete()).toBe(false);
  });

  it('answers what was and is in force where that changes, and nothing where it does not', () => {
    const { book, blocks } = bookOf(block('a'));
    expect(namesOf(book.look('a'))).toEqual(['a']);
    const [before] = book.active();
    expect(book.look('a')).toEqual([]);
    // The same object: who compares by identity sees no change.
    expect(book.active()[0]).toBe(before);
    blocks.set('a', block('a', { reason: 'another' }));
    expect(book.look('a')).toEqual([]);
    blocks.set('a', block('a', { direction: 'Egress' }));
    expect(book.look('a')).toHaveLength(2);
    blocks.delete('a');
    expect(namesOf(book.look('a'))).toEqual(['a']);
    expect(book.active()).toEqual([]);
  });

  it('knows which blocks are about a namespace', () => {
    const { book } = bookOf(
      block('all'),
      block('one', { scope: { namespaces: ['trading'] } }),
      block('gateway', { scope: { gateway: true } }),
    );
    for (const name of ['all', 'one', 'gateway']) book.look(name);
    expect(namesOf(book.reaching('trading'))).toEqual(['all', 'one']);
    expect(namesOf(book.reaching('research'))).toEqual(['all']);
  });

  it('keeps the list of a namespace while no block about it changes', () => {
    const { book, blocks } = bookOf(
      block('all'),
      block('one', { scope: { namespaces: ['trading'] } }),
    );
    for (const name of ['all', 'one']) book.look(name);
    const [trading, research] = [book.reaching('trading'), book.reaching('research')];
    blocks.delete('one');
    book.look('one');
    expect(book.reaching('research')).toBe(research);
    expect(book.reaching('trading')).not.toBe(trading);
  });
});
