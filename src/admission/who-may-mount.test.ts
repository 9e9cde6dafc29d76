import { describe, expect, it } from 'vitest';
import { NOW, policyOf } from '#access/testing/builders.ts';
import { credentialOf } from './testing/core-objects.ts';
import { worldOf } from './testing/world-of.ts';
import { mayMount } from './who-may-mount.ts';

const ALICE = { username: 'alice', groups: ['desk-mm', 'system:authenticated'] };
const ONE = credentialOf('one');

describe('mayMount', () => {
  it('tells which policies decided, and not more than ten', () => {
    const policies = Array.from({ length: 20 }, (_, n) => policyOf({}, `alice-${n + 10}`));
    const world = worldOf({ policies });
    const answer = mayMount(world, ALICE, [ONE], NOW);
    expect(answer.isAllowed).toBe(true);
    expect(answer.policies).toHaveLength(10);
  });

  it('decides of many as of each', () => {
    const names = (from: number): readonly string[] => [`c-${from}`, `c-${from + 1}`];
    const policies = [
      policyOf({ credentials: { namespaces: ['trading'], names: names(0) } }, 'zero'),
      policyOf({ credentials: { namespaces: ['*'], selector: { matchLabels: { desk: 'mm' } } } }),
      ...[3, 7, 11].map((from) =>
        policyOf(
          {
            subjects: [{ kind: 'Group', name: 'desk-mm' }],
            effect: from === 7 ? 'Deny' : 'Allow',
            credentials: { namespaces: ['trading'], names: names(from) },
          },
          `policy-${from}`,
        ),
      ),
    ];
    const world = worldOf({ policies });
    const many = Array.from({ length: 40 }, (_, n) => credentialOf(`c-${n}`));
    for (const only of [many, many.filter(({ metadata }) => !names(7).includes(metadata.name))]) {
      const whole = mayMount(world, ALICE, only, NOW);
      const each = only.map((one) => mayMount(world, ALICE, [one], NOW));
      const refused = each.find(({ isAllowed }) => !isAllowed);
      expect(whole.isAllowed).toBe(refused === undefined);
      expect(whole).toEqual(refused ?? { ...whole, isAllowed: true });
    }
  });

  it('lets nobody mount who has no name', () => {
    const anyone = policyOf({ subjects: [{ kind: 'Group', name: 'system:unauthenticated' }] });
    const world = worldOf({ policies: [anyone] });
    const anonymous = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
    expect(mayMount(world, anonymous, [ONE], NOW).isAllowed).toBe(false);
  });
});
