import type { Command } from 'commander';
import type { KubeClient } from '#kube/client.ts';
import type { Io } from '#cli/io.ts';
import { notice } from '#cli/io.ts';
import { visible } from '#cli/output.ts';

export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export interface OpenCluster extends AsyncDisposable {
  readonly client: KubeClient;
  /** From --namespace, else the context's, else `default`. */
  readonly namespace: string;
}

/** The options that every command has which talks to a cluster. */
export function withClusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig to use instead of $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'namespace instead of the context’s');
}

export async function openCluster(io: Io, options: ClusterOptions): Promise<OpenCluster> {
  const [{ loadClusterConfig }, { createKubeClient }] = await Promise.all([
    import('#kube/config.ts'),
    import('#kube/create-client.ts'),
  ]);
  const config = await loadClusterConfig({
    env: io.env,
    ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
    ...(options.context === undefined ? {} : { context: options.context }),
  });
  const client = createKubeClient(config, {
    userAgent: 'strongroom-cli',
    onWarning: warningPrinter(io),
  });
  return {
    client,
    namespace: options.namespace ?? config.currentNamespace ?? 'default',
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** Prints each warning once, as kubectl does: the same request can be sent more than once. */
function warningPrinter(io: Io): (text: string) => void {
  const printed = new Set<string>();
  return (text) => {
    if (printed.has(text)) return;
    printed.add(text);
    notice(io, `Warning: ${visible(text)}`);
  };
}
