/** A small cluster that random requests are about: enough of everything for each rule to matter. */
import { createHash } from 'node:crypto';
import type { AccessPolicy, AccessPolicySpec } from '#api/access-policy.ts';
import type { EmergencyAccess, EmergencyAccessStatus } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Pod, Service } from '#kube/objects.ts';
import type { UserInfo } from '../request.ts';
import type { RuleContext } from '../rule.ts';
import { SETTINGS, controller, credentialOf, kubelet } from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { WorldParts } from '../testing/world-of.ts';
import type { AdmissionWorld } from '../world.ts';

/** A Tuesday, at noon in UTC. */
export const NOW: number = Date.parse('2026-11-24T12:00:00Z');

/** `trading` has an environment, `lab` none; `open` is not guarded, and `nowhere` is not known. */
export const NAMESPACE_NAMES: readonly string[] = ['trading', 'lab', 'open', 'nowhere'];

const account = (namespace: string, name: string): UserInfo => ({
  username: `system:serviceaccount:${namespace}:${name}`,
  uid: `${namespace}-${name}`,
  groups: [`system:serviceaccounts:${namespace}`, 'system:serviceaccounts', 'system:authenticated'],
});
const person = (username: string, ...groups: readonly string[]): UserInfo => ({
  username,
  uid: `uid-of-${username}`,
  groups: [...groups, 'system:authenticated'],
});

export const PEOPLE: readonly UserInfo[] = [
  person('alice', 'desk-mm'),
  // Of the same group, and held back by a Deny.
  person('frank', 'desk-mm'),
  // Subject of the EmergencyAccesses.
  person('bob'),
  person('carol', 'security'),
  person('dora', 'operations'),
  person('nina', 'night-shift'),
  person('mallory'),
  // Nearly somebody else.
  person('Alice', 'desk-mm '),
  person('alice\u200b'),
  person('root', 'system:masters'),
  { username: 'system:anonymous', groups: ['system:unauthenticated'] },
  { username: 'nobody', groups: [] },
  { username: SETTINGS.operatorUsername, groups: ['system:serviceaccounts'] },
  account('strongroom', 'strongroom-operator-2'),
  account('trading', 'maker'),
  account('trading', 'default'),
  controller('namespace-controller'),
  controller('generic-garbage-collector'),
  controller('storage-version-migrator-controller'),
  controller('replicaset-controller'),
  controller('job-controller'),
  kubelet('one'),
];

const policy = (name: string, spec: Partial<AccessPolicySpec>): AccessPolicy => ({
  apiVersion: 'strongroom.dev/v1alpha1',
  kind: 'AccessPolicy',
  metadata: { name, uid: `${name}-uid` },
  spec: {
    subjects: [{ kind: 'Group', name: 'desk-mm' }],
    permissions: ['AccessSecrets'],
    environments: ['Production'],
    credentials: { namespaces: ['trading'] },
    ...spec,
  },
});

export const POLICIES: readonly AccessPolicy[] = [
  policy('desk', {
    subjects: [
      { kind: 'Group', name: 'desk-mm' },
      { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' },
    ],
    credentials: { namespaces: ['trading'], names: ['maker', 'imported'] },
  }),
  policy('writers', {
    subjects: [{ kind: 'User', name: 'alice' }],
    accessLevel: 'Write',
    credentials: { namespaces: ['trading'], names: ['maker', 'fresh'] },
  }),
  policy('puller', {
    subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'puller' }],
    credentials: { namespaces: ['trading'], names: ['registry'] },
  }),
  policy('night', {
    subjects: [
      { kind: 'Group', name: 'night-shift' },
      { kind: 'ServiceAccount', namespace: 'trading', name: 'night' },
    ],
    constraints: { times: [{ schedule: '0 22 * * *', duration: '8h', timeZone: 'UTC' }] },
  }),
  policy('noon', {
    subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'noon' }],
    constraints: { times: [{ schedule: '0 10 * * *', duration: '4h', timeZone: 'UTC' }] },
  }),
  policy('security', {
    subjects: [{ kind: 'Group', name: 'security' }],
    permissions: [],
    roles: ['SecurityAdmin'],
    accessLevel: 'Emergency',
    environments: ['Development', 'Staging', 'Production'],
    credentials: { namespaces: ['*'] },
  }),
  policy('operations', {
    subjects: [{ kind: 'Group', name: 'operations' }],
    permissions: ['EmergencyOverride', 'ManageNetworkBlocks'],
    accessLevel: 'Emergency',
  }),
  policy('lab', {
    subjects: [{ kind: 'Group', name: 'desk-mm' }],
    accessLevel: 'Admin',
    environments: ['Development', 'Staging', 'Production'],
    credentials: { namespaces: ['lab'] },
  }),
  policy('not-frank', {
    subjects: [{ kind: 'User', name: 'frank' }],
    effect: 'Deny',
    credentials: { namespaces: ['*'] },
    environments: ['Development', 'Staging', 'Production'],
  }),
];

export const CREDENTIALS: readonly ExchangeCredential[] = [
  credentialOf('maker'),
  credentialOf('taker', { minimumAccessLevel: 'Write' }),
  credentialOf('registry', { delivery: { secret: { name: 'registry-pull' } } }),
  credentialOf('imported', {
    source: { secretRef: { name: 'import-me', keys: { privateKey: 'key' } } },
    delivery: { secret: { name: 'imported-keys' } },
  }),
  credentialOf('sim', { environment: 'Development' }, 'lab'),
];

/** Names of Secrets that hold no credential, and those of the ones that do. */
export const SECRET_NAMES: readonly string[] = [
  'maker',
  'taker',
  'registry-pull',
  'imported-keys',
  'import-me',
  'sim',
  'plain',
  'other',
];

/** `nosuch` has no policy; it and `puller` pull with a guarded Secret. */
export const ACCOUNT_NAMES: readonly string[] = [
  'maker',
  'default',
  'puller',
  'night',
  'noon',
  'nosuch',
  'strongroom-emergency-fire',
  'm'.repeat(64),
];

const emergency = (
  name: string,
  status: EmergencyAccessStatus,
  spec: Partial<EmergencyAccess['spec']> = {},
): EmergencyAccess => ({
  apiVersion: 'strongroom.dev/v1alpha1',
  kind: 'EmergencyAccess',
  metadata: {
    name,
    namespace: 'trading',
    uid: `${name}-uid`,
    annotations: {
      'strongroom.dev/created-by': JSON.stringify({ username: 'nina', groups: [] }),
    },
  },
  spec: {
    subject: { kind: 'User', name: 'bob' },
    reason: 'orders hang, positions must be closed by hand',
    target: { credentials: ['maker'], pods: ['maker-0'] },
    permissions: ['AccessSecrets', 'EmergencyOverride'],
    ...spec,
  },
  status: { requestedBy: { username: 'nina' }, ...status },
});

const at = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();

export const EMERGENCIES: readonly EmergencyAccess[] = [
  emergency('fire', {
    state: 'Active',
    activatedAt: at(-10),
    expiresAt: at(20),
    serviceAccount: 'strongroom-emergency-fire',
  }),
  emergency(
    'over',
    { state: 'Active', activatedAt: at(-60), expiresAt: at(-1) },
    { target: { credentials: ['taker'], pods: ['*'] }, subject: { kind: 'User', name: 'mallory' } },
  ),
  emergency('asked', { state: 'Pending' }, { subject: { kind: 'User', name: 'mallory' } }),
  emergency(
    'gone',
    { state: 'Expired', activatedAt: at(-90), expiresAt: at(-30), endedAt: at(-30) },
    { subject: { kind: 'User', name: 'dora' } },
  ),
];

const pod = (name: string, namespace: string, spec: object): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid: `${name}-uid`, labels: { app: name.split('-')[0] ?? '' } },
    spec: { nodeName: 'one', containers: [{ name: 'main', image: 'main:1' }], ...spec },
  }) as unknown as Pod;

export const PODS: readonly Pod[] = [
  pod('maker-0', 'trading', {
    serviceAccountName: 'maker',
    volumes: [{ name: 'keys', secret: { secretName: 'maker' } }],
  }),
  pod('taker-0', 'trading', {
    serviceAccountName: 'default',
    containers: [
      {
        name: 'main',
        image: 'main:1',
        env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'taker', key: 'key' } } }],
      },
    ],
  }),
  pod('idle-0', 'trading', { serviceAccountName: 'nosuch', nodeName: 'two' }),
  pod('sim-0', 'lab', { volumes: [{ name: 'keys', secret: { secretName: 'sim' } }] }),
];

const service = (name: string, selector: Readonly<Record<string, string>>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'trading', uid: `${name}-uid` },
  spec: { selector },
});

export const SERVICES: readonly Service[] = [
  service('maker', { app: 'maker' }),
  service('idle', { app: 'idle' }),
  service('by-hand', {}),
];

export const NAMESPACES: NonNullable<WorldParts['namespaces']> = [
  { name: 'trading', environment: 'Production' },
  { name: 'lab' },
  { name: 'open', isGuarded: false },
  { name: 'strongroom', isGuarded: false },
  { name: 'kube-system', isGuarded: false },
];

/** What an account gives to pods that name no pull Secret. */
export const PULLED: Readonly<Record<string, readonly string[]>> = {
  'trading/puller': ['registry-pull'],
  // Which may not use it.
  'trading/nosuch': ['registry-pull'],
  'trading/default': ['plain'],
};

/** What is in the Secret `maker`, long enough for copies of it to be noticed. */
export const MANAGED_VALUE: string = createHash('sha256').update('maker').digest('hex');

/** What the caches of the operator hold. */
const SCENE: WorldParts = {
  policies: POLICIES,
  namespaces: NAMESPACES,
  credentials: CREDENTIALS,
  accounts: Object.fromEntries(
    Object.entries(PULLED).map(([key, imagePullSecrets]) => [key, { imagePullSecrets }]),
  ),
  pods: PODS,
  services: SERVICES,
  emergencyAccesses: EMERGENCIES,
  values: { [MANAGED_VALUE]: 'trading/maker' },
};

/** The world of the scene; `lab` has no label that says of which environment it is. */
export function sceneWorld(parts: WorldParts = {}): AdmissionWorld {
  const world = worldOf({ ...SCENE, ...parts });
  return {
    ...world,
    namespace(name) {
      const found = world.namespace(name);
      if (name !== 'lab' || found === undefined) return found;
      const { environment: _environment, ...rest } = found;
      return rest;
    },
  };
}

export const CONTEXT: RuleContext = { world: sceneWorld(), settings: SETTINGS, nowMs: NOW };
