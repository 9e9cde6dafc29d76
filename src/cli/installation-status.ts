/** `strongroom status --installation`: what the operator says about the installation as a whole. */
import type { Condition, Finding } from '#api/access-policy.ts';
import { INSTALLATION_STATUS } from '#access/installation.ts';
import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster } from '#cli/cluster.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';
import { age, table } from '#cli/output.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';

/** What the ConfigMap holds and `-o json` prints; a contract of the command line. */
export interface InstallationStatusJson {
  readonly conditions: readonly Condition[];
  /** Those of the whole cluster have no namespace. */
  readonly findings: readonly Finding[];
  /** All of them, also those beyond the ones that `findings` holds. */
  readonly findingCount: number;
}

export async function installationStatus(
  io: Io,
  options: ClusterOptions & {
    readonly operatorNamespace: string;
    readonly output: 'table' | 'json';
  },
): Promise<void> {
  await using cluster = await openCluster(io, options);
  const namespace = options.operatorNamespace;
  const found = await cluster.client.find(
    CONFIG_MAPS,
    { namespace, name: INSTALLATION_STATUS },
    { signal: io.signal },
  );
  if (found === undefined) {
    throw new CliError(
      `ConfigMap ${namespace}/${INSTALLATION_STATUS} does not exist: the operator has not written it yet, or runs in another namespace (--operator-namespace)`,
      EXIT.notFound,
    );
  }
  const status = parseInstallationStatus(found.data?.['status']);
  if (status === undefined) {
    throw new CliError(
      `ConfigMap ${namespace}/${INSTALLATION_STATUS} does not hold what the operator writes; delete it, and the operator writes it anew`,
    );
  }
  print(
    io,
    options.output === 'json'
      ? JSON.stringify(status, null, 2)
      : describeInstallation(status, io.now()),
  );
}

/** Undefined for what the operator did not write. */
export function parseInstallationStatus(
  text: string | undefined,
): InstallationStatusJson | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  const { conditions, findings, findingCount } = Object(parsed) as Record<string, unknown>;
  if (!Array.isArray(conditions) || !Array.isArray(findings)) return undefined;
  return {
    conditions: conditions as readonly Condition[],
    findings: findings as readonly Finding[],
    findingCount: typeof findingCount === 'number' ? findingCount : findings.length,
  };
}

export function describeInstallation(status: InstallationStatusJson, now: number): string {
  const { conditions, findings, findingCount } = status;
  const texts = [
    table(
      ['CONDITION', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'],
      conditions.map((c) => [
        c.type,
        c.status,
        age(now - Date.parse(c.lastTransitionTime)),
        c.reason,
        oneLine(c.message),
      ]),
    ),
  ];
  if (findings.length > 0) {
    texts.push(
      table(
        ['SEVERITY', 'FINDING', 'WHERE', 'SUBJECT', 'VIA', 'MESSAGE'],
        findings.map((f) => [
          f.severity,
          f.type,
          f.namespace ?? 'whole cluster',
          f.subject ?? '-',
          f.via ?? '-',
          oneLine(f.message),
        ]),
      ),
    );
  }
  if (findingCount > findings.length) {
    texts.push(`${findingCount - findings.length} more findings are not shown.`);
  }
  return texts.join('\n\n');
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}
