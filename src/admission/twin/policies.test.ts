import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SECRET_PATHS } from '../pods/secret-paths.ts';
import { WEBHOOKS_NAME } from '../configuration/webhooks.ts';
import { twinPolicies } from './policies.ts';

const twin = twinPolicies({
  operatorNamespace: 'strongroom-system',
  operatorUsername: 'system:serviceaccount:strongroom-system:strongroom-operator',
});
const all = [
  ...twin.policies,
  ...twin.bindings,
  ...twin.mutatingPolicies,
  ...twin.mutatingBindings,
];

describe('twinPolicies', () => {
  it('gives every policy one binding of its own name', () => {
    const namesOf = (list: readonly { readonly metadata: { readonly name: string } }[]) =>
      list.map(({ metadata }) => metadata.name);
    expect(namesOf(twin.bindings)).toEqual(namesOf(twin.policies));
    expect(twin.bindings.map(({ spec }) => spec.policyName)).toEqual(namesOf(twin.policies));
    expect(namesOf(twin.mutatingBindings)).toEqual(namesOf(twin.mutatingPolicies));
    expect(new Set(namesOf(twin.policies)).size).toBe(twin.policies.length);
    for (const { metadata } of all) expect(metadata.name).toMatch(/^strongroom-/);
  });

  it('refuses where an expression fails', () => {
    for (const { spec } of [...twin.policies, ...twin.mutatingPolicies]) {
      expect(spec.failurePolicy).toBe('Fail');
    }
    for (const { spec } of twin.bindings) expect(spec.validationActions).toEqual(['Deny']);
  });

  it("keeps off kube-system and the operator's namespace, but for its keys and our own kinds", () => {
    const elsewhere = new Set([
      'strongroom-vault',
      'strongroom-namespace-access',
      'strongroom-status',
      'strongroom-operator-tokens',
    ]);
    for (const { metadata, spec } of [...twin.bindings, ...twin.mutatingBindings]) {
      if (elsewhere.has(metadata.name)) continue;
      expect(spec.matchResources?.namespaceSelector).toEqual({
        matchLabels: { 'strongroom.dev/guarded': 'true' },
        matchExpressions: [
          {
            key: 'kubernetes.io/metadata.name',
            operator: 'NotIn',
            values: ['kube-system', 'strongroom-system'],
          },
        ],
      });
    }
  });

  it.each([
    ['strongroom-pods', 'Deny'],
    ['strongroom-workloads', 'Deny'],
    ['strongroom-cron-jobs', 'Deny'],
    ['strongroom-service-accounts', 'Allow'],
  ])('%s: without a NamespaceAccess %s', (name, action) => {
    const binding = twin.bindings.find(({ metadata }) => metadata.name === name);
    expect(binding?.spec.paramRef).toEqual({
      name: 'strongroom',
      parameterNotFoundAction: action,
    });
  });

  it.each(['pods', 'workloads', 'replication-controllers', 'cron-jobs', 'pod-templates'])(
    'asks for every field of the table in %s',
    (family) => {
      const policy = twin.policies.find(({ metadata }) => metadata.name === `strongroom-${family}`);
      const names = policy?.spec.variables?.find(({ name }) => name === 'names')?.expression ?? '';
      const steps = SECRET_PATHS.flatMap(({ path }) => path).filter((step) => step !== '[]');
      expect(steps.filter((step) => !names.includes(`.?${step}`))).toEqual([]);
    },
  );

  it('has names that the chart lets the operator write, and no other', () => {
    const rbac = readFileSync(
      new URL('../../../charts/strongroom/templates/rbac.yaml', import.meta.url),
      'utf8',
    );
    const [, list = ''] =
      /resources: \*admission\n\s*resourceNames:\n((?:\s*- \S+\n)+)/.exec(rbac) ?? [];
    expect([...list.matchAll(/- (\S+)/g)].map(([, name]) => name)).toEqual([
      WEBHOOKS_NAME,
      ...twin.policies.map(({ metadata }) => metadata.name).sort(),
    ]);
  });

  it('is the same each time', () => {
    expect(
      JSON.stringify(
        twinPolicies({
          operatorNamespace: 'strongroom-system',
          operatorUsername: 'system:serviceaccount:strongroom-system:strongroom-operator',
        }),
      ),
    ).toBe(JSON.stringify(twin));
  });

  it.each(['pods', 'workloads', 'replication-controllers', 'cron-jobs', 'pod-templates'])(
    'tells of %s which Secrets are at fault, where they are named, and how to find out what is missing',
    (family) => {
      const policy = twin.policies.find(({ metadata }) => metadata.name === `strongroom-${family}`);
      const messages = (policy?.spec.validations ?? []).flatMap(({ messageExpression = '' }) =>
        messageExpression.includes('strongroom explain mount') ? [messageExpression] : [],
      );
      expect(messages).toHaveLength(1);
      const [ofAccount = ''] = messages;
      for (const part of ['refusedOnce', 'places', 'account']) {
        expect(ofAccount).toContain(`variables.${part}`);
      }
      // The API server evaluates it with every request: it costs next to nothing where all is well.
      expect(ofAccount).toMatch(/^!\(variables\.refused\.size\(\) > 0\) \? "" : /);
    },
  );

  it('finds every field of the table again where it tells the place', () => {
    const policy = twin.policies.find(({ metadata }) => metadata.name === 'strongroom-pods');
    const places = policy?.spec.variables?.find(({ name }) => name === 'places')?.expression ?? '';
    const steps = SECRET_PATHS.flatMap(({ path }) => path).filter((step) => step !== '[]');
    expect(steps.filter((step) => !places.includes(`.?${step}`))).toEqual([]);
  });

  it('names what has no namespace without a slash', () => {
    const policy = twin.policies.find(({ metadata }) => metadata.name === 'strongroom-status');
    expect(policy?.spec.validations[0]?.messageExpression).toContain('== "" ? "" :');
  });

  it('says how a token of emergency access is had', () => {
    const policy = twin.policies.find(
      ({ metadata }) => metadata.name === 'strongroom-emergency-tokens',
    );
    expect(policy?.spec.validations[0]?.messageExpression).toMatch(
      /strongroom emergency token NAME -n " \+ request\.namespace$/,
    );
  });

  it('tells every refusal in one line, with what would be needed', () => {
    for (const { spec } of twin.policies) {
      for (const { message = '', messageExpression = '' } of spec.validations) {
        expect(message).toMatch(/^[^\n]+[.…]$/);
        expect(messageExpression).not.toContain('\n');
      }
    }
  });
});
