/** `strongroom block`: cutting addresses off, letting them back, and seeing what holds. */
import { isIP } from 'node:net';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { BlockDirection } from '#api/ip-block.ts';
import type { ClusterOptions } from '#cli/cluster.ts';
import type { Io } from '#cli/io.ts';
import { outputOption } from '#cli/status.ts';
import type { Protocol } from '#network/cluster-facts.ts';

export interface BlockOptions extends Pick<ClusterOptions, 'kubeconfig' | 'context'> {
  readonly output: 'table' | 'json';
  readonly operatorNamespace: string;
}

export interface BlockAddOptions extends BlockOptions {
  readonly reason: string;
  readonly for?: string;
  readonly until?: string;
  readonly direction?: BlockDirection;
  readonly namespace?: readonly string[];
  readonly gateway?: boolean;
  readonly observe?: boolean;
  readonly name?: string;
  readonly owner?: string;
  readonly acknowledgeWideBan?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly timeout: number;
}

export interface BlockRemoveOptions extends BlockOptions {
  readonly dryRun?: boolean;
}

export interface BlockTestOptions extends BlockOptions {
  readonly port?: number;
  readonly protocol: Protocol;
  readonly pod?: string;
  readonly namespace?: readonly string[];
}

export function blockCommand(io: Io): Command {
  const block = new Command('block')
    .summary('cut addresses off, let them back, and see what is blocked for whom')
    .description('IPBlocks: addresses that must not talk to the pods of guarded namespaces.');
  for (const command of [addCommand(io), removeCommand(io), listCommand(io), testCommand(io)]) {
    block.addCommand(command);
  }
  return block;
}

function addCommand(io: Io): Command {
  return withBlockOptions(new Command('add'))
    .summary('cut addresses off, for a time or until they are removed')
    .argument('<address...>', 'addresses and ranges: 198.51.100.7, 198.51.100.0/24, 2001:db8::/48')
    .requiredOption('--reason <text>', 'why; stands in status, audit and lists')
    .option('--for <duration>', 'how long, from now: 24h, 1h30m; without it until removed')
    .option('--until <time>', 'until when instead (RFC 3339)')
    .addOption(
      new Option(
        '--direction <direction>',
        'Ingress: they reach no pod; Egress: no pod reaches them',
      )
        .choices(['Ingress', 'Egress', 'Both'])
        .default('Both'),
    )
    .addOption(namespaceOption('a guarded namespace instead of all, and of the gateway'))
    .option('--gateway', 'with --namespace: the gateway too')
    .option('--observe', 'write nothing; status says what would be cut off')
    .option('--name <name>', 'name of the IPBlock instead of one from address and date')
    .option('--owner <name>', 'who answers for it instead of you')
    .option('--acknowledge-wide-ban', 'a ban wider than /8 (IPv4) or /19 (IPv6) is meant')
    .option('--dry-run', 'write nothing, and show which pods would lose what')
    .option('--no-wait', 'return once it is written')
    .option('--timeout <seconds>', 'how long to wait until the operator enforces it', seconds, 60)
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom block add 198.51.100.0/24 --for 24h --reason "credential stuffing"\n' +
        '  strongroom block add 203.0.113.7 2001:db8::/48 -n trading --direction Egress \\\n' +
        '    --reason "leaks to it" --dry-run\n' +
        '\nProtected ranges (pods, Services, nodes, API server, DNS, exchanges, private ones that are\n' +
        'not named themselves) are left out.\n' +
        'Exit code 1 where the block stands and is Ineffective or blocks nothing.\n' +
        '\nJSON: as "block list"; with --dry-run: block (the object), phase, blocked[], leftOut[]\n' +
        '{protectedAs, cidrs[]}, podsInScope, losses[] {namespace, pod, direction, loses[], keeps[]},\n' +
        'state, gaps[], backends[], notes[].',
    )
    .action(async (addresses: readonly string[], options: BlockAddOptions) => {
      const { blockAdd } = await import('#cli/block-add.ts');
      await blockAdd(io, addresses, options);
    });
}

function removeCommand(io: Io): Command {
  return withBlockOptions(new Command('remove'))
    .summary('end a block, by its name or by what it blocks')
    .description(
      'By an address or range it removes the IPBlocks that list just that. Those that list more are\n' +
        'left alone, and it says what to do about them.',
    )
    .argument('<name|address>', 'an IPBlock, or an address or range')
    .option('--dry-run', 'write nothing, and say what would be removed')
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom block remove scanner-2026-11-24\n  strongroom block remove 198.51.100.0/24\n' +
        '\nExit code 1 where the address is still blocked by another IPBlock.\n' +
        '\nJSON: removed[] (names), stillBlockedBy[] {name, range?, otherRanges}, notes[].',
    )
    .action(async (what: string, options: BlockRemoveOptions) => {
      const { blockRemove } = await import('#cli/block-remove.ts');
      await blockRemove(io, what, options);
    });
}

function listCommand(io: Io): Command {
  return withBlockOptions(new Command('list'))
    .summary('all blocks: how far they are enforced, until when, what they stopped')
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom block list\n  strongroom block list -o json\n' +
        '\nJSON, a list: name, cidrs[]? or feed? {url, format}, direction, namespaces[] or "*", gateway,\n' +
        'mode, reason, owner?, expiresAt?, isExpired, enforcement, hits?, podsInScope?, podsCut?,\n' +
        'protectedRanges[], gaps[].',
    )
    .action(async (options: BlockOptions) => {
      const { blockList } = await import('#cli/block-list.ts');
      await blockList(io, options);
    });
}

function testCommand(io: Io): Command {
  return withBlockOptions(new Command('test'))
    .summary('what is blocked of an address for whom, by which block, why and how far')
    .description(
      'Looks at the blocks, pods and NetworkPolicies that stand now; nothing is sent to the address.',
    )
    .argument('<address>', 'one address', address)
    .option('--port <port>', 'on this port of the side that is connected to', port)
    .addOption(
      new Option('--protocol <protocol>', 'with --port')
        .choices(['TCP', 'UDP', 'SCTP'])
        .default('TCP'),
    )
    .option('--pod <pod>', 'only this pod: name with --namespace, or namespace/name')
    .addOption(namespaceOption('only pods of this guarded namespace'))
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom block test 198.51.100.7\n' +
        '  strongroom block test 198.51.100.7 --pod trading/maker-0 --port 443 -o json\n' +
        '\nJSON: address, port?, protocol?, blocks[] {name, range?, direction, namespaces, phase, isInForce,\n' +
        'protectedAs[], enforcement?, expiresAt?, reason, owner?}, pods[] {namespace, pod, direction,\n' +
        'verdict (CutOff, OpenAllTheSame, Closed, Open), blocks[], by[], allowedBy[], why}, notes[].',
    )
    .action(async (of: string, options: BlockTestOptions) => {
      const { blockTest } = await import('#cli/block-test.ts');
      await blockTest(io, of, options);
    });
}

/** As of every command that talks to a cluster, but for the namespace: IPBlocks have none. */
function withBlockOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig to use instead of $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--operator-namespace <name>', 'where the operator runs', 'strongroom-system')
    .addOption(outputOption());
}

function namespaceOption(description: string): Option {
  return new Option('-n, --namespace <name>', `${description}; may be repeated`).argParser(
    (name: string, before: readonly string[] | undefined) => [...(before ?? []), name],
  );
}

function address(text: string): string {
  if (isIP(text) === 0 || text.includes('%')) {
    throw new InvalidArgumentError('one IPv4 or IPv6 address is wanted, such as 198.51.100.7.');
  }
  return text;
}

function port(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new InvalidArgumentError('a port from 1 to 65535 is wanted.');
  }
  return number;
}

function seconds(text: string): number {
  const number = Number(text.replace(/s$/, ''));
  if (!Number.isFinite(number) || number <= 0) {
    throw new InvalidArgumentError('a number of seconds is wanted, for example 60.');
  }
  return number;
}
