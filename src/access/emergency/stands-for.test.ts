import { describe, expect, it } from 'vitest';
import type { EmergencyAccess, EmergencyAccessSpec } from '#api/emergency-access.ts';
import type { Role, RoleBinding } from '#kube/objects.ts';
import { grantOf, standingObjects } from './grant.ts';
import { standsForActive } from './stands-for.ts';
import { CREATED_MS, MINUTE_MS, WORLD, emergencyAccess, toTime } from './testing/builders.ts';

const NOW = CREATED_MS + 5 * MINUTE_MS;
const CREDENTIALS = WORLD.credentials;

function active(spec: Partial<EmergencyAccessSpec> = {}): EmergencyAccess {
  return emergencyAccess(spec, {
    state: 'Active',
    activatedAt: toTime(CREATED_MS),
    expiresAt: toTime(CREATED_MS + 30 * MINUTE_MS),
  });
}

function standing(access: EmergencyAccess): readonly (Role | RoleBinding)[] {
  return standingObjects(access, grantOf(access, WORLD)).flatMap((one) =>
    one.kind === 'ServiceAccount' ? [] : [one.object],
  );
}

function named(part: string): Role | RoleBinding {
  const found = standing(active()).find(({ metadata }) => metadata.name.endsWith(`:${part}`));
  if (found === undefined) throw new Error(`nothing ends in ${part}`);
  return found;
}

const binding = (part: string): RoleBinding =>
  standing(active()).find(
    (one): one is RoleBinding => 'roleRef' in one && one.metadata.name.endsWith(`:${part}`),
  ) as RoleBinding;

describe('what stands for an EmergencyAccess in force', () => {
  it('is all that the operator writes for it', () => {
    const all = standing(active());
    expect(all).toHaveLength(6);
    for (const one of all) expect(standsForActive(one, [active()], CREDENTIALS, NOW)).toBe(true);
  });

  it('is that also where only some credentials are asked about', () => {
    const both = active({ target: { credentials: ['hedge', 'maker'] } });
    const one = CREDENTIALS.filter(({ name }) => name === 'maker');
    for (const object of standing(both).filter(
      ({ metadata }) => !metadata.name.endsWith('connect'),
    ))
      expect(standsForActive(object, [both], one, NOW)).toBe(true);
  });

  it.each<readonly [string, readonly EmergencyAccess[], number]>([
    ['none is there', [], NOW],
    ['it is another one', [{ ...active(), metadata: { ...active().metadata, uid: 'x' } }], NOW],
    [
      'it is of another namespace',
      [{ ...active(), metadata: { ...active().metadata, namespace: 'risk' } }],
      NOW,
    ],
    ['it is not active', [emergencyAccess()], NOW],
    ['its time is over', [active()], CREATED_MS + 31 * MINUTE_MS],
  ])('is nothing where %s', (_, accesses, nowMs) => {
    for (const one of standing(active())) {
      expect(standsForActive(one, accesses, CREDENTIALS, nowMs)).toBe(false);
    }
  });

  it.each<readonly [string, Role | RoleBinding]>([
    [
      'of another name',
      { ...named('connect'), metadata: { ...named('connect').metadata, name: 'debug' } },
    ],
    [
      'without the label',
      { ...named('connect'), metadata: { ...named('connect').metadata, labels: {} } },
    ],
    ['to somebody else', { ...binding('connect'), subjects: [{ kind: 'User', name: 'mallory' }] }],
    [
      'to somebody else too',
      {
        ...binding('connect'),
        subjects: [...(binding('connect').subjects ?? []), { kind: 'User', name: 'mallory' }],
      },
    ],
    [
      'to another role',
      {
        ...binding('connect'),
        roleRef: { ...binding('connect').roleRef, name: 'cluster-admin' },
      },
    ],
    [
      'that reads another Secret that is delivered',
      {
        ...named('read'),
        rules: [
          {
            apiGroups: [''],
            resources: ['secrets'],
            resourceNames: ['hedge-keys', 'maker-keys'],
            verbs: ['get'],
          },
        ],
      },
    ],
    [
      'that reads every Secret',
      {
        ...named('read'),
        rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }],
      },
    ],
    [
      'that reads and lists',
      {
        ...named('read'),
        rules: [
          {
            apiGroups: [''],
            resources: ['secrets'],
            resourceNames: ['maker-keys'],
            verbs: ['get', 'list'],
          },
        ],
      },
    ],
  ])('is no object %s', (_, object) => {
    expect(standsForActive(object, [active()], CREDENTIALS, NOW)).toBe(false);
  });

  it('gives a connection only where that was asked for', () => {
    const access = active({ permissions: ['AccessSecrets'], target: { credentials: ['maker'] } });
    expect(standsForActive(binding('connect'), [access], CREDENTIALS, NOW)).toBe(false);
    expect(standsForActive(binding('token'), [access], CREDENTIALS, NOW)).toBe(true);
  });
});
