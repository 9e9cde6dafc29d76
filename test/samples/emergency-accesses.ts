/**
 * EmergencyAccesses, good and bad, for every suite that needs some. The bad ones are given to the
 * offline validator and to a real API server, which must say the same.
 */
import type { EmergencyAccess, EmergencyAccessSpec } from '#api/emergency-access.ts';
import type { AnyObject } from './exchange-credentials.ts';
import { CANARY } from './exchange-credentials.ts';

/** A good object whose spec differs from a plain one's in `spec`; undefined takes a field out. */
export function emergency(
  spec: { readonly [K in keyof EmergencyAccessSpec]?: unknown } & AnyObject = {},
  name = 'stuck-orders',
  namespace = 'trading',
): EmergencyAccess {
  const merged: AnyObject = {
    subject: { kind: 'User', name: 'alice' },
    reason: 'orders hang at the exchange, positions must be closed by hand',
    target: { credentials: ['maker'], pods: ['maker-0'] },
    permissions: ['AccessSecrets', 'EmergencyOverride'],
    ...spec,
  };
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: { name, namespace },
    spec: Object.fromEntries(
      Object.entries(merged).filter(([, value]) => value !== undefined),
    ) as unknown as EmergencyAccessSpec,
  };
}

const user = (name: unknown): AnyObject => ({ subject: { kind: 'User', name } });
const account = (name: unknown): AnyObject => ({ subject: { kind: 'ServiceAccount', name } });
const names = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${'n'.repeat(249)}${1000 + index}`);

export const GOOD_EMERGENCIES: Readonly<Record<string, EmergencyAccess>> = {
  'credentials and pods': emergency(),
  'credentials alone': emergency({
    target: { credentials: ['maker', 'taker.v2'] },
    permissions: ['AccessSecrets'],
  }),
  'pods alone': emergency({ target: { pods: ['maker-0'] }, permissions: ['EmergencyOverride'] }),
  'all pods': emergency({ target: { pods: ['*'] }, permissions: ['EmergencyOverride'] }),
  'pods, named and not asked for': emergency({ permissions: ['AccessSecrets'] }),
  'a ServiceAccount': emergency(account('night-watch.v2')),
  'names of other scripts': emergency(user('Zoë Ünïcode 山田 (on call) 😀')),
  'a name as of OpenID Connect': emergency(
    user('oidc:https://login.example.com#alice@example.com'),
  ),
  'a name of the system': emergency(user('system:admin')),
  'ten minutes': emergency({ duration: '10m' }),
  'ten minutes in seconds': emergency({ duration: '0h600s' }),
  'more than any installation allows': emergency({ duration: '999999h' }),
  'a ticket': emergency({ ticket: 'INC-4711' }),
  'the shortest reason': emergency({ reason: 'r'.repeat(20) }),
  'the shortest reason, of characters that take two units': emergency({ reason: '😀'.repeat(20) }),
  'as much as fits': emergency({
    ...user('u'.repeat(512)),
    reason: 'r'.repeat(1024),
    ticket: 't'.repeat(128),
    target: { credentials: names(100), pods: names(100) },
    duration: '999999h999999m999999s',
  }),
};

export interface BadEmergency {
  readonly what: string;
  readonly object: EmergencyAccess;
  /** Of the field at fault, as the offline validator writes it. */
  readonly path: string;
  /** Part of what both say. Where it differs, `server` is what the API server says. */
  readonly message: string;
  readonly server?: string;
  /** Refused only when the client asks for strict validation, as kubectl does. */
  readonly strict?: true;
}

const REQUIRED = { message: 'is required; add it', server: 'Required value' };

export const BAD_EMERGENCIES: readonly BadEmergency[] = [
  ...['subject', 'reason', 'target', 'permissions'].map((field) => ({
    what: `no ${field}`,
    object: emergency({ [field]: undefined }),
    path: `spec.${field}`,
    ...REQUIRED,
  })),

  // subject
  {
    what: 'subject: a Group',
    object: emergency({ subject: { kind: 'Group', name: 'desk' } }),
    path: 'spec.subject.kind',
    message: 'must be one of User, ServiceAccount',
    server: 'supported values: "User", "ServiceAccount"',
  },
  ...['', ' alice', 'alice ', 'ali\nce', 'ali\tce', 'ali\u0000ce', 'ali\u007fce'].map((name) => ({
    what: `subject: the user ${JSON.stringify(name)}`,
    object: emergency(user(name)),
    path: 'spec.subject.name',
    message: 'spec.subject.name must name the subject in one line',
  })),
  ...[
    ['a zero width space', 'ali\u200bce'],
    ['a zero width joiner', 'ali\u200dce'],
    ['a turn of direction', '\u202eecila'],
    ['an isolate', 'ali\u2066ce'],
    ['a soft hyphen', 'ali\u00adce'],
    ['a space that does not break', 'ali\u202fce'],
    ['a wide space', 'ali\u3000ce'],
    ['a byte order mark', 'alice\ufeff'],
    ['a variation selector', 'alice\ufe0f'],
    ['a filler of Hangul', 'ali\u3164ce'],
    ['a space of another kind', 'ali\u00a0ce'],
    ['a control of C1', 'ali\u0085ce'],
    ['a line separator', 'ali\u2028ce'],
    ['a tag', 'alice\u{e0041}'],
  ].map(([what, name]) => ({
    what: `subject: ${what}`,
    object: emergency(user(name)),
    path: 'spec.subject.name',
    message: 'spec.subject.name holds characters that cannot be seen',
  })),
  {
    what: 'subject: a name that is too long',
    object: emergency(user('u'.repeat(513))),
    path: 'spec.subject.name',
    message: 'must be at most 512 characters long',
    server: 'may not be more than 512 bytes',
  },
  {
    what: 'subject: a ServiceAccount as User',
    object: emergency(user('system:serviceaccount:other:admin')),
    path: 'spec.subject.name',
    message: 'spec.subject names a ServiceAccount as User',
  },
  ...[
    'Maker',
    'other/maker',
    'maker_1',
    'system:serviceaccount:trading:maker',
    'm'.repeat(254),
  ].map((name) => ({
    what: `subject: the ServiceAccount ${name}`,
    object: emergency(account(name)),
    path: 'spec.subject.name',
    message: 'spec.subject.name must be the name of a ServiceAccount of this namespace',
  })),
  {
    what: 'subject: a namespace',
    object: emergency({ subject: { kind: 'ServiceAccount', name: 'a', namespace: 'other' } }),
    path: 'spec.subject.namespace',
    message: 'there is no such field',
    server: 'unknown field "spec.subject.namespace"',
    strict: true,
  },

  // reason and ticket
  ...[' '.repeat(25), `${'r'.repeat(30)}\nand more`, ` ${'r'.repeat(30)}`].map((reason) => ({
    what: `reason: ${JSON.stringify(reason)}`,
    object: emergency({ reason }),
    path: 'spec.reason',
    message: 'spec.reason must say in one line why the access is needed',
  })),
  ...['r'.repeat(19), '😀'.repeat(19), CANARY.slice(0, 10)].map((reason) => ({
    what: `reason: the short ${JSON.stringify(reason)}`,
    object: emergency({ reason }),
    path: 'spec.reason',
    message: 'spec.reason must have at least 20 characters',
  })),
  {
    what: 'reason: too long',
    object: emergency({ reason: 'r'.repeat(1025) }),
    path: 'spec.reason',
    message: 'must be at most 1024 characters long',
    server: 'may not be more than 1024 bytes',
  },
  {
    what: 'ticket: empty',
    object: emergency({ ticket: '' }),
    path: 'spec.ticket',
    message: 'spec.ticket must name the ticket in one line',
  },
  {
    what: 'ticket: too long',
    object: emergency({ ticket: 't'.repeat(129) }),
    path: 'spec.ticket',
    message: 'must be at most 128 characters long',
    server: 'may not be more than 128 bytes',
  },

  // target
  {
    what: 'target: nothing',
    object: emergency({ target: {}, permissions: ['AccessSecrets'] }),
    path: 'spec.target',
    message: 'spec.target needs credentials, pods, or both',
  },
  {
    what: 'target: no credential',
    object: emergency({ target: { credentials: [], pods: ['maker-0'] } }),
    path: 'spec.target.credentials',
    message: 'spec.target.credentials must not be empty',
  },
  {
    what: 'target: no pod',
    object: emergency({ target: { credentials: ['maker'], pods: [] } }),
    path: 'spec.target.pods',
    message: 'spec.target.pods must not be empty',
  },
  ...['*', 'maker-*', 'Maker', 'other/maker', ''].map((name) => ({
    what: `target: the credential ${JSON.stringify(name)}`,
    object: emergency({ target: { credentials: [name], pods: ['maker-0'] } }),
    path: 'spec.target.credentials[0]',
    message: 'spec.target.credentials must hold names of ExchangeCredentials of this namespace',
  })),
  ...['maker-*', '**', 'Maker', '', CANARY].map((name) => ({
    what: `target: the pod ${JSON.stringify(name)}`,
    object: emergency({ target: { credentials: ['maker'], pods: [name] } }),
    path: 'spec.target.pods[0]',
    message: 'spec.target.pods must hold names of pods of this namespace, or "*" alone for all',
  })),
  {
    what: 'target: all pods and one',
    object: emergency({ target: { credentials: ['maker'], pods: ['*', 'maker-0'] } }),
    path: 'spec.target.pods',
    message: 'spec.target.pods has "*", which says all, beside others',
  },
  ...['credentials', 'pods'].map((field) => ({
    what: `target: one of ${field} twice`,
    object: emergency({
      target: { credentials: ['maker'], pods: ['maker-0'], [field]: ['a', 'b', 'a'] },
    }),
    path: `spec.target.${field}[2]`,
    message: 'stands twice; remove one',
    server: 'Duplicate value',
  })),
  ...['credentials', 'pods'].map((field) => ({
    what: `target: too many ${field}`,
    object: emergency({
      target: { credentials: ['maker'], pods: ['maker-0'], [field]: names(101) },
    }),
    path: `spec.target.${field}`,
    message: 'may have at most 100 entries',
    server: 'must have at most 100 items',
  })),

  // permissions
  {
    what: 'permissions: none',
    object: emergency({ permissions: [] }),
    path: 'spec.permissions',
    message: 'spec.permissions must not be empty',
  },
  {
    what: 'permissions: another one',
    object: emergency({ permissions: ['ManageUsers'] }),
    path: 'spec.permissions[0]',
    message: 'must be one of AccessSecrets, EmergencyOverride',
    server: 'supported values: "AccessSecrets", "EmergencyOverride"',
  },
  {
    what: 'permissions: AccessSecrets to nothing',
    object: emergency({ target: { pods: ['*'] } }),
    path: 'spec.permissions',
    message: 'spec.permissions asks for AccessSecrets, which is about credentials',
  },
  {
    what: 'permissions: EmergencyOverride of nothing',
    object: emergency({ target: { credentials: ['maker'] } }),
    path: 'spec.permissions',
    message: 'spec.permissions asks for EmergencyOverride, which is about pods',
  },

  // duration
  ...['1d', '60', '', 'PT1H', '1.5h', '-1h'].map((duration) => ({
    what: `duration: ${JSON.stringify(duration)}`,
    object: emergency({ duration }),
    path: 'spec.duration',
    message: 'spec.duration must be a duration in whole hours, minutes and seconds',
  })),
  {
    what: 'duration: 0m',
    object: emergency({ duration: '0m' }),
    path: 'spec.duration',
    message: 'spec.duration must be longer than nothing',
  },
  ...['1s', '9m59s', '599s'].map((duration) => ({
    what: `duration: ${duration}`,
    object: emergency({ duration }),
    path: 'spec.duration',
    message: 'spec.duration must be at least 10m',
  })),
  {
    what: 'a field that does not exist',
    object: emergency({ approved: true }),
    path: 'spec.approved',
    message: 'there is no such field',
    server: 'unknown field "spec.approved"',
    strict: true,
  },
];
