import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { DriftFinding } from './deps.ts';

export interface ConfigurationMetrics {
  drift(findings: readonly DriftFinding[]): void;
  strict(count: number): void;
}

export function createConfigurationMetrics(registry: Registry): ConfigurationMetrics {
  const registers = [registry];
  const drift = new Gauge({
    name: 'strongroom_admission_drift',
    help: 'Configurations of admission that others changed or deleted, by what became of them',
    labelNames: ['what'] as const,
    registers,
  });
  const strict = new Gauge({
    name: 'strongroom_admission_strict_namespaces',
    help: 'Guarded namespaces where pods wait for the webhook, since only it can decide about them',
    registers,
  });
  return {
    drift(findings) {
      for (const what of ['Missing', 'Changed'] as const) {
        drift.set({ what }, findings.filter((one) => one.what === what).length);
      }
    },
    strict: (count) => strict.set(count),
  };
}
