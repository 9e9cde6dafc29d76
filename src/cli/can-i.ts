import { Command } from 'commander';
import { ACTIONS } from '#access/actions.ts';
import type { Identity } from '#access/identity.ts';
import type { DecidingRule, Decision } from '#access/request.ts';
import type { Environment } from '#api/exchange-credential.ts';
import type { AccessLevel } from '#api/roles.ts';
import type { AccessChange, AccessTarget } from '#cli/access-change.ts';
import type { AccessOptions, IdentityOptions } from '#cli/access-options.ts';
import {
  ACTION_HELP,
  circumstancesOf,
  environmentOption,
  levelOption,
  namedIdentity,
  parseAction,
  withAccessOptions,
  withIdentityOptions,
} from '#cli/access-options.ts';
import type * as AccessOutputModule from '#cli/access-output.ts';
import type { AskedJson } from '#cli/access-output.ts';
import { NegativeAnswer, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

/** Loaded when it is needed. */
type AccessOutput = typeof AccessOutputModule;

interface CanIOptions extends AccessOptions, IdentityOptions {
  readonly level?: AccessLevel;
  readonly environment?: Environment;
}

/** What `-o json` prints with an action; a contract of the command line. */
interface AnswerJson {
  readonly request: AskedJson;
  readonly identity: Identity;
  readonly allowed: boolean;
  readonly reason: Decision['reason'];
  /** What decided; for a no that hangs on a condition, what would allow it. */
  readonly rules: readonly DecidingRule[];
  /** `from 10.0.0.0/8` or `not from 10.0.0.0/8`: what a yes hangs on. Absent: it always holds. */
  readonly condition?: string;
  readonly notes: readonly string[];
  /** With `--with` or `--without` only. */
  readonly changes?: readonly AccessChange[];
}

/** What `-o json` prints without an action; a contract of the command line. */
interface ListJson {
  readonly request: AskedJson;
  readonly identity: Identity;
  /** By namespace and name; the name `*` is everything in the namespace, also what is to come. */
  readonly credentials: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly environment?: string;
    /** Under the circumstances of the request. */
    readonly allowed: readonly string[];
    /** Actions, allowed now or not, that hang on constraints. */
    readonly conditional: readonly { readonly action: string; readonly condition: string }[];
  }[];
  readonly notes: readonly string[];
  readonly changes?: readonly AccessChange[];
}

export function canICommand(io: Io): Command {
  return withAccessOptions(
    withIdentityOptions(
      new Command('can-i')
        .summary('what you, or somebody else, may do with credentials')
        .description(
          'With an action: yes or no, also by exit code (0 yes, 1 no). Without one: all actions that are allowed, by credential. Asks the policies alone, as they are read with your own rights; --as impersonates nobody.',
        )
        .argument('[action]', ACTION_HELP)
        .argument('[credential]', 'an ExchangeCredential; everything in the namespace without it')
        .addOption(levelOption())
        .addOption(environmentOption()),
    ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom can-i -n trading\n' +
        '  strongroom can-i rotate maker -n trading --as alice --as-group desk-mm\n' +
        '  strongroom can-i mount maker -n trading --as-service-account trading/maker\n' +
        '  strongroom can-i retrieve maker -f clusters/prod --as alice --with desk.yaml\n' +
        '\nJSON with an action: request, identity {username, groups}, allowed, reason, rules[], condition?,\n' +
        'notes[], changes[]?. Without: request, identity, credentials[] {namespace, name, environment?,\n' +
        'allowed[], conditional[] {action, condition}}, notes[], changes[]?. A name "*" is everything in\n' +
        'the namespace, also what is to come.',
    )
    .action((action: string | undefined, credential: string | undefined, options: CanIOptions) =>
      action === undefined ? list(io, options) : answer(io, action, credential, options),
    );
}

async function answer(
  io: Io,
  actionName: string,
  credentialName: string | undefined,
  options: CanIOptions,
): Promise<void> {
  const action = parseAction(actionName, options.level);
  if (credentialName !== undefined && options.environment !== undefined) {
    throw usageError('a credential has its environment; leave out --environment');
  }
  const named = namedIdentity(options);
  const [{ openWorld }, change, output, { judgeOf }] = await modules();
  await using world = await openWorld(io, options);
  const identity = named ?? (await world.whoAmI());
  const gathered = await change.gatherAccess(
    io,
    world,
    options,
    credentialName === undefined ? {} : { credential: credentialName },
  );
  const { credential, notes } = gathered;
  const target = change.askedTarget(gathered, world.namespace, options.environment ?? '*');
  const { namespace } = target;
  const circumstances = circumstancesOf(io, options);
  const judge = judgeOf(gathered.after.index, identity);
  const { decision, rules, condition } = judge({ action, target: target.after, ...circumstances });
  const json: AnswerJson = {
    request: output.askedJson(
      action,
      {
        namespace,
        ...(credential === undefined
          ? { environment: options.environment ?? '*' }
          : { credential: credential.metadata.name, environment: credential.spec.environment }),
      },
      circumstances,
    ),
    identity,
    allowed: decision.allowed,
    reason: decision.reason,
    rules,
    ...(condition === undefined ? {} : { condition }),
    notes,
    ...(gathered.isPlanned
      ? { changes: change.changesFor(gathered, identity, [action], [target], circumstances) }
      : {}),
  };
  if (options.output === 'json') print(io, JSON.stringify(json, null, 2));
  else {
    print(
      io,
      output.sections(
        `${decision.allowed ? 'yes' : 'no'}: ${reasonText(json, decision, output)}`,
        json.changes === undefined ? undefined : output.changesText(json.changes),
        output.notesText(notes),
      ),
    );
  }
  if (!decision.allowed) throw new NegativeAnswer();
}

function reasonText(
  { request, identity, condition }: AnswerJson,
  { reason, rules, needs }: Decision,
  output: AccessOutput,
): string {
  const where = output.targetText(request.namespace, request.credential);
  switch (reason) {
    case 'SystemMasters':
      return 'a member of system:masters is above all policies';
    case 'Allowed':
    case 'Denied':
      return `${rules.map(output.ruleText).join('; ')}${condition === undefined ? '' : `, ${output.conditionText(condition)}`}`;
    case 'UnknownCredential':
      return `nobody knows ${where}`;
    case 'NotGranted':
      return condition === undefined
        ? `no AccessPolicy gives ${output.needsText(needs)} on ${where} to ${output.identityText(identity)}; "strongroom explain" says what is missing`
        : `not under these circumstances, ${output.conditionText(condition)}`;
  }
}

async function list(io: Io, options: CanIOptions): Promise<void> {
  if (options.level !== undefined) throw usageError('--level goes with the name of a permission');
  const named = namedIdentity(options);
  const [{ openWorld }, change, output, { judgeOf }] = await modules();
  await using world = await openWorld(io, options);
  const identity = named ?? (await world.whoAmI());
  const gathered = await change.gatherAccess(io, world, options, { all: true });
  const circumstances = circumstancesOf(io, options);
  const actions = Object.values(ACTIONS);
  const targets = [
    ...change.scopeTargets(gathered, world.namespace, options.environment ?? '*'),
    ...change.targetsOf(gathered),
  ] as const;
  const judge = judgeOf(gathered.after.index, identity);
  const credentials = targets.flatMap((one: AccessTarget) => {
    const { namespace, name, after: target } = one;
    if (target === undefined) return [];
    const verdicts = actions.map((action) => ({
      action: action.name,
      ...judge({ action, target, ...circumstances }),
    }));
    return [
      {
        namespace,
        name,
        ...(target.kind === 'Credential' ? { environment: target.credential.environment } : {}),
        allowed: verdicts.filter(({ decision }) => decision.allowed).map(({ action }) => action),
        conditional: verdicts.flatMap(({ action, condition }) =>
          condition === undefined ? [] : [{ action, condition }],
        ),
      },
    ];
  });
  const json: ListJson = {
    request: output.askedJson(undefined, { namespace: world.namespace }, circumstances),
    identity,
    credentials,
    notes: gathered.notes,
    ...(gathered.isPlanned
      ? { changes: change.changesFor(gathered, identity, actions, targets, circumstances) }
      : {}),
  };
  if (options.output === 'json') print(io, JSON.stringify(json, null, 2));
  else print(io, await describeList(json, output));
}

async function describeList(
  { identity, credentials, notes, changes }: ListJson,
  output: AccessOutput,
): Promise<string> {
  const { table } = await import('#cli/output.ts');
  const conditions = credentials.flatMap(({ namespace, name, conditional }) => {
    const actions = new Map<string, string[]>();
    for (const { action, condition } of conditional) {
      actions.set(condition, [...(actions.get(condition) ?? []), action]);
    }
    return [...actions].map(([condition, names]) => [
      `${namespace}/${name}`,
      names.join(', '),
      condition,
    ]);
  });
  return output.sections(
    `For ${output.identityText(identity)}:`,
    table(
      ['CREDENTIAL', 'ENVIRONMENT', 'MAY'],
      credentials.map(({ namespace, name, environment, allowed }) => [
        `${namespace}/${name}`,
        environment ?? 'all',
        allowed.length === Object.keys(ACTIONS).length ? 'everything' : allowed.join(', ') || '-',
      ]),
    ),
    conditions.length === 0
      ? undefined
      : table(['CREDENTIAL', 'MAY, UNDER CONSTRAINTS', 'WHEN'], conditions),
    changes === undefined ? undefined : output.changesText(changes),
    output.notesText(notes),
  );
}

function modules() {
  return Promise.all([
    import('#cli/access-world.ts'),
    import('#cli/access-change.ts'),
    import('#cli/access-output.ts'),
    import('#access/judge.ts'),
  ]);
}
