/** Labels so few that all sets of them can be tried. */
import fc from 'fast-check';
import type { LabelSelector } from '#kube/objects.ts';
import type { Labels } from '../conjunction.ts';

const KEYS = ['app', 'tier', 'version'] as const;
/** `c` is in no label: a selector may speak of what is not there. */
const VALUES = ['', 'a', 'b'] as const;
const SPOKEN_OF = [...VALUES, 'c'] as const;

export const ALL_LABELS: readonly Labels[] = KEYS.reduce<readonly Labels[]>(
  (all, key) =>
    all.flatMap((labels) => [labels, ...VALUES.map((value) => ({ ...labels, [key]: value }))]),
  [{}],
);

export const arbitraryLabels: fc.Arbitrary<Labels> = fc.constantFrom(...ALL_LABELS);

const requirement = fc.oneof(
  fc.record({
    key: fc.constantFrom(...KEYS),
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.uniqueArray(fc.constantFrom(...SPOKEN_OF), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    key: fc.constantFrom(...KEYS),
    operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
  }),
);

const matchLabels = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...KEYS), fc.constantFrom('a', 'b')), {
    selector: ([key]) => key,
    maxLength: 2,
  })
  .map((pairs) => Object.fromEntries(pairs));

/** Mostly as people write them: a label or two. */
export const arbitrarySelector: fc.Arbitrary<LabelSelector> = fc.oneof(
  matchLabels.map((labels) => ({ matchLabels: labels })),
  fc.record({
    matchLabels,
    matchExpressions: fc.array(requirement, { minLength: 1, maxLength: 2 }),
  }),
);
