import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type {
  ExchangeCredential,
  ExchangeCredentialSpec,
} from '../../src/api/exchange-credential.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Secret } from '../../src/kube/objects.ts';
import { EVENTS, NAMESPACES, PODS, ROLE_BINDINGS, SECRETS } from '../../src/kube/resources.ts';
import { SecretBytes } from '../../src/vault/secret-bytes.ts';
import { seal } from '../../src/vault/sealing.ts';
import { entryName } from '../../src/vault/stored-entry.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { startCredentialsOperator } from './credentials-operator.ts';
import type { CredentialsOperator } from './credentials-operator.ts';

const GUARDED = { 'strongroom.dev/guarded': 'true' };

describe('credentials in a real cluster', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  let operatorNamespace: TestNamespace;
  let operator: CredentialsOperator;
  let namespace: TestNamespace;

  beforeAll(async () => {
    client = cleanup.use(await connect());
    operatorNamespace = cleanup.use(await createNamespace(client, 'strongroom'));
  });
  afterAll(() => cleanup.disposeAsync());
  beforeEach(async () => {
    namespace = await createNamespace(client, 'trading', GUARDED);
    operator = await startCredentialsOperator(client, operatorNamespace.name);
  });
  afterEach(async () => {
    await operator[Symbol.asyncDispose]();
    // A test may have ended it already.
    await Promise.resolve(namespace[Symbol.asyncDispose]()).catch(() => undefined);
  });

  const at = (name: string) => ({ namespace: namespace.name, name });

  async function sealFor(name: string, value: string, field = 'privateKey'): Promise<string> {
    using bytes = SecretBytes.fromUtf8(value);
    const target = { ...at(name), field, exchange: 'Hyperliquid', scope: 'strict' as const };
    return await seal(bytes, target, operator.keyring().active);
  }

  async function create(
    name: string,
    source: ExchangeCredentialSpec['source'],
    spec: Partial<ExchangeCredentialSpec> = {},
  ): Promise<ExchangeCredential> {
    return client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'ExchangeCredential',
      metadata: at(name),
      spec: {
        exchange: 'Hyperliquid',
        type: 'PrivateKey',
        environment: 'Production',
        owner: 'market-making',
        source,
        delivery: { secret: { name: `${name}-secret`, keys: { privateKey: 'KEY' } } },
        ...spec,
      },
    });
  }

  async function patch(name: string, body: unknown): Promise<void> {
    await client.mergePatch(EXCHANGE_CREDENTIALS, at(name), body);
  }

  const annotate = (name: string, annotations: Record<string, string>): Promise<void> =>
    patch(name, { metadata: { annotations } });

  function secretOf(name: string): Promise<Secret | undefined> {
    return client.find(SECRETS, at(`${name}-secret`));
  }

  function valueIn(secret: Secret | undefined, key = 'KEY'): string | undefined {
    const encoded = secret?.data?.[key];
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  }

  const delivered = (name: string, value: string): Promise<true> =>
    eventually(async () => valueIn(await secretOf(name)) === value, {
      what: `${name} to be delivered`,
    });

  const withdrawn = (name: string): Promise<true> =>
    eventually(async () => (await secretOf(name)) === undefined, {
      what: `${name} to be withdrawn`,
    });

  /** Waits until a condition has a reason; returns the object as of then. */
  async function reaches(
    name: string,
    type: string,
    status: string,
    reason: string,
  ): Promise<ExchangeCredential> {
    let seen: unknown;
    return eventually<ExchangeCredential | undefined>(
      async () => {
        const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at(name));
        const condition = found.status?.conditions?.find((c) => c.type === type);
        seen = found.status?.conditions;
        return condition?.status === status && condition.reason === reason ? found : undefined;
      },
      { what: `${name} ${type}=${status} ${reason}`, timeoutMs: 15_000 },
    ).catch((error: unknown) => {
      throw new Error(`seen: ${JSON.stringify(seen)}`, { cause: error });
    });
  }

  const ready = (name: string): Promise<ExchangeCredential> =>
    reaches(name, 'Ready', 'True', 'UpToDate');

  function states(credential: ExchangeCredential): Record<number, string> {
    return Object.fromEntries((credential.status?.versions ?? []).map((v) => [v.version, v.state]));
  }

  async function eventReasons(name: string): Promise<readonly string[]> {
    const { items } = await client.list(EVENTS, { namespace: namespace.name });
    return items.filter((event) => event.regarding?.name === name).map((event) => event.reason);
  }

  const told = (name: string, reason: string): Promise<true> =>
    eventually(async () => (await eventReasons(name)).includes(reason), {
      what: `the Event ${reason}`,
    });

  describe('sealed', () => {
    it('is delivered, owned and told', async () => {
      const sealed = { privateKey: await sealFor('maker', 'first') };
      const created = await create('maker', { sealed });
      const { status } = await ready('maker');
      const secret = await secretOf('maker');
      expect(valueIn(secret)).toBe('first');
      expect(secret).toMatchObject({
        type: 'Opaque',
        metadata: {
          labels: { 'strongroom.dev/credential': 'maker' },
          annotations: { 'strongroom.dev/version': '1' },
          ownerReferences: [{ uid: created.metadata.uid, controller: true }],
        },
      });
      expect(status).toMatchObject({
        observedGeneration: 1,
        currentVersion: 1,
        delivery: { secretName: 'maker-secret', version: 1 },
        source: { sealKeys: [operator.keyring().active.keyId] },
      });
      expect(status?.conditions?.map(({ type, status }) => `${type}=${status}`).sort()).toEqual([
        'Delivered=True',
        'Ready=True',
        'Reconciling=False',
        'SourceReady=True',
        'Stalled=False',
      ]);
      await told('maker', 'SecretDelivered');
      const mine = operator.audited.filter(({ object }) => object.namespace === namespace.name);
      expect(mine.filter((r) => r.outcome === 'Succeeded').map((r) => r.act)).toEqual([
        'RoleBindingCreated',
        'CredentialTakenUp',
        'VersionStaged',
        'VersionPromoted',
        'SecretCreated',
        'SecretDelivered',
      ]);
    });

    it('a changed value is a new version, in the same Secret', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      const before = await secretOf('maker');
      const privateKey = await sealFor('maker', 'second');
      await patch('maker', { spec: { source: { sealed: { privateKey } } } });
      await delivered('maker', 'second');
      const after = await eventually(
        async () => {
          const found = await ready('maker');
          return found.status?.currentVersion === 2 ? found : undefined;
        },
        { what: 'version 2' },
      );
      expect(states(after)).toEqual({ 1: 'Previous', 2: 'Current' });
      expect((await secretOf('maker'))?.metadata.uid).toBe(before?.metadata.uid);
    });

    it('the same value sealed anew is no new version', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      const privateKey = await sealFor('maker', 'first');
      await patch('maker', { spec: { source: { sealed: { privateKey } } } });
      const after = await eventually(
        async () => {
          const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at('maker'));
          return found.status?.observedGeneration === 2 ? found : undefined;
        },
        { what: 'generation 2' },
      );
      expect(states(after)).toEqual({ 1: 'Current' });
    });

    it('a moved ciphertext is refused by name, and what is delivered stays', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      const privateKey = await sealFor('taker', 'second');
      await patch('maker', { spec: { source: { sealed: { privateKey } } } });
      const { status } = await reaches('maker', 'Ready', 'False', 'SourceRefused');
      const message = status?.conditions?.find(({ type }) => type === 'Ready')?.message;
      expect(message).toContain('Field "privateKey"');
      expect(message).toContain('taker');
      expect(status?.conditions?.find(({ type }) => type === 'Delivered')?.status).toBe('True');
      expect(valueIn(await secretOf('maker'))).toBe('first');
      await told('maker', 'SourceRefused');
    });

    it('is sealed again for the author while its seal key is not the active one', async () => {
      const old = await sealFor('maker', 'first');
      await create('maker', { sealed: { privateKey: old } });
      await ready('maker');
      await operator.rotateSealKey();
      const active = operator.keyring().active.keyId;
      const resealed = await eventually(
        async () => {
          const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at('maker'));
          return found.status?.resealed;
        },
        { what: 'the resealed values' },
      );
      expect(resealed.keyId).toBe(active);
      expect(resealed.sealed['privateKey']).not.toBe(old);
      await patch('maker', { spec: { source: { sealed: resealed.sealed } } });
      const after = await eventually(
        async () => {
          const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at('maker'));
          return found.status?.resealed === undefined ? found : undefined;
        },
        { what: 'the resealed values to go' },
      );
      expect(states(after)).toEqual({ 1: 'Current' });
    });
  });

  describe('delivery', () => {
    it('leaves a Secret that belongs to someone else alone, and takes its place once it is gone', async () => {
      const foreign = await client.create(SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...at('maker-secret'), labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
        data: { KEY: Buffer.from('theirs').toString('base64') },
      });
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      const { status } = await reaches('maker', 'Ready', 'False', 'ForeignSecret');
      expect(status?.conditions?.find(({ type }) => type === 'Stalled')).toMatchObject({
        status: 'True',
        message: expect.stringContaining('maker-secret'),
      });
      const after = await secretOf('maker');
      expect(after?.metadata.resourceVersion).toBe(foreign.metadata.resourceVersion);
      await client.delete(SECRETS, at('maker-secret'));
      await delivered('maker', 'first');
      await ready('maker');
    });

    it('puts back what was edited by hand, takes out what was added, and tells', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      const evil = Buffer.from('evil').toString('base64');
      await client.mergePatch(SECRETS, at('maker-secret'), {
        data: { KEY: evil, EXTRA: evil },
        metadata: { labels: { 'strongroom.dev/credential': null, theirs: 'stays' } },
      });
      await eventually(
        async () => {
          const secret = await secretOf('maker');
          return valueIn(secret) === 'first' && Object.keys(secret?.data ?? {}).length === 1;
        },
        { what: 'the repair' },
      );
      const secret = await secretOf('maker');
      expect(secret?.metadata.labels).toEqual({
        'strongroom.dev/credential': 'maker',
        theirs: 'stays',
      });
      await told('maker', 'SecretRepaired');
    });

    it('makes the Secret anew when it was deleted, or cannot be mended', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      await client.delete(SECRETS, at('maker-secret'));
      await delivered('maker', 'first');
      await client.mergePatch(SECRETS, at('maker-secret'), { immutable: true });
      await eventually(
        async () => {
          const secret = await secretOf('maker');
          return valueIn(secret) === 'first' && secret?.immutable !== true;
        },
        { what: 'a mutable Secret' },
      );
      expect(states(await ready('maker'))).toEqual({ 1: 'Current' });
    });

    it('follows its own name, keys and labels', async () => {
      const sealed = { privateKey: await sealFor('maker', 'first') };
      await create('maker', { sealed });
      await ready('maker');
      await patch('maker', {
        spec: {
          delivery: {
            secret: { name: 'renamed', keys: { privateKey: 'OTHER' }, labels: { desk: 'mm' } },
          },
        },
      });
      await withdrawn('maker');
      const renamed = await client.get(SECRETS, at('renamed'));
      expect(valueIn(renamed, 'OTHER')).toBe('first');
      expect(renamed.metadata.labels?.['desk']).toBe('mm');
      await patch('maker', {
        spec: { delivery: { secret: { keys: { privateKey: 'THIRD' }, labels: { desk: null } } } },
      });
      await eventually(
        async () => {
          const { data, metadata } = await client.get(SECRETS, at('renamed'));
          return (
            Object.keys(data ?? {}).join(',') === 'THIRD' && metadata.labels?.['desk'] === undefined
          );
        },
        { what: 'the new key and no label' },
      );
    });
  });

  describe('secretRef', () => {
    const source = { secretRef: { name: 'import-me', afterImport: 'Delete' as const } };

    async function putSource(value: string | Uint8Array, type = 'Opaque'): Promise<Secret> {
      return client.create(SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: at('import-me'),
        type,
        data: { privateKey: Buffer.from(value).toString('base64') },
      });
    }

    it('is imported, delivered, and deleted once it is stored', async () => {
      await create('maker', source);
      const waiting = await reaches('maker', 'Ready', 'False', 'SourceMissing');
      expect(waiting.status?.conditions?.find((c) => c.type === 'Reconciling')?.status).toBe(
        'True',
      );
      const secret = await putSource('first');
      await delivered('maker', 'first');
      const { status } = await reaches('maker', 'SourceReady', 'True', 'SourceRemoved');
      expect(await client.find(SECRETS, at('import-me'))).toBeUndefined();
      expect(status?.source?.imported).toMatchObject({
        secretUid: secret.metadata.uid,
        removed: true,
      });
      await ready('maker');
      await putSource('second');
      await delivered('maker', 'second');
    });

    it('keeps the source unless told, and follows its changes', async () => {
      await putSource('first');
      await create('maker', { secretRef: { name: 'import-me' } });
      await delivered('maker', 'first');
      await client.mergePatch(SECRETS, at('import-me'), {
        data: { privateKey: Buffer.from('second').toString('base64') },
      });
      await delivered('maker', 'second');
      expect(await client.find(SECRETS, at('import-me'))).toBeDefined();
    });

    it.each([
      ['empty', ''],
      ['UTF-16', Uint8Array.from([0xff, 0xfe, 0x61, 0x00])],
      ['1 MiB', 'a'.repeat(1_000_000)],
      ['with a line break', 'canary-value\n'],
    ])('refuses a value that is %s, and keeps it where it was', async (_, value) => {
      await putSource(value);
      await create('maker', source);
      const { status } = await reaches('maker', 'Ready', 'False', 'SourceRefused');
      expect(JSON.stringify(status)).not.toContain('canary-value');
      expect(await client.find(SECRETS, at('import-me'))).toBeDefined();
      expect(await secretOf('maker')).toBeUndefined();
    });
  });

  describe('generate', () => {
    it('gives the stored value to an object that was deleted and made anew', async () => {
      await create('maker', { generate: {} });
      await ready('maker');
      const value = valueIn(await secretOf('maker'));
      expect(value).toMatch(/^0x[0-9a-f]{64}$/);
      await client.delete(EXCHANGE_CREDENTIALS, at('maker'));
      await withdrawn('maker');
      await eventually(
        async () =>
          (await client.find<ExchangeCredential>(EXCHANGE_CREDENTIALS, at('maker'))) === undefined,
        { what: 'the object to go' },
      );
      await create('maker', { generate: {} });
      const { status } = await ready('maker');
      expect(valueIn(await secretOf('maker'))).toBe(value);
      expect(status?.currentVersion).toBe(1);
    });

    it('makes a new value when asked, once', async () => {
      await create('maker', { generate: {} });
      await ready('maker');
      const first = valueIn(await secretOf('maker'));
      await annotate('maker', { 'strongroom.dev/rotate': 'r1', 'strongroom.dev/reason': 'drill' });
      const after = await eventually(
        async () => {
          const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at('maker'));
          return found.status?.handledRequests?.rotate === 'r1' ? found : undefined;
        },
        { what: 'the rotation' },
      );
      expect(states(after)).toEqual({ 1: 'Previous', 2: 'Current' });
      expect(valueIn(await secretOf('maker'))).not.toBe(first);
      const staged = operator.audited.filter(
        (r) => r.act === 'VersionStaged' && r.reason === 'drill',
      );
      expect(staged.map((r) => r.outcome)).toEqual(['Intended', 'Succeeded']);
    });
  });

  describe('states and requests', () => {
    it('Suspended withdraws and keeps; Active delivers again; Revoked ends for good', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      await patch('maker', { spec: { state: 'Suspended' } });
      await withdrawn('maker');
      const suspended = await reaches('maker', 'Ready', 'False', 'Suspended');
      expect(states(suspended)).toEqual({ 1: 'Current' });
      await patch('maker', { spec: { state: 'Active' } });
      await delivered('maker', 'first');
      await patch('maker', { spec: { state: 'Revoked' } });
      await withdrawn('maker');
      const revoked = await reaches('maker', 'Ready', 'False', 'Revoked');
      expect(states(revoked)).toEqual({ 1: 'Revoked' });
    });

    it('rolls back, holds the source until it differs, then takes it', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      const second = await sealFor('maker', 'second');
      await patch('maker', { spec: { source: { sealed: { privateKey: second } } } });
      await delivered('maker', 'second');
      await annotate('maker', { 'strongroom.dev/rollback-to': '1/oops' });
      await delivered('maker', 'first');
      const held = await reaches('maker', 'SourceReady', 'False', 'SourceHeld');
      expect(held.status?.handledRequests?.rollbackTo).toBe('1/oops');
      expect(states(held)).toEqual({ 1: 'Current', 2: 'Previous' });
      const third = await sealFor('maker', 'third');
      await patch('maker', { spec: { source: { sealed: { privateKey: third } } } });
      await delivered('maker', 'third');
    });

    it('ends a revoked version, does not take its value again, and takes another', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      await annotate('maker', { 'strongroom.dev/revoke': '1' });
      await withdrawn('maker');
      await reaches('maker', 'SourceReady', 'False', 'SourceHeld');
      await reaches('maker', 'Ready', 'False', 'CurrentVersionRevoked');
      await patch('maker', {
        spec: { source: { sealed: { privateKey: await sealFor('maker', 'second') } } },
      });
      await delivered('maker', 'second');
      expect(states(await ready('maker'))).toEqual({ 1: 'Revoked', 2: 'Current' });
    });

    it('refuses a request for a version that is not there, and says so', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      await annotate('maker', { 'strongroom.dev/rollback-to': '7' });
      await told('maker', 'RequestRefused');
      expect(operator.audited).toContainEqual(
        expect.objectContaining({ act: 'RequestRefused', decision: 'Deny' }),
      );
      await ready('maker');
    });
  });

  describe('the vault attacked', () => {
    const entryAt = (name: string) => ({
      namespace: operatorNamespace.name,
      name: entryName(at(name)),
    });

    async function twoVersions(name: string): Promise<Secret> {
      await create(name, { sealed: { privateKey: await sealFor(name, 'first') } });
      await ready(name);
      const copy = await client.get(SECRETS, entryAt(name));
      await patch(name, {
        spec: { source: { sealed: { privateKey: await sealFor(name, 'second') } } },
      });
      await delivered(name, 'second');
      await eventually(async () => (await ready(name)).status?.currentVersion === 2, {
        what: 'version 2',
      });
      return copy;
    }

    /** What is still delivered, from a Secret that nobody touched. */
    async function isStalled(name: string, reason: string): Promise<string | undefined> {
      const before = await secretOf(name);
      await reaches(name, 'Stalled', 'True', reason);
      const third = await sealFor(name, 'third');
      await patch(name, { spec: { source: { sealed: { privateKey: third } } } });
      await eventually(
        async () => {
          const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at(name));
          return found.status?.observedGeneration === found.metadata.generation;
        },
        { what: 'the new generation to be seen' },
      );
      const after = await secretOf(name);
      expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
      return valueIn(after);
    }

    it('finds a table that was tampered with', async () => {
      await twoVersions('maker');
      const { data } = await client.get(SECRETS, entryAt('maker'));
      const table = Buffer.from(data?.['table'] ?? '', 'base64').toString();
      const forged = Buffer.from(table.replace('"Previous"', '"Revoked"')).toString('base64');
      await client.mergePatch(SECRETS, entryAt('maker'), { data: { table: forged } });
      expect(await isStalled('maker', 'VaultTampered')).toBe('second');
    });

    it('finds a ciphertext that was tampered with', async () => {
      await twoVersions('maker');
      const { data } = await client.get(SECRETS, entryAt('maker'));
      const other = data?.['data.1.privateKey'];
      await client.mergePatch(SECRETS, entryAt('maker'), { data: { 'data.2.privateKey': other } });
      expect(await isStalled('maker', 'VaultTampered')).toBe('second');
    });

    it("finds another credential's entry in the place of its own", async () => {
      await twoVersions('maker');
      await twoVersions('taker');
      const { data } = await client.get(SECRETS, entryAt('taker'));
      const { metadata, ...entry } = await client.get(SECRETS, entryAt('maker'));
      await client.replace(SECRETS, {
        ...entry,
        metadata,
        ...(data === undefined ? {} : { data }),
      });
      expect(await isStalled('maker', 'VaultSwapped')).toBe('second');
      await ready('taker');
    });

    it('finds an older copy of itself, also after a restart', async () => {
      const { data } = await twoVersions('maker');
      await operator[Symbol.asyncDispose]();
      const { metadata, ...entry } = await client.get(SECRETS, entryAt('maker'));
      await client.replace(SECRETS, {
        ...entry,
        metadata,
        ...(data === undefined ? {} : { data }),
      });
      operator = await startCredentialsOperator(client, operatorNamespace.name);
      expect(await isStalled('maker', 'VaultRolledBack')).toBe('second');
    });

    it('finds that its entry is gone, and heals when it is restored', async () => {
      await twoVersions('maker');
      const { metadata, ...entry } = await client.get(SECRETS, entryAt('maker'));
      await client.delete(SECRETS, entryAt('maker'));
      expect(await isStalled('maker', 'VaultEntryMissing')).toBe('second');
      const { name, namespace, labels } = metadata;
      await client.create(SECRETS, {
        ...entry,
        metadata: {
          name,
          ...(namespace === undefined ? {} : { namespace }),
          ...(labels === undefined ? {} : { labels }),
        },
      });
      await delivered('maker', 'third');
    });
  });

  describe('namespaces', () => {
    it('does nothing where it is not guarded, and begins and ends with the label', async () => {
      const label = (value: string | null) =>
        client.mergePatch(
          NAMESPACES,
          { name: namespace.name },
          {
            metadata: { labels: { 'strongroom.dev/guarded': value } },
          },
        );
      await label(null);
      await eventually(
        async () => (await client.find(ROLE_BINDINGS, at('strongroom'))) === undefined,
        { what: 'the RoleBinding to go' },
      );
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      const found = await reaches('maker', 'Ready', 'False', 'NamespaceNotGuarded');
      expect(found.metadata.finalizers ?? []).toEqual([]);
      expect(await secretOf('maker')).toBeUndefined();
      await label('true');
      await delivered('maker', 'first');
      expect(await client.find(ROLE_BINDINGS, at('strongroom'))).toMatchObject({
        roleRef: { kind: 'ClusterRole', name: 'strongroom-guarded-namespace' },
        subjects: [
          {
            kind: 'ServiceAccount',
            name: 'strongroom-operator',
            namespace: operatorNamespace.name,
          },
        ],
      });
    });

    it('leaves what is delivered when it is not guarded any more, and lets the object go', async () => {
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await ready('maker');
      await client.mergePatch(
        NAMESPACES,
        { name: namespace.name },
        { metadata: { labels: { 'strongroom.dev/guarded': null } } },
      );
      await reaches('maker', 'Ready', 'False', 'NamespaceNotGuarded');
      expect(valueIn(await secretOf('maker'))).toBe('first');
      await client.delete(EXCHANGE_CREDENTIALS, at('maker'));
      // By its owner reference: the operator may not touch it any more.
      await withdrawn('maker');
    });

    it("does not guard the operator's own namespace, where the vault's keys are", async () => {
      const own = operatorNamespace.name;
      await client.mergePatch(
        NAMESPACES,
        { name: own },
        { metadata: { labels: { 'strongroom.dev/guarded': 'true' } } },
      );
      const found = await client.get<ExchangeCredential>(
        EXCHANGE_CREDENTIALS,
        (await create('maker', { generate: {} })).metadata,
      );
      await client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
        ...found,
        metadata: { namespace: own, name: 'thief' },
        spec: {
          ...found.spec,
          source: { secretRef: { name: 'strongroom-kek-1', keys: { privateKey: 'key' } } },
        },
      });
      const thief = await eventually(
        async () => {
          const seen = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
            namespace: own,
            name: 'thief',
          });
          return seen.status?.conditions?.find(({ type }) => type === 'Ready');
        },
        { what: 'the verdict' },
      );
      expect(thief).toMatchObject({ status: 'False', reason: 'NamespaceNotGuarded' });
      expect(await client.find(SECRETS, { namespace: own, name: 'maker-secret' })).toBeUndefined();
    });

    it('refuses an environment that is not that of the namespace', async () => {
      await client.mergePatch(
        NAMESPACES,
        { name: namespace.name },
        {
          metadata: { labels: { 'strongroom.dev/environment': 'Staging' } },
        },
      );
      await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
      await reaches('maker', 'Ready', 'False', 'EnvironmentMismatch');
      expect(await secretOf('maker')).toBeUndefined();
    });

    it.each(['Retain', 'Revoke', 'Delete'] as const)(
      'lets a namespace with a credential of deletionPolicy %s go',
      async (deletionPolicy) => {
        await create('maker', { generate: {} }, { deletionPolicy });
        await ready('maker');
        await client.delete(NAMESPACES, { name: namespace.name });
        await eventually(
          async () => (await client.find(NAMESPACES, { name: namespace.name })) === undefined,
          { what: 'the namespace to go', timeoutMs: 60_000 },
        );
        const entry = await client.find(SECRETS, {
          namespace: operatorNamespace.name,
          name: entryName(at('maker')),
        });
        expect(entry === undefined).toBe(deletionPolicy === 'Delete');
      },
    );

    it('does not give a former namespace’s versions to its successor, until told', async () => {
      await create('maker', { generate: {} });
      await ready('maker');
      const value = valueIn(await secretOf('maker'));
      const former = namespace;
      await client.delete(NAMESPACES, { name: former.name });
      await eventually(
        async () => (await client.find(NAMESPACES, { name: former.name })) === undefined,
        { what: 'the namespace to go', timeoutMs: 60_000 },
      );
      await client.create(NAMESPACES, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: former.name, labels: GUARDED },
      });
      await create('maker', { generate: {} });
      await reaches('maker', 'Stalled', 'True', 'NamespaceReplaced');
      expect(await secretOf('maker')).toBeUndefined();
      await annotate('maker', { 'strongroom.dev/adopt': former.uid });
      await delivered('maker', value ?? '');
    });
  });

  it('reports the pods that use a Secret', async () => {
    await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
    await ready('maker');
    await client.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: at('bot'),
      spec: {
        containers: [
          {
            name: 'bot',
            image: 'bot',
            volumeMounts: [{ name: 'keys', mountPath: '/keys' }],
            env: [
              { name: 'KEY', valueFrom: { secretKeyRef: { name: 'maker-secret', key: 'KEY' } } },
            ],
          },
        ],
        volumes: [{ name: 'keys', secret: { secretName: 'maker-secret' } }],
      } as never,
    });
    const status = await eventually(
      async () => {
        const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at('maker'));
        return found.status?.consumerCount === 1 ? found.status : undefined;
      },
      { what: 'the pod in status' },
    );
    expect(status.consumers?.map(({ pod, use, evidence }) => ({ pod, use, evidence }))).toEqual([
      { pod: 'bot', use: 'Environment', evidence: 'Unknown' },
      { pod: 'bot', use: 'Volume', evidence: 'Unknown' },
    ]);
  });

  it('settles: nothing is written once all is as it should be', async () => {
    await create('maker', { sealed: { privateKey: await sealFor('maker', 'first') } });
    await ready('maker');
    const versionOf = async (): Promise<string> =>
      [
        (await client.get(EXCHANGE_CREDENTIALS, at('maker'))).metadata.resourceVersion,
        (await secretOf('maker'))?.metadata.resourceVersion,
        (
          await client.get(SECRETS, {
            namespace: operatorNamespace.name,
            name: entryName(at('maker')),
          })
        ).metadata.resourceVersion,
      ].join();
    const before = await eventually(
      async () => {
        const first = await versionOf();
        const looks = operator.audited.length;
        return first === (await versionOf()) && looks === operator.audited.length
          ? first
          : undefined;
      },
      { what: 'a quiet moment' },
    );
    // Two other credentials come and go by, which takes several periods of looking again.
    for (const name of [`a-${randomBytes(2).toString('hex')}`, 'b']) {
      await create(name, { generate: {} });
      await ready(name);
    }
    await operator[Symbol.asyncDispose]();
    operator = await startCredentialsOperator(client, operatorNamespace.name);
    await create('c', { generate: {} });
    await ready('c');
    expect(await versionOf()).toBe(before);
  });
});
