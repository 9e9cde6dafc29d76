import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VERSION_STATES } from '#vault/entry.ts';
import type { VersionRecord } from '#vault/entry.ts';
import { applyRetention } from './retention.ts';
import { entryWith, NOW, record } from './testing/views.ts';

const HOUR = 3_600_000;
const ago = (hours: number) => ({ changedAt: new Date(NOW - hours * HOUR).toISOString() });

describe('applyRetention', () => {
  const versions: readonly VersionRecord[] = [
    record(1, 'Retired', 'a', ago(1000)),
    record(2, 'Revoked', 'b', ago(700)),
    record(3, 'Failed', 'c', ago(10)),
    record(4, 'Previous', 'd', ago(2000)),
    record(5, 'Current', 'e', ago(2000)),
  ];

  it.each([
    [{ keepVersions: 2, keepFor: '720h' }, [1], NOW + 20 * HOUR],
    [{ keepVersions: 2, keepFor: '1h' }, [3, 2, 1], undefined],
    [{ keepVersions: 4, keepFor: '1h' }, [1], undefined],
    [{ keepVersions: 1, keepFor: '9000h' }, [], NOW + 8000 * HOUR],
    [undefined, [], undefined],
  ])('%j drops %j, next at %s', (history, due, nextMs) => {
    expect(applyRetention(entryWith(versions), history, NOW)).toEqual({
      due,
      ...(nextMs === undefined ? {} : { nextMs }),
    });
  });

  it('never drops what is in use, young, or among the newest', () => {
    const arbitrary = fc.array(
      fc.tuple(fc.constantFrom(...VERSION_STATES), fc.nat({ max: 3000 })),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(arbitrary, fc.nat({ max: 20 }), fc.nat({ max: 2000 }), (list, keep, hours) => {
        const all = list.map(([state, age], i) => record(i + 1, state, `v${i}`, ago(age)));
        const history = { keepVersions: keep, keepFor: `${hours}h` };
        const { due } = applyRetention(entryWith(all), history, NOW);
        for (const version of due) {
          const [state, age] = list[version - 1] ?? ['Current', 0];
          expect(['Retired', 'Revoked', 'Failed']).toContain(state);
          expect(age).toBeGreaterThanOrEqual(hours);
          expect(all.length - version).toBeGreaterThanOrEqual(keep);
        }
      }),
    );
  });
});
