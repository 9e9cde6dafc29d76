import { Command, Option } from 'commander';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

interface NodeAgentCommandOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly node?: string;
  readonly daemonSet?: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly healthPort: string;
  readonly healthAddress?: string;
  readonly ciliumLegacyHostRouting?: boolean;
  readonly remove?: boolean;
}

export function nodeAgentCommand(io: Io): Command {
  return new Command('node-agent')
    .summary('enforce IPBlocks on one node; what the chart does with nodeAgent.enabled')
    .description(
      'Keeps the nftables table "inet strongroom" of the node that it runs on, and touches no other.\n' +
        'Needs the node’s network namespace, CAP_NET_ADMIN and the program nft. Runs until it is asked\n' +
        'to stop; the table stays then, and its bans end by themselves, unless the DaemonSet is gone.\n' +
        'A second one on the node waits for the first to end.',
    )
    .option('--kubeconfig <file>', 'kubeconfig, outside of a cluster')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'the operator’s namespace (default: $POD_NAMESPACE)')
    .option('--node <name>', 'name of the node, for the report (default: $NODE_NAME)')
    .option('--daemon-set <name>', 'DaemonSet of the agent, in $POD_NAMESPACE')
    .addOption(
      new Option('--log-level <level>', 'least level')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .option('--health-port <port>', 'port of /livez, /readyz and /metrics', '9633')
    .option('--health-address <address>', 'address to listen at (default: all)')
    .option(
      '--cilium-legacy-host-routing',
      'Cilium passes packets of pods through the host’s stack; do not report it as going round',
    )
    .option('--remove', 'remove the table from this node and end')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  strongroom node-agent --namespace strongroom-system --node worker-1 --kubeconfig ./kubeconfig\n' +
        '  strongroom node-agent --remove',
    )
    .action((options: NodeAgentCommandOptions) => nodeAgent(io, options));
}

async function nodeAgent(io: Io, options: NodeAgentCommandOptions): Promise<void> {
  const { removeNodeTable, runNodeAgent } = await import('#cli/run-node-agent.ts');
  if (options.remove === true) {
    print(io, await removeNodeTable());
    return;
  }
  const own = io.env['POD_NAMESPACE'];
  const namespace = options.namespace ?? own;
  const node = options.node ?? io.env['NODE_NAME'];
  if (namespace === undefined) {
    throw usageError('the operator’s namespace is needed: --namespace, or POD_NAMESPACE');
  }
  if (node === undefined) {
    throw usageError('the name of the node is needed: --node, or NODE_NAME');
  }
  if (options.daemonSet !== undefined && own === undefined) {
    throw usageError('--daemon-set needs its namespace in POD_NAMESPACE');
  }
  const healthPort = Number(options.healthPort);
  if (!Number.isInteger(healthPort) || healthPort < 0 || healthPort > 65_535) {
    throw usageError(`--health-port takes a port, 0 to 65535; it is ${options.healthPort}`);
  }
  const { kubeconfig, context, healthAddress } = options;
  await runNodeAgent(
    {
      namespace,
      node,
      logLevel: options.logLevel,
      healthPort,
      ciliumLegacyHostRouting: options.ciliumLegacyHostRouting === true,
      ...(healthAddress === undefined ? {} : { healthAddress }),
      ...(options.daemonSet === undefined || own === undefined
        ? {}
        : { daemonSet: { namespace: own, name: options.daemonSet } }),
    },
    {
      env: io.env,
      stdout: io.stdout,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
    },
  );
}
