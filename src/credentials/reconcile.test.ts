import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { AuditRecord } from '#audit/audit.ts';
import type { Pod, Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import { createController } from '#runtime/controller.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import type { EventInput } from '#runtime/events.ts';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import type { VaultEntry } from '#vault/entry.ts';
import { createLocalKeyProvider } from '#vault/providers/local.ts';
import { createVault } from '#vault/store.ts';
import { loadVaultKeys } from '#vault/vault-keys.ts';
import { secretsUsedBy } from './consumers.ts';
import { DEFAULT_OPTIONS } from './deps.ts';
import { controllingUid, identityOf } from './delivery.ts';
import { createCredentialMetrics } from './metrics.ts';
import { createReconciler } from './reconcile.ts';
import { createMemoryCluster } from './testing/memory-cluster.ts';

const OPERATOR = 'strongroom-system';
const NAMESPACE = 'trading';
const KEY = `${NAMESPACE}/maker`;
const at = (name: string) => ({ namespace: NAMESPACE, name });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A cluster in memory, the real vault and the real reconciler, which can be killed and restarted. */
async function createWorld() {
  const clock = createFakeClock();
  const cluster = createMemoryCluster(clock.now);
  const { client } = cluster;
  const keyProvider = await createLocalKeyProvider({ client, namespace: OPERATOR });
  const keys = await loadVaultKeys({ client, namespace: OPERATOR, keyProvider });
  const audited: AuditRecord[] = [];
  const events: EventInput[] = [];
  let generated = 0;
  let pods: readonly Pod[] = [];
  let rights: ReadonlySet<string> = new Set();
  const unsettled: boolean[] = [];
  const hooks = new Map<string, () => void>();
  let reconcile: (key: string, context: ReconcileContext) => Promise<Result>;

  /** A new process: it knows nothing but what is stored. */
  function start(): void {
    cluster.dieAfter(undefined);
    reconcile = createReconciler({
      client,
      vault: createVault({ client, namespace: OPERATOR, keyProvider, keys }),
      keyring: () => {
        throw new Error('no sealed values here');
      },
      async audit(record) {
        audited.push(record);
        hooks.get(record.act)?.();
      },
      events: { emit: (event) => void events.push(event), flush: async () => undefined },
      clock,
      random: () => 0.5,
      // Different every time, and after a restart too: a value made twice would be noticed.
      entropy(bytes) {
        generated += 1;
        return createHash('sha512').update(String(generated)).digest().subarray(0, bytes);
      },
      log: silentLogger,
      operator: { namespace: OPERATOR, serviceAccount: 'strongroom-operator', instance: 'test' },
      options: DEFAULT_OPTIONS,
      metrics: createCredentialMetrics(new Registry()),
      surroundings: {
        namespace: (name) => ({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name, uid: 'namespace-uid', labels: { 'strongroom.dev/guarded': 'true' } },
        }),
        guarded: () => ({
          secretsOwnedBy: (uid) =>
            (cluster.all(SECRETS) as unknown as Secret[])
              .filter((secret) => controllingUid(secret) === uid)
              .map(identityOf),
          podsUsing: (secret) => pods.filter((pod) => secretsUsedBy(pod).includes(secret)),
          pods: () => [],
          pod: () => undefined,
          podsOnNode: () => [],
        }),
        isPreparing: () => false,
      },
      onForbidden: () => undefined,
      onPodsWithoutRight: (_namespace, _name, areThere) => void unsettled.push(areThere),
      podRights: { secretsOf: secretsUsedBy, mayMount: (_, account) => rights.has(account) },
    });
  }
  start();

  function look(): Promise<Result> {
    const signal = new AbortController().signal;
    return reconcile(KEY, { signal, log: silentLogger, reconcileId: 'test' });
  }

  return {
    client,
    cluster,
    reconcile: (key: string, context: ReconcileContext) => reconcile(key, context),
    audited,
    events,
    clock,
    unsettled,
    run(next: readonly Pod[]): void {
      pods = next;
    },
    when(act: string, happens: () => void): void {
      hooks.set(act, happens);
    },
    allow(...accounts: readonly string[]): void {
      rights = new Set(accounts);
    },
    start,
    look,
    /** Looks until nothing is written any more. */
    async settle(): Promise<void> {
      for (let looks = 0; looks < 20; looks += 1) {
        const before = cluster.writes;
        await look();
        if (cluster.writes === before) return;
      }
      throw new Error('does not settle');
    },
    async put(value: string): Promise<void> {
      const found = await client.find<Secret>(SECRETS, at('import-me'));
      const secret = { apiVersion: 'v1', kind: 'Secret', data: { privateKey: base64(value) } };
      if (found === undefined) {
        await client.create<Secret>(SECRETS, { ...secret, metadata: at('import-me') });
      } else {
        await client.replace<Secret>(SECRETS, { ...secret, metadata: found.metadata });
      }
    },
    async create(source: ExchangeCredential['spec']['source']): Promise<void> {
      const found = await client.find(EXCHANGE_CREDENTIALS, at('maker'));
      if (found !== undefined) return;
      await client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'ExchangeCredential',
        metadata: at('maker'),
        spec: {
          exchange: 'Hyperliquid',
          type: 'PrivateKey',
          environment: 'Production',
          owner: 'market-making',
          source,
          delivery: { secret: { name: 'maker-secret', keys: { privateKey: 'KEY' } } },
        },
      });
    },
    async patch(body: unknown): Promise<void> {
      const found = await client.find(EXCHANGE_CREDENTIALS, at('maker'));
      if (found !== undefined) await client.mergePatch(EXCHANGE_CREDENTIALS, at('maker'), body);
    },
    async remove(): Promise<void> {
      const found = await client.find(EXCHANGE_CREDENTIALS, at('maker'));
      if (found !== undefined) await client.delete(EXCHANGE_CREDENTIALS, at('maker'));
    },
    async edit(body: unknown): Promise<void> {
      const found = await client.find(SECRETS, at('maker-secret'));
      if (found !== undefined) await client.mergePatch(SECRETS, at('maker-secret'), body);
    },
    async end(): Promise<void> {
      await client[Symbol.asyncDispose]();
    },
  };
}

/** It mounts the Secret under the account, and was there before anybody was asked. */
function podOf(name: string, account: string, secret: string, phase = 'Running'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, uid: `${name}-uid` },
    spec: {
      serviceAccountName: account,
      containers: [],
      volumes: [{ name: 'key', secret: { secretName: secret } }],
    },
    status: { phase },
  };
}

type World = Awaited<ReturnType<typeof createWorld>>;

type Command =
  | { readonly do: 'create' | 'delete' }
  | { readonly do: 'put'; readonly value: number }
  | { readonly do: 'rotate' | 'rollbackTo' | 'revoke'; readonly version: number }
  | { readonly do: 'state'; readonly state: 'Active' | 'Suspended' }
  | { readonly do: 'edit' | 'rename'; readonly to: number };

async function run(world: World, source: ExchangeCredential['spec']['source'], command: Command) {
  const annotate = (name: string, value: string): Promise<void> =>
    world.patch({ metadata: { annotations: { [`strongroom.dev/${name}`]: value } } });
  switch (command.do) {
    case 'create':
      return world.create(source);
    case 'delete':
      return world.remove();
    case 'put':
      return world.put(`value-${command.value}`);
    case 'rotate':
      return annotate('rotate', `request-${command.version}`);
    case 'rollbackTo':
      return annotate('rollback-to', String(command.version));
    case 'revoke':
      return annotate('revoke', String(command.version));
    case 'state':
      return world.patch({ spec: { state: command.state } });
    case 'edit':
      return world.edit({ data: { KEY: base64(`edited-${command.to}`), EXTRA: 'eA==' } });
    case 'rename':
      return world.patch({ spec: { delivery: { secret: { name: `secret-${command.to}` } } } });
  }
}

/** What must be the same however often the process was killed. */
function outcome({ cluster }: World, isGenerated: boolean): unknown {
  const credential = cluster.all(EXCHANGE_CREDENTIALS)[0] as unknown as
    | ExchangeCredential
    | undefined;
  const secrets = cluster.all(SECRETS) as unknown as Secret[];
  const entry = secrets.find(
    ({ metadata }) => metadata.labels?.['strongroom.dev/component'] === 'vault-entry',
  );
  const table = Buffer.from(entry?.data?.['table'] ?? '', 'base64').toString('utf8');
  const { versions = [] } = JSON.parse(table === '' ? '{}' : table) as Partial<VaultEntry>;
  const values = [...new Set(versions.map(({ fingerprint }) => fingerprint))];
  return {
    versions: versions.map(({ version, state, fingerprint, reason }) => ({
      version,
      state,
      reason,
      // Each world has keys of its own; what can be compared is which versions hold the same value.
      value: values.indexOf(fingerprint),
    })),
    delivered: secrets
      .filter(({ metadata }) => metadata.namespace === NAMESPACE)
      .map(({ metadata, data }) => ({
        name: metadata.name,
        version: metadata.annotations?.['strongroom.dev/version'],
        keys: Object.keys(data ?? {}),
        data: isGenerated ? undefined : data,
      }))
      .sort((a, b) => a.name.localeCompare(b.name)),
    conditions: credential?.status?.conditions?.map(({ type, status, reason }) => [
      type,
      status,
      reason,
    ]),
    handled: credential?.status?.handledRequests,
    current: credential?.status?.currentVersion,
  };
}

const version = fc.integer({ min: 1, max: 4 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('put' as const), value: version }) },
  fc.record({
    do: fc.constantFrom('rotate' as const, 'rollbackTo' as const, 'revoke' as const),
    version,
  }),
  fc.record({ do: fc.constantFrom('create' as const, 'delete' as const) }),
  fc.record({
    do: fc.constant('state' as const),
    state: fc.constantFrom('Active' as const, 'Suspended' as const),
  }),
  fc.record({ do: fc.constantFrom('edit' as const, 'rename' as const), to: version }),
);

const sources = {
  kept: { secretRef: { name: 'import-me' } },
  imported: { secretRef: { name: 'import-me', afterImport: 'Delete' } },
  generated: { generate: {} },
} as const;

describe('reconcile', () => {
  it.each(Object.entries(sources))(
    'killed after any write, ends where it would have ended anyway (%s)',
    async (kind, source) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(command, fc.array(fc.nat({ max: 8 }), { maxLength: 3 })), {
            minLength: 1,
            maxLength: 8,
          }),
          async (story) => {
            const calm = await createWorld();
            const rough = await createWorld();
            for (const world of [calm, rough]) {
              await world.put('value-0');
              await world.create(source);
            }
            for (const [next, kills] of [[{ do: 'put', value: 1 }, [1]] as const, ...story]) {
              await run(calm, source, next);
              await calm.settle();
              await run(rough, source, next);
              for (const writes of kills) {
                rough.cluster.dieAfter(writes);
                await rough.look().catch(() => undefined);
                rough.start();
              }
              await rough.settle();
              expect(outcome(rough, kind === 'generated')).toEqual(
                outcome(calm, kind === 'generated'),
              );
            }
            await calm.end();
            await rough.end();
          },
        ),
        { numRuns: 40 },
      );
    },
    120_000,
  );

  it('records every act before it happens, and none that does not', async () => {
    const world = await createWorld();
    await world.put('value-0');
    await world.create(sources.imported);
    await world.settle();
    const acts = world.audited.map(({ act, outcome: result }) => `${act} ${result}`);
    expect(acts).toEqual(
      [
        'CredentialTakenUp',
        'VersionStaged',
        'VersionPromoted',
        'SecretCreated',
        'SecretDelivered',
        'SourceDeleted',
      ].flatMap((act) => [`${act} Intended`, `${act} Succeeded`]),
    );
    expect(JSON.stringify([world.audited, world.events])).not.toContain('value-0');
  });

  it('records who asked for it as the one who acts, where admission stamped that', async () => {
    const world = await createWorld();
    await world.create(sources.generated);
    await world.settle();
    const by = (username: string) => ({ username, uid: `${username}-uid`, groups: ['desk'] });
    const ask = (annotations: Readonly<Record<string, string>>, stamps: object, spec = {}) =>
      world.patch({
        metadata: {
          annotations: {
            ...annotations,
            'strongroom.dev/requested-by': JSON.stringify(stamps),
          },
        },
        spec,
      });
    await ask({ 'strongroom.dev/rotate': '1' }, { 'strongroom.dev/rotate': by('ann') });
    await world.settle();
    await ask({ 'strongroom.dev/rollback-to': '1' }, { 'strongroom.dev/rollback-to': by('bob') });
    await world.settle();
    await ask({ 'strongroom.dev/revoke': '2' }, { 'strongroom.dev/revoke': by('cid') });
    await world.settle();
    await ask({ 'strongroom.dev/revoke': '9' }, { 'strongroom.dev/revoke': by('dan') });
    await world.settle();
    await ask({}, { 'spec.state': by('eve') }, { state: 'Suspended' });
    await world.settle();
    const acted = world.audited
      .filter(({ actor }) => actor.kind === 'User')
      .map(({ act, actor, outcome: result }) => `${actor.name} ${act} ${result}`);
    expect(acted).toEqual([
      'ann VersionStaged Intended',
      'ann VersionStaged Succeeded',
      'bob VersionRolledBack Intended',
      'bob VersionRolledBack Succeeded',
      'cid VersionRevoked Intended',
      'cid VersionRevoked Succeeded',
      'dan RequestRefused Succeeded',
      'eve SecretWithdrawn Intended',
      'eve SecretWithdrawn Succeeded',
    ]);
    expect(world.audited.find(({ actor }) => actor.name === 'ann')?.actor).toEqual({
      kind: 'User',
      name: 'ann',
      uid: 'ann-uid',
      groups: ['desk'],
    });
    // What nobody asked for, and what nobody stamped, is the operator's.
    await ask({ 'strongroom.dev/rollback-to': '1/again' }, {}, { state: 'Active' });
    await world.settle();
    expect(world.audited.at(-1)?.actor).toEqual({ kind: 'Operator', name: 'test' });
    await world.end();
  });

  it('does nothing when the record of it cannot be written', async () => {
    const world = await createWorld();
    await world.put('value-0');
    await world.create(sources.imported);
    world.audited.push = () => {
      throw new Error('disk full');
    };
    const before = world.cluster.writes;
    expect(await world.look()).toMatchObject({ kind: 'retry' });
    const credential = world.cluster.all(EXCHANGE_CREDENTIALS)[0] as unknown as ExchangeCredential;
    expect(credential.metadata.finalizers ?? []).toEqual([]);
    // The failure stands in status, and nothing else was written.
    expect(world.cluster.writes).toBe(before + 1);
    expect(credential.status?.conditions?.find(({ type }) => type === 'Reconciling')).toMatchObject(
      {
        status: 'True',
        reason: 'ReconcileFailed',
      },
    );
  });

  it('looks again at a source Secret within a jittered period', async () => {
    const world = await createWorld();
    await world.put('value-0');
    await world.create(sources.kept);
    await world.settle();
    expect(await world.look()).toEqual({ kind: 'after', ms: 60_000 });
  });

  it('refuses a value that the vault cannot hold, and keeps what is delivered', async () => {
    const world = await createWorld();
    await world.put('value-0');
    await world.create(sources.kept);
    await world.settle();
    await world.put(' value-1');
    await world.settle();
    const credential = world.cluster.all(EXCHANGE_CREDENTIALS)[0] as unknown as ExchangeCredential;
    expect(credential.status?.conditions?.map((c) => [c.type, c.status, c.reason])).toEqual([
      ['Ready', 'False', 'SourceRefused'],
      ['Reconciling', 'False', 'UpToDate'],
      ['Stalled', 'True', 'SourceRefused'],
      ['SourceReady', 'False', 'SourceRefused'],
      ['Delivered', 'True', 'Delivered'],
    ]);
    expect(world.events.filter(({ reason }) => reason === 'SourceRefused')).toHaveLength(1);
    expect(world.audited.filter(({ act }) => act === 'SourceRefused')).toMatchObject([
      { decision: 'Deny' },
    ]);
  });

  it('reaches no namespace but its own and the vault, whatever its fields hold', async () => {
    const name = fc.oneof(
      fc.string({ minLength: 1, maxLength: 30 }),
      fc.constantFrom(
        'other/import-me',
        '../other/secrets/x',
        '..',
        '',
        `${OPERATOR}/strongroom-kek-1`,
      ),
    );
    await fc.assert(
      fc.asyncProperty(name, name, name, name, async (source, target, key, exchangeName) => {
        const world = await createWorld();
        const reached = new Set<string>();
        const client = world.client;
        for (const verb of ['find', 'get', 'mergePatch', 'delete'] as const) {
          const call = client[verb] as (...parameters: unknown[]) => unknown;
          Object.assign(client, {
            [verb](resource: { plural: string }, at: { namespace?: string }, ...rest: unknown[]) {
              reached.add(`${resource.plural} in ${at.namespace}`);
              return call(resource, at, ...rest);
            },
          });
        }
        for (const verb of ['create', 'replace', 'apply'] as const) {
          const call = client[verb] as (...parameters: unknown[]) => unknown;
          Object.assign(client, {
            [verb](resource: { plural: string }, object: Secret, ...rest: unknown[]) {
              reached.add(`${resource.plural} in ${object.metadata.namespace}`);
              return call(resource, object, ...rest);
            },
          });
        }
        await world.put('value-0');
        await world.create({ secretRef: { name: source, keys: { privateKey: key } } });
        await world.patch({
          spec: { delivery: { secret: { name: target } }, exchange: 'Other', exchangeName },
        });
        await world.look().catch(() => undefined);
        await world.look().catch(() => undefined);
        expect([...reached].sort()).toEqual(
          expect.arrayContaining(['exchangecredentials in trading', 'secrets in trading']),
        );
        for (const place of reached) {
          expect([
            'exchangecredentials in trading',
            'secrets in trading',
            `secrets in ${OPERATOR}`,
          ]).toContain(place);
        }
        // In the operator's namespace only its own entry: nothing there bears a name from a field.
        const foreign = world.cluster
          .all(SECRETS)
          .filter(({ metadata }) => metadata.namespace === OPERATOR)
          .filter(({ metadata }) => !/^(xc-|strongroom-)/.test(metadata.name));
        expect(foreign).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('hundreds of credentials do not wait for the one that is poison', async () => {
    const world = await createWorld();
    const { client, cluster } = world;
    await world.create(sources.generated);
    const found = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, at('maker'));
    const names = Array.from({ length: 300 }, (_, i) => `maker-${i}`);
    for (const name of names) {
      await client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
        ...found,
        metadata: at(name),
        spec: { ...found.spec, delivery: { secret: { name } } },
      });
    }
    let poisoned = 0;
    const controller = createController({
      name: 'credentials',
      concurrency: 8,
      clock: world.clock,
      log: silentLogger,
      async reconcile(key, context) {
        if (key !== `${NAMESPACE}/maker-7`) return world.reconcile(key, context);
        poisoned += 1;
        throw new Error('poison');
      },
    });
    const stop = new AbortController();
    const running = controller.run(stop.signal);
    for (const name of names) controller.enqueue(`${NAMESPACE}/${name}`, 'bulk');
    for (let turns = 0; turns < 100 && countDelivered() < 299; turns += 1) {
      // Lets the retries of the poisoned one come in between.
      await world.clock.advance(100);
    }
    expect(countDelivered()).toBe(299);
    expect(poisoned).toBeGreaterThan(3);
    // Its retries become rare, instead of taking a worker for themselves.
    expect(poisoned).toBeLessThan(30);
    stop.abort();
    await running;

    function countDelivered(): number {
      return cluster.all(SECRETS).filter(({ metadata }) => metadata.name.startsWith('maker-'))
        .length;
    }
  }, 60_000);
});

describe('pods that were there before their credential', () => {
  const names = ({ cluster }: World): readonly string[] =>
    cluster
      .all(SECRETS)
      .filter(({ metadata }) => metadata.labels?.['strongroom.dev/credential'] === 'maker')
      .map(({ metadata }) => metadata.name)
      .sort();
  const stored = ({ cluster }: World): ExchangeCredential =>
    cluster.all(EXCHANGE_CREDENTIALS)[0] as unknown as ExchangeCredential;
  const reasonOf = (world: World, type: string): string | undefined =>
    stored(world).status?.conditions?.find((condition) => condition.type === type)?.reason;
  const rename = (world: World, name: string) =>
    world.patch({ spec: { delivery: { secret: { name } } } });

  it('get nothing, whoever they are told to be, until they are gone', async () => {
    const world = await createWorld();
    world.run([podOf('thief', 'default', 'maker-secret'), podOf('bot', 'maker', 'maker-secret')]);
    world.allow('maker');
    await world.create(sources.generated);
    await world.settle();
    expect(names(world)).toEqual([]);
    expect(reasonOf(world, 'Delivered')).toBe('PodsWithoutRight');
    expect(reasonOf(world, 'Ready')).toBe('PodsWithoutRight');
    const told = world.events.filter(({ reason }) => reason === 'PodsWithoutRight');
    expect(told).toHaveLength(1);
    expect(told[0]?.note).toContain('thief (ServiceAccount default)');
    expect(told[0]?.note).not.toContain('bot');
    expect(world.unsettled.at(-1)).toBe(true);

    world.run([podOf('bot', 'maker', 'maker-secret')]);
    await world.settle();
    expect(names(world)).toEqual(['maker-secret']);
    expect(reasonOf(world, 'Ready')).toBe('UpToDate');
    expect(world.unsettled.at(-1)).toBe(false);
  });

  it('get it once a policy lets them', async () => {
    const world = await createWorld();
    world.run([podOf('bot', 'maker', 'maker-secret', 'Pending')]);
    await world.create(sources.generated);
    await world.settle();
    expect(names(world)).toEqual([]);
    world.allow('maker');
    await world.settle();
    expect(names(world)).toEqual(['maker-secret']);
  });

  it('do not count once they have ended, or use another name', async () => {
    const world = await createWorld();
    world.run([
      podOf('done', 'default', 'maker-secret', 'Succeeded'),
      podOf('failed', 'default', 'maker-secret', 'Failed'),
      podOf('other', 'default', 'other-secret'),
    ]);
    await world.create(sources.generated);
    await world.settle();
    expect(names(world)).toEqual(['maker-secret']);
  });

  it('hold up no new name by the former one being taken away, which stays guarded', async () => {
    const world = await createWorld();
    await world.create(sources.generated);
    await world.settle();
    world.run([podOf('thief', 'default', 'secret-2')]);
    await rename(world, 'secret-2');
    await world.settle();
    expect(names(world)).toEqual(['maker-secret']);
    expect(reasonOf(world, 'Delivered')).toBe('PodsWithoutRight');
    expect(stored(world).status?.delivery?.secretName).toBe('maker-secret');

    world.run([]);
    await world.settle();
    expect(names(world)).toEqual(['secret-2']);
    expect(stored(world).status?.delivery?.secretName).toBe('secret-2');
  });

  it('hold up what comes after a suspension, and no rotation or repair before it', async () => {
    const world = await createWorld();
    await world.create(sources.generated);
    await world.settle();
    world.run([podOf('thief', 'default', 'maker-secret')]);
    await world.patch({ metadata: { annotations: { 'strongroom.dev/rotate': '1' } } });
    await world.settle();
    expect(stored(world).status?.delivery?.version).toBe(2);
    expect(stored(world).status?.consumers).toMatchObject([{ pod: 'thief', withoutRight: true }]);
    await world.client.delete(SECRETS, at('maker-secret'));
    await world.settle();
    expect(names(world)).toEqual(['maker-secret']);

    await world.patch({ spec: { state: 'Suspended' } });
    await world.settle();
    await world.patch({ spec: { state: 'Active' } });
    await world.settle();
    expect(names(world)).toEqual([]);
    expect(reasonOf(world, 'Delivered')).toBe('PodsWithoutRight');
  });

  it('are seen as of the delivery, not as of the first look', async () => {
    const world = await createWorld();
    await world.create(sources.generated);
    // It is made while the first version is being stored.
    world.when('VersionStaged', () => world.run([podOf('thief', 'default', 'maker-secret')]));
    await world.settle();
    expect(names(world)).toEqual([]);
  });

  it('never have a value that was not there when they were allowed to, whatever happens', async () => {
    const change = fc.oneof(
      fc.record({
        do: fc.constant('pod' as const),
        secret: fc.constantFrom('maker-secret', 'secret-1', 'secret-2'),
        account: fc.constantFrom('default', 'maker'),
      }),
      fc.record({ do: fc.constant('clear' as const) }),
      fc.record({ do: fc.constant('allow' as const), isAllowed: fc.boolean() }),
      fc.record({ do: fc.constant('rename' as const), to: fc.integer({ min: 1, max: 2 }) }),
      fc.record({
        do: fc.constant('state' as const),
        state: fc.constantFrom('Active' as const, 'Suspended' as const),
      }),
      command,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 14 }), async (story) => {
        const world = await createWorld();
        let pods: readonly Pod[] = [];
        let isAllowed = false;
        await world.put('value-0');
        await world.create(sources.kept);
        await world.settle();
        for (const next of story) {
          const before = new Set(names(world));
          if (next.do === 'pod') {
            // As admission would have it: no pod names what is delivered without the right.
            const may = next.account === 'maker' && isAllowed;
            if (before.has(next.secret) && !may) continue;
            pods = [...pods, podOf(`pod-${pods.length}`, next.account, next.secret)];
            world.run(pods);
          } else if (next.do === 'clear') {
            pods = [];
            world.run(pods);
          } else if (next.do === 'allow') {
            ({ isAllowed } = next);
            world.allow(...(isAllowed ? ['maker'] : []));
          } else {
            await run(world, sources.kept, next);
          }
          await world.settle();
          for (const name of names(world).filter((one) => !before.has(one))) {
            const users = pods.filter((pod) => secretsUsedBy(pod).includes(name));
            const without = users.filter(
              ({ spec }) => !(spec?.serviceAccountName === 'maker' && isAllowed),
            );
            expect(without).toEqual([]);
          }
        }
        await world.end();
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
