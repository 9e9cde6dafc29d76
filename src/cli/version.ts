import { Command } from 'commander';
import { outputOption } from '#cli/status.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';
import packageJson from '../../package.json' with { type: 'json' };

export const VERSION: string = packageJson.version;

export function versionCommand(io: Io): Command {
  return new Command('version')
    .summary('the version of this program')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  strongroom version -o json')
    .action(({ output }: { readonly output: 'table' | 'json' }) => {
      print(
        io,
        output === 'json'
          ? JSON.stringify({ version: VERSION, node: process.versions.node })
          : `strongroom ${VERSION} (Node ${process.versions.node})`,
      );
    });
}
