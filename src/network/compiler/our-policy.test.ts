import { describe, expect, it } from 'vitest';
import {
  accountSetName,
  isOfSet,
  isOurPolicy,
  OUR_POLICY_LABELS,
  policyName,
} from './our-policy.ts';
import { foreignOf } from './testing/builders.ts';

const LONGEST_PART = `v6-${'f'.repeat(32)}-128`;

describe('names of policies', () => {
  it('say whose they are', () => {
    expect(policyName(accountSetName('maker'), '')).toBe('strongroom-account-maker');
    expect(policyName('block-0', 'v4-10-0-0-0-8')).toBe('strongroom-part-v4-10-0-0-0-8-of-block-0');
  });

  it('are never too long', () => {
    for (const account of ['a'.repeat(171), 'a'.repeat(172), 'a'.repeat(253)]) {
      const name = policyName(accountSetName(account), LONGEST_PART);
      expect(name.length).toBeLessThanOrEqual(253);
    }
  });

  it('are different ones for different things, whatever accounts are called', () => {
    const hashed = accountSetName('a'.repeat(253));
    const accounts = [
      'maker',
      'maker.v4-10-0-0-0-8',
      'v4-10-0-0-0-8-of-maker',
      'of-maker',
      'x-of-block-0',
      `${'a'.repeat(252)}b`,
      'a'.repeat(253),
      hashed,
      hashed.replace('longaccount-', ''),
    ];
    const sets = ['block-0', 'block-1', 'block-ingress-0', ...accounts.map(accountSetName)];
    const parts = [
      '',
      'v4-10-0-0-0-8',
      'v4-10-0-0-0-80',
      LONGEST_PART,
      'pods-0-2',
      'rules-0-2',
      'rules-0-2-v4-10-0-0-0-8',
    ];
    const all = sets.flatMap((set) => parts.map((part) => ({ set, name: policyName(set, part) })));
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const { set, name } of all) {
      const policy = foreignOf(name, {});
      expect(sets.filter((one) => isOfSet(policy, one))).toEqual([set]);
    }
  });
});

it('our policies are known by both labels', () => {
  const { metadata, ...rest } = foreignOf('strongroom-account-maker', {});
  const labelled = (labels: Record<string, string>) => ({
    ...rest,
    metadata: { ...metadata, labels },
  });
  expect(isOurPolicy(labelled({ ...OUR_POLICY_LABELS, more: 'x' }))).toBe(true);
  expect(isOurPolicy({ ...rest, metadata })).toBe(false);
  for (const key of Object.keys(OUR_POLICY_LABELS)) {
    const { [key]: _, ...others } = OUR_POLICY_LABELS;
    expect(isOurPolicy(labelled(others))).toBe(false);
    expect(isOurPolicy(labelled({ ...others, [key]: 'helm' }))).toBe(false);
  }
});
