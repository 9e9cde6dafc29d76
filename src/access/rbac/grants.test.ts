import { describe, expect, it } from 'vitest';
import type { AccessPolicy, AccessPolicySpec, Subject } from '#api/access-policy.ts';
import { compilePolicy } from '#access/compile.ts';
import type { CredentialFacts } from '#access/request.ts';
import type { PolicyRule } from '#kube/objects.ts';
import { wantedAccess } from './grants.ts';
import type { RbacWorld, StandingNamespace } from './grants.ts';

const DESK: Subject = { kind: 'Group', name: 'desk' };
const EVERYWHERE = ['Development', 'Staging', 'Production'] as const;

function policyOf(name: string, spec: Partial<AccessPolicySpec> = {}): AccessPolicy {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name, uid: name },
    spec: {
      subjects: [DESK],
      permissions: ['AccessSecrets'],
      environments: ['Production'],
      credentials: { namespaces: ['trading'], names: ['maker'] },
      ...spec,
    },
  };
}

function credential(
  name: string,
  facts: Partial<CredentialFacts> = {},
  deliveredSecret: string | undefined = `${name}-keys`,
): StandingNamespace['credentials'][number] {
  return {
    facts: { namespace: 'trading', name, labels: {}, environment: 'Production', ...facts },
    ...(deliveredSecret !== undefined && { deliveredSecret }),
  };
}

function worldOf(
  credentials: StandingNamespace['credentials'],
  world: Partial<RbacWorld> & { readonly environment?: 'Production' } = {},
): RbacWorld {
  const { environment, ...rest } = world;
  return {
    denies: [],
    namespaces: [{ name: 'trading', credentials, ...(environment && { environment }) }],
    serviceAccountExists: () => true,
    ...rest,
  };
}

/** `verbs resource names`, a line a rule, Events and EmergencyAccesses left out. */
function told(rules: readonly PolicyRule[] = []): readonly string[] {
  return rules
    .filter(({ resources }) => !['events', 'emergencyaccesses'].includes(resources?.[0] ?? ''))
    .map(
      ({ verbs, resources, resourceNames = ['*'] }) =>
        `${verbs.join(',')} ${resources?.join()} ${resourceNames.join(',')}`,
    );
}

function rulesFor(spec: Partial<AccessPolicySpec>, world: RbacWorld): readonly string[] {
  const { grants } = wantedAccess(compilePolicy(policyOf('p', spec)), world);
  return told(grants[0]?.rules);
}

describe('wantedAccess', () => {
  const both = worldOf([credential('maker'), credential('taker')]);

  it.each<[string, Partial<AccessPolicySpec>, RbacWorld, readonly string[]]>([
    [
      'names what it selects',
      {},
      both,
      ['get,list,watch exchangecredentials maker', 'get secrets maker-keys'],
    ],
    [
      'gives sight, and no Secret, without AccessSecrets',
      { permissions: [], roles: ['Trader'] },
      both,
      ['get,list,watch exchangecredentials maker'],
    ],
    ['gives nothing for no permission', { permissions: [], roles: [] }, both, []],
    ['gives nothing for another environment', { environments: ['Staging'] }, both, []],
    [
      'gives no Secret that the operator did not make',
      {},
      worldOf([{ facts: credential('maker').facts }]),
      ['get,list,watch exchangecredentials maker'],
    ],
    [
      'gives no Secret that asks for a greater level',
      {},
      worldOf([credential('maker', { minimumAccessLevel: 'Write' })]),
      ['get,list,watch exchangecredentials maker'],
    ],
    [
      'gives it at that level',
      { accessLevel: 'Write' },
      worldOf([credential('maker', { minimumAccessLevel: 'Write' })]),
      ['get,list,watch exchangecredentials maker', 'get secrets maker-keys'],
    ],
    [
      'lists a whole namespace only when every environment is covered',
      { credentials: { namespaces: ['trading'] } },
      both,
      ['get,list,watch exchangecredentials maker,taker', 'get secrets maker-keys,taker-keys'],
    ],
    [
      'lists a namespace that is pinned to the environment',
      { credentials: { namespaces: ['trading'] } },
      worldOf([credential('maker')], { environment: 'Production' }),
      ['get,list,watch exchangecredentials *', 'get secrets maker-keys'],
    ],
    [
      'does not trust a pin that a credential belies',
      { credentials: { namespaces: ['trading'] } },
      worldOf([credential('maker'), credential('stray', { environment: 'Staging' })], {
        environment: 'Production',
      }),
      ['get,list,watch exchangecredentials maker', 'get secrets maker-keys'],
    ],
    [
      'writes with AccessSecrets at Write over the whole namespace',
      { credentials: { namespaces: ['*'] }, environments: EVERYWHERE, accessLevel: 'Write' },
      worldOf([]),
      ['get,list,watch exchangecredentials *', 'create,update,patch exchangecredentials *'],
    ],
    [
      'deletes at Admin',
      { credentials: { namespaces: ['*'] }, environments: EVERYWHERE, accessLevel: 'Admin' },
      worldOf([]),
      [
        'get,list,watch exchangecredentials *',
        'create,update,patch exchangecredentials *',
        'delete exchangecredentials *',
      ],
    ],
    [
      'writes nothing where only some are given',
      { accessLevel: 'Emergency' },
      both,
      ['get,list,watch exchangecredentials maker', 'get secrets maker-keys'],
    ],
    [
      'gives nothing under a constraint',
      { constraints: { sourceRanges: ['10.0.0.0/8'] } },
      both,
      [],
    ],
    ['gives nothing as a Deny', { effect: 'Deny' }, both, []],
  ])('%s', (_, spec, world, expected) => {
    expect(rulesFor(spec, world)).toEqual(expected);
  });

  it('never lists, watches or writes Secrets', () => {
    const world = worldOf([credential('maker')], { environment: 'Production' });
    for (const accessLevel of ['Read', 'Write', 'Admin', 'Emergency'] as const) {
      const policy = policyOf('p', {
        accessLevel,
        environments: EVERYWHERE,
        credentials: { namespaces: ['*'] },
      });
      const rules = wantedAccess(compilePolicy(policy), world).grants.flatMap((g) => g.rules);
      for (const { resources, verbs, resourceNames } of rules) {
        if (resources?.includes('secrets') !== true) continue;
        expect(verbs).toEqual(['get']);
        expect(resourceNames?.length).toBeGreaterThan(0);
      }
    }
  });

  describe('lets people ask for emergency access', () => {
    const ASKS = {
      apiGroups: ['strongroom.dev'],
      resources: ['emergencyaccesses'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'],
    };
    const asksFor = (
      spec: Partial<AccessPolicySpec>,
      world: RbacWorld,
    ): readonly (readonly string[])[] =>
      wantedAccess(compilePolicy(policyOf('p', spec)), world).grants.flatMap(
        ({ namespace, rules, subjects }) =>
          rules
            .filter(({ resources }) => resources?.includes('emergencyaccesses'))
            .map((rule) => {
              expect(rule).toEqual(ASKS);
              return [namespace, ...subjects.map(({ name }) => name)];
            }),
      );
    const maker = worldOf([credential('maker')]);

    it.each<[string, Partial<AccessPolicySpec>, RbacWorld, readonly (readonly string[])[]]>([
      ['of whom a policy gives a credential there', {}, maker, [['trading', 'desk']]],
      [
        'of whom a policy gives whatever comes there',
        { credentials: { namespaces: ['*'] }, environments: EVERYWHERE },
        worldOf([]),
        [['trading', 'desk']],
      ],
      ['with any permission', { permissions: ['ViewAuditLogs'] }, maker, [['trading', 'desk']]],
      [
        'who could approve it',
        { permissions: ['EmergencyOverride'], accessLevel: 'Emergency' },
        maker,
        [['trading', 'desk']],
      ],
      ['not without a permission', { permissions: [] }, maker, []],
      ['not in another namespace', { credentials: { namespaces: ['other'] } }, maker, []],
      ['not of whom a policy gives nothing that exists', {}, worldOf([]), []],
      ['not under a constraint', { constraints: { sourceRanges: ['10.0.0.0/8'] } }, maker, []],
      ['not of whom is denied', { effect: 'Deny' }, maker, []],
    ])('%s', (_, spec, world, expected) => {
      expect(asksFor(spec, world)).toEqual(expected);
    });

    it('also while a Deny takes all the rest', () => {
      const freeze = compilePolicy(
        policyOf('freeze', { effect: 'Deny', credentials: { namespaces: ['*'] } }),
      );
      expect(asksFor({}, { ...maker, denies: [freeze] })).toEqual([['trading', 'desk']]);
    });
  });

  it('leaves out those of whom nobody knows who they are', () => {
    const subjects: readonly Subject[] = [
      { kind: 'User', name: 'system:anonymous' },
      { kind: 'Group', name: 'system:unauthenticated' },
    ];
    const policy = compilePolicy(policyOf('p', { subjects }));
    expect(wantedAccess(policy, worldOf([credential('maker')])).grants).toEqual([]);
  });

  it('leaves out a ServiceAccount that does not exist', () => {
    const subjects: readonly Subject[] = [
      { kind: 'ServiceAccount', namespace: 'trading', name: 'here' },
      { kind: 'ServiceAccount', namespace: 'trading', name: 'gone' },
    ];
    const { grants } = wantedAccess(
      compilePolicy(policyOf('p', { subjects })),
      worldOf([credential('maker')], { serviceAccountExists: (_, name) => name === 'here' }),
    );
    expect(grants[0]?.subjects.map(({ name }) => name)).toEqual(['here']);
  });

  describe('with a Deny', () => {
    const subjects: readonly Subject[] = [DESK, { kind: 'User', name: 'bob' }];
    const deny = (spec: Partial<AccessPolicySpec>) =>
      compilePolicy(policyOf('freeze', { effect: 'Deny', ...spec }));

    function accessUnder(denied: Partial<AccessPolicySpec>) {
      return wantedAccess(
        compilePolicy(policyOf('p', { subjects })),
        worldOf([credential('maker')], { denies: [deny(denied)] }),
      );
    }

    it('takes it from the subject itself, and from who may be the same person', () => {
      const { grants, withheld } = accessUnder({ subjects: [{ kind: 'User', name: 'alice' }] });
      expect(
        grants.map((g) => [g.isWhole, told(g.rules).length, g.subjects.map(({ name }) => name)]),
      ).toEqual([
        [false, 0, ['desk']],
        [true, 2, ['bob']],
      ]);
      expect(withheld).toEqual([{ namespace: 'trading', subject: DESK, denies: ['freeze'] }]);
    });

    it('takes only the levels from its own on', () => {
      const { grants } = accessUnder({ subjects: [DESK], accessLevel: 'Write' });
      expect(grants.map(({ isWhole }) => isWhole)).toEqual([true]);
    });

    it('leaves sight when only another permission is denied', () => {
      const policy = policyOf('p', { permissions: ['AccessSecrets', 'ReadMarketData'] });
      const { grants } = wantedAccess(
        compilePolicy(policy),
        worldOf([credential('maker')], { denies: [deny({ subjects: [DESK] })] }),
      );
      expect(told(grants[0]?.rules)).toEqual(['get,list,watch exchangecredentials maker']);
      expect(grants[0]?.isWhole).toBe(false);
    });

    it('counts at all times, also under a constraint', () => {
      const { grants } = accessUnder({
        subjects,
        constraints: { times: [{ schedule: '0 0 * * *', duration: '1s' }] },
      });
      expect(grants.flatMap(({ rules }) => told(rules))).toEqual([]);
    });

    it('does not count for other credentials', () => {
      const { withheld } = accessUnder({
        subjects,
        credentials: { namespaces: ['trading'], names: ['other'] },
      });
      expect(withheld).toEqual([]);
    });
  });
});
