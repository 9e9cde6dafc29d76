/**
 * Random policies, identities, credentials and requests. Names come from few, so that policies meet
 * each other and the requests.
 */
import fc from 'fast-check';
import type { AccessPolicy, Constraints, CredentialSelector, Subject } from '#api/access-policy.ts';
import { EXCHANGES } from '#api/exchanges.ts';
import type { Exchange } from '#api/exchanges.ts';
import { ACCESS_LEVELS, ENVIRONMENTS, PERMISSIONS, ROLES } from '#api/roles.ts';
import { ACTION_NAMES, ACTIONS } from '../actions.ts';
import { serviceAccountIdentity } from '../identity.ts';
import type { Identity } from '../identity.ts';
import type { AccessRequest, CredentialFacts, Target } from '../request.ts';
import { policyOf } from './builders.ts';

type Arbitrary<T> = fc.Arbitrary<T>;

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function dropUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, part]) => part !== undefined),
  ) as unknown as Defined<T>;
}

const users = fc.constantFrom('alice', 'bob');
const groups = fc.constantFrom('desk-mm', 'risk', 'system:authenticated');
const namespaces = fc.constantFrom('trading', 'research');
const names = fc.constantFrom('maker', 'taker');
const exchanges = fc.constantFrom(...EXCHANGES.slice(0, 2));
const environments = fc.constantFrom(...ENVIRONMENTS);
const desks = fc.constantFrom('mm', 'arb');

const someOf = <T>(one: Arbitrary<T>, maxLength = 3, minLength = 1): Arbitrary<T[]> =>
  fc.uniqueArray(one, { minLength, maxLength, size: 'max' });
const allOr = <T>(some: Arbitrary<(T | '*')[]>): Arbitrary<(T | '*')[]> =>
  fc.oneof(some, fc.constant<(T | '*')[]>(['*']));
/** Out of five, one has the part: with each a policy says less. */
const rarely = <T>(one: Arbitrary<T>): Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: one });
const rarelyNot = <T>(one: Arbitrary<T>): Arbitrary<T | undefined> =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 4, arbitrary: one });

export const arbitrarySubject: Arbitrary<Subject> = fc.oneof(
  { weight: 3, arbitrary: users.map((name): Subject => ({ kind: 'User', name })) },
  { weight: 3, arbitrary: groups.map((name): Subject => ({ kind: 'Group', name })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(namespaces, names)
      .map(([namespace, name]): Subject => ({ kind: 'ServiceAccount', namespace, name })),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Subject>({
      kind: 'User',
      name: 'system:serviceaccount:trading:maker',
    }),
  },
);

const expressions = fc.oneof(
  fc.record({
    key: fc.constant('desk'),
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: someOf(desks, 2),
  }),
  fc.record({
    key: fc.constantFrom('desk', 'tier'),
    operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
  }),
);

const arbitrarySelection: Arbitrary<CredentialSelector> = fc
  .record({
    namespaces: rarelyNot(allOr(someOf<string>(namespaces))),
    names: rarely(allOr(someOf<string>(names))),
    exchanges: rarely(allOr(someOf<Exchange | '*'>(exchanges))),
    selector: rarely(
      fc.record(
        { matchLabels: fc.record({ desk: desks }), matchExpressions: someOf(expressions, 2) },
        { requiredKeys: [] },
      ),
    ),
  })
  .map(dropUndefined)
  .filter((selection) => Object.keys(selection).length > 0);

const countries = fc.constantFrom('CH', 'SG', 'KP');

/** Zones without changes of the clock: those are tested where schedules are. */
const arbitraryConstraints: Arbitrary<Constraints> = fc.record(
  {
    sourceRanges: someOf(fc.constantFrom('10.20.0.0/16', '10.0.0.0/8', '2001:db8::/32')),
    times: someOf(
      fc.record({
        schedule: fc.constantFrom('0 9 * * 1-5', '30 22 * * *', '0 */6 * * SUN', '*/20 4 1 * *'),
        duration: fc.constantFrom('8h', '30m', '1h30m'),
        timeZone: fc.constantFrom('UTC', 'Asia/Tokyo'),
      }),
      2,
    ),
    countries: fc
      .record({ allow: someOf(countries), deny: someOf(countries) }, { requiredKeys: [] })
      .filter((part) => Object.keys(part).length > 0),
  },
  { requiredKeys: [] },
);

/** With as many of each, hardly anything would be allowed. */
const allowOrDeny = fc.oneof(
  { weight: 6, arbitrary: fc.constant('Allow' as const) },
  { weight: 1, arbitrary: fc.constant('Deny' as const) },
);

/** One that the schema lets pass. */
export function arbitraryPolicy(
  effect: Arbitrary<'Allow' | 'Deny'> = allowOrDeny,
): Arbitrary<AccessPolicy> {
  const spec = fc
    .record({
      subjects: someOf(arbitrarySubject),
      effect,
      roles: fc.uniqueArray(fc.constantFrom(...ROLES), { maxLength: 4, size: 'max' }),
      permissions: fc.uniqueArray(fc.constantFrom(...PERMISSIONS), { maxLength: 4, size: 'max' }),
      accessLevel: rarelyNot(fc.constantFrom(...ACCESS_LEVELS)),
      environments: someOf(environments, ENVIRONMENTS.length, 2),
      credentials: arbitrarySelection,
      constraints: rarely(arbitraryConstraints),
    })
    .map(dropUndefined);
  return fc
    .tuple(fc.integer({ min: 100, max: 999 }), spec)
    .map(([number, parts]) => policyOf(parts, `policy-${number}`));
}

/** Each of another name. */
export function arbitraryPolicies(
  effect: Arbitrary<'Allow' | 'Deny'> = allowOrDeny,
): Arbitrary<AccessPolicy[]> {
  return fc.uniqueArray(arbitraryPolicy(effect), {
    maxLength: 16,
    size: 'max',
    selector: ({ metadata }) => metadata.name,
  });
}

export const arbitraryIdentity: Arbitrary<Identity> = fc.oneof(
  fc.record({ username: users, groups: fc.uniqueArray(groups, { maxLength: 3, size: 'max' }) }),
  fc.tuple(namespaces, names).map(([namespace, name]) => serviceAccountIdentity(namespace, name)),
);

export const arbitraryCredential: Arbitrary<CredentialFacts> = fc.record(
  {
    namespace: namespaces,
    name: names,
    labels: fc.record({ desk: desks, tier: fc.constant('one') }, { requiredKeys: [] }),
    exchange: exchanges,
    environment: environments,
    minimumAccessLevel: fc.constantFrom(...ACCESS_LEVELS),
  },
  { requiredKeys: ['namespace', 'name', 'labels', 'environment'] },
);

export const arbitraryScope: Arbitrary<Target & { readonly kind: 'Scope' }> = fc.record({
  kind: fc.constant('Scope' as const),
  namespace: fc.oneof(namespaces, fc.constant('*')),
  environment: fc.oneof(environments, fc.constant('*' as const)),
});

export const arbitraryRequest: Arbitrary<AccessRequest> = fc.record(
  {
    identity: arbitraryIdentity,
    action: fc.constantFrom(...ACTION_NAMES).map((name) => ACTIONS[name]),
    target: fc.oneof(
      {
        weight: 3,
        arbitrary: arbitraryCredential.map((credential): Target => ({
          kind: 'Credential',
          credential,
        })),
      },
      { weight: 1, arbitrary: arbitraryScope },
    ),
    atMs: fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2027-01-01') }),
    sourceAddress: fc.constantFrom(
      '10.20.3.4',
      '10.9.9.9',
      '::ffff:10.20.0.1',
      '2001:db8::1',
      '8.8.8.8',
    ),
    country: countries,
  },
  { requiredKeys: ['identity', 'action', 'target', 'atMs'] },
);
