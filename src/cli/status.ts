import { Command, Option } from 'commander';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';
import { age, table } from '#cli/output.ts';

interface StatusOptions extends ClusterOptions {
  readonly allNamespaces?: boolean;
  readonly installation?: boolean;
  readonly operatorNamespace: string;
  readonly output: 'table' | 'json';
}

export function statusCommand(io: Io): Command {
  return withClusterOptions(new Command('status'))
    .summary('what a credential is, which version is live, who uses it, what comes next')
    .argument('[name]', 'one ExchangeCredential in detail; all of the namespace without it')
    .option('-A, --all-namespaces', 'list those of every namespace')
    .option(
      '--installation',
      'the installation instead: who administers it, and what undermines its policies',
    )
    .option('--operator-namespace <name>', 'where the operator runs', 'strongroom-system')
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom status -n trading\n  strongroom status maker -n trading -o json\n' +
        '  strongroom status --installation',
    )
    .action(async (name: string | undefined, options: StatusOptions) => {
      if (options.installation !== true) return status(io, name, options);
      if (name !== undefined || options.allNamespaces === true || options.namespace !== undefined) {
        throw usageError(
          'there is one installation; leave out the name, --namespace and --all-namespaces',
        );
      }
      const { installationStatus } = await import('#cli/installation-status.ts');
      await installationStatus(io, options);
    });
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print')
    .choices(['table', 'json'])
    .default('table');
}

async function status(io: Io, name: string | undefined, options: StatusOptions): Promise<void> {
  await using cluster = await openCluster(io, options);
  if (name !== undefined) {
    const { getCredential } = await import('#cli/credential.ts');
    const credential = await getCredential(cluster, name, io.signal);
    print(
      io,
      options.output === 'json'
        ? JSON.stringify(summary(credential), null, 2)
        : describeCredential(credential, io.now()),
    );
    return;
  }
  const { EXCHANGE_CREDENTIALS } = await import('#api/exchange-credential.ts');
  const scope =
    options.allNamespaces === true
      ? { allNamespaces: true as const }
      : { namespace: cluster.namespace };
  const { items } = await cluster.client.list<ExchangeCredential>(EXCHANGE_CREDENTIALS, scope, {
    signal: io.signal,
  });
  if (options.output === 'json') print(io, JSON.stringify(items.map(summary), null, 2));
  else print(io, items.length === 0 ? 'No ExchangeCredentials found.' : list(items, io.now()));
}

/** What both outputs say; the JSON's shape is a contract of the command line. */
export function summary(credential: ExchangeCredential): Readonly<Record<string, unknown>> {
  const { metadata, spec, status: observed } = credential;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    type: spec.type,
    exchange: spec.exchange === 'Other' ? spec.exchangeName : spec.exchange,
    environment: spec.environment,
    owner: spec.owner,
    state: spec.state ?? 'Active',
    currentVersion: observed?.currentVersion,
    versions: observed?.versions ?? [],
    delivery: observed?.delivery,
    consumers: observed?.consumers ?? [],
    conditions: observed?.conditions ?? [],
    next: nextStep(credential),
  };
}

function list(items: readonly ExchangeCredential[], now: number): string {
  return table(
    ['NAMESPACE', 'NAME', 'TYPE', 'EXCHANGE', 'ENVIRONMENT', 'VERSION', 'READY', 'USED BY', 'AGE'],
    items.map((item) => {
      const ready = item.status?.conditions?.find((c) => c.type === 'Ready');
      return [
        item.metadata.namespace ?? '',
        item.metadata.name,
        item.spec.type,
        item.spec.exchangeName ?? item.spec.exchange ?? '-',
        item.spec.environment,
        String(item.status?.currentVersion ?? '-'),
        ready === undefined
          ? 'Unknown'
          : ready.status === 'True'
            ? 'True'
            : `False (${ready.reason})`,
        podCount(item.status?.consumerCount ?? 0),
        sinceText(item.metadata.creationTimestamp, now),
      ];
    }),
  );
}

export function describeCredential(credential: ExchangeCredential, now: number): string {
  const { metadata, spec, status: observed } = credential;
  const current = observed?.versions?.find((v) => v.version === observed.currentVersion);
  const consumers = observed?.consumers ?? [];
  const facts: readonly (readonly [string, string])[] = [
    ['Credential', `${metadata.namespace}/${metadata.name}`],
    [
      'Type',
      spec.exchange === undefined
        ? spec.type
        : `${spec.type} of ${spec.exchangeName ?? spec.exchange}`,
    ],
    ['Environment', spec.environment],
    ['Owner', spec.owner],
    ['State', spec.state ?? 'Active'],
    [
      'Version',
      current === undefined
        ? 'none'
        : `${current.version} (${current.origin}), current for ${sinceText(current.changedAt, now)}`,
    ],
    [
      'Delivered',
      observed?.delivery === undefined
        ? 'no'
        : `version ${observed.delivery.version} in Secret ${observed.delivery.secretName}`,
    ],
    ['Next', nextStep(credential)],
  ];
  const sections = [facts.map(([label, value]) => `${`${label}:`.padEnd(13)} ${value}`).join('\n')];
  if (consumers.length > 0) {
    sections.push(
      table(
        ['POD', 'USE', 'VERSION', 'EVIDENCE'],
        consumers.map((c) => [
          c.pod,
          c.use,
          String(c.version ?? 'unknown'),
          c.withoutRight === true ? `${c.evidence}, without the right` : c.evidence,
        ]),
      ),
    );
  }
  const conditions = observed?.conditions ?? [];
  if (conditions.length > 0) {
    sections.push(
      table(
        ['CONDITION', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'],
        conditions.map((c) => [
          c.type,
          c.status,
          sinceText(c.lastTransitionTime, now),
          c.reason,
          c.message.replaceAll('\n', ' '),
        ]),
      ),
    );
  }
  return sections.join('\n\n');
}

/** One sentence: what happens by itself, or what the person has to do. */
export function nextStep({ metadata, spec, status: observed }: ExchangeCredential): string {
  if (metadata.deletionTimestamp !== undefined) return 'it is being deleted';
  if (observed === undefined || (observed.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    return 'the operator has not seen the latest change yet';
  }
  const bad = observed.conditions?.find((c) => c.type === 'Ready' && c.status !== 'True');
  if (bad !== undefined && spec.state !== 'Suspended' && spec.state !== 'Revoked')
    return bad.message;
  if (spec.state === 'Revoked') return 'nothing: revoked for good';
  if (spec.state === 'Suspended') return 'nothing until it is resumed';
  const source = observed.conditions?.find((c) => c.type === 'SourceReady');
  if (source?.reason === 'SourceHeld') return source.message;
  const without = new Set(
    observed.consumers?.filter((c) => c.withoutRight === true).map((c) => c.pod),
  );
  if (without.size > 0) {
    return `delete ${[...without].join(', ')}, or let the ServiceAccount mount it by an AccessPolicy: it is used without the right`;
  }
  const stale = observed.consumers?.filter((c) => c.evidence === 'Stale') ?? [];
  if (stale.length > 0)
    return `restart ${stale.map((c) => c.pod).join(', ')}: another version is in use`;
  if (observed.resealed !== undefined) return 'reseal the manifest: its seal key is being retired';
  return 'nothing: it is as it should be';
}

function sinceText(time: string | undefined, now: number): string {
  return time === undefined ? '-' : age(now - Date.parse(time));
}

function podCount(pods: number): string {
  return pods === 1 ? '1 pod' : `${pods} pods`;
}
