import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ExchangeCredential, ExchangeCredentialStatus } from '#api/exchange-credential.ts';

export interface CredentialMetrics {
  /** What a credential's status says now. */
  observe(credential: ExchangeCredential, status: ExchangeCredentialStatus): void;
  /** The credential is gone: its series end. */
  forget(namespace: string, name: string): void;
  step(step: string, outcome: 'succeeded' | 'failed'): void;
  sourceError(reason: 'missing' | 'refused'): void;
}

/** Labels are the names of objects and fixed words, so series are bounded by the credentials. */
export function createCredentialMetrics(registry: Registry): CredentialMetrics {
  const registers = [registry];
  const labelNames = ['namespace', 'name'] as const;
  const ready = new Gauge({
    name: 'strongroom_credential_ready',
    help: '1 when the credential is Ready, else 0',
    labelNames,
    registers,
  });
  const version = new Gauge({
    name: 'strongroom_credential_current_version',
    help: 'The version in use; 0 without one',
    labelNames,
    registers,
  });
  const created = new Gauge({
    name: 'strongroom_credential_version_created_timestamp_seconds',
    help: 'When the version in use was stored, in seconds since the epoch',
    labelNames,
    registers,
  });
  const steps = new Counter({
    name: 'strongroom_credential_steps_total',
    help: 'Steps carried out, by kind and outcome',
    labelNames: ['step', 'outcome'] as const,
    registers,
  });
  const sourceErrors = new Counter({
    name: 'strongroom_credential_source_errors_total',
    help: 'Reads of a source that gave no usable value, by reason',
    labelNames: ['reason'] as const,
    registers,
  });
  return {
    observe({ metadata }, status) {
      const labels = { namespace: metadata.namespace ?? '', name: metadata.name };
      const isReady = status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
      const current = status.versions?.find((v) => v.version === status.currentVersion);
      ready.set(labels, isReady === true ? 1 : 0);
      version.set(labels, current?.version ?? 0);
      if (current === undefined) created.remove(labels);
      else created.set(labels, Date.parse(current.createdAt) / 1000);
    },
    forget(namespace, name) {
      for (const gauge of [ready, version, created]) gauge.remove({ namespace, name });
    },
    step: (step, outcome) => steps.inc({ step, outcome }),
    sourceError: (reason) => sourceErrors.inc({ reason }),
  };
}
