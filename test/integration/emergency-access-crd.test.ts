import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { EmergencyAccess } from '../../src/api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '../../src/api/emergency-access.ts';
import type { NamespaceAccess } from '../../src/api/namespace-access.ts';
import { NAMESPACE_ACCESSES } from '../../src/api/namespace-access.ts';
import { validateEmergencyAccess } from '../../src/api/validate.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { KubeError } from '../../src/kube/errors.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import { NAMESPACES } from '../../src/kube/resources.ts';
import { binary } from '../cluster/index.ts';
import { BAD_EMERGENCIES, GOOD_EMERGENCIES, emergency } from '../samples/emergency-accesses.ts';
import { CANARY } from '../samples/exchange-credentials.ts';
import { connect } from './cluster.ts';
import { DEFINITIONS, causesOf, failure, mostly, refusal, withDots } from './custom-resources.ts';

const run = promisify(execFile);
const NAMESPACE = 'crd-emergency';

describe('the CRD of EmergencyAccess', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;

  beforeAll(async () => {
    client = cleanup.use(await connect());
    await client.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE },
    });
    cleanup.defer(() => client.delete(NAMESPACES, { name: NAMESPACE }).then(() => undefined));
  });
  afterAll(() => cleanup.disposeAsync());

  const create = (object: EmergencyAccess, dryRun = true): Promise<EmergencyAccess> =>
    client.create<EmergencyAccess>(
      EMERGENCY_ACCESSES,
      { ...object, metadata: { ...object.metadata, namespace: NAMESPACE } },
      { dryRun },
    );
  const kubectl = async (args: readonly string[], stdin = ''): Promise<string> => {
    const call = run(await binary('kubectl'), [
      '--kubeconfig',
      inject('kubeconfig'),
      '--namespace',
      NAMESPACE,
      ...args,
    ]);
    call.child.stdin?.end(stdin);
    return (await call).stdout;
  };

  test.each(['emergencyaccesses', 'namespaceaccesses'])(
    'of %s is accepted, established and structural',
    async (plural) => {
      const { status } = await client.get(DEFINITIONS, { name: `${plural}.strongroom.dev` });
      const conditions = new Map(status?.conditions?.map((c) => [c.type, c]));
      expect(conditions.get('Established')).toMatchObject({ status: 'True' });
      expect(conditions.get('NamesAccepted')).toMatchObject({ status: 'True' });
      expect(conditions.get('NonStructuralSchema')).toBeUndefined();
    },
  );

  test.each(Object.entries(GOOD_EMERGENCIES))(
    'takes %s as it is written',
    async (_what, object) => {
      const created = await create(object);
      expect(created.spec).toEqual(object.spec);
    },
  );

  test.each(BAD_EMERGENCIES.filter(({ strict }) => strict !== true))(
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

  test.each(BAD_EMERGENCIES.filter(({ strict }) => strict === true))(
    'kubectl refuses $what',
    async ({ object, server = '' }) => {
      const { stderr } = await failure(
        kubectl(
          ['create', '--dry-run=server', '--filename', '-'],
          JSON.stringify({ ...object, metadata: { name: object.metadata.name } }),
        ),
      );
      expect(stderr).toContain(server);
    },
  );

  test('accepts exactly what the offline validator accepts', async () => {
    const accepted = { user: 0, account: 0 };
    await fc.assert(
      fc.asyncProperty(specs, async (spec) => {
        const object = emergency(spec);
        const online = await create(object).then(
          () => [],
          (error: unknown) =>
            error instanceof KubeError ? [error.message] : Promise.reject(error),
        );
        const offline = validateEmergencyAccess(object);
        expect({
          offline,
          online,
          agree: (offline.length === 0) === (online.length === 0),
        }).toMatchObject({ agree: true });
        if (online.length === 0) accepted[spec.subject.kind === 'User' ? 'user' : 'account'] += 1;
      }),
      { numRuns: 500 },
    );
    // Had all been refused, they would have agreed on little.
    expect(accepted.user).toBeGreaterThan(30);
    expect(accepted.account).toBeGreaterThan(30);
  });

  test.each(
    Object.entries({
      subject: { subject: { name: 'mallory' } },
      reason: { reason: 'something else than what was approved' },
      'a ticket that is new': { ticket: 'INC-4712' },
      'one more credential': { target: { credentials: ['maker', 'master'] } },
      'all pods': { target: { pods: ['*'] } },
      'fewer permissions': { permissions: ['AccessSecrets'] },
      duration: { duration: '10h' },
      'no duration': { duration: null },
    }),
  )('does not let its spec be changed: %s', async (what, spec) => {
    const name = `fixed-${what.replaceAll(' ', '-')}`;
    await create(emergency({ duration: '30m' }, name), false);
    const error = await refusal(
      client.mergePatch(EMERGENCY_ACCESSES, { namespace: NAMESPACE, name }, { spec }),
    );
    expect(error.code).toBe('ERR_KUBE_INVALID');
    expect(causesOf(error)).toEqual([
      { field: 'spec', message: expect.stringContaining('spec cannot be changed') },
    ]);
  });

  test('takes annotations, and its status apart, in parts by several writers', async () => {
    const name = 'with-status';
    const created = await create(emergency({}, name), false);
    const annotated = await client.mergePatch<EmergencyAccess>(
      EMERGENCY_ACCESSES,
      { namespace: NAMESPACE, name },
      { metadata: { annotations: { 'strongroom.dev/approve': 'I know of it' } } },
    );
    expect(annotated.metadata.generation).toBe(created.metadata.generation);
    const apply = (fieldManager: string, status: object): Promise<EmergencyAccess> =>
      client.apply<EmergencyAccess>(
        EMERGENCY_ACCESSES,
        {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'EmergencyAccess',
          metadata: { name, namespace: NAMESPACE },
          status,
        },
        { fieldManager, subresource: 'status' },
      );
    const at = '2027-01-31T18:00:00Z';
    await apply('strongroom', { state: 'Active', expiresAt: at, useCount: 0 });
    await apply('strongroom-use-a', { uses: [{ replica: 'a', count: 1, lastUsedAt: at }] });
    await apply('strongroom-use-b', { uses: [{ replica: 'b', count: 4, lastUsedAt: at }] });
    const counted = await apply('strongroom-use-a', {
      uses: [{ replica: 'a', count: 2, lastUsedAt: at }],
    });
    expect(counted.status).toEqual({
      state: 'Active',
      expiresAt: at,
      useCount: 0,
      uses: [
        { replica: 'a', count: 2, lastUsedAt: at },
        { replica: 'b', count: 4, lastUsedAt: at },
      ],
    });
    expect(counted.spec).toEqual(created.spec);
    expect(
      (await kubectl(['get', 'xea', '--field-selector', 'status.state=Active']))
        .trim()
        .split('\n')
        .map((line) => line.split(/\s{2,}/).slice(0, 3)),
    ).toEqual([
      ['NAME', 'STATE', 'SUBJECT'],
      [name, 'Active', 'alice'],
    ]);
    expect(await kubectl(['get', 'strongroom'])).toContain(name);
  });

  test('of a NamespaceAccess takes thousands of Secrets, in one field', async () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `secret-${index}`);
    const applied = await client.apply<NamespaceAccess>(
      NAMESPACE_ACCESSES,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'NamespaceAccess',
        metadata: { name: 'strongroom', namespace: NAMESPACE },
        spec: {
          secrets: Object.fromEntries(names.map((name, index) => [name, [index % 2]])),
          rules: [
            { subjects: { 'User:alice': 'Allow', 'Group:desk': 'MayDeny' } },
            { subjects: { 'User:system:serviceaccount:trading:maker': 'Allow' } },
          ],
        },
      },
      { fieldManager: 'strongroom' },
    );
    expect(Object.keys(applied.spec.secrets ?? {})).toHaveLength(5_000);
    const [fields] = (applied as KubeObject).metadata.managedFields ?? [];
    expect(JSON.stringify(fields).length).toBeLessThan(500);
    const error = await refusal(
      client.mergePatch(
        NAMESPACE_ACCESSES,
        { namespace: NAMESPACE, name: 'strongroom' },
        { spec: { rules: [{ subjects: { 'User:alice': 'Perhaps' } }] } },
      ),
    );
    expect(error.code).toBe('ERR_KUBE_INVALID');
    expect(await kubectl(['get', 'xna'])).toContain('strongroom');
    expect(await kubectl(['get', 'strongroom'])).not.toContain('namespaceaccess');
  });
});

const hidden = fc
  .integer({ min: 0, max: 0x10_ffff })
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => `ali${String.fromCodePoint(code)}ce`);
const list = (...good: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.oneof(
    { arbitrary: fc.constant(good), weight: 12 },
    fc.array(fc.constantFrom('a', 'b.c', '*', 'A', '', '-', 'a_b', 'ä'), { maxLength: 3 }),
  );

/** EmergencyAccesses of which about a fifth are good; half of these is of a ServiceAccount. */
const specs = fc.record({
  subject: fc.oneof(
    { arbitrary: fc.record({ kind: fc.constant('User'), name: fc.constant('alice') }), weight: 3 },
    fc.record({ kind: fc.constant('User'), name: hidden }),
    {
      arbitrary: fc.record({
        kind: fc.constant('ServiceAccount'),
        name: mostly('maker', 'Maker', 'a.b', 'a:b', '', 'm'.repeat(254)),
      }),
      weight: 3,
    },
  ),
  reason: mostly('the orders hang at the exchange', 'short', '', '😀'.repeat(20), ' '.repeat(30)),
  ticket: mostly(undefined, 'INC-1', '', '\u2028', 'a\tb'),
  target: fc.oneof(
    {
      arbitrary: fc.record({ credentials: list('maker'), pods: list('maker-0') }),
      weight: 4,
    },
    fc.record({ credentials: list('maker') }),
    fc.record({ pods: list('*') }),
    fc.constant({}),
  ),
  permissions: fc.oneof(
    fc.subarray(['AccessSecrets', 'EmergencyOverride', 'AccessSecrets']),
    fc.constant(['AccessSecrets']),
    fc.constant(['EmergencyOverride']),
  ),
  duration: mostly(undefined, '10m', '9m59s', '0h600s', '0s', '1d', '1h'),
});
