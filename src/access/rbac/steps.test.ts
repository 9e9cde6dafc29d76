import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import type { PolicyRule, Role, RoleBinding } from '#kube/objects.ts';
import { rbacPair, subjectKey } from './objects.ts';
import type { RbacPair } from './objects.ts';
import { stepsTo } from './steps.ts';
import type { StandingRbac, Step } from './steps.ts';

const policy: AccessPolicy = {
  apiVersion: 'strongroom.dev/v1alpha1',
  kind: 'AccessPolicy',
  metadata: { name: 'desk', uid: 'u-1' },
  spec: {
    subjects: [{ kind: 'Group', name: 'desk' }],
    environments: ['Production'],
    credentials: { namespaces: ['trading'] },
  },
};

const NAMES = ['maker', 'taker', 'hedge'];

/** One rule; without names it gives all of them. */
function rulesOf(resourceNames: readonly string[] | undefined): readonly PolicyRule[] {
  return [
    {
      apiGroups: ['strongroom.dev'],
      resources: ['exchangecredentials'],
      ...(resourceNames === undefined ? {} : { resourceNames }),
      verbs: ['get'],
    },
  ];
}

const subjects = fc.uniqueArray(
  fc.constantFrom('alice', 'bob', 'carol').map((name): Subject => ({ kind: 'User', name })),
  { selector: ({ name }) => name, minLength: 1 },
);
const grants = fc.uniqueArray(
  fc.record({
    namespace: fc.constantFrom('trading', 'risk'),
    subjects,
    rules: fc
      .uniqueArray(fc.constantFrom('maker', 'taker', 'hedge'), { minLength: 1 })
      .map(rulesOf),
    isWhole: fc.boolean(),
  }),
  {
    selector: (grant) =>
      rbacPair(policy, grant).role.metadata.namespace + rbacPair(policy, grant).role.metadata.name,
  },
);
const pairs = grants.map((all) => all.map((grant) => rbacPair(policy, grant)));

function standingOf(all: readonly RbacPair[]): StandingRbac {
  return { roles: all.map(({ role }) => role), bindings: all.map(({ binding }) => binding) };
}

/** `namespace subject name` of each right that these objects give, as RBAC reads them. */
function rightsOf({ roles, bindings }: StandingRbac): ReadonlySet<string> {
  const byKey = new Map(roles.map((role) => [key(role), role]));
  return new Set(
    bindings.flatMap((binding) => {
      const { namespace = '' } = binding.metadata;
      const rules = byKey.get(`${namespace}/${binding.roleRef.name}`)?.rules ?? [];
      const names = rules.flatMap(({ resourceNames = NAMES }) => resourceNames);
      return (binding.subjects ?? []).flatMap((subject) =>
        names.map((name) => `${namespace} ${subjectKey(subject)} ${name}`),
      );
    }),
  );
}

function apply(state: StandingRbac, step: Step): StandingRbac {
  const without = <T extends Role>(all: readonly T[], object: Role) =>
    all.filter((one) => key(one) !== key(object));
  switch (step.act) {
    case 'Delete':
      return step.kind === 'Role'
        ? { ...state, roles: without(state.roles, step.found) }
        : { ...state, bindings: without(state.bindings, step.found) };
    case 'WriteRole':
      return { ...state, roles: [...without(state.roles, step.wanted), step.wanted] };
    case 'WriteBinding':
      return { ...state, bindings: [...without(state.bindings, step.wanted), step.wanted] };
  }
}

function key({ metadata }: Role | RoleBinding): string {
  return `${metadata.namespace}/${metadata.name}`;
}

describe('stepsTo', () => {
  it('ends at what is wanted, and then has nothing left to do', () => {
    fc.assert(
      fc.property(pairs, pairs, (before, after) => {
        const end = stepsTo(after, standingOf(before)).reduce(apply, standingOf(before));
        expect(rightsOf(end)).toEqual(rightsOf(standingOf(after)));
        expect(stepsTo(after, end)).toEqual([]);
      }),
    );
  });

  it(
    'gives nobody, after any step, a right that is neither in the old nor in the new',
    { timeout: 120_000 },
    () => {
      fc.assert(
        fc.property(pairs, pairs, (before, after) => {
          const allowed = new Set([
            ...rightsOf(standingOf(before)),
            ...rightsOf(standingOf(after)),
          ]);
          let state = standingOf(before);
          for (const step of stepsTo(after, state)) {
            state = apply(state, step);
            for (const right of rightsOf(state)) expect(allowed).toContain(right);
          }
        }),
        { numRuns: 3000 },
      );
    },
  );

  it('finds its way from any crash', () => {
    fc.assert(
      fc.property(pairs, pairs, pairs, fc.nat(20), (before, between, after, crash) => {
        const half = stepsTo(between, standingOf(before))
          .slice(0, crash)
          .reduce(apply, standingOf(before));
        const end = stepsTo(after, half).reduce(apply, half);
        expect(rightsOf(end)).toEqual(rightsOf(standingOf(after)));
      }),
    );
  });

  it('replaces a binding that was pointed at another role', () => {
    const [pair] = [
      rbacPair(policy, {
        namespace: 'trading',
        subjects: policy.spec.subjects,
        rules: rulesOf(['maker']),
        isWhole: true,
      }),
    ];
    const bent: RoleBinding = {
      ...pair.binding,
      roleRef: { ...pair.binding.roleRef, kind: 'ClusterRole', name: 'cluster-admin' },
    };
    expect(stepsTo([pair], { roles: [pair.role], bindings: [bent] }).map(({ act }) => act)).toEqual(
      ['Delete', 'WriteBinding'],
    );
  });
});
