import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { AccessPolicy } from '../../src/api/access-policy.ts';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { IPBlock } from '../../src/api/ip-block.ts';
import { IP_BLOCKS } from '../../src/api/ip-block.ts';
import type { Namespace, Secret } from '../../src/kube/objects.ts';
import { SECRETS } from '../../src/kube/resources.ts';
import { CertificateAuthority } from '../cluster/certificates.ts';
import { eventually } from '../eventually.ts';
import type { TestNamespace } from './cluster.ts';
import { createNamespace } from './cluster.ts';
import type { Installation } from './installation.ts';
import { createInstallation } from './installation.ts';
import type { OperatorProcess } from './operator-process.ts';
import { runProgram } from './operator-process.ts';

const examples = path.resolve(import.meta.dirname, '../../examples');

/** The examples as they are, but for the namespace: another suite may use theirs. */
describe('examples', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let namespace: TestNamespace;
  let operator: OperatorProcess;

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    operator = cleanup.use(await installation.start('examples', ['--source-refresh', '1s']));
    const { metadata } = parse(await read('namespace.yaml')) as Namespace;
    namespace = cleanup.use(
      await createNamespace(installation.client, metadata.name, metadata.labels),
    );
  });
  afterAll(() => cleanup.disposeAsync());

  const read = (file: string): Promise<string> => readFile(path.join(examples, file), 'utf8');
  const inNamespace = (manifest: string): string =>
    manifest.replace(/^  namespace: trading$/m, `  namespace: ${namespace.name}`);
  const apply = (manifest: string): Promise<ExchangeCredential> =>
    installation.client.apply<ExchangeCredential>(
      EXCHANGE_CREDENTIALS,
      parse(manifest) as ExchangeCredential,
      { fieldManager: 'git' },
    );
  const findSecret = (name: string): Promise<Secret | undefined> =>
    installation.client.find(SECRETS, { namespace: namespace.name, name });

  /** What the README has people do with `kubectl create secret`. */
  async function createSecret(
    name: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<void> {
    const data = Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
    await installation.client.create<Secret>(SECRETS, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: namespace.name },
      type: 'Opaque',
      data,
    });
  }

  /** The delivered Secret, once the credential is ready. */
  async function delivered(name: string): Promise<Secret> {
    const credential = await eventually(
      async () => {
        const found = await installation.client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
          namespace: namespace.name,
          name,
        });
        const ready = found.status?.conditions?.find(({ type }) => type === 'Ready');
        return ready?.status === 'True' ? found : undefined;
      },
      { what: `${name} to be ready; the operator printed ${operator.output().slice(-3000)}` },
    );
    const secret = await findSecret(credential.spec.delivery.secret?.name ?? '');
    if (secret === undefined) throw new Error(`${name} is ready but has no Secret`);
    return secret;
  }

  test('are applied, imported and delivered', async () => {
    const files = (await readdir(examples)).filter(
      (file) => file.endsWith('.yaml') && !/^(namespace|access-|ipblock-|emergency-)/.test(file),
    );
    expect(files).toHaveLength(6);
    for (const file of files) await apply(inNamespace(await read(file)));

    const authority = await CertificateAuthority.create('examples');
    const { certificate, key } = await authority.issue({ commonName: 'fix-gateway' });
    await createSecret('binance-import', { key: 'example-key', secret: 'example-secret' });
    await createSecret('fix-gateway-import', { 'tls.crt': certificate, 'tls.key': key });
    await createSecret('trades-db-import', {
      username: 'trades',
      password: 'example-password',
      host: 'db.example',
      database: 'trades',
    });

    expect(keysOf(await delivered('hyperliquid-agent'))).toEqual(['HL_PRIVATE_KEY']);
    expect(keysOf(await delivered('risk-api'))).toEqual(['RISK_API_PASSWORD']);
    expect(keysOf(await delivered('state-key'))).toEqual(['key']);
    expect(await delivered('binance-maker')).toMatchObject({
      data: {
        BINANCE_API_KEY: Buffer.from('example-key').toString('base64'),
        BINANCE_API_SECRET: Buffer.from('example-secret').toString('base64'),
      },
      metadata: { labels: { desk: 'mm' } },
    });
    expect(await delivered('fix-gateway')).toMatchObject({ type: 'kubernetes.io/tls' });
    expect(keysOf(await delivered('trades-db'))).toEqual([
      'PGDATABASE',
      'PGHOST',
      'PGPASSWORD',
      'PGUSER',
    ]);
    await eventually(async () => (await findSecret('binance-import')) === undefined, {
      what: 'the imported Secret to be deleted, as afterImport asks',
    });
    expect(await findSecret('trades-db-import')).toBeDefined();
  });

  test('the one to be sealed is sealed, applied and delivered', async () => {
    const file = path.join(installation.scratch, 'sealed.yaml');
    await writeFile(file, inNamespace(await read('to-be-sealed/api-key.yaml')));
    const env = path.join(installation.scratch, 'sealed.env');
    await writeFile(env, 'apiKey=example-key\napiSecret=example-secret\n', { mode: 0o600 });
    const sealed = await runProgram(
      installation.program,
      [
        'seal',
        '--into',
        file,
        '--from-env-file',
        env,
        '--operator-namespace',
        installation.namespace,
      ],
      { kubeconfig: inject('kubeconfig') },
    );
    expect(sealed).toMatchObject({ code: 0 });
    const manifest = await readFile(file, 'utf8');
    expect(manifest).not.toContain('example-');
    const validated = await runProgram(installation.program, ['validate', file]);
    expect(validated).toMatchObject({ code: 0 });

    await apply(manifest);
    expect(keysOf(await delivered('deribit-taker'))).toEqual(['DERIBIT_KEY', 'DERIBIT_SECRET']);
  });

  test('a block is applied, and status says when it ends', async () => {
    const example = parse(await read('ipblock-address.yaml')) as IPBlock;
    const { name } = example.metadata;
    cleanup.defer(() => installation.client.delete(IP_BLOCKS, { name }).then(() => undefined));
    const applied = await installation.client.apply<IPBlock>(IP_BLOCKS, example, {
      fieldManager: 'git',
    });
    expect(applied.spec).toEqual(example.spec);
    const { status } = await eventually(
      async () => {
        const found = await installation.client.get<IPBlock>(IP_BLOCKS, { name });
        return found.status?.expiresAt === undefined ? undefined : found;
      },
      { what: `status of ${name}; the operator printed ${operator.output().slice(-3000)}` },
    );
    const lasts =
      Date.parse(status?.expiresAt ?? '') - Date.parse(applied.metadata.creationTimestamp ?? '');
    expect(lasts).toBe(24 * 3_600_000);
    expect(status).toMatchObject({ owner: 'security', reason: example.spec.reason });
  });

  test('a network is applied to the pods of its ServiceAccount', async () => {
    const example = parse(
      (await read('access-network.yaml')).replaceAll(/\btrading\b/g, namespace.name),
    ) as AccessPolicy;
    const { name } = example.metadata;
    cleanup.defer(() =>
      installation.client.delete(ACCESS_POLICIES, { name }).then(() => undefined),
    );
    await installation.client.apply<AccessPolicy>(ACCESS_POLICIES, example, {
      fieldManager: 'git',
    });
    const condition = await eventually(
      async () => {
        const found = await installation.client.get<AccessPolicy>(ACCESS_POLICIES, { name });
        return found.status?.conditions?.find(({ type }) => type === 'NetworkApplied');
      },
      { what: `status of ${name}; the operator printed ${operator.output().slice(-3000)}` },
    );
    // No pod runs there, so that nothing can be selected yet.
    expect(condition).toMatchObject({ status: 'False', reason: 'NetworkPending' });
  });

  test.each(['ipblock-feed.yaml', 'access-desk.yaml', 'access-hours.yaml', 'access-deny.yaml'])(
    '%s is taken as it is written',
    async (file) => {
      for (const document of parseAllDocuments(await read(file))) {
        const object = document.toJS() as AccessPolicy | IPBlock;
        const resource = object.kind === 'IPBlock' ? IP_BLOCKS : ACCESS_POLICIES;
        // Lists are far away, and policies for the whole cluster: nothing is stored.
        const taken = await installation.client.create<AccessPolicy | IPBlock>(resource, object, {
          dryRun: true,
        });
        expect(taken.spec).toEqual(object.spec);
      }
    },
  );
});

function keysOf(secret: Secret): readonly string[] {
  return Object.keys(secret.data ?? {}).toSorted();
}
