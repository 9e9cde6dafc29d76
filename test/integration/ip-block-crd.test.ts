import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { IPBlock } from '../../src/api/ip-block.ts';
import { IP_BLOCKS } from '../../src/api/ip-block.ts';
import { validateIPBlock } from '../../src/api/validate.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { KubeError } from '../../src/kube/errors.ts';
import { binary } from '../cluster/index.ts';
import { CANARY } from '../samples/exchange-credentials.ts';
import { BAD_BLOCKS, GOOD_BLOCKS, MOST_IPV4, MOST_IPV6, block } from '../samples/ip-blocks.ts';
import { connect } from './cluster.ts';
import { DEFINITIONS, causesOf, failure, mostly, refusal, withDots } from './custom-resources.ts';

const run = promisify(execFile);

describe('the CRD of IPBlock', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;

  beforeAll(async () => {
    client = cleanup.use(await connect());
  });
  afterAll(() => cleanup.disposeAsync());

  /** Not stored, unless a test says so: blocks are about the whole cluster. */
  const create = (object: IPBlock, dryRun = true): Promise<IPBlock> =>
    client.create<IPBlock>(IP_BLOCKS, object, { dryRun });
  const kubectl = async (args: readonly string[], stdin = ''): Promise<string> => {
    const call = run(await binary('kubectl'), ['--kubeconfig', inject('kubeconfig'), ...args]);
    call.child.stdin?.end(stdin);
    return (await call).stdout;
  };
  /** A stored block that does nothing; it is taken away at the end. */
  const store = async (name: string, spec: Parameters<typeof block>[0] = {}): Promise<IPBlock> => {
    cleanup.defer(() => client.delete(IP_BLOCKS, { name }).then(() => undefined));
    return create(block({ expiresAt: '2000-01-01T00:00:00Z', ...spec }, name), false);
  };

  test('is accepted, established and structural', async () => {
    const { status } = await client.get(DEFINITIONS, { name: 'ipblocks.strongroom.dev' });
    const conditions = new Map(status?.conditions?.map((c) => [c.type, c]));
    expect(conditions.get('Established')).toMatchObject({ status: 'True' });
    expect(conditions.get('NamesAccepted')).toMatchObject({ status: 'True' });
    expect(conditions.get('NonStructuralSchema')).toBeUndefined();
  });

  test.each(Object.entries(GOOD_BLOCKS))('takes %s as it is written', async (_what, object) => {
    const created = await create(object);
    expect(created.spec).toEqual(object.spec);
  });

  test.each(BAD_BLOCKS.filter(({ strict }) => strict !== true))(
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

  test.each(BAD_BLOCKS.filter(({ strict }) => strict === true))(
    'kubectl refuses $what',
    async ({ object, server = '' }) => {
      const { stderr } = await failure(
        kubectl(['create', '--dry-run=server', '--filename', '-'], JSON.stringify(object)),
      );
      expect(stderr).toContain(server);
    },
  );

  test('accepts exactly what the offline validator accepts', async () => {
    const accepted = { cidrs: 0, feed: 0 };
    await fc.assert(
      fc.asyncProperty(specs, async (spec) => {
        const object = block(spec);
        const online = await create(object).then(
          () => [],
          (error: unknown) =>
            error instanceof KubeError ? [error.message] : Promise.reject(error),
        );
        const offline = validateIPBlock(object);
        expect({
          offline,
          online,
          agree: (offline.length === 0) === (online.length === 0),
        }).toMatchObject({ agree: true });
        if (online.length === 0) accepted[spec.feed === undefined ? 'cidrs' : 'feed'] += 1;
      }),
      { numRuns: 500 },
    );
    // Had all been refused, they would have agreed on little.
    expect(accepted.cidrs).toBeGreaterThan(30);
    expect(accepted.feed).toBeGreaterThan(30);
  });

  test.each([
    ['IPv4', MOST_IPV4],
    ['IPv6', MOST_IPV6],
  ])('stores 50,000 ranges of %s and takes a change of their status', async (family, cidrs) => {
    const name = `crd-most-${family.toLowerCase()}`;
    const stored = await store(name, { cidrs });
    expect(stored.spec.cidrs).toEqual(cidrs);
    const told = await client.apply<IPBlock>(
      IP_BLOCKS,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'IPBlock',
        metadata: { name },
        status: { ranges: cidrs.length },
      },
      { fieldManager: 'strongroom', subresource: 'status' },
    );
    expect(told.status).toEqual({ ranges: 50_000 });
  });

  test('finds the wide range among 50,000, and the one with host bits', async () => {
    const wide = await refusal(create(block({ cidrs: [...MOST_IPV4.slice(1), '64.0.0.0/7'] })));
    expect(causesOf(wide)).toEqual([
      { field: 'spec.cidrs', message: expect.stringContaining('acknowledgeWideBan') },
    ]);
    const hostBits = await refusal(create(block({ cidrs: [...MOST_IPV4.slice(1), '9.9.9.9/8'] })));
    expect(causesOf(hostBits)).toEqual([
      { field: 'spec.cidrs.49999', message: expect.stringContaining('canonical form') },
    ]);
  });

  test('is changed in every field, and its status is written apart', async () => {
    const name = 'crd-change';
    const created = await store(name);
    const changed = await client.mergePatch<IPBlock>(
      IP_BLOCKS,
      { name },
      {
        spec: {
          cidrs: null,
          feed: { url: 'https://lists.example.com/a', format: 'Plain', every: '1h' },
          expiresAt: null,
          duration: '1s',
          direction: 'Egress',
          scope: { namespaces: ['crd-nowhere'] },
          mode: 'Observe',
          reason: 'another one',
        },
      },
    );
    expect(changed.metadata.generation).toBe((created.metadata.generation ?? 0) + 1);
    const withStatus = await client.apply<IPBlock>(
      IP_BLOCKS,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'IPBlock',
        metadata: { name },
        status: {
          enforcement: 'Observed',
          addresses: '1208925819614629174706432',
          backends: [{ name: 'NetworkPolicy', state: 'Pending' }],
          gaps: [{ type: 'NoPods', namespace: 'crd-nowhere', message: 'no pod is there' }],
          gapCount: 1,
        },
      },
      { fieldManager: 'strongroom', subresource: 'status' },
    );
    expect(withStatus.metadata.generation).toBe(changed.metadata.generation);
    expect(withStatus.spec).toEqual(changed.spec);
    expect(
      (await kubectl(['get', 'ipb', '--field-selector', 'status.enforcement=Observed']))
        .trim()
        .split('\n')
        .map((line) => line.split(/\s{2,}/).slice(0, 3)),
    ).toEqual([
      ['NAME', 'ENFORCEMENT', 'ADDRESSES'],
      [name, 'Observed', '1208925819614629174706432'],
    ]);
    expect(await kubectl(['get', 'strongroom'])).toContain(name);
    expect(await kubectl(['get', 'ipb', name, '--output', 'wide'])).toContain('another one');
    expect(await kubectl(['explain', 'ipb.spec.feed.apiKeySecret.name'])).toContain('feed-key');
  });
});

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('198.51.100.0', '2001:db8::', '::', '1:2::3:0:0:0', '::ffff:1.2.3.4', '01.2.3.4'),
);
const entry = fc.oneof(
  { arbitrary: fc.constantFrom('198.51.100.0/24', '2001:db8::/48', '203.0.113.7'), weight: 12 },
  { arbitrary: address, weight: 2 },
  fc.tuple(fc.constantFrom('0.0.0.0', '::', '128.0.0.0', '8000::'), fc.nat(40)).map(join),
  fc.tuple(address, fc.nat(129)).map(join),
);
const aDuration = mostly('1h', '0s', '5m', '4m59s', '1h0m0s', '1d', '0h300s', '999999h');

const cidrs = fc.oneof(
  { arbitrary: fc.array(entry, { minLength: 1, maxLength: 3 }), weight: 8 },
  fc.constant([]),
);
const feed = fc
  .record(
    {
      url: mostly(
        'https://lists.example.com/a?b=c',
        'http://[::1]:80',
        'https://a:b@c',
        'https://c#d',
      ),
      kind: mostly<object, object>(
        { format: 'Netset' },
        { format: 'Plain' },
        { format: 'CrowdSec', apiKeySecret: { name: 'crowdsec' } },
        { format: 'CrowdSec', apiKeySecret: { name: 'A' } },
        { format: 'CrowdSec' },
        { format: 'Plain', apiKeySecret: { name: 'crowdsec' } },
      ),
      every: aDuration,
      maxAge: aDuration,
      maxEntries: mostly(1, 100_000, 0, 1.5),
    },
    { requiredKeys: ['url', 'kind', 'every'] },
  )
  .map(({ kind, ...rest }) => ({ ...rest, ...kind }));

/** Blocks of which about half are good; half of them have a feed. */
const specs = fc
  .record({
    given: fc.oneof(
      { arbitrary: fc.constantFrom('cidrs', 'feed'), weight: 9 },
      fc.constantFrom('both', 'neither'),
    ),
    cidrs,
    feed,
    reason: mostly('scanner', 'Ünïcode', '', ' ', '\u2028', '😀'),
    owner: mostly(undefined, 'desk', ''),
    duration: fc.oneof(fc.constant(undefined), aDuration),
    expiresAt: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 3 },
      mostly('2027-02-28T23:59:59Z', '2027-02-29T00:00:00Z', '2028-02-29T00:00:00.5+14:00', 'soon'),
      fc
        .tuple(fc.integer({ min: 1995, max: 3005 }), fc.nat(13), fc.nat(32))
        .map(([year, month, day]) => `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T00:00:00Z`),
    ),
    scope: mostly<object | undefined, object>(
      undefined,
      {},
      { gateway: true },
      { gateway: false },
      { namespaces: ['*'] },
      { namespaces: ['*', 'a'] },
      { namespaces: ['a', 'a'] },
    ),
    acknowledgeWideBan: fc.constantFrom(undefined, true, false),
  })
  .map(({ given, ...spec }) => ({
    ...spec,
    ...(given !== 'cidrs' && given !== 'both' && { cidrs: undefined }),
    ...(given !== 'feed' && given !== 'both' && { feed: undefined }),
  }));

function join([first, length]: readonly [string, number]): string {
  return `${first}/${length}`;
}

function pad(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}
