/** `strongroom admission`: what makes the API server ask, where somebody took it away. */
import { Command } from 'commander';
import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

interface RestoreOptions extends ClusterOptions {
  readonly operatorNamespace: string;
  readonly wait: boolean;
}

export function admissionCommand(io: Io): Command {
  const command = new Command('admission').summary(
    'the configurations that make the API server ask Strongroom',
  );
  command.addCommand(restoreCommand(io));
  return command;
}

function restoreCommand(io: Io): Command {
  return withClusterOptions(new Command('restore'))
    .summary('put back what somebody changed or deleted')
    .description(
      'The operator fights over these with nobody: what was taken away stays away until you say so.\n' +
        'Needs the right to change ConfigMaps in the operator’s namespace. Waits until nothing is missing.',
    )
    .option('--operator-namespace <name>', 'where the operator runs', 'strongroom-system')
    .option('--no-wait', 'ask for it and return')
    .addHelpText('after', '\nExample:\n  strongroom admission restore')
    .action((options: RestoreOptions) => restore(io, options));
}

const LONGEST_WAIT_S = 60;

async function restore(io: Io, options: RestoreOptions): Promise<void> {
  const [{ ADMISSION_MEMORY }, { ANNOTATIONS }, { CONFIG_MAPS }, { isKubeError }, { pollUntil }] =
    await Promise.all([
      import('#admission/twin/own-policies.ts'),
      import('#api/names.ts'),
      import('#kube/resources.ts'),
      import('#kube/errors.ts'),
      import('#cli/wait.ts'),
    ]);
  await using cluster = await openCluster(io, options);
  const { client } = cluster;
  const at = { namespace: options.operatorNamespace, name: ADMISSION_MEMORY };
  const requested = new Date(io.now()).toISOString();
  try {
    await client.mergePatch(
      CONFIG_MAPS,
      at,
      { metadata: { annotations: { [ANNOTATIONS.restore]: requested } } },
      { signal: io.signal },
    );
  } catch (error) {
    if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
    throw new CliError(
      `ConfigMap ${at.namespace}/${at.name} does not exist: admission is switched off, the operator has not applied anything yet, or it runs in another namespace (--operator-namespace)`,
      EXIT.notFound,
      { cause: error },
    );
  }
  if (!options.wait) {
    print(io, 'The leader was asked to put the configurations back.');
    return;
  }
  // The leader takes the annotation off once it has done what it asks for.
  const isDone = await pollUntil(io, LONGEST_WAIT_S, async () => {
    const { metadata } = await client.get(CONFIG_MAPS, at, { signal: io.signal });
    return metadata.annotations?.[ANNOTATIONS.restore] === requested ? undefined : true;
  });
  if (isDone === undefined) {
    throw new CliError(
      `the leader has not put them back within ${LONGEST_WAIT_S} s; "strongroom doctor" says whether one leads`,
      EXIT.timedOut,
    );
  }
  print(io, 'Put back. "strongroom doctor" tries whether it guards.');
}
