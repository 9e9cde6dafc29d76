/** Writes the reference pages, but for those of the API; `--check` only compares. */
import { ACCESS_ACTS } from '#access/acts.ts';
import { EMERGENCY_ACTS } from '#access/emergency/acts.ts';
import { createEmergencyMetrics } from '#access/emergency/metrics.ts';
import { createAccessMetrics } from '#access/metrics.ts';
import { ADMISSION_ACTS } from '#admission/acts.ts';
import { createConfigurationMetrics } from '#admission/configuration/metrics.ts';
import { createGuardGauge } from '#admission/guard-check.ts';
import { createAdmissionMetrics } from '#admission/metrics.ts';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { ACCESS_POLICY_REASONS, IP_BLOCK_REASONS, NETWORK_GAPS, REASONS } from '#api/names.ts';
import { NETWORK_ACTS } from '#network/acts.ts';
import { createNetworkMetrics } from '#network/controller/metrics.ts';
import { ERROR_REFERENCE } from '#cli/error-reference.ts';
import { operatorConfigSchema } from '#cli/operator-config.ts';
import { createProgram } from '#cli/program.ts';
import { ACTS } from '#credentials/acts.ts';
import { createCredentialMetrics } from '#credentials/metrics.ts';
import { createNodeAgentMetrics } from '#network/node-agent/metrics.ts';
import { createRuntimeMetrics } from '#runtime/metrics.ts';

const PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/reference/commands.md': commandsPage,
  'docs/reference/configuration.md': configurationPage,
  'docs/reference/observability.md': observabilityPage,
};

const root = path.resolve(import.meta.dirname, '../..');
const stale: string[] = [];
for (const [file, page] of Object.entries(PAGES)) {
  const target = path.join(root, file);
  const text = await page();
  if (!process.argv.includes('--check')) {
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
  } else if (read(target) !== text) {
    stale.push(file);
  }
}
if (stale.length > 0) {
  console.error(`not up to date: ${stale.join(', ')}; run "make generate"`);
  process.exitCode = 1;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function commandsPage(): string {
  const program = createProgram({
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    env: {},
    cwd: '.',
    now: () => 0,
    signal: new AbortController().signal,
  });
  return `# Commands

Generated from the program's own help. \`strongroom\` is also a kubectl plugin: with the program on the
PATH as \`kubectl-strongroom\`, say \`kubectl strongroom status\`.

Exit codes: 0 done, 1 failed, or \`can-i\` answers no, 2 wrong usage or bad input, 3 not found, 4 not allowed, 5 timed out.

${program.commands.map((command) => commandSection(command)).join('\n')}`;
}

function commandSection(command: Command, above = ''): string {
  const name = `${above}${command.name()}`;
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    getOutHelpWidth: () => 96,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  const section = `## ${name}\n\n\`\`\`\n${help.trimEnd()}\n\`\`\`\n`;
  return [section, ...command.commands.map((below) => commandSection(below, `${name} `))].join(
    '\n',
  );
}

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: string | number | boolean | object;
  readonly enum?: readonly unknown[];
  readonly const?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

function configurationPage(): string {
  const schema = z.toJSONSchema(operatorConfigSchema, { io: 'input' }) as JsonSchema;
  const rows = members(schema, '').map(
    ({ name, type, standard, text }) => `| \`${name}\` | ${type} | ${standard} | ${text} |`,
  );
  return `# Configuration of the operator

Generated from the schema. \`strongroom operator --config FILE\` reads YAML; flags win over the file, the
file over the environment (\`POD_NAME\`, \`POD_NAMESPACE\`). Unknown members are refused. The chart writes
this file from its values.

| Member | Type | Default | Meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function observabilityPage(): string {
  const registry = new Registry();
  createRuntimeMetrics(registry);
  createCredentialMetrics(registry);
  createAccessMetrics(registry);
  createEmergencyMetrics(registry);
  createAdmissionMetrics(registry);
  createConfigurationMetrics(registry);
  createGuardGauge(registry);
  createNodeAgentMetrics(registry);
  createNetworkMetrics(registry);
  const metrics = registry.getMetricsAsArray().map((metric) => {
    const { name, help, type } = metric as unknown as { name: string; help: string; type: string };
    return [`\`${name}\``, type, help];
  });
  const pairs = (record: Readonly<Record<string, string>>): readonly (readonly string[])[] =>
    Object.entries(record).map(([name, text]) => [`\`${name}\``, text]);
  return `# Metrics, Events, audit records, conditions, errors

Generated from the sources.

## Metrics

On \`/metrics\` of every replica, besides those of the Node process.

${markdownTable(['Metric', 'Type', 'Meaning'], metrics)}

## Events and audit records

Events stand on the object (\`kubectl describe\`); each act also writes audit records to stdout, lines of
JSON whose first member is \`"audit":true\`: \`Intended\` before it takes effect, \`Succeeded\` or \`Failed\`
after it.

${markdownTable(
  ['Act', 'Meaning'],
  pairs({
    ...ACTS,
    ...ACCESS_ACTS,
    ...EMERGENCY_ACTS,
    ...NETWORK_ACTS,
    ...ADMISSION_ACTS,
    SealKeyCreated: 'A new seal key was made; records only.',
    Retrieved: 'A person reads a value with `strongroom retrieve`; an Event only.',
  }),
)}

## Reasons of conditions

Of ExchangeCredentials:

${markdownTable(['Reason', 'Meaning'], pairs(REASONS))}

Of AccessPolicies:

${markdownTable(['Reason', 'Meaning'], pairs(ACCESS_POLICY_REASONS))}

Of IPBlocks:

${markdownTable(['Reason', 'Meaning'], pairs(IP_BLOCK_REASONS))}

## Gaps of the network

In the status of IPBlocks and AccessPolicies.

${markdownTable(['Type', 'Meaning'], pairs(NETWORK_GAPS))}

## Errors

${markdownTable(['Code', 'Meaning, and what to do'], pairs(ERROR_REFERENCE))}
`;
}

function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

interface Row {
  readonly name: string;
  readonly type: string;
  readonly standard: string;
  readonly text: string;
}

function members(schema: JsonSchema, prefix: string): readonly Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, member]) => {
    const name = `${prefix}${key}`;
    const alternatives = member.oneOf ?? member.anyOf ?? [];
    const nested = alternatives.flatMap((one) => members(one, `${name}.`));
    const inner = [...members(member, `${name}.`), ...nested];
    const row = {
      name,
      type: typeText(member),
      standard: defaultText(member),
      text: member.description ?? '',
    };
    return [
      row,
      ...inner.filter(
        (one, at) =>
          inner.findIndex((other) => other.name === one.name && other.type === one.type) === at,
      ),
    ];
  });
}

function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined)
    return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  return schema.type ?? 'object';
}

function defaultText(schema: JsonSchema): string {
  if (schema.default === undefined) return '';
  return `\`${typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default)}\``;
}
