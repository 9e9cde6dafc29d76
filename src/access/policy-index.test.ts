import { describe, expect, it } from 'vitest';
import type { AccessPolicySpec } from '#api/access-policy.ts';
import { compilePolicy } from './compile.ts';
import { createPolicyIndex } from './policy-index.ts';
import { ALICE, policyOf } from './testing/builders.ts';

type Spec = Partial<AccessPolicySpec>;

function found(namespace: string, specs: Readonly<Record<string, Spec>>): readonly string[] {
  const index = createPolicyIndex(
    Object.entries(specs).map(([name, spec]) => policyOf(spec, name)),
  );
  const names: string[] = [];
  index.forEach(ALICE, namespace, ({ policy, subject }) =>
    names.push(`${policy.name} ${subject.name}`),
  );
  return names.toSorted();
}

describe('createPolicyIndex', () => {
  const bob: Spec = { subjects: [{ kind: 'User', name: 'bob' }] };
  const specs = {
    all: {},
    here: { credentials: { namespaces: ['trading', 'risk'] } },
    there: { credentials: { namespaces: ['research'] } },
    named: { credentials: { names: ['maker'] } },
    group: { subjects: [{ kind: 'Group', name: 'desk-mm' }] },
    bob,
  } as const;

  it('finds what is about the identity and may reach the namespace', () => {
    expect(found('trading', specs)).toEqual([
      'all alice',
      'group desk-mm',
      'here alice',
      'named alice',
    ]);
    expect(found('elsewhere', specs)).toEqual(['all alice', 'group desk-mm', 'named alice']);
  });

  it('finds those of every namespace for all of them', () => {
    expect(new Set(found('*', specs))).toEqual(
      new Set(['all alice', 'group desk-mm', 'here alice', 'named alice', 'there alice']),
    );
  });

  it('sorts policies by name, and compiles each object once', () => {
    const policies = [policyOf({}, 'b'), policyOf({}, 'a'), policyOf({}, 'B')];
    const index = createPolicyIndex(policies);
    expect(index.policies.map(({ name }) => name)).toEqual(['B', 'a', 'b']);
    for (const policy of policies) expect(index.policies).toContain(compilePolicy(policy));
  });

  it('finds a policy that lists a subject twice once', () => {
    const [alice] = policyOf().spec.subjects;
    const twice: Spec = alice === undefined ? {} : { subjects: [alice, alice] };
    expect(found('trading', { twice })).toEqual(['twice alice']);
  });
});
