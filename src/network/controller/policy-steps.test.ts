import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkPolicy } from '#kube/objects.ts';
import { policySteps } from './policy-steps.ts';
import type { PolicyStep } from './policy-steps.ts';

const PODS = { namespaceSelector: {} };

function policy(name: string, cidrs: readonly string[], labels = {}): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'trading', labels: { ours: 'yes' }, ...labels },
    spec: {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [{ from: [...cidrs.map((cidr) => ({ ipBlock: { cidr } })), PODS] }],
    },
  };
}

/** As `policy`, without the peer that is all pods. */
function part(name: string, cidrs: readonly string[]): NetworkPolicy {
  return {
    ...policy(name, []),
    spec: {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [{ from: cidrs.map((cidr) => ({ ipBlock: { cidr } })) }],
    },
  };
}

function grant(name: string, cidrs: readonly string[]): NetworkPolicy {
  return {
    ...policy(name, []),
    spec: {
      podSelector: { matchLabels: { app: 'maker' } },
      policyTypes: ['Ingress'],
      ingress: [{ from: cidrs.map((cidr) => ({ ipBlock: { cidr } })) }],
    },
  };
}

const told = (steps: readonly PolicyStep[]): readonly string[] =>
  steps.map(
    (step) => `${step.act} ${(step.act === 'Delete' ? step.found : step.wanted).metadata.name}`,
  );

describe('policySteps', () => {
  it.each<[string, readonly NetworkPolicy[], readonly NetworkPolicy[], readonly string[]]>([
    ['nothing for nothing', [], [], []],
    ['nothing where all stands', [policy('a', ['10.0.0.0/8'])], [policy('a', ['10.0.0.0/8'])], []],
    ['a first one', [policy('a', ['10.0.0.0/8'])], [], ['Create a']],
    ['a changed one', [policy('a', ['10.0.0.0/8'])], [policy('a', [])], ['Replace a']],
    [
      'new ones before old ones go',
      [policy('b', []), policy('c', [])],
      [policy('a', [])],
      ['Create b', 'Create c', 'Delete a'],
    ],
    [
      'an opening while the first of several would cut off the rest',
      [policy('a', ['0.0.0.0/1']), policy('b', ['128.0.0.0/1'])],
      [],
      ['Create a-opening', 'Create a', 'Create b', 'Delete a-opening'],
    ],
    [
      'one also where a part has addresses alone',
      [part('a', ['0.0.0.0/1']), policy('b', ['128.0.0.0/1'])],
      [],
      ['Create b-opening', 'Create a', 'Create b', 'Delete b-opening'],
    ],
    [
      'no opening beside one that stands',
      [policy('a', ['0.0.0.0/1']), policy('b', ['128.0.0.0/1'])],
      [policy('a', ['0.0.0.0/1'])],
      ['Create b'],
    ],
    [
      'no opening for pods of a grant, which others may isolate',
      [grant('a', ['0.0.0.0/1']), grant('b', ['128.0.0.0/1'])],
      [],
      ['Create a', 'Create b'],
    ],
    [
      'an opening while the last of several would leave pods cut off',
      [],
      [policy('a', ['0.0.0.0/1']), policy('b', ['128.0.0.0/1'])],
      ['Create a-opening', 'Delete a', 'Delete b', 'Delete a-opening'],
    ],
    [
      'new ones before those that change',
      [policy('a', []), policy('b', ['128.0.0.0/1'])],
      [policy('a', ['128.0.0.0/1'])],
      ['Create b', 'Replace a'],
    ],
    [
      'an opening that a crash left',
      [policy('a', ['0.0.0.0/1']), policy('b', ['128.0.0.0/1'])],
      [policy('a', ['0.0.0.0/1']), policy('b', ['128.0.0.0/1']), policy('a-opening', [])],
      ['Delete a-opening'],
    ],
  ])('gives %s', (_, wanted, found, steps) => {
    expect(told(policySteps(wanted, found))).toEqual(steps);
  });

  it('leaves labels and annotations of others alone', () => {
    const found = policy('a', []);
    const labelled = {
      ...found,
      metadata: {
        ...found.metadata,
        labels: { ours: 'yes', theirs: 'too' },
        annotations: { x: 'y' },
      },
    };
    expect(policySteps([policy('a', [])], [labelled])).toEqual([]);
  });

  it('never cuts off between two writes what is open before and after', () => {
    // What a policy covers follows from its name; `whole` is what `left` and `right` divide.
    const halves = ['0.0.0.0/1', '128.0.0.0/2', '192.0.0.0/2'];
    const covers = { low: ['0.0.0.0/1'], left: ['128.0.0.0/2'], right: ['192.0.0.0/2'] };
    const all = { ...covers, whole: ['128.0.0.0/2', '192.0.0.0/2'] };
    const names = ['low', 'left', 'right', 'whole'] as const;
    const state = fc
      .uniqueArray(
        fc
          .constantFrom(...names)
          .chain((name) => fc.record({ name: fc.constant(name), cidrs: fc.subarray(all[name]) })),
        { selector: ({ name }) => name, maxLength: 4 },
      )
      .filter(
        (policies) =>
          !policies.some(({ name }) => name === 'whole') ||
          !policies.some(({ name }) => name === 'left' || name === 'right'),
      );
    fc.assert(
      fc.property(state, state, (before, after) => {
        const policies = (of: typeof before) => of.map(({ name, cidrs }) => policy(name, cidrs));
        const now = new Map(policies(before).map((one) => [one.metadata.name, one]));
        const always = halves.filter(
          (half) => isOpen(policies(before), half) && isOpen(policies(after), half),
        );
        for (const step of policySteps(policies(after), policies(before))) {
          if (step.act === 'Delete') now.delete(step.found.metadata.name);
          else now.set(step.wanted.metadata.name, step.wanted);
          expect(always.filter((half) => !isOpen([...now.values()], half))).toEqual([]);
        }
        expect([...now.values()].toSorted(byName)).toEqual(policies(after).toSorted(byName));
      }),
    );
  });
});

function byName(one: NetworkPolicy, other: NetworkPolicy): number {
  return one.metadata.name < other.metadata.name ? -1 : 1;
}

/** Whether pods can be reached from there: all selected pods are the same ones. */
function isOpen(policies: readonly NetworkPolicy[], cidr: string): boolean {
  if (policies.length === 0) return true;
  return policies.some(({ spec }) =>
    (spec?.ingress ?? []).some(
      ({ from }) => from === undefined || from.some(({ ipBlock }) => ipBlock?.cidr === cidr),
    ),
  );
}
