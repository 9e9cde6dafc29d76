import { describe, expect, it } from 'vitest';
import { createPolicyIndex } from '#access/policy-index.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { KubeObject, Namespace, Pod, Secret, ServiceAccount } from '#kube/objects.ts';
import { createStore } from '#runtime/store.ts';
import type { Change, IndexFunctions } from '#runtime/store.ts';
import { createAdmissionWorld } from './create-world.ts';
import type { GuardedContents } from './create-world.ts';

/** A collection as an informer keeps it, without a server. */
function collection<T extends KubeObject>(indexes: IndexFunctions<T> = {}) {
  const store = createStore<T>(indexes);
  const handlers: ((change: Change<T>, initial: boolean) => void)[] = [];
  const publish = (changes: readonly Change<T>[]): void => {
    for (const change of changes) for (const handler of handlers) handler(change, false);
  };
  return {
    get: store.get,
    list: store.list,
    byIndex: store.byIndex,
    onChange: (handler: (change: Change<T>, initial: boolean) => void) =>
      void handlers.push(handler),
    put: (object: T) => publish(store.apply(object)),
    remove: (object: T) => publish(store.delete(object)),
  };
}

function namespace(name: string, labels: Record<string, string>, version = '1'): Namespace {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, uid: `uid-${name}`, resourceVersion: version, labels },
  };
}

function credential(name: string, secret: string, version = '1'): ExchangeCredential {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { name, namespace: 'trading', uid: `uid-${name}`, resourceVersion: version },
    spec: {
      type: 'Password',
      environment: 'Production',
      owner: 'desk',
      source: { generate: {} },
      delivery: { secret: { name: secret } },
    },
  };
}

function managedSecret(name: string, owner: string, uid: string): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: 'trading',
      ownerReferences: [
        {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'ExchangeCredential',
          name: owner,
          uid,
          controller: true,
        },
      ],
    },
  };
}

function emergency(name: string, kind: 'User' | 'ServiceAccount', subject: string) {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: { name, namespace: 'trading', uid: `uid-${name}`, resourceVersion: '1' },
    spec: { subject: { kind, name: subject } },
  } as EmergencyAccess;
}

function scene() {
  const namespaces = collection<Namespace>();
  const credentials = collection<ExchangeCredential>({
    namespace: ({ metadata }) => [metadata.namespace ?? ''],
    secret: ({ metadata, spec }) => [`${metadata.namespace ?? ''}/${spec.delivery.secret?.name}`],
  });
  const accounts = collection<ServiceAccount>();
  const emergencyAccesses = collection<EmergencyAccess>();
  const contents = new Map<string, GuardedContents>();
  const asked: Uint8Array[] = [];
  const index = createPolicyIndex([]);
  const world = createAdmissionWorld({
    policies: { index: () => index, inForce: () => [], get: () => undefined },
    namespaces,
    credentials,
    accounts,
    emergencyAccesses,
    contents: (name) => contents.get(name),
    service: () => undefined,
    ownerOfValue(value) {
      asked.push(value);
      return 'trading/maker';
    },
  });
  return { namespaces, credentials, accounts, emergencyAccesses, contents, asked, world };
}

describe('what admission knows of the cluster', () => {
  it('tells what a namespace is by its labels, and forgets it with them', () => {
    const { namespaces, world } = scene();
    expect(world.guardedNamespaces()).toEqual([]);
    namespaces.put(
      namespace('trading', {
        'strongroom.dev/guarded': 'true',
        'strongroom.dev/environment': 'Production',
      }),
    );
    namespaces.put(namespace('odd', { 'strongroom.dev/guarded': 'True' }));
    namespaces.put(namespace('typo', { 'strongroom.dev/environment': 'Prod' }));
    const trading = {
      name: 'trading',
      uid: 'uid-trading',
      isGuarded: true,
      environment: 'Production',
      isDeleting: false,
    };
    expect(world.namespace('trading')).toEqual(trading);
    expect(world.guardedNamespaces()).toEqual([trading]);
    expect(world.namespace('odd')).toMatchObject({ isGuarded: false });
    expect(world.namespace('typo')).not.toHaveProperty('environment');
    namespaces.put(namespace('trading', {}, '2'));
    expect(world.guardedNamespaces()).toEqual([]);
  });

  it('lists the credentials of a namespace, also after a change', () => {
    const { credentials, world } = scene();
    expect(world.credentials('trading')).toEqual([]);
    credentials.put(credential('maker', 'keys'));
    const before = world.credentials('trading');
    expect(before.map(({ metadata }) => metadata.name)).toEqual(['maker']);
    expect(world.credentials('trading')).toBe(before);
    credentials.put(credential('taker', 'keys'));
    expect(world.credentials('trading')).toHaveLength(2);
    credentials.remove(credential('maker', 'keys'));
    expect(world.credentials('trading')).toHaveLength(1);
    credentials.remove(credential('taker', 'keys'));
    expect(world.credentials('trading')).toEqual([]);
  });

  it('finds credentials by the Secret that holds their values', () => {
    const { credentials, world } = scene();
    credentials.put(credential('maker', 'keys'));
    credentials.put(credential('taker', 'keys'));
    const found = world.credentialsOfSecret('trading', 'keys');
    expect(found.map(({ metadata }) => metadata.name).sort()).toEqual(['maker', 'taker']);
    expect(world.credentialsOfSecret('other', 'keys')).toEqual([]);
    credentials.put(credential('taker', 'elsewhere', '2'));
    expect(world.credentialsOfSecret('trading', 'keys')).toHaveLength(1);
  });

  it('takes a Secret for managed only when its owner exists', () => {
    const { credentials, contents, world } = scene();
    const secrets = [
      managedSecret('keys', 'maker', 'uid-maker'),
      managedSecret('of-a-predecessor', 'maker', 'uid-before'),
      managedSecret('of-nobody', 'nobody', 'uid-nobody'),
    ];
    contents.set('trading', {
      pod: () => undefined,
      pods: () => [],
      podsOnNode: () => [],
      managedSecret: (name) => secrets.find(({ metadata }) => metadata.name === name),
    });
    credentials.put(credential('maker', 'keys'));
    expect(world.ownerOfSecret('trading', 'keys')).toBe('maker');
    expect(world.ownerOfSecret('trading', 'of-a-predecessor')).toBeUndefined();
    expect(world.ownerOfSecret('trading', 'of-nobody')).toBeUndefined();
    expect(world.ownerOfSecret('other', 'keys')).toBeUndefined();
  });

  it('names the Secrets that a ServiceAccount carries', () => {
    const { accounts, world } = scene();
    accounts.put({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'bot', namespace: 'trading' },
      imagePullSecrets: [{ name: 'pull' }, {}],
      secrets: [{ name: 'token' }],
    });
    expect(world.account('trading', 'bot')).toEqual({
      imagePullSecrets: ['pull'],
      secrets: ['token'],
    });
    expect(world.account('trading', 'other')).toBeUndefined();
  });

  it('finds pods by node in guarded namespaces alone', () => {
    const { namespaces, contents, world } = scene();
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bot' } } as Pod;
    const holding: GuardedContents = {
      pod: () => pod,
      pods: () => [pod],
      podsOnNode: (node) => (node === 'node-1' ? [pod] : []),
      managedSecret: () => undefined,
    };
    expect(world.knowsPods('trading')).toBe(false);
    contents.set('trading', holding);
    expect(world.knowsPods('trading')).toBe(true);
    expect(world.podsOnNode('node-1')).toEqual([]);
    namespaces.put(namespace('trading', { 'strongroom.dev/guarded': 'true' }));
    expect(world.podsOnNode('node-1')).toEqual([pod]);
    expect(world.podsOnNode('node-2')).toEqual([]);
    expect(world.pods('unknown')).toEqual([]);
    expect(world.pod('unknown', 'bot')).toBeUndefined();
  });

  it('finds emergency accesses by who is their subject, as the API server names it', () => {
    const { emergencyAccesses, world } = scene();
    expect(world.emergencyAccessesOf('alice')).toEqual([]);
    const [one, two] = [
      emergency('one', 'User', 'alice'),
      emergency('two', 'ServiceAccount', 'bot'),
    ];
    emergencyAccesses.put(one);
    emergencyAccesses.put(two);
    expect(world.emergencyAccessesOf('alice')).toEqual([one]);
    expect(world.emergencyAccessesOf('system:serviceaccount:trading:bot')).toEqual([two]);
    expect(world.emergencyAccesses('trading')).toEqual([one, two]);
    emergencyAccesses.remove(one);
    expect(world.emergencyAccessesOf('alice')).toEqual([]);
  });

  it('looks no value up that could be guessed', () => {
    const { asked, world } = scene();
    expect(world.ownerOfValue(Buffer.alloc(15))).toBeUndefined();
    expect(asked).toEqual([]);
    expect(world.ownerOfValue(Buffer.alloc(16))).toBe('trading/maker');
  });
});
