import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { SECRETS } from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import type { OperatorProcess } from './operator-process.ts';

const COUNT = 1000;
const POISON = 500;

describe('a thousand credentials of which one is poison', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let trading: TestNamespace;
  let operator: OperatorProcess;

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    trading = cleanup.use(
      await createNamespace(installation.client, 'many', { 'strongroom.dev/guarded': 'true' }),
    );
    operator = cleanup.use(await installation.start('busy', ['--log-level', 'info']));
  });
  afterAll(() => cleanup.disposeAsync());

  function credential(index: number): ExchangeCredential {
    return {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'ExchangeCredential',
      metadata: { name: `c${index}`, namespace: trading.name },
      spec: {
        type: 'Password',
        environment: 'Staging',
        owner: 'test',
        // Of the right form, and under no key of this installation.
        source:
          index === POISON
            ? { sealed: { password: 'eyJhbGciOiJFQ0RILUVTK0EyNTZLVyJ9.AAAA.AAAA.AAAA.AAAA' } }
            : { generate: {} },
        delivery: { secret: { name: `c${index}-out` } },
      },
    };
  }

  it('are all delivered but that one, which says what is wrong with it', async () => {
    const { client } = installation;
    const indexes = Array.from({ length: COUNT }, (_, index) => index);
    const queue = [...indexes];
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
          await client.create(EXCHANGE_CREDENTIALS, credential(index));
        }
      }),
    );
    await eventually(
      async () => {
        const { items } = await client.list(
          SECRETS,
          { namespace: trading.name },
          { labelSelector: 'strongroom.dev/credential' },
        );
        return items.length === COUNT - 1;
      },
      {
        what: `${COUNT - 1} Secrets; ${operator.output().slice(-1000)}`,
        timeoutMs: 240_000,
        intervalMs: 500,
      },
    );
    const poison = await client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
      namespace: trading.name,
      name: `c${POISON}`,
    });
    expect(poison.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'SourceReady', status: 'False', reason: 'SourceRefused' }),
    );
    expect(
      await client.find(SECRETS, { namespace: trading.name, name: `c${POISON}-out` }),
    ).toBeUndefined();
  }, 300_000);
});
