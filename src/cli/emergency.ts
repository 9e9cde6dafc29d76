/** `strongroom emergency`: getting in at night, in the open, for a time. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ClusterOptions } from '#cli/cluster.ts';
import { withClusterOptions } from '#cli/cluster.ts';
import type { Io } from '#cli/io.ts';
import { outputOption } from '#cli/status.ts';

export interface EmergencyOptions extends ClusterOptions {
  readonly output: 'table' | 'json';
}

export interface EmergencyRequestOptions extends EmergencyOptions {
  readonly reason: string;
  readonly credential?: readonly string[];
  readonly pod?: readonly string[];
  readonly allPods?: boolean;
  readonly for?: string;
  readonly ticket?: string;
  readonly subject?: string;
  readonly serviceAccount?: string;
  readonly name?: string;
  readonly self?: boolean;
  readonly secondReason?: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

export interface EmergencyDecideOptions extends EmergencyOptions {
  readonly reason: string;
  readonly wait: boolean;
  readonly timeout: number;
}

export interface EmergencyListOptions extends EmergencyOptions {
  readonly allNamespaces?: boolean;
  readonly reviewDue?: boolean;
  readonly active?: boolean;
}

export interface EmergencyTokenOptions extends ClusterOptions {
  readonly format: 'token' | 'kubeconfig';
  readonly for?: string;
  readonly show?: boolean;
}

export function emergencyCommand(io: Io): Command {
  const emergency = new Command('emergency')
    .summary('break-glass: ask for access, approve it, use it, review it')
    .description(
      'EmergencyAccesses: who must get to credentials or into pods, why, and for how long; approved by\n' +
        'others, ending by itself, and reviewed afterwards. Everything is done with your own rights.',
    );
  for (const command of [
    requestCommand(io),
    approveCommand(io),
    denyCommand(io),
    endCommand(io),
    reviewCommand(io),
    listCommand(io),
    showCommand(io),
    tokenCommand(io),
  ]) {
    emergency.addCommand(command);
  }
  return emergency;
}

const JSON_OF_ONE =
  '\nJSON: namespace, name, subject, state, reason, ticket?, permissions[], credentials[], pods[],\n' +
  'requestedBy?, approvals[] {username, at, reason, self}, approvalsNeeded?, activatedAt?, expiresAt?,\n' +
  'endedAt?, endedBy?, serviceAccount?, uses, reachable[] {name, version?, rotated}, review? {by, at,\n' +
  'finding}, reviewDue, message?.';

function requestCommand(io: Io): Command {
  return withOutput(new Command('request'))
    .summary('ask for access: to credentials, into pods, or both')
    .requiredOption('--reason <text>', 'what happened and what has to be done; everybody reads it')
    .addOption(
      listOption(
        '--credential <name>',
        'an ExchangeCredential to read and to change (AccessSecrets); may be repeated',
      ),
    )
    .addOption(
      listOption(
        '--pod <name>',
        'a pod to get into (EmergencyOverride); may be repeated',
      ).conflicts('allPods'),
    )
    .option('--all-pods', 'every pod of the namespace')
    .option('--for <duration>', 'how long, from the last approval: 30m; absent: as long as allowed')
    .option('--ticket <id>', 'where the incident is written down')
    .addOption(
      new Option('--subject <user>', 'who gets in, instead of you').conflicts('serviceAccount'),
    )
    .option('--service-account <name>', 'a ServiceAccount of the namespace gets in, instead of you')
    .option('--name <name>', 'name of the EmergencyAccess instead of one from subject and time')
    .addOption(
      new Option(
        '--self',
        'approve it yourself, alone, where the installation allows that',
      ).conflicts(['subject', 'serviceAccount']),
    )
    .option('--second-reason <text>', 'with --self: why nobody else can approve it')
    .option('--dry-run', 'ask for nothing, and say whether it would be taken')
    .option('--wait', 'return once it is active, or over')
    .option('--timeout <seconds>', 'with --wait: how long', seconds, 600)
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom emergency request -n trading --credential maker --for 30m \\\n' +
        '    --reason "exchange refuses orders, the key must be tried by hand" --wait\n' +
        '  strongroom emergency request -n trading --pod maker-0 --ticket INC-231 \\\n' +
        '    --reason "maker-0 hangs and holds open orders"\n' +
        '  strongroom emergency request -n trading --pod maker-0 --self \\\n' +
        '    --reason "maker-0 hangs and holds open orders" \\\n' +
        '    --second-reason "nobody else of the desk answers the phone"\n' +
        '\nExit code 1 where it ended, with --wait, without having been active.\n' +
        JSON_OF_ONE,
    )
    .action(async (options: EmergencyRequestOptions) => {
      const { emergencyRequest } = await import('#cli/emergency-request.ts');
      await emergencyRequest(io, options);
    });
}

function approveCommand(io: Io): Command {
  return decideCommand(io, 'approve', 'let somebody else in', 'why it is right')
    .description(
      'It takes EmergencyOverride at level Emergency, and somebody who neither asked for it nor gets in.',
    )
    .addHelpText(
      'after',
      '\nExample:\n  strongroom emergency approve alice-20261126-1510 -n trading --reason "seen in the call"\n' +
        JSON_OF_ONE,
    );
}

function denyCommand(io: Io): Command {
  return decideCommand(io, 'deny', 'turn it down', 'why not').addHelpText(
    'after',
    '\nExample:\n  strongroom emergency deny alice-20261126-1510 -n trading --reason "a rotation is enough"\n' +
      JSON_OF_ONE,
  );
}

function endCommand(io: Io): Command {
  return decideCommand(io, 'end', 'end it before its time, or withdraw it', 'why it can end')
    .description('Its subject, who asked for it, who approved it, and SecurityAdmins can.')
    .addHelpText(
      'after',
      '\nExample:\n  strongroom emergency end alice-20261126-1510 -n trading --reason "orders cancelled"\n' +
        JSON_OF_ONE,
    );
}

function reviewCommand(io: Io): Command {
  return decideCommand(
    io,
    'review',
    'close the review of one that has ended',
    'what was done with it, and what follows',
    '--finding <text>',
  )
    .description(
      'It takes ViewAuditLogs or EmergencyOverride, and somebody who did not get in. Until then the same\n' +
        'subject gets no other EmergencyAccess.',
    )
    .addHelpText(
      'after',
      '\nExample:\n  strongroom emergency review alice-20261126-1510 -n trading \\\n' +
        '    --finding "two orders cancelled by hand, key rotated, see INC-231"\n' +
        JSON_OF_ONE,
    );
}

function listCommand(io: Io): Command {
  return withOutput(new Command('list'))
    .summary('all of a namespace: who, until when, how often used, what waits for a review')
    .option('-A, --all-namespaces', 'list those of every namespace')
    .option('--active', 'only those that let somebody in now')
    .option('--review-due', 'only those that have ended and wait for their review')
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom emergency list -n trading\n  strongroom emergency list -n trading --review-due -o json\n' +
        '\nJSON: a list of what "emergency show" prints.',
    )
    .action(async (options: EmergencyListOptions) => {
      const { emergencyList } = await import('#cli/emergency-list.ts');
      await emergencyList(io, options);
    });
}

function showCommand(io: Io): Command {
  return withOutput(new Command('show'))
    .summary('one in detail: who asked, approved and used it, and what should be rotated')
    .argument('<name>', 'the EmergencyAccess')
    .addHelpText(
      'after',
      `\nExample:\n  strongroom emergency show alice-20261126-1510 -n trading\n${JSON_OF_ONE}`,
    )
    .action(async (name: string, options: EmergencyOptions) => {
      const { emergencyShow } = await import('#cli/emergency-list.ts');
      await emergencyShow(io, name, options);
    });
}

function tokenCommand(io: Io): Command {
  return withClusterOptions(new Command('token'))
    .summary('a token that reads the delivered Secrets, and ends with the access')
    .description(
      'Asks the API server, as yourself, for a token of the ServiceAccount of an active EmergencyAccess.\n' +
        'It is printed to stdout and kept nowhere.',
    )
    .argument('<name>', 'the EmergencyAccess, of which you are the subject')
    .addOption(
      new Option('--format <format>', 'the token itself, or a kubeconfig that holds it')
        .choices(['token', 'kubeconfig'])
        .default('token'),
    )
    .option('--for <duration>', 'shorter than what is left: 10m at least')
    .option('--show', 'print to the terminal, where scroll-back keeps it')
    .addHelpText(
      'after',
      '\nExamples:\n  umask 077; strongroom emergency token alice-20261126-1510 -n trading --format kubeconfig > night\n' +
        '  kubectl --kubeconfig night get secret maker -o yaml\n' +
        '\nTokens are for 10 minutes at least, and end 80 seconds before the access, since the API server may\n' +
        'take one for so long after its end: in the last 12 minutes of the access there is none any more.',
    )
    .action(async (name: string, options: EmergencyTokenOptions) => {
      const { emergencyToken } = await import('#cli/emergency-token.ts');
      await emergencyToken(io, name, options);
    });
}

function decideCommand(
  io: Io,
  act: 'approve' | 'deny' | 'end' | 'review',
  summary: string,
  why: string,
  flag = '--reason <text>',
): Command {
  return withOutput(new Command(act))
    .summary(summary)
    .argument('<name>', 'the EmergencyAccess')
    .requiredOption(flag, why)
    .option('--no-wait', 'return once it is written')
    .option('--timeout <seconds>', 'how long to wait for the operator', seconds, 60)
    .action(async (name: string, given: EmergencyDecideOptions & { readonly finding?: string }) => {
      const { emergencyDecide } = await import('#cli/emergency-decide.ts');
      await emergencyDecide(io, act, name, { ...given, reason: given.finding ?? given.reason });
    });
}

function withOutput(command: Command): Command {
  return withClusterOptions(command).addOption(outputOption());
}

function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (name: string, before: readonly string[] | undefined) => [...(before ?? []), name],
  );
}

function seconds(text: string): number {
  const number = Number(text.replace(/s$/, ''));
  if (!Number.isFinite(number) || number <= 0) {
    throw new InvalidArgumentError('a number of seconds is wanted, for example 60.');
  }
  return number;
}
