import { randomUUID } from 'node:crypto';
import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { CREDENTIAL_FIELDS, fieldsOf } from '#api/fields.ts';
import type { ClusterOptions, OpenCluster } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import { fieldFault } from '#cli/field-names.ts';
import type { Io } from '#cli/io.ts';
import { notice } from '#cli/io.ts';

interface RetrieveOptions extends ClusterOptions {
  readonly field?: string;
  readonly reason: string;
  readonly outputFile?: string;
  readonly show?: boolean;
}

export function retrieveCommand(io: Io): Command {
  return withClusterOptions(new Command('retrieve'))
    .summary('read one value of the delivered Secret, once, with a reason on record')
    .description(
      'Reads the delivered Secret with your own rights. Who reads, what and why is written to the\n' +
        'cluster first; if that cannot be written, nothing is read.',
    )
    .argument('<name>', 'the ExchangeCredential')
    .option('--field <field>', 'the field; may be left out when there is just one')
    .requiredOption('--reason <text>', 'why you need the value')
    .option('--output-file <file>', 'write the value to a new file that only you can read')
    .option('--show', 'print to the terminal, where scroll-back keeps it')
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom retrieve maker -n trading --field privateKey --reason "INC-231" --output-file key\n' +
        '  strongroom retrieve maker -n trading --reason "INC-231" | import-key',
    )
    .action((name: string, options: RetrieveOptions) => retrieve(io, name, options));
}

async function retrieve(io: Io, name: string, options: RetrieveOptions): Promise<void> {
  if (options.reason.trim() === '')
    throw usageError('--reason is empty; say why the value is read');
  if (options.outputFile === undefined && io.stdout.isTTY === true && options.show !== true) {
    throw usageError(
      'stdout is a terminal, and its history would keep the value; use --output-file, a pipe, or --show',
    );
  }
  const [{ getCredential }, { SECRETS }] = await Promise.all([
    import('#cli/credential.ts'),
    import('#kube/resources.ts'),
  ]);
  await using cluster = await openCluster(io, options);
  const { signal } = io;
  const credential = await getCredential(cluster, name, signal);
  const { delivery } = credential.status ?? {};
  if (delivery === undefined) {
    throw new CliError(
      `nothing is delivered for ${cluster.namespace}/${name}; "strongroom status ${name}" says why`,
      EXIT.notFound,
    );
  }
  const field = fieldToRead(credential, options.field);
  const target =
    options.outputFile === undefined ? undefined : path.resolve(io.cwd, options.outputFile);
  if (target !== undefined) await refuseExisting(target, options.outputFile ?? target);
  await recordRetrieval(io, cluster, credential, field, options.reason);
  const secret = await cluster.client.get(
    SECRETS,
    { namespace: cluster.namespace, name: delivery.secretName },
    { signal },
  );
  const key = credential.spec.delivery.secret?.keys?.[field] ?? field;
  const encoded = secret.data?.[key];
  if (secret.metadata.uid !== delivery.secretUid || encoded === undefined) {
    throw new CliError(
      `Secret ${delivery.secretName} is not the one the operator delivered, or has no ${key}; nothing was read`,
    );
  }
  const value = Buffer.from(encoded, 'base64');
  if (target === undefined) {
    io.stdout.write(value);
  } else {
    // "wx": never follows or overwrites what is there, which others might be able to read.
    await writeFile(target, value, { mode: 0o600, flag: 'wx' });
    notice(io, `wrote ${field} of version ${delivery.version} to ${options.outputFile}`);
  }
  value.fill(0);
}

/** The field to read: the one asked for, or the only one that was delivered. */
export function fieldToRead({ spec }: ExchangeCredential, wanted: string | undefined): string {
  const fault = wanted === undefined ? undefined : fieldFault(spec.type, wanted);
  if (fault !== undefined) throw usageError(fault);
  if (wanted !== undefined) return wanted;
  const { sealed, secretRef, generate } = spec.source;
  const delivered =
    generate === undefined
      ? Object.keys(sealed ?? secretRef?.keys ?? {})
      : // What is generated is what the type cannot do without.
        CREDENTIAL_FIELDS[spec.type].required;
  const fields = delivered.length > 0 ? delivered : fieldsOf(spec.type);
  const [only, second] = fields;
  if (only === undefined || second !== undefined) {
    throw usageError(`say which field with --field: ${fields.join(', ')}`);
  }
  return only;
}

/** Looked at before the read goes on record: a record of a read that never was misleads. */
async function refuseExisting(file: string, named: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) throw usageError(`${named} exists; name a new file, which only you can read`);
}

/** The record is an Event on the credential, written by the person who reads, before reading. */
async function recordRetrieval(
  io: Io,
  cluster: OpenCluster,
  credential: ExchangeCredential,
  field: string,
  reason: string,
): Promise<void> {
  const [{ EVENTS }, { whoAmI }] = await Promise.all([
    import('#kube/resources.ts'),
    import('#cli/who-am-i.ts'),
  ]);
  const { signal } = io;
  const { username: user } = await whoAmI(cluster.client, signal);
  const { namespace } = cluster;
  await cluster.client.create(
    EVENTS,
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${credential.metadata.name}.retrieved.${randomUUID()}`, namespace },
      eventTime: new Date(io.now()).toISOString().replace('Z', '000Z'),
      type: 'Normal',
      reason: 'Retrieved',
      action: 'Retrieve',
      reportingController: 'strongroom.dev/cli',
      reportingInstance: user.slice(0, 128),
      note: `${user} reads ${field} of version ${credential.status?.delivery?.version}: ${reason}`.slice(
        0,
        1024,
      ),
      regarding: {
        apiVersion: credential.apiVersion,
        kind: credential.kind,
        namespace,
        name: credential.metadata.name,
        ...(credential.metadata.uid === undefined ? {} : { uid: credential.metadata.uid }),
      },
    },
    { signal },
  );
}
