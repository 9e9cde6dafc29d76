import { randomBytes } from 'node:crypto';
import { Registry } from 'prom-client';
import type { AuditRecord } from '../../src/audit/audit.ts';
import { createCredentialsController } from '../../src/credentials/controller.ts';
import type { CredentialsController, CredentialsOptions } from '../../src/credentials/deps.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createEventRecorder } from '../../src/runtime/events.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { createLocalKeyProvider } from '../../src/vault/providers/local.ts';
import { createSealKeyStore } from '../../src/vault/seal-key-store.ts';
import { createSealKeyring } from '../../src/vault/seal-keys.ts';
import type { SealKeyring } from '../../src/vault/seal-keys.ts';
import { createVault } from '../../src/vault/store.ts';
import { loadVaultKeys } from '../../src/vault/vault-keys.ts';

/** The credentials controller with a real vault, in this process. */
export interface CredentialsOperator extends AsyncDisposable {
  readonly controller: CredentialsController;
  readonly keyring: () => SealKeyring;
  readonly audited: readonly AuditRecord[];
  readonly registry: Registry;
  /** Adds a seal key; the former one goes on being accepted. */
  rotateSealKey(): Promise<void>;
}

export async function startCredentialsOperator(
  client: KubeClient,
  namespace: string,
  options: Partial<CredentialsOptions> = {},
): Promise<CredentialsOperator> {
  const keyProvider = await createLocalKeyProvider({ client, namespace });
  const keys = await loadVaultKeys({ client, namespace, keyProvider });
  const store = createSealKeyStore({ client, namespace, keyProvider });
  const policy = { rotateEveryMs: 3_600_000, acceptForMs: 3_600_000 };
  let { pairs } = await store.load();
  if (pairs.length === 0) pairs = [await store.create(Date.now())];
  const keyring = (): SealKeyring => createSealKeyring(pairs, policy, Date.now());
  const audited: AuditRecord[] = [];
  const registry = new Registry();
  const controller = createCredentialsController({
    client,
    vault: createVault({ client, namespace, keyProvider, keys }),
    keyring,
    audit: async (record) => void audited.push(record),
    events: createEventRecorder({
      client,
      controller: 'strongroom.dev/operator',
      instance: 'test',
      clock: systemClock,
      log: silentLogger,
    }),
    clock: systemClock,
    random: Math.random,
    entropy: randomBytes,
    log: silentLogger,
    registry,
    operator: { namespace, serviceAccount: 'strongroom-operator', instance: 'test' },
    // Short periods, so that what no watch tells of is seen within a test's patience.
    options: { sourcePeriodMs: 300, resyncMs: 300, ...options },
  });
  const stop = new AbortController();
  const running = [...controller.informers, ...controller.controllers].map((runnable) =>
    runnable.run(stop.signal),
  );
  return {
    controller,
    keyring,
    audited,
    registry,
    async rotateSealKey() {
      pairs = [...pairs, await store.create(Date.now())];
      controller.resync();
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the test is over'));
      await Promise.all(running);
    },
  };
}
