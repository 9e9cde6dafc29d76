/**
 * Keeps the webhook's certificates: every replica follows the Secret that holds them, the leader
 * renews them in it. With cert-manager it reads that one's Secret and keeps only the stamp key.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Audit } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import { LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/describe-error.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { AdmissionAct } from '../acts.ts';
import type { AdmissionMetrics } from '../metrics.ts';
import type { ServingCertificates, ServingPair } from '../server/secure-context.ts';
import { carryOut } from './carry-out.ts';
import type { PkiIssuer } from './carry-out.ts';
import { decidePki } from './decide.ts';
import type { PkiStep } from './decide.ts';
import {
  ADMISSION_SECRET_NAME,
  joinPem,
  readCertificate,
  readExternal,
  readPki,
  writePki,
} from './stored-pki.ts';
import type { StoredPki } from './stored-pki.ts';

export const ADMISSION_SECRET_COMPONENT = 'admission-tls';

/** Looked at again after this at the latest: clocks jump. */
const RECHECK_MS = 300_000;
const RETRY_MS = 5_000;

export interface ObservedBundle {
  readonly caBundle: string;
  /** Since when all configurations of the webhook carry just this one; since the epoch. */
  readonly sinceMs: number;
}

export interface CertificateKeeperOptions {
  /** Writes, guarded by the lease. */
  readonly client: KubeClient;
  /** Reads, on every replica. */
  readonly followClient: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  /** Host names and addresses that the API server calls the webhook by. */
  readonly names: readonly string[];
  /** Secret of cert-manager, which makes the certificates then. */
  readonly external?: string;
  /** What the configurations of the webhook are known to carry. */
  readonly bundleObserved: () => ObservedBundle | undefined;
  /** Name of this replica, for the records. */
  readonly instance: string;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: Pick<AdmissionMetrics, 'certificateEnds'>;
  readonly runtimeMetrics?: RuntimeMetrics;
}

export interface CertificateKeeper extends ServingCertificates {
  current(): ServingPair | undefined;
  /** PEM, for `caBundle` of the configurations. Undefined before there is one. */
  caBundle(): string | undefined;
  stampKey(): Uint8Array | undefined;
  /** Called when any of the three has changed. */
  onChange(listener: () => void): void;
  /** On every replica. They are ready once the Secret, or that there is none, is known. */
  readonly followers: readonly Runnable[];
  /** On the leader. */
  readonly renewer: Runnable;
  lastActivityAgeMs(): number;
}

export function createCertificateKeeper(options: CertificateKeeperOptions): CertificateKeeper {
  const { namespace, names, external, clock, log, metrics } = options;
  const about = { secret: `${namespace}/${ADMISSION_SECRET_NAME}` };
  const listeners: (() => void)[] = [];
  /** As last seen whole: what is deleted or spoilt is served on. */
  let own: StoredPki = { bundle: [] };
  let theirs: Pick<StoredPki, 'serving' | 'bundle'> = { bundle: [] };
  let woken = Promise.withResolvers<void>();

  function wake(): void {
    woken.resolve();
    woken = Promise.withResolvers();
  }

  function follow(name: string): Informer<Secret> {
    return createInformer<Secret>({
      client: options.followClient,
      resource: SECRETS,
      scope: { namespace },
      fieldSelector: `metadata.name=${name}`,
      clock,
      random: options.random,
      log,
      ...(options.runtimeMetrics === undefined ? {} : { metrics: options.runtimeMetrics }),
    });
  }

  function tell(before: unknown, after: unknown): void {
    wake();
    if (isDeepStrictEqual(before, after)) return;
    const { serving, bundle } = shown();
    const servingEnd = readCertificate(serving?.cert ?? '')?.validToDate;
    const authorityEnd = readCertificate(bundle[0] ?? '')?.validToDate;
    if (servingEnd !== undefined) metrics?.certificateEnds('serving', servingEnd.getTime());
    if (authorityEnd !== undefined) metrics?.certificateEnds('authority', authorityEnd.getTime());
    for (const listener of listeners) listener();
  }

  function shown(): Pick<StoredPki, 'serving' | 'bundle'> {
    return external === undefined ? own : theirs;
  }

  const informer = follow(ADMISSION_SECRET_NAME);
  informer.onChange(({ type, object }) => {
    if (object.metadata.name !== ADMISSION_SECRET_NAME) return;
    const before = own;
    if (type === 'Deleted') log.warn(about, 'Secret of the certificates was deleted');
    else own = keepWhole(own, readPki(object.data));
    tell(before, own);
  });
  const informers = [informer];
  if (external !== undefined) {
    const other = follow(external);
    other.onChange(({ type, object }) => {
      if (object.metadata.name !== external || type === 'Deleted') return;
      const before = theirs;
      theirs = keepWhole(theirs, readExternal(object.data));
      tell(before, theirs);
    });
    informers.push(other);
  }

  function decide(stored: StoredPki): PkiStep {
    if (external !== undefined) {
      return stored.stampKey === undefined
        ? { kind: 'createStampKey' }
        : { kind: 'keep', nextAtMs: Infinity };
    }
    const observed = options.bundleObserved();
    const isOfThis = observed?.caBundle === joinPem(stored.bundle);
    return decidePki(
      stored,
      names,
      clock.now(),
      observed !== undefined && isOfThis ? { bundleInConfigurationsSinceMs: observed.sinceMs } : {},
    );
  }

  /** One step at most. When to look again, in milliseconds since the epoch. */
  async function renew(signal: AbortSignal): Promise<number> {
    const cached = informer.get(`${namespace}/${ADMISSION_SECRET_NAME}`);
    if (cached !== undefined) {
      const step = decide(readPki(cached.data));
      if (step.kind === 'keep') return step.nextAtMs;
    }
    // The cache may be behind a write of our own: what is done is decided on what is there.
    const secret = await options.client.find(
      SECRETS,
      { namespace, name: ADMISSION_SECRET_NAME },
      { signal },
    );
    // What was deleted or spoilt comes back as it was: a new stamp key would void every decision.
    const stored = keepWhole(own, readPki(secret?.data));
    const step = decide(stored);
    const next =
      step.kind === 'keep'
        ? stored
        : await carryOut(step, stored, names, clock.now(), await issuer());
    const data = writePki(next);
    if (isDeepStrictEqual(data, secret?.data)) {
      return step.kind === 'keep' ? step.nextAtMs : clock.now() + RECHECK_MS;
    }
    const kind = step.kind === 'keep' ? 'restore' : step.kind;
    await write(secret, data, kind, signal);
    log.info({ ...about, step: kind }, 'Certificates of admission written');
    return clock.now();
  }

  async function write(
    secret: Secret | undefined,
    data: Readonly<Record<string, string>>,
    step: string,
    signal: AbortSignal,
  ): Promise<void> {
    const act: AdmissionAct = 'AdmissionCertificatesWritten';
    const labels = { ...secret?.metadata.labels, [LABELS.component]: ADMISSION_SECRET_COMPONENT };
    const effect = (): Promise<Secret> =>
      secret === undefined
        ? options.client.create(SECRETS, newSecret(labels, data), { signal })
        : options.client.replace(
            SECRETS,
            { ...secret, metadata: { ...secret.metadata, labels }, data },
            { signal },
          );
    await perform(
      options.audit,
      {
        act,
        actor: { kind: 'Operator', name: options.instance },
        object: { apiVersion: 'v1', kind: 'Secret', namespace, name: ADMISSION_SECRET_NAME },
        requestId: randomUUID(),
        details: { step },
      },
      effect,
      signal,
    );
  }

  function newSecret(
    labels: Readonly<Record<string, string>>,
    data: Readonly<Record<string, string>>,
  ): Secret {
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name: ADMISSION_SECRET_NAME, labels },
      type: 'Opaque',
      data,
    };
  }

  async function rest(untilMs: number, change: Promise<void>, signal: AbortSignal): Promise<void> {
    const ms = Math.max(0, Math.min(untilMs - clock.now(), RECHECK_MS));
    const done = new AbortController();
    const timer = clock.sleep(ms, AbortSignal.any([signal, done.signal])).catch(() => undefined);
    await Promise.race([timer, change]);
    done.abort();
  }

  return {
    current: () => shown().serving,
    caBundle() {
      const { bundle } = shown();
      return bundle.length === 0 ? undefined : joinPem(bundle);
    },
    stampKey: () => own.stampKey,
    onChange: (listener) => void listeners.push(listener),
    followers: informers.map((one, index) => ({
      name: index === 0 ? 'admission certificates' : 'external admission certificates',
      run: (signal) => one.run(signal),
      ready: (signal) => one.synced(signal),
    })),
    renewer: {
      name: 'admission certificate renewal',
      async run(signal) {
        while (!signal.aborted) {
          let nextMs: number;
          // Also what changes while the next step is taken.
          const change = woken.promise;
          try {
            await informer.synced(signal);
            nextMs = await renew(signal);
          } catch (error) {
            if (signal.aborted) return;
            log.warn(
              { ...about, reason: describeError(error) },
              'Certificates of admission not renewed, trying again',
            );
            nextMs = clock.now() + RETRY_MS;
          }
          await rest(nextMs, change, signal);
        }
      },
    },
    lastActivityAgeMs: () => Math.max(...informers.map((one) => one.lastActivityAgeMs())),
  };
}

/** What the new state lacks stays as it was. */
function keepWhole<T extends StoredPki>(before: T, after: T): T {
  return {
    ...before,
    ...after,
    bundle: after.bundle.length === 0 ? before.bundle : after.bundle,
  };
}

/** The certificate library is loaded when there is something to issue. */
async function issuer(): Promise<PkiIssuer> {
  const { issueAuthority, issueServing } = await import('./issue.ts');
  return { issueAuthority, issueServing, entropy: randomBytes };
}
