import { describe, expect, it } from 'vitest';
import { createPolicyIndex } from '#access/policy-index.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { NamespaceAccessSpec } from '#api/namespace-access.ts';
import type { KubeObject, Namespace, Pod, ServiceAccount } from '#kube/objects.ts';
import { createStore } from '#runtime/store.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
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
  const written = new Map<string, NamespaceAccessSpec>();
  const podHandlers: ((namespace: string) => void)[] = [];
  const clock = createFakeClock();
  const index = createPolicyIndex([]);
  const world = createAdmissionWorld({
    policies: { index: () => index, inForce: () => [], get: () => undefined },
    namespaces,
    credentials,
    accounts,
    emergencyAccesses,
    contents: (name) => contents.get(name),
    onPods: (handler) => void podHandlers.push(handler),
    writtenAccess: (name) => written.get(name),
    now: clock.monotonicMs,
    service: () => undefined,
    ownerOfValue(value) {
      asked.push(value);
      return 'trading/maker';
    },
  });
  /** The pods of `trading`, as of now. */
  function run(pods: readonly Pod[]): void {
    contents.set('trading', {
      pod: (name) => pods.find(({ metadata }) => metadata.name === name),
      pods: () => pods,
      podsOnNode: () => [],
    });
    for (const handler of podHandlers) handler('trading');
  }
  return {
    namespaces,
    credentials,
    accounts,
    emergencyAccesses,
    contents,
    asked,
    written,
    clock,
    run,
    world,
  };
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

  it('names the Secrets that a ServiceAccount pulls with', () => {
    const { accounts, world } = scene();
    accounts.put({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'bot', namespace: 'trading' },
      imagePullSecrets: [{ name: 'pull' }, {}],
    });
    expect(world.account('trading', 'bot')).toEqual({ imagePullSecrets: ['pull'] });
    expect(world.account('trading', 'other')).toBeUndefined();
  });

  it('finds pods by node in guarded namespaces alone', () => {
    const { namespaces, contents, world } = scene();
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bot' } } as Pod;
    const holding: GuardedContents = {
      pod: () => pod,
      pods: () => [pod],
      podsOnNode: (node) => (node === 'node-1' ? [pod] : []),
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

  describe('Secrets that were guarded once', () => {
    const using = (secret: string, phase = 'Running'): Pod => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `uses-${secret}`, namespace: 'trading' },
      spec: { containers: [], volumes: [{ name: 'key', secret: { secretName: secret } }] },
      status: { phase },
    });

    it('are remembered from the moment that the name changes or the credential goes', () => {
      const { credentials, world, run } = scene();
      run([using('keys'), using('new-keys')]);
      credentials.put(credential('maker', 'keys'));
      expect(world.wasGuarded('trading', 'keys')).toBe(false);
      credentials.put(credential('maker', 'new-keys', '2'));
      expect(world.wasGuarded('trading', 'keys')).toBe(true);
      expect(world.wasGuarded('trading', 'new-keys')).toBe(false);
      expect(world.wasGuarded('other', 'keys')).toBe(false);
      credentials.remove(credential('maker', 'new-keys', '2'));
      expect(world.formerSecrets('trading')).toEqual(['keys', 'new-keys']);
    });

    it('are none as long as another credential guards the name, or again', () => {
      const { credentials, world, run } = scene();
      run([using('keys')]);
      credentials.put(credential('maker', 'keys'));
      credentials.put(credential('taker', 'keys'));
      credentials.remove(credential('maker', 'keys'));
      expect(world.wasGuarded('trading', 'keys')).toBe(false);
      credentials.remove(credential('taker', 'keys'));
      expect(world.wasGuarded('trading', 'keys')).toBe(true);
      credentials.put(credential('third', 'keys'));
      expect(world.wasGuarded('trading', 'keys')).toBe(false);
      expect(world.formerSecrets('trading')).toEqual([]);
    });

    it('are known to a new process by what the leader wrote, before and after', () => {
      const { written, world, run } = scene();
      run([using('keys'), using('older')]);
      // It stopped between what happened and the next table.
      written.set('trading', { secrets: { keys: [0] }, rules: [{ subjects: {} }] });
      expect(world.wasGuarded('trading', 'keys')).toBe(true);
      written.set('trading', { secrets: {}, formerSecrets: ['keys', 'older', 'unused'] });
      expect(world.wasGuarded('trading', 'older')).toBe(true);
      expect(world.wasGuarded('trading', 'never')).toBe(false);
      expect(world.wasGuarded('trading', 'constructor')).toBe(false);
      expect(world.formerSecrets('trading')).toEqual(['keys', 'older']);
    });

    it('are written down only while live pods use them, and all while pods are not known', () => {
      const { credentials, contents, world, run } = scene();
      credentials.put(credential('maker', 'keys'));
      credentials.remove(credential('maker', 'keys'));
      expect(world.formerSecrets('trading')).toEqual(['keys']);
      run([using('other')]);
      expect(world.formerSecrets('trading')).toEqual([]);
      run([using('keys', 'Failed')]);
      expect(world.formerSecrets('trading')).toEqual([]);
      run([using('keys', 'Pending')]);
      expect(world.formerSecrets('trading')).toEqual(['keys']);
      contents.delete('trading');
      expect(world.formerSecrets('trading')).toEqual(['keys']);
    });

    it('are forgotten when no pod uses them, but not before all pods were heard of', async () => {
      const { credentials, world, run, clock } = scene();
      credentials.put(credential('maker', 'keys'));
      run([using('keys')]);
      credentials.remove(credential('maker', 'keys'));
      run([]);
      expect(world.wasGuarded('trading', 'keys')).toBe(true);
      await clock.advance(60_000);
      run([using('keys')]);
      expect(world.wasGuarded('trading', 'keys')).toBe(true);
      run([]);
      expect(world.wasGuarded('trading', 'keys')).toBe(false);
      run([using('keys')]);
      expect(world.wasGuarded('trading', 'keys')).toBe(false);
    });

    it('are forgotten with the label of the namespace', () => {
      const { namespaces, credentials, world, run } = scene();
      const guarded = { 'strongroom.dev/guarded': 'true' };
      namespaces.put(namespace('trading', guarded));
      run([using('keys')]);
      credentials.put(credential('maker', 'keys'));
      credentials.remove(credential('maker', 'keys'));
      namespaces.put(namespace('trading', { ...guarded, more: 'true' }, '2'));
      expect(world.wasGuarded('trading', 'keys')).toBe(true);
      namespaces.put(namespace('trading', {}, '3'));
      expect(world.wasGuarded('trading', 'keys')).toBe(false);
    });
  });

  it('looks no value up that could be guessed', () => {
    const { asked, world } = scene();
    expect(world.ownerOfValue(Buffer.alloc(15))).toBeUndefined();
    expect(asked).toEqual([]);
    expect(world.ownerOfValue(Buffer.alloc(16))).toBe('trading/maker');
  });
});
