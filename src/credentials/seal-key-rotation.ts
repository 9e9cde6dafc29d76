import { randomUUID } from 'node:crypto';
import type { Audit } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import { createSealKeyring, nextSealKeyAt } from '#vault/seal-keys.ts';
import type { SealKeyPair, SealKeyPolicy, SealKeyring } from '#vault/seal-keys.ts';
import { PUBLISHED_NAME } from '#vault/public-keys.ts';
import type { SealKeyStore } from '#vault/seal-key-store.ts';

/** How often the keys are read again; a new one is in use everywhere within this time. */
const RELOAD_MS = 30_000;

export interface SealKeyRotationOptions {
  /** Reads, on every replica. */
  readonly store: SealKeyStore;
  /** Writes, through a client that the lease guards. */
  readonly guardedStore: SealKeyStore;
  readonly policy: SealKeyPolicy;
  readonly namespace: string;
  readonly instance: string;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when the set of keys has changed. */
  readonly onChange: () => void;
}

export interface SealKeyRotation {
  /** The keys as of now. Throws SealError ERR_SEAL_KEYS while there is none. */
  keyring(): SealKeyring;
  /** Keeps the keys read; on every replica. */
  readonly follower: Runnable;
  /** Makes keys when they are due and publishes them; on the leader. */
  readonly rotator: Runnable;
}

export function createSealKeyRotation(options: SealKeyRotationOptions): SealKeyRotation {
  const { store, guardedStore, policy, namespace, clock, log } = options;
  let pairs: readonly SealKeyPair[] = [];

  async function load(signal: AbortSignal): Promise<void> {
    const listing = await store.load(signal);
    for (const { secretName } of listing.faults) {
      log.error(
        { secret: `${namespace}/${secretName}` },
        'Secret is labelled as a seal key but cannot be read as one',
      );
    }
    const isSame =
      listing.pairs.length === pairs.length &&
      listing.pairs.every(({ keyId }) => pairs.some((known) => known.keyId === keyId));
    pairs = listing.pairs;
    if (!isSame) options.onChange();
  }

  async function rotate(signal: AbortSignal): Promise<void> {
    await load(signal);
    if (pairs.length === 0 || clock.now() >= nextSealKeyAt(pairs, policy)) {
      const act = {
        act: 'SealKeyCreated',
        actor: { kind: 'Operator', name: options.instance },
        object: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: PUBLISHED_NAME },
        requestId: randomUUID(),
      } as const;
      const { keyId } = await perform(
        options.audit,
        act,
        () => guardedStore.create(clock.now(), signal),
        signal,
      );
      log.info({ keyId }, 'New seal key');
      await load(signal);
    }
    await guardedStore.publish(createSealKeyring(pairs, policy, clock.now()), signal);
  }

  function periodically(name: string, work: (signal: AbortSignal) => Promise<void>): Runnable {
    return {
      name,
      async run(signal) {
        while (!signal.aborted) {
          try {
            await work(signal);
          } catch (error) {
            if (!signal.aborted)
              log.warn(
                { runnable: name, reason: describeError(error) },
                'Seal keys not read or written, trying again',
              );
          }
          await clock.sleep(RELOAD_MS, signal).catch(() => undefined);
        }
      },
    };
  }

  return {
    keyring: () => createSealKeyring(pairs, policy, clock.now()),
    follower: periodically('seal key follower', load),
    rotator: periodically('seal key rotation', rotate),
  };
}
