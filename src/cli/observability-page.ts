/** The reference page of all that can be seen from outside: metrics, acts, reasons, error codes. */
import { Registry } from 'prom-client';
import { REASONS } from '#api/names.ts';
import { ACTS } from '#credentials/acts.ts';
import { createCredentialMetrics } from '#credentials/metrics.ts';
import { KUBE_ERRORS, KubeError } from '#kube/errors.ts';
import type { KubeErrorCode } from '#kube/errors.ts';
import { createRuntimeMetrics } from '#runtime/metrics.ts';
import { KEY_PROVIDER_ERRORS, SEAL_ERRORS, VAULT_ERRORS } from '#vault/errors.ts';

export async function observabilityPage(): Promise<string> {
  return `# Metrics, Events, reasons and errors

Generated from the code.

## Metrics

\`/metrics\` on the health port, in the text format of Prometheus; those of Node and of the process
(\`nodejs_*\`, \`process_*\`) come on top. No label holds anything but names of objects and fixed words.

${table(['Metric', 'Type', 'Labels', 'Meaning'], await metricRows())}

## Acts

The \`act\` of an audit record. What people should see is also an Event of that reason on the object.

${table(['Act', 'Meaning'], meaningRows(ACTS))}

## Reasons of conditions

${table(['Reason', 'Meaning'], meaningRows(REASONS))}

## Error codes

In logs, and in the \`cause\` of what a library user catches. No error holds the value of a secret.

### Sealed values and seal keys

${table(['Code', 'Meaning'], meaningRows(SEAL_ERRORS))}

### Vault

${table(['Code', 'Meaning'], meaningRows(VAULT_ERRORS))}

### Key providers

${table(['Code', 'Meaning'], meaningRows(KEY_PROVIDER_ERRORS))}

### API server

${table(['Code', 'Tried again', 'Meaning'], kubeRows())}
`;
}

async function metricRows(): Promise<readonly (readonly string[])[]> {
  const registry = new Registry();
  createRuntimeMetrics(registry);
  createCredentialMetrics(registry);
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type }) => {
    const labels = labelsOf(registry.getSingleMetric(name));
    return [code(name), type.toString(), labels.map(code).join(', '), help];
  });
}

/** The library keeps label names on its metrics, but leaves them out of its types. */
function labelsOf(metric: unknown): readonly string[] {
  if (typeof metric !== 'object' || metric === null || !('labelNames' in metric)) return [];
  return Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
}

function kubeRows(): readonly (readonly string[])[] {
  return (Object.keys(KUBE_ERRORS) as KubeErrorCode[]).map((kubeCode) => [
    code(kubeCode),
    new KubeError(kubeCode, '').retryable ? 'yes' : '',
    KUBE_ERRORS[kubeCode],
  ]);
}

function meaningRows(meanings: Readonly<Record<string, string>>): readonly (readonly string[])[] {
  return Object.entries(meanings).map(([name, meaning]) => [code(name), meaning]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}
