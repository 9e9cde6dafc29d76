import { Command } from 'commander';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';
import { readNamedFile } from '#cli/read-file.ts';

export function validateCommand(io: Io): Command {
  return new Command('validate')
    .summary('check manifests without a cluster')
    .argument('<file...>', 'files with ExchangeCredentials; other kinds are passed over')
    .addHelpText('after', '\nExample:\n  strongroom validate clusters/prod/*.yaml')
    .action((files: readonly string[]) => validate(io, files));
}

async function validate(io: Io, files: readonly string[]): Promise<void> {
  const [{ parseYamlDocuments, toPlain }, { findCredentials }, { validateExchangeCredential }] =
    await Promise.all([
      import('#cli/yaml.ts'),
      import('#cli/manifest.ts'),
      import('#api/index.ts'),
    ]);
  let faults = 0;
  let checked = 0;
  for (const file of files) {
    const text = (await readNamedFile(io, file)).toString('utf8');
    const objects = parseYamlDocuments(text, file).map((document) => toPlain(document, file));
    for (const object of objects) {
      const { apiVersion, kind } = Object(object) as Record<string, unknown>;
      if (String(apiVersion).startsWith('strongroom.dev/') && kind !== 'ExchangeCredential') {
        faults += 1;
        print(io, `${file}: kind: unknown in strongroom.dev; ExchangeCredential is meant?`);
      }
    }
    for (const { index, name } of findCredentials(text, file)) {
      checked += 1;
      for (const fault of validateExchangeCredential(objects[index])) {
        faults += 1;
        const told = fault.message.startsWith(fault.path);
        print(io, `${file}: ${name}: ${told ? '' : `${fault.path}: `}${fault.message}`);
      }
    }
  }
  if (faults === 0 && checked === 0) {
    throw new CliError(`no ExchangeCredential found in ${files.join(', ')}`, EXIT.usage);
  }
  if (faults > 0) {
    throw new CliError(
      `${faults} ${faults === 1 ? 'fault' : 'faults'} in ${count(checked)}`,
      EXIT.usage,
    );
  }
  print(io, `${count(checked)} valid`);
}

function count(checked: number): string {
  return `${checked} ${checked === 1 ? 'ExchangeCredential' : 'ExchangeCredentials'}`;
}
