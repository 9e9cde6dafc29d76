import { describe, expect, it } from 'vitest';
import type { EmergencyAccessSpec } from '#api/emergency-access.ts';
import type { RoleBinding } from '#kube/objects.ts';
import { emergencyIndexValues, grantOf, standingObjects } from './grant.ts';
import type { StandingObject } from './grant.ts';
import { stepsToStand } from './stand.ts';
import type { Standing, StandStep } from './stand.ts';
import { WORLD, emergencyAccess } from './testing/builders.ts';

function wantedFor(
  spec: Partial<EmergencyAccessSpec> = {},
  world: Partial<typeof WORLD> = {},
): readonly StandingObject[] {
  const access = emergencyAccess(spec);
  return standingObjects(access, grantOf(access, { ...WORLD, ...world }));
}

/** What stands once all of it was written. */
function standing(objects: readonly StandingObject[]): Standing {
  return {
    accounts: objects.flatMap((one) => (one.kind === 'ServiceAccount' ? [one.object] : [])),
    roles: objects.flatMap((one) => (one.kind === 'Role' ? [one.object] : [])),
    bindings: objects.flatMap((one) => (one.kind === 'RoleBinding' ? [one.object] : [])),
  };
}

const NOTHING: Standing = { accounts: [], roles: [], bindings: [] };

const told = (steps: readonly StandStep[]): readonly string[] =>
  steps.map((step) =>
    step.act === 'Delete'
      ? `Delete ${step.kind} ${step.found.metadata.name}`
      : `${step.act} ${step.wanted.kind} ${step.wanted.object.metadata.name}`,
  );

describe('what stands for an active EmergencyAccess', () => {
  it('lets a ServiceAccount read, and the subject do what admission narrows', () => {
    const { accounts, roles, bindings } = standing(wantedFor());
    expect(accounts).toMatchObject([
      {
        metadata: { name: 'strongroom-emergency-night', namespace: 'trading' },
        automountServiceAccountToken: false,
      },
    ]);
    expect(roles.map(({ rules }) => rules)).toEqual([
      [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['maker-keys'], verbs: ['get'] }],
      [
        {
          apiGroups: ['strongroom.dev'],
          resources: ['exchangecredentials'],
          resourceNames: ['maker'],
          verbs: ['get', 'update', 'patch'],
        },
      ],
    ]);
    const alice = { kind: 'User', name: 'alice', apiGroup: 'rbac.authorization.k8s.io' };
    const account = {
      kind: 'ServiceAccount',
      name: 'strongroom-emergency-night',
      namespace: 'trading',
    };
    expect(bindings.map(({ roleRef, subjects }) => [roleRef.kind, roleRef.name, subjects])).toEqual(
      [
        ['Role', 'strongroom:emergency:night:read', [account]],
        ['ClusterRole', 'strongroom-emergency-read', [alice]],
        ['Role', 'strongroom:emergency:night:write', [alice]],
        ['ClusterRole', 'strongroom-emergency-connect', [alice]],
      ],
    );
  });

  it('never lets a person, or anybody but its own account, read Secrets', () => {
    for (const pods of [['*'], ['maker-0']]) {
      for (const subject of [
        { kind: 'User', name: 'alice' },
        { kind: 'ServiceAccount', name: 'robot' },
      ] as const) {
        const { roles, bindings } = standing(
          wantedFor({ subject, target: { credentials: ['maker', 'hedge'], pods } }),
        );
        const readers = roles
          .filter(({ rules }) => rules?.some(({ resources }) => resources?.includes('secrets')))
          .map(({ metadata }) => metadata.name);
        const read = bindings.filter(({ roleRef }) => readers.includes(roleRef.name));
        expect(read.flatMap(({ subjects }) => subjects?.map(({ name }) => name))).toEqual([
          'strongroom-emergency-night',
        ]);
      }
    }
  });

  it.each<readonly [string, Parameters<typeof wantedFor>, readonly string[]]>([
    [
      'only connects',
      [{ permissions: ['EmergencyOverride'] }],
      ['RoleBinding strongroom:emergency:night:connect'],
    ],
    [
      'has no Role for Secrets while none is delivered, since no names would be all',
      [{ permissions: ['AccessSecrets'], target: { credentials: ['vault-only'] } }],
      [
        'ServiceAccount strongroom-emergency-night',
        'RoleBinding strongroom:emergency:night:token',
        'Role strongroom:emergency:night:write',
        'RoleBinding strongroom:emergency:night:write',
      ],
    ],
    [
      'has no Role at all for credentials that do not exist',
      [{ permissions: ['AccessSecrets'], target: { credentials: ['nine'] } }],
      ['ServiceAccount strongroom-emergency-night', 'RoleBinding strongroom:emergency:night:token'],
    ],
    [
      'leaves nothing to the subject where admission does not guard',
      [{}, { admissionGuards: false }],
      [
        'ServiceAccount strongroom-emergency-night',
        'Role strongroom:emergency:night:read',
        'RoleBinding strongroom:emergency:night:read',
      ],
    ],
  ])('%s', (_, given, expected) => {
    expect(
      wantedFor(...given).map(({ kind, object }) => `${kind} ${object.metadata.name}`),
    ).toEqual(expected);
  });

  it('is found by the EmergencyAccess that it stands for', () => {
    for (const { object } of wantedFor()) {
      expect(emergencyIndexValues(object)).toEqual(['trading/night']);
    }
    expect(emergencyIndexValues(emergencyAccess())).toEqual([]);
  });

  it('has names that the API server takes, and that differ', () => {
    const access = emergencyAccess();
    const names = ['a', 'b'].flatMap((end) => {
      const name = `${'x'.repeat(252)}${end}`;
      const long = { ...access, metadata: { ...access.metadata, name } };
      return standingObjects(long, grantOf(long, WORLD))
        .filter(({ kind }) => kind === 'RoleBinding')
        .map(({ object }) => object.metadata.name);
    });
    expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(253);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('stepsToStand', () => {
  const wanted = wantedFor();
  const all = standing(wanted);

  it('writes what is bound before what binds it', () => {
    expect(told(stepsToStand(wanted, NOTHING, false))).toEqual([
      'Create ServiceAccount strongroom-emergency-night',
      'Create Role strongroom:emergency:night:read',
      'Create RoleBinding strongroom:emergency:night:read',
      'Create RoleBinding strongroom:emergency:night:token',
      'Create Role strongroom:emergency:night:write',
      'Create RoleBinding strongroom:emergency:night:write',
      'Create RoleBinding strongroom:emergency:night:connect',
    ]);
  });

  it('writes nothing where all stands', () => {
    expect(stepsToStand(wanted, all, false)).toEqual([]);
  });

  it('takes all away, bindings first', () => {
    expect(told(stepsToStand([], all, false))).toEqual([
      'Delete RoleBinding strongroom:emergency:night:read',
      'Delete RoleBinding strongroom:emergency:night:token',
      'Delete RoleBinding strongroom:emergency:night:write',
      'Delete RoleBinding strongroom:emergency:night:connect',
      'Delete Role strongroom:emergency:night:read',
      'Delete Role strongroom:emergency:night:write',
      'Delete ServiceAccount strongroom-emergency-night',
    ]);
  });

  it('leaves the bindings of the subject as they are where it is not known whether admission guards', () => {
    const unknown = wantedFor({}, { admissionGuards: undefined });
    expect(stepsToStand(unknown, all, true)).toEqual([]);
    const without = { ...all, bindings: all.bindings.slice(0, 1) };
    expect(stepsToStand(unknown, without, true)).toEqual([]);
  });

  const changed = (change: (binding: RoleBinding) => RoleBinding): Standing => ({
    ...all,
    bindings: all.bindings.map((one, at) => (at === 3 ? change(one) : one)),
  });

  it.each<readonly [string, Standing, readonly string[]]>([
    [
      'subjects that somebody added',
      changed((one) => ({
        ...one,
        subjects: [...(one.subjects ?? []), { kind: 'User', name: 'm' }],
      })),
      ['Replace RoleBinding strongroom:emergency:night:connect'],
    ],
    [
      'a binding to another role',
      changed((one) => ({ ...one, roleRef: { ...one.roleRef, name: 'cluster-admin' } })),
      [
        'Delete RoleBinding strongroom:emergency:night:connect',
        'Create RoleBinding strongroom:emergency:night:connect',
      ],
    ],
    [
      'labels of another EmergencyAccess of the same name',
      changed((one) => ({
        ...one,
        metadata: {
          ...one.metadata,
          labels: { ...one.metadata.labels, 'strongroom.dev/emergency-access': 'former' },
        },
      })),
      ['Replace RoleBinding strongroom:emergency:night:connect'],
    ],
    [
      'a Role with more in it',
      { ...all, roles: all.roles.map((one) => ({ ...one, rules: [{ verbs: ['*'] }] })) },
      [
        'Replace Role strongroom:emergency:night:read',
        'Replace Role strongroom:emergency:night:write',
      ],
    ],
    [
      'an account that somebody else made, whose tokens must end',
      {
        ...all,
        accounts: all.accounts.map(({ metadata, ...one }) => ({
          ...one,
          metadata: { name: metadata.name, namespace: 'trading' },
        })),
      },
      [
        'Delete ServiceAccount strongroom-emergency-night',
        'Create ServiceAccount strongroom-emergency-night',
      ],
    ],
  ])('puts right %s', (_, found, expected) => {
    expect(told(stepsToStand(wanted, found, false))).toEqual(expected);
  });

  it('follows what is delivered', () => {
    const more = wantedFor({ target: { credentials: ['maker', 'hedge'], pods: ['maker-0'] } });
    expect(told(stepsToStand(more, all, false))).toEqual([
      'Replace Role strongroom:emergency:night:read',
      'Replace Role strongroom:emergency:night:write',
    ]);
  });
});
