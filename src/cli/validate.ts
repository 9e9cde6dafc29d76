import { Command } from 'commander';
import type { Fault } from '#api/validate.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';
import { readNamedFile } from '#cli/read-file.ts';

const KINDS = ['ExchangeCredential', 'AccessPolicy', 'IPBlock', 'EmergencyAccess'] as const;
type Kind = (typeof KINDS)[number];

const PLURALS: Readonly<Record<Kind, string>> = {
  ExchangeCredential: 'ExchangeCredentials',
  AccessPolicy: 'AccessPolicies',
  IPBlock: 'IPBlocks',
  EmergencyAccess: 'EmergencyAccesses',
};

const ONE_OF_THEM = new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(KINDS);

export function validateCommand(io: Io): Command {
  return new Command('validate')
    .summary('check manifests without a cluster')
    .argument(
      '<file...>',
      'files with ExchangeCredentials, AccessPolicies, IPBlocks and EmergencyAccesses; other kinds are passed over',
    )
    .addHelpText('after', '\nExample:\n  strongroom validate clusters/prod/*.yaml')
    .action((files: readonly string[]) => validate(io, files));
}

async function validate(io: Io, files: readonly string[]): Promise<void> {
  const [
    { parseYamlDocuments, toPlain },
    { validateAccessPolicy, validateEmergencyAccess, validateExchangeCredential, validateIPBlock },
  ] = await Promise.all([import('#cli/yaml.ts'), import('#api/index.ts')]);
  const validators: Readonly<Record<Kind, (object: unknown) => readonly Fault[]>> = {
    ExchangeCredential: validateExchangeCredential,
    AccessPolicy: validateAccessPolicy,
    IPBlock: validateIPBlock,
    EmergencyAccess: validateEmergencyAccess,
  };
  const checked = new Map<Kind, number>();
  let faults = 0;
  for (const file of files) {
    const text = (await readNamedFile(io, file)).toString('utf8');
    for (const document of parseYamlDocuments(text, file)) {
      const object = toPlain(document, file);
      const { apiVersion, kind: given, metadata } = Object(object) as Record<string, unknown>;
      if (typeof apiVersion !== 'string' || !apiVersion.startsWith('strongroom.dev/')) continue;
      const kind = KINDS.find((known) => known === given);
      if (kind === undefined) {
        faults += 1;
        print(io, `${file}: kind: unknown in strongroom.dev; ${ONE_OF_THEM} is meant?`);
        continue;
      }
      const { name } = Object(metadata) as Record<string, unknown>;
      if (typeof name !== 'string') {
        throw usageError(`${file}: metadata.name of the ${kind} is missing`);
      }
      checked.set(kind, (checked.get(kind) ?? 0) + 1);
      for (const fault of validators[kind](object)) {
        faults += 1;
        const told = fault.message.startsWith(fault.path);
        print(io, `${file}: ${name}: ${told ? '' : `${fault.path}: `}${fault.message}`);
      }
    }
  }
  if (faults === 0 && checked.size === 0) {
    throw new CliError(`no ${ONE_OF_THEM} found in ${files.join(', ')}`, EXIT.usage);
  }
  if (faults > 0) {
    const objects = checked.size === 0 ? files.join(', ') : count(checked);
    throw new CliError(`${faults} ${faults === 1 ? 'fault' : 'faults'} in ${objects}`, EXIT.usage);
  }
  print(io, `${count(checked)} valid`);
}

function count(checked: ReadonlyMap<Kind, number>): string {
  const counts = KINDS.flatMap((kind) => {
    const number = checked.get(kind);
    return number === undefined ? [] : [`${number} ${number === 1 ? kind : PLURALS[kind]}`];
  });
  return new Intl.ListFormat('en-GB', { type: 'conjunction' }).format(counts);
}
