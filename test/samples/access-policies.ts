/**
 * AccessPolicies, good and bad, for every suite that needs some. The bad ones are given to the
 * offline validator and to a real API server, which must say the same.
 */
import type { AccessPolicy, AccessPolicySpec } from '#api/access-policy.ts';
import { COUNTRIES } from '#api/countries.ts';
import { EXCHANGES } from '#api/exchanges.ts';
import { ENVIRONMENTS, PERMISSIONS, ROLES } from '#api/roles.ts';
import type { AnyObject } from './exchange-credentials.ts';
import { CANARY } from './exchange-credentials.ts';

/** A good object whose spec differs from a plain Allow's in `spec`; undefined takes a field out. */
export function policy(
  spec: { readonly [K in keyof AccessPolicySpec]?: unknown } & AnyObject = {},
  name = 'market-making',
): AccessPolicy {
  const merged: AnyObject = {
    subjects: [{ kind: 'Group', name: 'desk-mm' }],
    roles: ['Trader'],
    environments: ['Production'],
    credentials: { namespaces: ['trading'] },
    ...spec,
  };
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name },
    spec: Object.fromEntries(
      Object.entries(merged).filter(([, value]) => value !== undefined),
    ) as unknown as AccessPolicySpec,
  };
}

const times = (window: AnyObject): AnyObject => ({
  constraints: { times: [{ schedule: '0 8 * * 1-5', duration: '9h', ...window }] },
});
const group = (name: string): AnyObject => ({ kind: 'Group', name });
const BOT: AnyObject = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' };
/** A policy that has a network. */
const withNetwork = (network: unknown, spec: AnyObject = {}): AccessPolicy =>
  policy({ subjects: [group('desk-mm'), BOT], network, ...spec });
const peer = (given: AnyObject): AccessPolicy =>
  withNetwork({ egress: { to: [{ cidr: '203.0.113.0/24' }, given] } });
const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

/** As many as there may be. */
function manyPeers(): readonly AnyObject[] {
  const ports = range(0, 32).map((index) => ({ port: index + 1, endPort: 65_535 }));
  return range(0, 64).map((index) =>
    index % 2 === 0
      ? { cidr: `2001:db8:1234:5678:9abc:def0:1234:${index + 1}/128`, ports }
      : {
          pods: {
            namespaces: range(0, 64).map((number) => `${'n'.repeat(61)}${number}`),
            matchLabels: Object.fromEntries(
              range(0, 32).map((label) => [`${'l'.repeat(60)}${label}`, 'v'.repeat(63)]),
            ),
          },
          ports,
        },
  );
}

export const GOOD_POLICIES: Readonly<Record<string, AccessPolicy>> = {
  'an Allow': policy(),
  'an Allow that says so': policy({ effect: 'Allow', accessLevel: 'Emergency' }),
  'an Allow without roles and permissions': policy({ roles: undefined }),
  'an Allow with empty lists of them': policy({ roles: [], permissions: [] }),
  'a Deny of a permission': policy({
    effect: 'Deny',
    roles: undefined,
    permissions: ['TransferFunds'],
    accessLevel: 'Write',
  }),
  'a Deny of a role': policy({ effect: 'Deny' }),
  'everything there is': policy({
    subjects: [
      { kind: 'User', name: 'alice' },
      { kind: 'User', name: 'https://login.example.com#Zoë Ångström' },
      { kind: 'User', name: 'system:serviceaccount:trading:maker' },
      { kind: 'User', name: 'desk-mm' },
      { kind: 'Group', name: 'desk-mm' },
      { kind: 'Group', name: 'Desk-MM' },
      { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' },
      { kind: 'ServiceAccount', namespace: 'research', name: 'maker' },
      { kind: 'User', name: 'x'.repeat(512) },
      { kind: 'Group', name: '交' },
    ],
    roles: ['Trader', 'RiskAnalyst', 'SystemAdmin', 'SecurityAdmin', 'ComplianceOfficer'],
    permissions: ['AccessSecrets', 'TransferFunds'],
    accessLevel: 'Admin',
    environments: ['Production', 'Development', 'Staging'],
    credentials: {
      namespaces: ['trading', 'a', 'a'.repeat(63)],
      names: ['maker', 'a.b', 'a'.repeat(253)],
      selector: {
        matchLabels: { desk: 'mm', 'example.com/a_b': '' },
        matchExpressions: [
          { key: 'venue', operator: 'In', values: ['binance', 'okx', ''] },
          { key: 'example.com/tier', operator: 'NotIn', values: ['test'] },
          { key: 'venue', operator: 'Exists' },
          { key: 'old', operator: 'DoesNotExist', values: [] },
        ],
      },
      exchanges: ['Binance', 'Other'],
    },
    constraints: {
      sourceRanges: [
        '10.20.0.0/16',
        '192.0.2.7/32',
        '0.0.0.0/0',
        '2001:db8::/48',
        '::/0',
        '::1/128',
      ],
      times: [
        { schedule: '0 8 * * MON-FRI', duration: '9h', timeZone: 'Europe/Zurich' },
        { schedule: '*/15 22-23,0-5 1,15 JAN-MAR/2,12 7', duration: '1m' },
        { schedule: '00 08 01 01 0', duration: '999999h', timeZone: 'UTC' },
        { schedule: '59 23 31 12 SAT,SUN', duration: '1h0m0s', timeZone: 'America/New_York' },
        {
          schedule: '0 0 * * *',
          duration: '1s',
          timeZone: 'America/Argentina/Buenos_Aires',
        },
      ],
      countries: { allow: ['CH', 'GB'], deny: ['KP', 'IR', 'XK'] },
    },
    rateLimits: [
      { name: 'orders', requests: 100, window: '60s' },
      { name: 'cancels', requests: 1_000_000, window: '24h' },
    ],
  }),
  'all credentials': policy({
    credentials: { namespaces: ['*'], names: ['*'], exchanges: ['*'] },
  }),
  'all names alone': policy({ credentials: { names: ['*'] } }),
  'no field but what is required': policy({
    roles: undefined,
    credentials: { exchanges: ['Kraken'] },
  }),
  'a network that lets nothing through': withNetwork({ egress: {}, ingress: {} }),
  'a network with empty lists': withNetwork({
    egress: { exchanges: [], to: [], dns: false, apiServer: false },
    ingress: { from: [] },
  }),
  'a network with everything there is': withNetwork({
    egress: {
      exchanges: ['Hyperliquid', 'Phemex'],
      to: [
        { cidr: '203.0.113.0/24', ports: [{ port: 443 }] },
        { cidr: '0.0.0.0/0' },
        { cidr: '2001:db8::/48', ports: [{ port: 1, endPort: 65_535, protocol: 'UDP' }] },
        {
          pods: { namespaces: ['trading'], matchLabels: { app: 'redis', 'example.com/a_b': '' } },
          ports: [
            { port: 6379, endPort: 6379, protocol: 'TCP' },
            { port: 7, protocol: 'SCTP' },
          ],
        },
      ],
      dns: true,
      apiServer: true,
    },
    ingress: { from: [{ cidr: '10.20.0.0/16' }, { pods: { namespaces: ['a', 'b'] } }] },
  }),
  'a network with as much as fits': withNetwork({
    egress: { exchanges: EXCHANGES.filter((name) => name !== 'Other'), to: manyPeers() },
    ingress: { from: manyPeers() },
  }),
  // The API server also bounds what the rules cost with one object.
  'as much as fits': policy({
    subjects: range(0, 100).map((index) => group(`${'g'.repeat(500)}-${index}`)),
    roles: ROLES,
    permissions: PERMISSIONS,
    environments: ENVIRONMENTS,
    credentials: {
      namespaces: range(0, 250).map((index) => `${'n'.repeat(55)}-${index}`),
      names: range(0, 250).map((index) => `${'n'.repeat(240)}-${index}`),
      selector: {
        matchLabels: Object.fromEntries(
          range(0, 32).map((index) => [
            `${'p'.repeat(60)}.${'p'.repeat(60)}/${'l'.repeat(60)}${index}`,
            'v'.repeat(63),
          ]),
        ),
        matchExpressions: range(0, 32).map((index) => ({
          key: `${'k'.repeat(60)}-${index}`,
          operator: 'In',
          values: range(0, 50).map((value) => `${'v'.repeat(60)}${value}`),
        })),
      },
      exchanges: EXCHANGES,
    },
    constraints: {
      sourceRanges: range(0, 64).map(
        (index) => `2001:db8:1234:5678:9abc:def0:1234:${index + 1}/128`,
      ),
      times: range(0, 16).map((index) => ({
        schedule: `${index},1,2,3,4,5,6,7,8,9 8-9,11-12 1-5,10-31/2 JAN-MAR,OCT-DEC MON-FRI,SUN`,
        duration: '999999h999999m999999s',
        timeZone: 'America/Argentina/Buenos_Aires',
      })),
      countries: { allow: COUNTRIES.slice(0, 125), deny: COUNTRIES.slice(125) },
    },
    rateLimits: range(0, 32).map((index) => ({
      name: `${'r'.repeat(60)}${index}`,
      requests: 1,
      window: '1s',
    })),
  }),
  'as many ServiceAccounts as fit': policy({
    subjects: range(0, 100).map((index) => ({
      kind: 'ServiceAccount',
      namespace: 'n'.repeat(63),
      name: `${'m'.repeat(250)}${index}`,
    })),
  }),
};

export interface BadPolicy {
  readonly what: string;
  readonly object: AccessPolicy;
  /** Of the field at fault, as the offline validator writes it. */
  readonly path: string;
  /** Part of what both say. Where it differs, `server` is what the API server says. */
  readonly message: string;
  readonly server?: string;
  /** Refused only when the client asks for strict validation, as kubectl does. */
  readonly strict?: true;
}

const REQUIRED = { message: 'is required; add it', server: 'Required value' };
const TWICE = { message: 'stands twice; remove one', server: 'Duplicate value' };
const tooMany = (most: number): { readonly message: string; readonly server: string } => ({
  message: `may have at most ${most} entries`,
  server: `must have at most ${most} items`,
});

export const BAD_POLICIES: readonly BadPolicy[] = [
  // subjects
  {
    what: 'subjects: absent',
    object: policy({ subjects: undefined }),
    path: 'spec.subjects',
    ...REQUIRED,
  },
  {
    what: 'subjects: none',
    object: policy({ subjects: [] }),
    path: 'spec.subjects',
    message: 'spec.subjects must not be empty',
  },
  {
    what: 'subjects: too many',
    object: policy({ subjects: range(0, 101).map((index) => group(`g${index}`)) }),
    path: 'spec.subjects',
    ...tooMany(100),
  },
  {
    what: 'subjects: one twice',
    object: policy({ subjects: [group('a'), group('b'), { name: 'a', kind: 'Group' }] }),
    path: 'spec.subjects',
    message: 'spec.subjects names a subject twice',
  },
  {
    what: 'subjects: a ServiceAccount twice',
    object: policy({
      subjects: [
        { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' },
        { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' },
      ],
    }),
    path: 'spec.subjects',
    message: 'spec.subjects names a subject twice',
  },
  {
    what: 'subjects: a kind that is none',
    object: policy({ subjects: [{ kind: 'Robot', name: 'r2' }] }),
    path: 'spec.subjects[0].kind',
    message: 'must be one of User, Group, ServiceAccount',
    server: 'supported values: "User", "Group", "ServiceAccount"',
  },
  {
    what: 'subjects: no kind',
    object: policy({ subjects: [{ name: 'alice' }] }),
    path: 'spec.subjects[0].kind',
    ...REQUIRED,
  },
  {
    what: 'subjects: no name',
    object: policy({ subjects: [{ kind: 'User' }] }),
    path: 'spec.subjects[0].name',
    ...REQUIRED,
  },
  ...['', ' ', ' alice', 'alice ', 'al\nice', `${CANARY}\u0000`, '\ta'].map((name) => ({
    what: `subjects: the name ${JSON.stringify(name)}`,
    object: policy({ subjects: [group('first'), { kind: 'User', name }] }),
    path: 'spec.subjects[1].name',
    message: 'spec.subjects must name each subject in one line',
  })),
  {
    what: 'subjects: a name that is too long',
    object: policy({ subjects: [group('g'.repeat(513))] }),
    path: 'spec.subjects[0].name',
    message: 'must be at most 512 characters long',
    server: 'may not be more than 512 bytes',
  },
  {
    what: 'subjects: a ServiceAccount without namespace',
    object: policy({ subjects: [{ kind: 'ServiceAccount', name: 'maker' }] }),
    path: 'spec.subjects[0].namespace',
    message: 'spec.subjects has a ServiceAccount without namespace; add the one that it is in',
  },
  ...['User', 'Group'].map((kind) => ({
    what: `subjects: a ${kind} with namespace`,
    object: policy({ subjects: [{ kind, name: 'maker', namespace: 'trading' }] }),
    path: 'spec.subjects[0].namespace',
    message: 'spec.subjects has a User or Group with namespace; remove it',
  })),
  ...['system:serviceaccount:trading:maker', 'trading/maker', 'Maker', 'm'.repeat(254)].map(
    (name) => ({
      what: `subjects: a ServiceAccount of the name ${name}`,
      object: policy({ subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name }] }),
      path: 'spec.subjects[0].name',
      message: 'spec.subjects must name a ServiceAccount by its name alone',
    }),
  ),
  ...['', 'Trading', '*', 'a.b', '-a'].map((namespace) => ({
    what: `subjects: a ServiceAccount in the namespace ${JSON.stringify(namespace)}`,
    object: policy({ subjects: [{ kind: 'ServiceAccount', namespace, name: 'maker' }] }),
    path: 'spec.subjects[0].namespace',
    message: 'spec.subjects must have the name of a namespace',
  })),

  // What it gives or takes.
  {
    what: 'effect: unknown',
    object: policy({ effect: 'Permit' }),
    path: 'spec.effect',
    message: 'must be one of Allow, Deny',
    server: 'supported values: "Allow", "Deny"',
  },
  ...[
    { roles: undefined },
    { roles: [] },
    { roles: [], permissions: [] },
    { roles: undefined, permissions: [] },
  ].map((given) => ({
    what: `effect: a Deny of nothing, ${JSON.stringify(given)}`,
    object: policy({ effect: 'Deny', ...given }),
    path: 'spec.effect',
    message: 'add them to spec.roles or spec.permissions',
  })),
  {
    what: 'roles: unknown',
    object: policy({ roles: ['Trader', 'Intern'] }),
    path: 'spec.roles[1]',
    message: 'must be one of Trader, RiskAnalyst',
    server: 'supported values: "Trader", "RiskAnalyst"',
  },
  {
    what: 'roles: in lower case',
    object: policy({ roles: ['trader'] }),
    path: 'spec.roles[0]',
    message: 'must be one of Trader, RiskAnalyst',
    server: 'supported values: "Trader", "RiskAnalyst"',
  },
  {
    what: 'roles: one twice',
    object: policy({ roles: ['Trader', 'Trader'] }),
    path: 'spec.roles[1]',
    ...TWICE,
  },
  {
    what: 'roles: a text',
    object: policy({ roles: 'Trader' }),
    path: 'spec.roles',
    message: 'must be of type array',
  },
  {
    what: 'permissions: unknown',
    object: policy({ permissions: ['ReadSecrets'] }),
    path: 'spec.permissions[0]',
    message: 'must be one of ReadMarketData, PlaceOrders',
    server: 'supported values: "ReadMarketData", "PlaceOrders"',
  },
  {
    what: 'permissions: one twice',
    object: policy({ permissions: ['PlaceOrders', 'ViewAuditLogs', 'PlaceOrders'] }),
    path: 'spec.permissions[2]',
    ...TWICE,
  },
  {
    what: 'accessLevel: unknown',
    object: policy({ accessLevel: 'Root' }),
    path: 'spec.accessLevel',
    message: 'must be one of Read, Write, Admin, Emergency',
    server: 'supported values: "Read", "Write", "Admin", "Emergency"',
  },

  // environments
  {
    what: 'environments: absent',
    object: policy({ environments: undefined }),
    path: 'spec.environments',
    ...REQUIRED,
  },
  {
    what: 'environments: none',
    object: policy({ environments: [] }),
    path: 'spec.environments',
    message: 'spec.environments must not be empty',
  },
  {
    what: 'environments: unknown',
    object: policy({ environments: ['*'] }),
    path: 'spec.environments[0]',
    message: 'must be one of Development, Staging, Production',
    server: 'supported values: "Development", "Staging", "Production"',
  },
  {
    what: 'environments: one twice',
    object: policy({ environments: ['Staging', 'Staging'] }),
    path: 'spec.environments[1]',
    ...TWICE,
  },
  {
    what: 'environments: four',
    object: policy({ environments: ['Development', 'Staging', 'Production', 'Production'] }),
    path: 'spec.environments',
    ...tooMany(3),
  },

  // credentials
  {
    what: 'credentials: absent',
    object: policy({ credentials: undefined }),
    path: 'spec.credentials',
    ...REQUIRED,
  },
  {
    what: 'credentials: no member',
    object: policy({ credentials: {} }),
    path: 'spec.credentials',
    message: 'spec.credentials needs at least one of namespaces, names, selector and exchanges',
  },
  ...['namespaces', 'names', 'exchanges'].map((member) => ({
    what: `credentials: no ${member}`,
    object: policy({ credentials: { namespaces: ['trading'], [member]: [] } }),
    path: `spec.credentials.${member}`,
    message: `spec.credentials.${member} must not be empty`,
  })),
  ...[
    ['namespaces', ['*', 'trading']],
    ['names', ['maker', '*']],
    ['exchanges', ['Kraken', '*']],
  ].map(([member, list]) => ({
    what: `credentials: "*" beside others in ${String(member)}`,
    object: policy({ credentials: { [String(member)]: list } }),
    path: `spec.credentials.${String(member)}`,
    message: `spec.credentials.${String(member)} has "*", which says all, beside others`,
  })),
  ...[
    ['namespaces', 'trading-*'],
    ['namespaces', ''],
    ['namespaces', 'a.b'],
    ['namespaces', CANARY],
    ['names', 'maker*'],
    ['names', '**'],
    ['names', 'trading/maker'],
    ['names', 'a..b'],
    ['names', CANARY],
  ].map(([member = '', name = '']) => ({
    what: `credentials: ${JSON.stringify(name)} in ${member}`,
    object: policy({ credentials: { [member]: ['fine', name] } }),
    path: `spec.credentials.${member}[1]`,
    message: `spec.credentials.${member} must hold names of`,
  })),
  {
    what: 'credentials: a name twice',
    object: policy({ credentials: { names: ['maker', 'taker', 'maker'] } }),
    path: 'spec.credentials.names[2]',
    ...TWICE,
  },
  {
    what: 'credentials: too many names',
    object: policy({ credentials: { names: range(0, 251).map((index) => `n${index}`) } }),
    path: 'spec.credentials.names',
    ...tooMany(250),
  },
  {
    what: 'credentials: an unknown exchange',
    object: policy({ credentials: { exchanges: ['Binanze'] } }),
    path: 'spec.credentials.exchanges[0]',
    message: 'must be one of Hyperliquid, Phemex',
    server: 'supported values: "Hyperliquid", "Phemex"',
  },
  ...[
    {},
    { matchLabels: {} },
    { matchExpressions: [] },
    { matchLabels: {}, matchExpressions: [] },
  ].map((selector) => ({
    what: `credentials: the selector ${JSON.stringify(selector)}`,
    object: policy({ credentials: { selector } }),
    path: 'spec.credentials.selector',
    message: 'spec.credentials.selector must not be empty',
  })),
  {
    what: 'credentials: a label key that is none',
    object: policy({ credentials: { selector: { matchLabels: { 'a b': 'x' } } } }),
    path: 'spec.credentials.selector.matchLabels',
    message: 'spec.credentials.selector.matchLabels must have label keys',
  },
  {
    what: 'credentials: a label value that is none',
    object: policy({ credentials: { selector: { matchLabels: { desk: `${CANARY}!` } } } }),
    path: 'spec.credentials.selector.matchLabels.desk',
    message: 'spec.credentials.selector.matchLabels must have label values',
  },
  ...(
    [
      [{ key: 'a b', operator: 'Exists' }, 'key', 'must have label keys'],
      [{ key: '', operator: 'Exists' }, 'key', 'must have label keys'],
      [{ key: 'a', operator: 'In' }, 'values', 'needs values with the operators In and NotIn'],
      [{ key: 'a', operator: 'NotIn', values: [] }, 'values', 'needs values with the operators In'],
      [
        { key: 'a', operator: 'Exists', values: ['x'] },
        'values',
        'has no values with the operators',
      ],
      [
        { key: 'a', operator: 'DoesNotExist', values: ['x'] },
        'values',
        'has no values with the operators',
      ],
      [{ key: 'a', operator: 'In', values: ['x', '-'] }, 'values[1]', 'must have label values'],
    ] as const
  ).map(([requirement, field, message]) => ({
    what: `credentials: the requirement ${JSON.stringify(requirement)}`,
    object: policy({ credentials: { selector: { matchExpressions: [requirement] } } }),
    path: `spec.credentials.selector.matchExpressions[0].${field}`,
    message,
  })),
  {
    what: 'credentials: an operator that is none',
    object: policy({
      credentials: {
        selector: { matchExpressions: [{ key: 'a', operator: 'Gt', values: ['1'] }] },
      },
    }),
    path: 'spec.credentials.selector.matchExpressions[0].operator',
    message: 'must be one of In, NotIn, Exists, DoesNotExist',
    server: 'supported values: "In", "NotIn", "Exists", "DoesNotExist"',
  },

  // constraints
  {
    what: 'constraints: none',
    object: policy({ constraints: {} }),
    path: 'spec.constraints',
    message: 'spec.constraints needs at least one of sourceRanges, times and countries',
  },
  {
    what: 'constraints: no range',
    object: policy({ constraints: { sourceRanges: [] } }),
    path: 'spec.constraints.sourceRanges',
    message: 'spec.constraints.sourceRanges must not be empty',
  },
  ...[
    '10.20.0.1/16',
    '10.20.0.0',
    '10.20.0.0/33',
    '10.20.0.0/016',
    '010.20.0.0/16',
    '10.20/16',
    '300.0.0.0/8',
    '',
    '*',
    '2001:DB8::/32',
    '2001:0db8::/32',
    '2001:db8:0:0::/32',
    '2001:db8::1/64',
    'fe80::1%eth0/128',
    '::ffff:10.0.0.0/104',
    '::ffff:a00:0/104',
    ' 10.0.0.0/8',
    '10.0.0.0/8\n',
    '10.0.0.0/-1',
    CANARY,
  ].map((range) => ({
    what: `constraints: the range ${JSON.stringify(range)}`,
    object: policy({ constraints: { sourceRanges: ['192.0.2.0/24', range] } }),
    path: 'spec.constraints.sourceRanges[1]',
    message: 'spec.constraints.sourceRanges must hold ranges in their canonical form',
  })),
  {
    what: 'constraints: a range twice',
    object: policy({ constraints: { sourceRanges: ['10.0.0.0/8', '10.0.0.0/8'] } }),
    path: 'spec.constraints.sourceRanges[1]',
    ...TWICE,
  },
  {
    what: 'constraints: no window',
    object: policy({ constraints: { times: [] } }),
    path: 'spec.constraints.times',
    message: 'spec.constraints.times must not be empty',
  },
  {
    what: 'constraints: a window without schedule',
    object: policy({ constraints: { times: [{ duration: '9h' }] } }),
    path: 'spec.constraints.times[0].schedule',
    ...REQUIRED,
  },
  {
    what: 'constraints: a window without duration',
    object: policy({ constraints: { times: [{ schedule: '0 8 * * *' }] } }),
    path: 'spec.constraints.times[0].duration',
    ...REQUIRED,
  },
  ...[
    '',
    '* * * *',
    '* * * * * *',
    '@daily',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * 32 * *',
    '* * * 13 *',
    '* * * * 8',
    '*/0 * * * *',
    '*/60 * * * *',
    '5/10 * * * *',
    '0  8 * * *',
    ' 0 8 * * *',
    '0 8 * * mon',
    '0 8 * * 1-FRI',
    '0 8 * JAN,13 *',
    '0 8 L * *',
    '0 8 ? * *',
    '0 8 * * 5#1',
    '0 8 * * *\n',
    ', * * * *',
    '1, * * * *',
    '-5 * * * *',
    `${CANARY} * * * *`,
  ].map((schedule) => ({
    what: `constraints: the schedule ${JSON.stringify(schedule)}`,
    object: policy(times({ schedule })),
    path: 'spec.constraints.times[0].schedule',
    message: 'spec.constraints.times must have five fields of cron in schedule',
  })),
  ...[
    '30-10 * * * *',
    '0 17-8 * * *',
    '0 0 3-1 * *',
    '0 0 * DEC-JAN *',
    '0 0 * * FRI-MON',
    '0 0 * * 5-1/2',
    '1,59-50,3 * * * *',
    '0 22-05 * * *',
  ].map((schedule) => ({
    what: `constraints: the schedule ${schedule}, which runs backwards`,
    object: policy(times({ schedule })),
    path: 'spec.constraints.times[0].schedule',
    message: 'spec.constraints.times has a schedule with a range that runs backwards',
  })),
  ...['', '9', '1d', '1.5h', '-1h', '5m1h'].map((duration) => ({
    what: `constraints: the duration ${JSON.stringify(duration)}`,
    object: policy(times({ duration })),
    path: 'spec.constraints.times[0].duration',
    message: 'spec.constraints.times must be a duration in whole hours, minutes and seconds',
  })),
  ...['0s', '0h00m0s'].map((duration) => ({
    what: `constraints: the duration ${duration}`,
    object: policy(times({ duration })),
    path: 'spec.constraints.times[0].duration',
    message: 'spec.constraints.times must be longer than nothing',
  })),
  ...[
    'Local',
    'local',
    '',
    '+01:00',
    '02:00',
    'Etc/GMT+5',
    'EST',
    'Z',
    'Europe',
    'europe/zurich',
    'Europe/Zürich',
    CANARY,
  ].map((timeZone) => ({
    what: `constraints: the time zone ${JSON.stringify(timeZone)}`,
    object: policy(times({ timeZone })),
    path: 'spec.constraints.times[0].timeZone',
    message: 'spec.constraints.times must have an IANA time zone in timeZone',
  })),
  ...['Mars/Base', 'Europe/ZURICH', 'Europe/Zurich/Seefeld', 'America/Zurich'].map((timeZone) => ({
    what: `constraints: the time zone ${timeZone}, which does not exist`,
    object: policy(times({ timeZone })),
    path: 'spec.constraints.times[0].timeZone',
    message: 'spec.constraints.times must have a time zone that exists in timeZone',
  })),
  {
    what: 'constraints: too many windows',
    object: policy({
      constraints: {
        times: range(0, 17).map((index) => ({ schedule: `${index} 8 * * *`, duration: '1h' })),
      },
    }),
    path: 'spec.constraints.times',
    ...tooMany(16),
  },
  {
    what: 'constraints: countries without a list',
    object: policy({ constraints: { countries: {} } }),
    path: 'spec.constraints.countries',
    message: 'spec.constraints.countries needs allow, deny or both',
  },
  ...['allow', 'deny'].map((list) => ({
    what: `constraints: no country in ${list}`,
    object: policy({ constraints: { countries: { [list]: [] } } }),
    path: `spec.constraints.countries.${list}`,
    message: `spec.constraints.countries.${list} must not be empty`,
  })),
  ...['UK', 'ch', 'CHE', 'X', '', '*', 'EU', 'ZZ'].map((country) => ({
    what: `constraints: the country ${JSON.stringify(country)}`,
    object: policy({ constraints: { countries: { deny: ['KP', country] } } }),
    path: 'spec.constraints.countries.deny[1]',
    message: 'spec.constraints.countries.deny must hold country codes of ISO 3166-1',
  })),
  {
    what: 'constraints: a country both allowed and denied',
    object: policy({ constraints: { countries: { allow: ['CH', 'KP'], deny: ['KP'] } } }),
    path: 'spec.constraints.countries.deny',
    message: 'spec.constraints.countries has a country in both allow and deny',
  },

  // network
  {
    what: 'network: neither direction',
    object: withNetwork({}),
    path: 'spec.network',
    message: 'spec.network needs egress, ingress or both',
  },
  {
    what: 'network: of a Deny',
    object: withNetwork({ egress: {} }, { effect: 'Deny' }),
    path: 'spec.network',
    message: 'write an IPBlock to cut addresses off, or remove it',
  },
  {
    what: 'network: without a ServiceAccount',
    object: withNetwork({ egress: {} }, { subjects: [group('desk-mm')] }),
    path: 'spec.network',
    message: 'spec.network is about the pods of ServiceAccounts, and there is none',
  },
  {
    what: 'network: an exchange that nobody knows',
    object: withNetwork({ egress: { exchanges: ['Kraken', 'Other'] } }),
    path: 'spec.network.egress.exchanges',
    message: 'spec.network.egress.exchanges has Other, whose endpoints nobody knows',
  },
  {
    what: 'network: an exchange that is none',
    object: withNetwork({ egress: { exchanges: ['*'] } }),
    path: 'spec.network.egress.exchanges[0]',
    message: 'must be one of Hyperliquid, Phemex',
    server: 'supported values: "Hyperliquid", "Phemex"',
  },
  {
    what: 'network: an exchange twice',
    object: withNetwork({ egress: { exchanges: ['Kraken', 'Kraken'] } }),
    path: 'spec.network.egress.exchanges[1]',
    ...TWICE,
  },
  ...[{}, { ports: [{ port: 443 }] }, { cidr: '10.0.0.0/8', pods: { namespaces: ['a'] } }].map(
    (given) => ({
      what: `network: the peer ${JSON.stringify(given)}`,
      object: peer(given),
      path: 'spec.network.egress.to[1]',
      message: 'spec.network.egress.to needs exactly one of cidr and pods in each entry',
    }),
  ),
  ...['203.0.113.7/24', '203.0.113.7', '2001:DB8::/48', 'api.example.com', CANARY].map((cidr) => ({
    what: `network: the range ${cidr}`,
    object: peer({ cidr }),
    path: 'spec.network.egress.to[1].cidr',
    message: 'spec.network.egress.to must hold ranges in their canonical form',
  })),
  {
    what: 'network: a range with host bits on the way in',
    object: withNetwork({ ingress: { from: [{ cidr: '10.20.0.1/16' }] } }),
    path: 'spec.network.ingress.from[0].cidr',
    message: 'spec.network.ingress.from must hold ranges in their canonical form',
  },
  {
    what: 'network: pods without namespaces',
    object: peer({ pods: { matchLabels: { app: 'redis' } } }),
    path: 'spec.network.egress.to[1].pods.namespaces',
    ...REQUIRED,
  },
  {
    what: 'network: pods of no namespace',
    object: peer({ pods: { namespaces: [] } }),
    path: 'spec.network.egress.to[1].pods.namespaces',
    message: 'pods.namespaces must not be empty',
  },
  ...['*', 'Trading', ''].map((namespace) => ({
    what: `network: pods of the namespace ${JSON.stringify(namespace)}`,
    object: peer({ pods: { namespaces: [namespace] } }),
    path: 'spec.network.egress.to[1].pods.namespaces[0]',
    message: 'spec.network.egress.to must hold names of namespaces in pods.namespaces',
  })),
  {
    what: 'network: pods by a label that is none',
    object: peer({ pods: { namespaces: ['trading'], matchLabels: { 'a/b/c': 'x' } } }),
    path: 'spec.network.egress.to[1].pods.matchLabels',
    message: 'spec.network.egress.to must have label keys',
  },
  {
    what: 'network: no ports',
    object: peer({ cidr: '10.0.0.0/8', ports: [] }),
    path: 'spec.network.egress.to[1].ports',
    message: 'ports must not be empty: name at least one port, or remove the list',
  },
  {
    what: 'network: ports that run backwards',
    object: peer({ cidr: '10.0.0.0/8', ports: [{ port: 443, endPort: 442 }] }),
    path: 'spec.network.egress.to[1].ports[0].endPort',
    message: 'spec.network has ports with an endPort below port',
  },
  {
    what: 'network: the port 0',
    object: peer({ cidr: '10.0.0.0/8', ports: [{ port: 0 }] }),
    path: 'spec.network.egress.to[1].ports[0].port',
    message: 'must be at least 1',
    server: 'should be greater than or equal to 1',
  },
  {
    what: 'network: the port 65536',
    object: peer({ cidr: '10.0.0.0/8', ports: [{ port: 65_536 }] }),
    path: 'spec.network.egress.to[1].ports[0].port',
    message: 'must be at most 65535',
    server: 'should be less than or equal to 65535',
  },
  {
    what: 'network: a named port',
    object: peer({ cidr: '10.0.0.0/8', ports: [{ port: 'https' }] }),
    path: 'spec.network.egress.to[1].ports[0].port',
    message: 'must be of type integer',
  },
  {
    what: 'network: a protocol that is none',
    object: peer({ cidr: '10.0.0.0/8', ports: [{ port: 443, protocol: 'ICMP' }] }),
    path: 'spec.network.egress.to[1].ports[0].protocol',
    message: 'must be one of TCP, UDP, SCTP',
    server: 'supported values: "TCP", "UDP", "SCTP"',
  },
  {
    what: 'network: too many peers',
    object: withNetwork({
      ingress: { from: range(0, 65).map((index) => ({ cidr: `10.${index}.0.0/16` })) },
    }),
    path: 'spec.network.ingress.from',
    ...tooMany(64),
  },
  {
    what: 'network: too many ports',
    object: peer({ cidr: '10.0.0.0/8', ports: range(1, 34).map((port) => ({ port })) }),
    path: 'spec.network.egress.to[1].ports',
    ...tooMany(32),
  },

  // rateLimits
  {
    what: 'rateLimits: a name twice',
    object: policy({
      rateLimits: [
        { name: 'orders', requests: 1, window: '1s' },
        { name: 'orders', requests: 2, window: '1s' },
      ],
    }),
    path: 'spec.rateLimits[1]',
    ...TWICE,
  },
  {
    what: 'rateLimits: a name that is none',
    object: policy({ rateLimits: [{ name: 'All Orders', requests: 1, window: '1s' }] }),
    path: 'spec.rateLimits[0].name',
    message: 'spec.rateLimits must have a name',
  },
  {
    what: 'rateLimits: no request',
    object: policy({ rateLimits: [{ name: 'orders', requests: 0, window: '1s' }] }),
    path: 'spec.rateLimits[0].requests',
    message: 'must be at least 1',
    server: 'should be greater than or equal to 1',
  },
  {
    what: 'rateLimits: half a request',
    object: policy({ rateLimits: [{ name: 'orders', requests: 0.5, window: '1s' }] }),
    path: 'spec.rateLimits[0].requests',
    message: 'must be of type integer',
  },
  ...['1d', '', '60'].map((window) => ({
    what: `rateLimits: the window ${JSON.stringify(window)}`,
    object: policy({ rateLimits: [{ name: 'orders', requests: 1, window }] }),
    path: 'spec.rateLimits[0].window',
    message: 'spec.rateLimits must be a duration in whole hours, minutes and seconds',
  })),
  {
    what: 'rateLimits: a window of nothing',
    object: policy({ rateLimits: [{ name: 'orders', requests: 1, window: '0s' }] }),
    path: 'spec.rateLimits[0].window',
    message: 'spec.rateLimits must be longer than nothing',
  },

  {
    what: 'a field that does not exist',
    object: policy({ networks: { egress: {} } }),
    path: 'spec.networks',
    message: 'there is no such field',
    server: 'unknown field "spec.networks"',
    strict: true,
  },
  {
    what: 'a misspelt field, deep down',
    object: policy({ credentials: { namespaces: ['trading'], name: ['maker'] } }),
    path: 'spec.credentials.name',
    message: 'there is no such field',
    server: 'unknown field "spec.credentials.name"',
    strict: true,
  },
];
