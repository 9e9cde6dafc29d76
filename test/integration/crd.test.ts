import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { AccessPolicy } from '../../src/api/access-policy.ts';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import { CREDENTIAL_FIELDS, CREDENTIAL_TYPES, fieldsOf } from '../../src/api/fields.ts';
import { PERMISSIONS, ROLES } from '../../src/api/roles.ts';
import { validateAccessPolicy, validateExchangeCredential } from '../../src/api/validate.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { KubeError } from '../../src/kube/errors.ts';
import { binary } from '../cluster/index.ts';
import { BAD_POLICIES, GOOD_POLICIES, policy } from '../samples/access-policies.ts';
import { BAD, CANARY, GOOD, SEALED, credential } from '../samples/exchange-credentials.ts';
import type { TestNamespace } from './cluster.ts';
import { connect, createNamespace } from './cluster.ts';
import { DEFINITIONS, causesOf, failure, mostly, refusal, withDots } from './custom-resources.ts';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');

describe('the CRD of ExchangeCredential', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  let namespace: TestNamespace;

  beforeAll(async () => {
    client = cleanup.use(await connect());
    namespace = cleanup.use(await createNamespace(client, 'crd'));
  });
  afterAll(() => cleanup.disposeAsync());

  const inNamespace = (object: ExchangeCredential): ExchangeCredential => ({
    ...object,
    metadata: { ...object.metadata, namespace: namespace.name },
  });
  const create = (object: ExchangeCredential, dryRun = false): Promise<ExchangeCredential> =>
    client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, inNamespace(object), { dryRun });
  const patch = (name: string, spec: unknown): Promise<ExchangeCredential> =>
    client.mergePatch<ExchangeCredential>(
      EXCHANGE_CREDENTIALS,
      { namespace: namespace.name, name },
      { spec },
    );
  const kubectl = async (args: readonly string[], stdin = ''): Promise<string> => {
    const call = run(await binary('kubectl'), [
      '--kubeconfig',
      inject('kubeconfig'),
      '--namespace',
      namespace.name,
      ...args,
    ]);
    call.child.stdin?.end(stdin);
    return (await call).stdout;
  };

  test('is accepted, established and structural', async () => {
    const { status } = await client.get(DEFINITIONS, {
      name: 'exchangecredentials.strongroom.dev',
    });
    const conditions = new Map(status?.conditions?.map((c) => [c.type, c]));
    expect(conditions.get('Established')).toMatchObject({ status: 'True' });
    expect(conditions.get('NamesAccepted')).toMatchObject({ status: 'True' });
    expect(conditions.get('NonStructuralSchema')).toBeUndefined();
  });

  test.each(Object.entries(GOOD))('takes %s as it is written', async (_what, object) => {
    const created = await create(object, true);
    // No field is added or taken out: GitOps tools see no drift.
    expect(created.spec).toEqual(object.spec);
  });

  test.each(BAD.filter(({ strict }) => strict !== true))(
    'refuses $what',
    async ({ object, path: field, message, server }) => {
      const error = await refusal(create(object));
      expect(error.code).toBe('ERR_KUBE_INVALID');
      expect(causesOf(error)).toContainEqual({
        field,
        message: expect.stringContaining(server ?? message),
      });
      expect(JSON.stringify([error.message, error.causes]).toLowerCase()).not.toContain(
        CANARY.toLowerCase(),
      );
    },
  );

  test.each(BAD)('kubectl repeats no value of $what', async ({ object }) => {
    const { stderr } = await failure(
      kubectl(['create', '--filename', '-'], JSON.stringify(inNamespace(object))),
    );
    expect(stderr).toContain('spec.');
    expect(stderr.toLowerCase()).not.toContain(CANARY.toLowerCase());
  });

  // Kubernetes itself repeats a value of the wrong type, before it looks at the schema's rules.
  test.each(BAD.filter(({ message, strict }) => !message.includes('of type') && strict !== true))(
    'server-side apply repeats no value of $what',
    async ({ object, message, server }) => {
      const error = await refusal(
        client.apply<ExchangeCredential>(EXCHANGE_CREDENTIALS, inNamespace(object), {
          fieldManager: 'git',
        }),
      );
      expect(error.message).toContain(server ?? message);
      expect(error.message.toLowerCase()).not.toContain(CANARY.toLowerCase());
    },
  );

  test('accepts exactly what the offline validator accepts', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(specs, async (spec) => {
        const object = credential(spec);
        const online = await create(object, true).then(
          () => [],
          (error: unknown) =>
            error instanceof KubeError ? [error.message] : Promise.reject(error),
        );
        const offline = validateExchangeCredential(object);
        // Both in one value, so that a counterexample shows what each of them says.
        expect({
          offline,
          online,
          agree: (offline.length === 0) === (online.length === 0),
        }).toMatchObject({ agree: true });
        if (online.length === 0) accepted += 1;
      }),
      { numRuns: 500 },
    );
    // Had all been refused, they would have agreed on little.
    expect(accepted).toBeGreaterThan(50);
  });

  describe('changes', () => {
    beforeAll(async () => {
      await create(credential({}, 'binance'));
      await create(credential({ exchange: 'Other', exchangeName: 'Backpack' }, 'other'));
      await create(
        credential({ exchange: undefined, type: 'Password', source: { generate: {} } }, 'backing'),
      );
      await create(credential({ state: 'Revoked' }, 'revoked'));
    });

    test.each([
      ['binance', 'exchange', { exchange: 'Kraken' }],
      ['binance', 'exchange', { exchange: null }],
      ['binance', 'exchange', { exchange: 'Other', exchangeName: 'Backpack' }],
      ['backing', 'exchange', { exchange: 'Kraken' }],
      ['other', 'exchangeName', { exchangeName: 'Vertex' }],
      ['other', 'exchangeName', { exchange: 'Kraken', exchangeName: null }],
      ['backing', 'type', { type: 'EncryptionKey' }],
      ['binance', 'environment', { environment: 'Staging' }],
      ['revoked', 'state', { state: 'Active' }],
      ['revoked', 'state', { state: 'Suspended' }],
      ['revoked', 'state', { state: null }],
    ])('%s: spec.%s stays: %j is refused', async (name, field, change) => {
      const { causes } = await refusal(patch(name, change));
      expect(causes).toContainEqual(
        expect.objectContaining({
          field: `spec.${field}`,
          message: expect.stringContaining('create another ExchangeCredential instead'),
        }),
      );
    });

    test.each([
      ['binance', { state: 'Suspended' }],
      ['binance', { state: null }],
      ['binance', { minimumAccessLevel: 'Admin' }],
      ['binance', { minimumAccessLevel: null }],
      ['binance', { source: { sealed: null, secretRef: { name: 'import-me' } } }],
      ['binance', { delivery: { secret: { name: 'elsewhere' } }, owner: 'risk' }],
      ['other', { history: { keepFor: '60m' } }],
      ['revoked', { description: 'ended', deletionPolicy: 'Delete' }],
      ['backing', { state: 'Revoked' }],
    ])('%s: %j is taken', async (name, change) => {
      await expect(patch(name, change)).resolves.toMatchObject({ metadata: { name } });
    });
  });

  test('status is written apart, and its lists merge by their keys', async () => {
    await create(credential({}, 'status'));
    const applyStatus = (fieldManager: string, status: unknown): Promise<ExchangeCredential> =>
      client.apply<ExchangeCredential>(
        EXCHANGE_CREDENTIALS,
        {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'ExchangeCredential',
          metadata: { name: 'status', namespace: namespace.name },
          status: status as NonNullable<ExchangeCredential['status']>,
        },
        { fieldManager, subresource: 'status' },
      );
    const condition = (type: string, status: string): unknown => ({
      type,
      status,
      reason: 'Delivered',
      message: 'as it should be',
      lastTransitionTime: '2026-11-24T17:00:00Z',
    });
    const version = (number: number, state: string): unknown => ({
      version: number,
      state,
      createdAt: '2026-11-24T17:00:00Z',
      changedAt: '2026-11-24T17:00:00Z',
      origin: 'Sealed',
      sealKey: 'k1',
    });

    await applyStatus('one', {
      currentVersion: 1,
      conditions: [condition('Ready', 'True')],
      versions: [version(1, 'Current')],
    });
    const both = await applyStatus('two', {
      conditions: [condition('SourceReady', 'False')],
      versions: [version(2, 'Staged')],
    });
    expect(both.status?.conditions?.map((c) => [c.type, c.status])).toEqual([
      ['Ready', 'True'],
      ['SourceReady', 'False'],
    ]);
    expect(both.status?.versions?.map((v) => v.version)).toEqual([1, 2]);
    expect(both.metadata.generation).toBe(1);

    // What a manager no longer applies goes; what others own stays.
    const left = await applyStatus('one', { versions: [version(1, 'Retired')] });
    expect(left.status).toEqual({
      conditions: [condition('SourceReady', 'False')],
      versions: [version(1, 'Retired'), version(2, 'Staged')],
    });
    expect(left.spec).toEqual(credential().spec);
  });

  test('a write of the spec leaves the status alone', async () => {
    const created = await create({
      ...credential({}, 'no-status'),
      status: { currentVersion: 7 },
    });
    expect(created.status).toBeUndefined();
  });

  test('kubectl shows columns, selects by fields and explains them', async () => {
    await create(credential({ exchange: 'Kraken' }, 'columns'));
    const [head = '', ...rows] = (
      await kubectl(['get', 'xc', '--field-selector', 'spec.exchange=Kraken'])
    )
      .trim()
      .split('\n');
    expect(head.split(/\s+/)).toEqual([
      'NAME',
      'TYPE',
      'EXCHANGE',
      'ENVIRONMENT',
      'VERSION',
      'STATE',
      'READY',
      'AGE',
    ]);
    expect(rows).toHaveLength(1);
    expect(await kubectl(['get', 'strongroom', '--output', 'wide'])).toMatch(/OWNER\s+SECRET/);
    expect(await kubectl(['explain', 'xc.spec.source.sealed'])).toContain('strongroom seal');
    expect(await kubectl(['explain', 'xc.spec', '--recursive'])).toContain('afterImport');
  });

  test('the CRD as it is in the chart is the same', async () => {
    const [own, charts] = await Promise.all(
      ['crds', 'charts/strongroom/files/crds'].map((directory) =>
        kubectl([
          'create',
          '--dry-run=client',
          '--output=json',
          '--filename',
          path.join(root, directory),
        ]),
      ),
    );
    expect(charts).toBe(own);
  });
});

describe('the CRD of AccessPolicy', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;

  beforeAll(async () => {
    client = cleanup.use(await connect());
  });
  afterAll(() => cleanup.disposeAsync());

  /** Never stored: policies belong to the whole cluster, where other suites are at work. */
  const create = (object: AccessPolicy): Promise<AccessPolicy> =>
    client.create<AccessPolicy>(ACCESS_POLICIES, object, { dryRun: true });
  const kubectl = async (args: readonly string[], stdin = ''): Promise<string> => {
    const call = run(await binary('kubectl'), ['--kubeconfig', inject('kubeconfig'), ...args]);
    call.child.stdin?.end(stdin);
    return (await call).stdout;
  };

  test('is accepted, established and structural', async () => {
    const { status } = await client.get(DEFINITIONS, { name: 'accesspolicies.strongroom.dev' });
    const conditions = new Map(status?.conditions?.map((c) => [c.type, c]));
    expect(conditions.get('Established')).toMatchObject({ status: 'True' });
    expect(conditions.get('NamesAccepted')).toMatchObject({ status: 'True' });
    expect(conditions.get('NonStructuralSchema')).toBeUndefined();
  });

  test.each(Object.entries(GOOD_POLICIES))('takes %s as it is written', async (_what, object) => {
    const created = await create(object);
    expect(created.spec).toEqual(object.spec);
  });

  test.each(BAD_POLICIES.filter(({ strict }) => strict !== true))(
    'refuses $what',
    async ({ object, path: field, message, server }) => {
      const error = await refusal(create(object));
      expect(error.code).toBe('ERR_KUBE_INVALID');
      expect(causesOf(error)).toContainEqual({
        field: withDots(field),
        message: expect.stringContaining(server ?? message),
      });
      expect(JSON.stringify([error.message, error.causes])).not.toContain(CANARY);
    },
  );

  test.each(BAD_POLICIES.filter(({ strict }) => strict === true))(
    'kubectl refuses $what',
    async ({ object, server = '' }) => {
      const { stderr } = await failure(
        kubectl(['create', '--dry-run=server', '--filename', '-'], JSON.stringify(object)),
      );
      expect(stderr).toContain(server);
    },
  );

  test.each([
    ['accepts', policySpecs],
    ['accepts, of a network,', networkSpecs],
  ])('%s exactly what the offline validator accepts', async (_what, arbitrary) => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(arbitrary as fc.Arbitrary<object>, async (spec) => {
        const object = policy({ ...spec });
        const online = await create(object).then(
          () => [],
          (error: unknown) =>
            error instanceof KubeError ? [error.message] : Promise.reject(error),
        );
        const offline = validateAccessPolicy(object);
        expect({
          offline,
          online,
          agree: (offline.length === 0) === (online.length === 0),
        }).toMatchObject({ agree: true });
        if (online.length === 0) accepted += 1;
      }),
      { numRuns: 500 },
    );
    expect(accepted).toBeGreaterThan(50);
    expect(accepted).toBeLessThan(450);
  });

  test('knows every time zone that this program knows', async () => {
    const zones = Intl.supportedValuesOf('timeZone');
    for (let first = 0; first < zones.length; first += 16) {
      const times = zones
        .slice(first, first + 16)
        .map((timeZone) => ({ schedule: '0 8 * * *', duration: '9h', timeZone }));
      await create(policy({ constraints: { times } }));
    }
    expect(zones.length).toBeGreaterThan(400);
  });

  test('is applied by two managers, changed, and its status is written apart', async () => {
    const name = `crd-${Date.now()}`;
    cleanup.defer(() => client.delete(ACCESS_POLICIES, { name }).then(() => undefined));
    const subjects = [
      { kind: 'User', name: 'one' },
      { kind: 'ServiceAccount', namespace: 'a', name: 'one' },
      { kind: 'ServiceAccount', namespace: 'b', name: 'one' },
    ];
    // Grants nothing, as other suites are at work on this cluster.
    const spec = { roles: undefined, subjects };
    const both = await client.apply<AccessPolicy>(ACCESS_POLICIES, policy(spec, name), {
      fieldManager: 'git',
    });
    expect(both.spec.subjects).toEqual(subjects);
    const added = await client.apply<AccessPolicy>(
      ACCESS_POLICIES,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { name },
        spec: { credentials: { names: ['maker'] } } as unknown as AccessPolicy['spec'],
      },
      { fieldManager: 'people' },
    );
    expect(added.spec.credentials).toEqual({ namespaces: ['trading'], names: ['maker'] });
    const withStatus = await client.apply<AccessPolicy>(
      ACCESS_POLICIES,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { name },
        status: { subjects: 2, credentials: 7, namespaces: 1, findingCount: 3 },
      },
      { fieldManager: 'strongroom', subresource: 'status' },
    );
    expect(withStatus.metadata.generation).toBe(added.metadata.generation);
    expect(withStatus.spec).toEqual(added.spec);
    expect((await kubectl(['get', 'xap', name])).trim().split('\n')[0]?.split(/\s+/)).toEqual([
      'NAME',
      'EFFECT',
      'SUBJECTS',
      'CREDENTIALS',
      'NAMESPACES',
      'GRANTED',
      'FINDINGS',
      'READY',
      'AGE',
    ]);
    expect(await kubectl(['get', 'strongroom'])).toContain(name);
    expect(await kubectl(['explain', 'xap.spec.constraints'])).toContain('standing RBAC');
  });
});

const labelKey = fc.oneof(
  fc.constantFrom('desk', 'app.kubernetes.io/name', 'example.com/x', 'xkubernetes.io/x', 'A_b.c'),
  fc.constantFrom('a/b/c', 'A.B/c', '/x', 'x/', 'kubernetes.io/x', 'ab.kubernetes.io/x', '_a'),
  fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom('a', 'Z', '7', '/', '.', '-') }),
);

/** Specs of which about a third are good: every part is right or wrong on its own. */
const specs = fc
  .record({
    type: fc.constantFrom(...CREDENTIAL_TYPES),
    exchange: mostly<object, object>(
      {},
      { exchange: 'Kraken' },
      { exchange: 'Other', exchangeName: 'Backpack Exchange' },
      { exchange: 'Other', exchangeName: '-' },
      { exchange: 'Other' },
      { exchangeName: 'Backpack' },
      { exchange: 'Unknown' },
    ),
    owner: mostly('desk', 'Ünïcode Desk', ' ', '\t', '', 'a'.repeat(128), 'a'.repeat(129)),
    fields: mostly('required', 'all', 'all', 'none', 'foreign'),
    from: mostly('sealed', 'secretRef', 'secretRef', 'generate', 'generate', 'both'),
    token: mostly<unknown, unknown>(SEALED, 'eyJ.a.b.c.d', 'eyJh.a.b.c.d', 'plain', '', 5, null),
    keys: fc.dictionary(
      fc.constantFrom('password', 'username', 'key', 'tls.key', 'tls.crt'),
      fc.constantFrom('KEY', 'password', 'username', 'tls.key', 'a b', '..', 'OTHER'),
      { maxKeys: 2 },
    ),
    keysAre: mostly('absent', 'renamed', 'renamed'),
    secretName: mostly('maker', 'a.b', '1', 'import-me', 'a..b', 'A', '-a', ''),
    secretType: mostly(undefined, 'Opaque', 'kubernetes.io/tls', 'kubernetes.io/basic-auth'),
    labels: fc.oneof(
      { arbitrary: fc.constant({}), weight: 3 },
      fc.dictionary(labelKey, mostly('mm', '', 'a_b.c', '-', 'a'.repeat(63), 'a'.repeat(64), 'ü'), {
        maxKeys: 2,
      }),
    ),
    history: mostly<object, object>(
      {},
      { keepFor: '1h0m0s', keepVersions: 50 },
      { keepFor: '0s' },
      { keepFor: '1d' },
      { keepFor: '' },
      { keepVersions: 0 },
      { keepVersions: 1.5 },
    ),
  })
  .map((choice) => {
    const names = {
      required: CREDENTIAL_FIELDS[choice.type].required,
      all: fieldsOf(choice.type),
      none: [],
      foreign: [...fieldsOf(choice.type), 'nonsense'],
    }[choice.fields];
    const sealed = Object.fromEntries((names ?? []).map((name) => [name, choice.token]));
    const keys = choice.keysAre === 'absent' ? {} : { keys: choice.keys };
    const secretRef = { name: 'import-me', ...keys };
    const source = {
      sealed: { sealed },
      secretRef: { secretRef },
      generate: { generate: {} },
      both: { sealed, secretRef },
    }[choice.from];
    return {
      exchange: undefined,
      ...choice.exchange,
      type: choice.type,
      owner: choice.owner,
      source,
      delivery: {
        secret: {
          name: choice.secretName,
          labels: choice.labels,
          ...keys,
          ...(choice.secretType === undefined ? {} : { type: choice.secretType }),
        },
      },
      history: choice.history,
    };
  });

const cronNumber = fc.constantFrom(
  '0',
  '05',
  '5',
  '17',
  '23',
  '31',
  '59',
  '60',
  'MON',
  'FRI',
  'JAN',
  '*',
);
const cronField = fc.oneof(
  { arbitrary: fc.constant('*'), weight: 8 },
  { arbitrary: fc.constantFrom('1', '2-4', '*/2', '1,3', '3-4/2'), weight: 4 },
  fc.tuple(cronNumber, cronNumber).map(([from, to]) => `${from}-${to}`),
  fc.tuple(cronNumber, fc.nat(61)).map(([from, step]) => `${from}/${step}`),
  cronNumber,
);
const address = fc.oneof(
  fc.ipV4(),
  fc.constantFrom(
    '10.0.0.0',
    '10.20.0.0',
    '2001:db8::',
    '::',
    '1:0:0:2::',
    '1:2::3:0:0:0',
    '::ffff:1.2.3.4',
  ),
  fc.ipV6(),
);

/** Policies of which about a third are good. */
const policySpecs = fc.record({
  subjects: fc.oneof(
    { arbitrary: fc.constant([{ kind: 'Group', name: 'desk-mm' }]), weight: 3 },
    fc.array(
      fc.record(
        {
          kind: fc.constantFrom('User', 'Group', 'ServiceAccount'),
          name: mostly('maker', 'a', 'Ünïcode Desk', ' ', 'a..b', '\u2028', '\u00a0x', '😀'),
          namespace: mostly('trading', 'A'),
        },
        { requiredKeys: ['kind', 'name'] },
      ),
      { maxLength: 3 },
    ),
  ),
  effect: fc.constantFrom(undefined, 'Allow', 'Deny'),
  roles: fc.option(fc.array(fc.constantFrom(...ROLES), { maxLength: 2 }), { nil: undefined }),
  permissions: fc.option(fc.array(fc.constantFrom(...PERMISSIONS), { maxLength: 2 }), {
    nil: undefined,
  }),
  credentials: fc.oneof(
    { arbitrary: fc.constant({ namespaces: ['trading'] }), weight: 3 },
    fc.record(
      {
        namespaces: mostly(['trading'], ['*'], ['*', 'a'], [], ['a.b'], ['a', 'a']),
        names: mostly(['maker', 'a.b'], ['*'], [], ['A']),
        exchanges: mostly(['Kraken'], ['*'], ['*', 'OKX'], []),
        selector: fc.record(
          {
            matchLabels: fc.dictionary(labelKey, mostly('mm', '', '-'), { maxKeys: 2 }),
            matchExpressions: fc.array(
              fc.record(
                {
                  key: labelKey,
                  operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
                  values: mostly(['a'], [], ['a', 'a'], ['-']),
                },
                { requiredKeys: ['key', 'operator'] },
              ),
              { maxLength: 2 },
            ),
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    ),
  ),
  constraints: fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 2 },
    fc.record(
      {
        sourceRanges: fc.oneof(
          fc.constant(['10.20.0.0/16']),
          fc.tuple(address, fc.nat(129)).map(([at, length]) => [`${at}/${length}`]),
          fc.ipV6().map((at) => [`${at}/128`]),
        ),
        times: fc
          .record(
            {
              schedule: fc
                .tuple(cronField, cronField, cronField, cronField, cronField)
                .map((fields) => fields.join(' ')),
              duration: mostly('9h', '0s', '1h0m0s', '1d'),
              timeZone: mostly('Europe/Zurich', 'UTC', 'Mars/Base', 'US/Eastern', 'Local'),
            },
            { requiredKeys: ['schedule', 'duration'] },
          )
          .map((window) => [window]),
        countries: mostly<object, object>({ deny: ['KP'] }, {}, { allow: ['UK'] }, { allow: [] }),
      },
      { requiredKeys: [] },
    ),
  ),
});

const peers = fc.array(
  fc
    .record(
      {
        which: mostly('cidr', 'pods', 'pods', 'pods', 'both', 'neither'),
        cidr: mostly('203.0.113.0/24', '203.0.113.7/24', '2001:db8::/48', '203.0.113.7', '::/129'),
        pods: fc.record(
          {
            namespaces: mostly(['trading', 'a'], [], ['*'], ['a', 'a']),
            matchLabels: mostly({ desk: 'mm' }, { desk: '' }, { desk: '-' }, { 'a/b/c': 'x' }),
          },
          { requiredKeys: ['namespaces'] },
        ),
        ports: mostly<object, object>(
          [{ port: 443 }],
          [],
          [{ port: 443, endPort: 443, protocol: 'UDP' }],
          [{ port: 443, endPort: 442 }],
          [{ port: 0 }],
          [{ endPort: 443 }],
        ),
      },
      { requiredKeys: ['which', 'cidr', 'pods'] },
    )
    .map(({ which, cidr, pods, ...rest }) => ({
      ...((which === 'cidr' || which === 'both') && { cidr }),
      ...((which === 'pods' || which === 'both') && { pods }),
      ...rest,
    })),
  { maxLength: 2 },
);

/** Policies that have a network, of which about half are good. */
const networkSpecs = fc.record({
  subjects: mostly(
    [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }],
    [{ kind: 'Group', name: 'desk-mm' }],
  ),
  effect: mostly(undefined, 'Allow', 'Deny'),
  network: fc.record(
    {
      egress: fc.record(
        {
          exchanges: mostly(['Kraken'], ['Other'], ['Kraken', 'Kraken'], []),
          to: peers,
          dns: mostly<unknown, unknown>(true, false, 'yes'),
          apiServer: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      ingress: fc.record({ from: peers }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  ),
});
