/** The commands that ask the operator for something: they set an annotation or `spec.state`, wait
 * until the operator has dealt with it, and show the outcome. */
import { randomUUID } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { ClusterOptions, OpenCluster } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { pollUntil } from '#cli/wait.ts';

interface RequestOptions extends ClusterOptions {
  readonly reason?: string;
  readonly wait: boolean;
  readonly timeout: number;
  readonly output: 'table' | 'json';
  readonly to?: number;
  readonly version?: number;
}

/** What a command changes, and how to see that the operator has dealt with it. */
export interface Request {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly state?: 'Active' | 'Suspended' | 'Revoked';
  readonly isHandled: (credential: ExchangeCredential) => boolean;
  /** Whether it did what was asked; a request can be dealt with by refusing it. */
  readonly isDone?: (credential: ExchangeCredential) => boolean;
}

export function rotateCommand(io: Io): Command {
  return requestCommand('rotate', 'take a new version from the source now', false)
    .addHelpText(
      'after',
      '\nExample:\n  strongroom rotate maker -n trading --reason "key shown in a screenshot"',
    )
    .action((name: string, options: RequestOptions) => {
      const id = randomUUID();
      return send(io, name, options, (credential) => {
        if (credential.spec.state === 'Revoked') {
          throw new CliError(`${name} is revoked; it takes no new version`, EXIT.usage);
        }
        return {
          annotations: { 'strongroom.dev/rotate': id },
          isHandled: ({ status }) => status?.handledRequests?.rotate === id,
        };
      });
    });
}

export function rollbackCommand(io: Io): Command {
  return requestCommand('rollback', 'make an older version current again', true)
    .requiredOption('--to <version>', 'the version; see "strongroom versions"', parseVersion)
    .addHelpText(
      'after',
      '\nExample:\n  strongroom rollback maker -n trading --to 3 --reason "exchange refuses version 4"',
    )
    .action((name: string, options: RequestOptions) => {
      const value = `${options.to}/${randomUUID()}`;
      return send(io, name, options, (credential) => {
        requireVersion(credential, options.to);
        requireUsable(credential, options.to);
        return {
          annotations: { 'strongroom.dev/rollback-to': value },
          isHandled: ({ status }) => status?.handledRequests?.rollbackTo === value,
          isDone: ({ status }) => status?.currentVersion === options.to,
        };
      });
    });
}

export function revokeCommand(io: Io): Command {
  return requestCommand('revoke', 'end one version, or with --all the credential, for good', true)
    .option(
      '--version <version>',
      'the version to end; ending the one in use withdraws the Secret from its pods',
      parseVersion,
    )
    .option('--all', 'end every version; cannot be undone')
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom revoke maker -n trading --version 3 --reason "leaked in a log"\n' +
        '  strongroom revoke maker -n trading --all --reason "desk closed"',
    )
    .action((name: string, options: RequestOptions & { readonly all?: boolean }) => {
      if ((options.version === undefined) === (options.all !== true)) {
        throw new CliError('say either --version N or --all', EXIT.usage);
      }
      if (options.all === true) return send(io, name, options, () => stateRequest('Revoked'));
      const value = `${options.version}/${randomUUID()}`;
      return send(io, name, options, (credential) => {
        requireVersion(credential, options.version);
        return {
          annotations: { 'strongroom.dev/revoke': value },
          isHandled: ({ status }) => status?.handledRequests?.revoke === value,
          isDone: ({ status }) =>
            status?.versions?.find(({ version }) => version === options.version)?.state ===
            'Revoked',
        };
      });
    });
}

export function suspendCommand(io: Io): Command {
  return requestCommand('suspend', 'withdraw the Secret and keep the versions', false)
    .addHelpText(
      'after',
      '\nExample:\n  strongroom suspend maker -n trading --reason "investigating"',
    )
    .action((name: string, options: RequestOptions) =>
      send(io, name, options, () => stateRequest('Suspended')),
    );
}

export function resumeCommand(io: Io): Command {
  return requestCommand('resume', 'deliver the Secret of a suspended credential again', false)
    .addHelpText('after', '\nExample:\n  strongroom resume maker -n trading')
    .action((name: string, options: RequestOptions) =>
      send(io, name, options, (credential) => {
        if (credential.spec.state === 'Revoked') {
          throw new CliError(`${name} is revoked; that cannot be undone`, EXIT.usage);
        }
        return stateRequest('Active');
      }),
    );
}

function requestCommand(verb: string, summary: string, reasonRequired: boolean): Command {
  const reason = new Option('--reason <text>', 'why; stands in the audit record');
  return withClusterOptions(new Command(verb))
    .summary(summary)
    .argument('<name>', 'the ExchangeCredential')
    .addOption(reasonRequired ? reason.makeOptionMandatory() : reason)
    .option('--no-wait', 'return once the request is written')
    .option('--timeout <seconds>', 'how long to wait for the operator', parseSeconds, 60)
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['table', 'json'])
        .default('table'),
    );
}

/** A state is dealt with once the operator has observed the generation that carries it. */
function stateRequest(state: 'Active' | 'Suspended' | 'Revoked'): Request {
  return {
    state,
    isHandled: ({ metadata, spec, status }) =>
      (spec.state ?? 'Active') === state && status?.observedGeneration === metadata.generation,
  };
}

async function send(
  io: Io,
  name: string,
  options: RequestOptions,
  request: (credential: ExchangeCredential) => Request,
): Promise<void> {
  const { getCredential } = await import('#cli/credential.ts');
  const { EXCHANGE_CREDENTIALS } = await import('#api/exchange-credential.ts');
  await using cluster = await openCluster(io, options);
  const credential = await getCredential(cluster, name, io.signal);
  const { annotations, state, isHandled, isDone = () => true } = request(credential);
  const patch = {
    metadata: {
      // Names the object that was looked at: one that was deleted and made anew is not meant.
      uid: credential.metadata.uid,
      annotations: { ...annotations, 'strongroom.dev/reason': options.reason ?? null },
    },
    ...(state === undefined ? {} : { spec: { state } }),
  };
  await cluster.client.mergePatch<ExchangeCredential>(
    EXCHANGE_CREDENTIALS,
    { namespace: cluster.namespace, name },
    patch,
    { signal: io.signal, fieldManager: 'strongroom-cli' },
  );
  if (!options.wait) {
    notice(io, `requested for ${cluster.namespace}/${name}`);
    return;
  }
  const handled = await waitUntil(io, cluster, name, options.timeout, isHandled);
  const { describeCredential, summary } = await import('#cli/status.ts');
  print(
    io,
    options.output === 'json'
      ? JSON.stringify(summary(handled), null, 2)
      : describeCredential(handled, io.now()),
  );
  if (!isDone(handled)) {
    throw new CliError(
      `the operator refused the request for ${cluster.namespace}/${name}; "kubectl describe exchangecredential ${name} -n ${cluster.namespace}" shows why`,
    );
  }
}

async function waitUntil(
  io: Io,
  cluster: OpenCluster,
  name: string,
  timeoutSeconds: number,
  isHandled: (credential: ExchangeCredential) => boolean,
): Promise<ExchangeCredential> {
  const { getCredential } = await import('#cli/credential.ts');
  const handled = await pollUntil(io, timeoutSeconds, async () => {
    const credential = await getCredential(cluster, name, io.signal);
    return isHandled(credential) ? credential : undefined;
  });
  if (handled !== undefined) return handled;
  throw new CliError(
    `the operator has not dealt with the request for ${cluster.namespace}/${name} within ${timeoutSeconds} s; it stays in force. Is the operator running? "strongroom status ${name}" shows the outcome`,
    EXIT.timedOut,
  );
}

/** A version that was ended or never put into use cannot become current again. */
export function requireUsable(credential: ExchangeCredential, version: number | undefined): void {
  const found = credential.status?.versions?.find((v) => v.version === version);
  if (found?.state !== 'Revoked' && found?.state !== 'Failed') return;
  throw new CliError(
    `version ${version} of ${credential.metadata.name} is ${found.state}; it cannot become current again`,
    EXIT.usage,
  );
}

function requireVersion(credential: ExchangeCredential, version: number | undefined): void {
  const versions = credential.status?.versions ?? [];
  if (versions.some((v) => v.version === version)) return;
  throw new CliError(
    `version ${version} of ${credential.metadata.name} is not kept; kept are ${versions.map((v) => v.version).join(', ') || 'none'}`,
    EXIT.notFound,
  );
}

function parseVersion(text: string): number {
  const version = Number(text);
  if (!Number.isInteger(version) || version < 1) {
    throw new InvalidArgumentError('a version is a whole number from 1.');
  }
  return version;
}

function parseSeconds(text: string): number {
  const seconds = Number(text.replace(/s$/, ''));
  if (!Number.isFinite(seconds) || seconds <= 0) {
    throw new InvalidArgumentError('a number of seconds is wanted, for example 60.');
  }
  return seconds;
}
