import { Command, Option } from 'commander';
import type { Io } from '#cli/io.ts';
import { readNamedFile } from '#cli/read-file.ts';

interface OperatorOptions {
  readonly config?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly identity?: string;
  readonly serviceAccount?: string;
  readonly logLevel?: string;
  readonly healthPort?: string;
  readonly concurrency?: string;
  readonly sourceRefresh?: string;
}

export function operatorCommand(io: Io): Command {
  return new Command('operator')
    .summary('run the operator; what the chart does')
    .description(
      'Runs until it is asked to stop (SIGTERM, SIGINT); a second signal ends it at once. Several can\n' +
        'run: one leads, the others stand by. Logs and audit records go to stdout, a line each.',
    )
    .option('--config <file>', 'YAML file; see docs/reference/configuration.md')
    .option('--kubeconfig <file>', 'kubeconfig, outside of a cluster')
    .option('--context <name>', 'context of the kubeconfig')
    .option(
      '-n, --namespace <name>',
      'where vault, seal keys and Lease are (default: $POD_NAMESPACE)',
    )
    .option('--identity <name>', 'name of this replica (default: $POD_NAME)')
    .option('--service-account <name>', 'ServiceAccount for the RoleBindings in guarded namespaces')
    .addOption(
      new Option('--log-level <level>', 'least level').choices(['debug', 'info', 'warn', 'error']),
    )
    .option('--health-port <port>', 'port of /livez, /readyz and /metrics')
    .option('--concurrency <number>', 'credentials worked on at once')
    .option('--source-refresh <duration>', 'how often a secretRef source is read again')
    .addHelpText(
      'after',
      '\nExample:\n  strongroom operator --kubeconfig ~/.kube/config --namespace strongroom-system --log-level debug',
    )
    .action((options: OperatorOptions) => operator(io, options));
}

async function operator(io: Io, options: OperatorOptions): Promise<void> {
  const [{ resolveOperatorConfig }, { runOperator }, { hostname }] = await Promise.all([
    import('#cli/operator-config.ts'),
    import('#cli/run-operator.ts'),
    import('node:os'),
  ]);
  const { config: file, kubeconfig, context, healthPort, concurrency, ...flags } = options;
  const config = await resolveOperatorConfig({
    flags: {
      ...flags,
      healthPort: healthPort === undefined ? undefined : Number(healthPort),
      concurrency: concurrency === undefined ? undefined : Number(concurrency),
    },
    environment: {
      namespace: io.env['POD_NAMESPACE'],
      identity: io.env['POD_NAME'] ?? `${hostname()}-${process.pid}`,
    },
    ...(file === undefined
      ? {}
      : { file: { name: file, text: (await readNamedFile(io, file)).toString('utf8') } }),
  });
  await runOperator(config, {
    env: io.env,
    stdout: io.stdout,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
  });
}
