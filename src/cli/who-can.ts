import { Command } from 'commander';
import { ACTION_NAMES, ACTIONS } from '#access/actions.ts';
import type { PartialHolder } from '#access/judge.ts';
import type { Action } from '#access/actions.ts';
import type { Weakness } from '#access/weaknesses/find-weaknesses.ts';
import type { Subject } from '#api/access-policy.ts';
import type { Environment } from '#api/exchange-credential.ts';
import type { AccessLevel } from '#api/roles.ts';
import type { AccessChange } from '#cli/access-change.ts';
import type { AccessOptions } from '#cli/access-options.ts';
import {
  ACTION_HELP,
  circumstancesOf,
  environmentOption,
  levelOption,
  parseAction,
  withAccessOptions,
} from '#cli/access-options.ts';
import type { AskedJson } from '#cli/access-output.ts';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

interface WhoCanOptions extends AccessOptions {
  readonly level?: AccessLevel;
  readonly environment?: Environment;
}

/** Why somebody may. */
interface HolderRule {
  readonly policy: string;
  readonly permission: string;
  /** The role, or `permissions`. */
  readonly grantedBy: string;
  readonly level: string;
}

/** What `-o json` prints; a contract of the command line. */
interface WhoCanJson {
  readonly request: AskedJson;
  /**
   * Sorted by subject. `condition`: what it hangs on, such as `from 10.0.0.0/8` or
   * `not from 10.0.0.0/8`; absent: it always holds.
   */
  readonly holders: readonly {
    readonly subject: Subject;
    readonly condition?: string;
    readonly rules: readonly HolderRule[];
  }[];
  /** Asked without a credential: who may do it in some of what is asked about. */
  readonly partly: readonly PartialHolder[];
  /** RBAC of others that lets the policies be rounded; `namespace: "*"` in the whole cluster. */
  readonly weaknesses: readonly Weakness[];
  /** Who holds ManageUsers at Admin. */
  readonly administrators: readonly string[];
  /** What could not be looked at, and why. */
  readonly notes: readonly string[];
  /** With `--with` or `--without` only. */
  readonly changes?: readonly AccessChange[];
}

export function whoCanCommand(io: Io): Command {
  return withAccessOptions(
    new Command('who-can')
      .summary('who may do something with a credential, why, and who could round the policies')
      .description(
        'Names every subject of a policy that may do it with the credential or, without one, with everything in the namespace; then the RBAC of others that lets somebody round the policies. A cluster does not know who is in a group: ask "can-i --as USER --as-group GROUP" for a person.',
      )
      .argument('[action]', ACTION_HELP)
      .argument('[credential]', 'an ExchangeCredential; everything in the namespace without it')
      .addOption(levelOption())
      .addOption(environmentOption()),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom who-can retrieve maker -n trading\n' +
        '  strongroom who-can TransferFunds --level Write -n trading --environment Production\n' +
        '  strongroom who-can rotate maker -f clusters/prod -o json\n' +
        '  strongroom who-can -A --with desk.yaml\n' +
        '\nWithout ACTION, --with or --without is needed: prints what they change, for all actions.\n' +
        '\nJSON: request; holders[] {subject, condition?, rules[] {policy, permission, grantedBy, level}};\n' +
        'weaknesses[] {type, severity, namespace ("*": the whole cluster), subject, via, secrets?, message};\n' +
        'administrators[]; notes[]; with --with or --without also changes[] {change, subject, action,\n' +
        'credential, before, after}.',
    )
    .action((action: string | undefined, credential: string | undefined, options: WhoCanOptions) =>
      whoCanAction(io, action, credential, options),
    );
}

async function whoCanAction(
  io: Io,
  actionName: string | undefined,
  credentialName: string | undefined,
  options: WhoCanOptions,
): Promise<void> {
  const action = actionName === undefined ? undefined : parseAction(actionName, options.level);
  if (action === undefined && options.with === undefined && options.without === undefined) {
    throw usageError(`say which action: ${ACTION_NAMES.join(', ')}`);
  }
  if (credentialName !== undefined && options.environment !== undefined) {
    throw usageError('a credential has its environment; leave out --environment');
  }
  if (action === undefined) return listChanges(io, options);
  const [
    { openWorld },
    change,
    output,
    { identityOf },
    { administrators },
    { weaknessesIn },
    { judgeOf, partialHolders, subjectsOf },
  ] = await Promise.all([
    import('#cli/access-world.ts'),
    import('#cli/access-change.ts'),
    import('#cli/access-output.ts'),
    import('#access/identity.ts'),
    import('#access/installation.ts'),
    import('#cli/access-weaknesses.ts'),
    import('#access/judge.ts'),
  ]);
  await using world = await openWorld(io, options);
  const [gathered, found] = await Promise.all([
    change.gatherAccess(
      io,
      world,
      options,
      credentialName === undefined ? {} : { credential: credentialName },
    ),
    credentialName === undefined ? credentialsOrNote(world.credentials()) : undefined,
  ]);
  const { after, credential } = gathered;
  const target = change.askedTarget(gathered, world.namespace, options.environment ?? '*');
  const { namespace } = target;
  const circumstances = circumstancesOf(io, options);
  const request = { action, target: target.after, ...circumstances };
  const answers = subjectsOf(after.index).map((subject) => ({
    subject,
    ...judgeOf(after.index, identityOf(subject))(request),
  }));
  const rbac = await world.rbac(namespace);
  const json: WhoCanJson = {
    request: output.askedJson(
      action,
      {
        namespace,
        ...(credential === undefined
          ? { environment: options.environment ?? '*' }
          : {
              credential: credential.metadata.name,
              environment: credential.spec.environment,
            }),
      },
      circumstances,
    ),
    holders: answers
      .filter(({ decision, condition }) => decision.allowed || condition !== undefined)
      .map(({ subject, rules, condition }) => ({
        subject,
        ...(condition === undefined ? {} : { condition }),
        rules: rules.map(({ policy, permission, grantedBy, level }) => ({
          policy,
          permission,
          grantedBy,
          level,
        })),
      })),
    partly:
      credential === undefined
        ? partialHolders(after.index, action, namespace, options.environment ?? '*')
        : [],
    weaknesses: weaknessesIn(
      rbac,
      after.policies,
      credential === undefined ? (found?.credentials ?? []) : [credential],
      options.operatorNamespace,
      io.now(),
    ),
    administrators: administrators(after.index.policies),
    notes: [...gathered.notes, ...(found?.notes ?? []), ...rbac.notes],
    ...(gathered.isPlanned
      ? {
          changes: change.changesForAll(gathered, [action], [target], circumstances),
        }
      : {}),
  };
  if (options.output === 'json') print(io, JSON.stringify(json, null, 2));
  else print(io, await describe(json, action));
}

/** Without an action: only what would change, for all actions. */
async function listChanges(io: Io, options: WhoCanOptions): Promise<void> {
  const [{ openWorld }, change, output] = await Promise.all([
    import('#cli/access-world.ts'),
    import('#cli/access-change.ts'),
    import('#cli/access-output.ts'),
  ]);
  await using world = await openWorld(io, options);
  const gathered = await change.gatherAccess(io, world, options, { all: true });
  const circumstances = circumstancesOf(io, options);
  const changes = change.changesForAll(
    gathered,
    Object.values(ACTIONS),
    [
      ...change.scopeTargets(gathered, world.namespace, options.environment ?? '*'),
      ...change.targetsOf(gathered),
    ],
    circumstances,
  );
  const { notes } = gathered;
  // The same shape as with an action, as far as it goes.
  if (options.output === 'json') {
    const request = output.askedJson(undefined, { namespace: world.namespace }, circumstances);
    print(io, JSON.stringify({ request, changes, notes }, null, 2));
  } else {
    print(io, output.sections(output.changesText(changes), output.notesText(notes)));
  }
}

/** Only weaknesses are looked for with them; the answer itself does not need them. */
async function credentialsOrNote<T>(
  credentials: Promise<readonly T[]>,
): Promise<{ readonly credentials: readonly T[]; readonly notes: readonly string[] }> {
  const { isKubeError } = await import('#kube/errors.ts');
  try {
    return { credentials: await credentials, notes: [] };
  } catch (error) {
    if (!isKubeError(error, 'ERR_KUBE_FORBIDDEN')) throw error;
    return {
      credentials: [],
      notes: [
        'you may not list exchangecredentials.strongroom.dev there, so it is not known which Secrets are delivered, and who reads them is not looked at',
      ],
    };
  }
}

async function describe(json: WhoCanJson, action: Action): Promise<string> {
  const [{ table }, output, { CATALOGUE }] = await Promise.all([
    import('#cli/output.ts'),
    import('#cli/access-output.ts'),
    import('#access/weaknesses/catalogue.ts'),
  ]);
  const { request, holders, partly, weaknesses, administrators, notes, changes } = json;
  const where = output.targetText(request.namespace, request.credential);
  const what = `${action.name} on ${where}`;
  const rows = holders.flatMap(({ subject, condition, rules }) =>
    rules.map((rule) => [
      output.subjectText(subject),
      rule.policy,
      rule.permission,
      rule.grantedBy,
      rule.level,
      condition === undefined ? 'always' : output.conditionText(condition),
    ]),
  );
  return output.sections(
    holders.length === 0
      ? `No AccessPolicy lets anybody ${what}${partly.length === 0 ? '' : ', all of it,'} (it needs ${output.needsText(action)}); only system:masters may, whom no policy holds back.`
      : table(['SUBJECT', 'POLICY', 'PERMISSION', 'GRANTED BY', 'LEVEL', 'WHEN'], rows),
    holders.length === 0 ? undefined : 'Group system:masters may too: no policy holds it back.',
    partly.length === 0
      ? undefined
      : `In part, unless a Deny says otherwise (ask for a credential, or with -n and --environment):\n${table(
          ['SUBJECT', 'POLICY', 'ENVIRONMENTS', 'SELECTS'],
          partly.map(({ subject, policy, environments, selection }) => [
            output.subjectText(subject),
            policy,
            environments.join(', '),
            selection,
          ]),
        )}`,
    weaknesses.length === 0
      ? undefined
      : `RBAC of others lets somebody round the policies:\n${table(
          ['SEVERITY', 'WEAKNESS', 'WHERE', 'SUBJECT', 'VIA'],
          weaknesses.map(({ severity, type, namespace, subject, via }) => [
            severity,
            type,
            namespace === '*' ? 'whole cluster' : namespace,
            subject.namespace === undefined
              ? `${subject.kind} ${subject.name}`
              : `${subject.kind} ${subject.namespace}/${subject.name}`,
            via,
          ]),
        )}\n\n${[...new Set(weaknesses.map(({ type }) => type))]
          .map((type) => `${type}: the subject ${CATALOGUE[type].lets}.`)
          .join('\n')}`,
    administrators.length === 0
      ? 'Nobody holds ManageUsers at Admin: only system:masters can write AccessPolicies.'
      : undefined,
    changes === undefined ? undefined : output.changesText(changes),
    output.notesText(notes),
  );
}
