import { Command } from 'commander';
import type { ClusterOptions } from '#cli/cluster.ts';
import { openCluster, withClusterOptions } from '#cli/cluster.ts';
import { CliError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { table } from '#cli/output.ts';
import { outputOption } from '#cli/status.ts';

interface DoctorOptions extends ClusterOptions {
  readonly operatorNamespace: string;
  readonly output: 'table' | 'json';
}

export function doctorCommand(io: Io): Command {
  return withClusterOptions(new Command('doctor'))
    .summary('try whether the installation really guards, and say what is missing')
    .description(
      'Asks under your own identity, and changes nothing: requests that must be refused are sent as dry\n' +
        'runs. What you may not see is told as such, and where that leaves open whether it guards, so is\n' +
        'that ("guards": null in JSON). Exits with 1 when a check failed.',
    )
    .option('--operator-namespace <name>', 'where the operator runs', 'strongroom-system')
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  strongroom doctor\n  strongroom doctor -o json')
    .action((options: DoctorOptions) => doctor(io, options));
}

async function doctor(io: Io, options: DoctorOptions): Promise<void> {
  const { concludeFrom, runChecks } = await import('#cli/doctor-checks.ts');
  await using cluster = await openCluster(io, options);
  const checks = await runChecks({
    client: cluster.client,
    operatorNamespace: options.operatorNamespace,
    nowMs: io.now(),
    signal: io.signal,
  });
  const { guards, untold } = concludeFrom(checks);
  const failed = checks.filter(({ state }) => state === 'Failed').length;
  print(
    io,
    options.output === 'json'
      ? JSON.stringify({ guards, checks }, null, 2)
      : table(
          ['CHECK', 'STATE', 'FOUND'],
          checks.map(({ name, state, message }) => [name, state, message.replaceAll('\n', ' ')]),
        ),
  );
  if (guards === null) {
    notice(
      io,
      `whether it guards is not known: you may not look at what would tell (${untold.join('; ')}); let somebody run it who may, such as an administrator of the cluster`,
    );
  }
  if (failed > 0) throw new CliError(`${failed} of ${checks.length} checks failed`);
}
