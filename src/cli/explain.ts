import { Command } from 'commander';
import type { Explanation } from '#access/explain.ts';
import type { Identity } from '#access/identity.ts';
import type { AccessLevel } from '#api/roles.ts';
import type { AccessChange } from '#cli/access-change.ts';
import type { AccessOptions, IdentityOptions } from '#cli/access-options.ts';
import {
  ACTION_HELP,
  circumstancesOf,
  levelOption,
  namedIdentity,
  parseAction,
  withAccessOptions,
  withIdentityOptions,
} from '#cli/access-options.ts';
import type { AskedJson } from '#cli/access-output.ts';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

interface ExplainOptions extends AccessOptions, IdentityOptions {
  readonly level?: AccessLevel;
}

/** What `-o json` prints; a contract of the command line. */
interface ExplainJson extends Explanation {
  readonly request: AskedJson;
  readonly identity: Identity;
  /** Where a Deny decided: what would hold if the policies that deny were not. */
  readonly withoutDenies?: Pick<Explanation, 'decision' | 'wouldAllow'>;
  readonly notes: readonly string[];
  /** With `--with` or `--without` only. */
  readonly changes?: readonly AccessChange[];
}

export function explainCommand(io: Io): Command {
  return withAccessOptions(
    withIdentityOptions(
      new Command('explain')
        .summary('why somebody may, or may not, do something with a credential')
        .description(
          'Shows the decision, the policies that made it and, for a no, which policies come nearest to a yes and what each of them misses.',
        )
        .argument('<action>', ACTION_HELP)
        .argument('<credential>', 'an ExchangeCredential')
        .addOption(levelOption()),
    ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  strongroom explain retrieve maker -n trading\n' +
        '  strongroom explain rotate maker -n trading --as alice --as-group desk-mm\n' +
        '  strongroom explain mount maker -f clusters/prod --as-service-account trading/maker\n' +
        '\nJSON: request, identity {username, groups}, decision {allowed, reason, rules[], needs},\n' +
        'considered[] {policy, effect, applies, misses[] {part, text}}, wouldAllow[] (names of the nearest),\n' +
        'withoutDenies? {decision, wouldAllow[]}, notes[], changes[]?.',
    )
    .action((action: string, credential: string, options: ExplainOptions) =>
      explainAction(io, action, credential, options),
    );
}

async function explainAction(
  io: Io,
  actionName: string,
  credentialName: string,
  options: ExplainOptions,
): Promise<void> {
  const action = parseAction(actionName, options.level);
  const named = namedIdentity(options);
  const [{ openWorld }, change, output, { explain }, { createPolicyIndex }] = await Promise.all([
    import('#cli/access-world.ts'),
    import('#cli/access-change.ts'),
    import('#cli/access-output.ts'),
    import('#access/explain.ts'),
    import('#access/policy-index.ts'),
  ]);
  await using world = await openWorld(io, options);
  const identity = named ?? (await world.whoAmI());
  const gathered = await change.gatherAccess(io, world, options, { credential: credentialName });
  const { credential, notes, after } = gathered;
  if (credential === undefined) throw usageError('nothing is asked about');
  const circumstances = circumstancesOf(io, options);
  const request = {
    identity,
    action,
    target: change.credentialTarget(credential),
    ...circumstances,
  };
  const explanation = explain(after.index, request);
  const withoutDenies =
    explanation.decision.reason === 'Denied'
      ? explain(
          createPolicyIndex(after.policies.filter(({ spec }) => spec.effect !== 'Deny')),
          request,
        )
      : undefined;
  const { namespace = '', name } = credential.metadata;
  const json: ExplainJson = {
    request: output.askedJson(
      action,
      { namespace, credential: name, environment: credential.spec.environment },
      circumstances,
    ),
    identity,
    ...explanation,
    ...(withoutDenies === undefined
      ? {}
      : {
          withoutDenies: {
            decision: withoutDenies.decision,
            wouldAllow: withoutDenies.wouldAllow,
          },
        }),
    notes,
    ...(gathered.isPlanned
      ? {
          changes: change.changesFor(
            gathered,
            identity,
            [action],
            change.targetsOf(gathered),
            circumstances,
          ),
        }
      : {}),
  };
  print(io, options.output === 'json' ? JSON.stringify(json, null, 2) : await describe(json));
}

const REASONS: Readonly<Record<Explanation['decision']['reason'], string>> = {
  SystemMasters: 'allowed: members of system:masters are above all policies',
  Allowed: 'allowed',
  Denied: 'denied: a policy with effect Deny applies, and such a one always wins',
  NotGranted: 'denied: no policy gives it',
  UnknownCredential: 'denied: nobody knows the credential',
};

async function describe(json: ExplainJson): Promise<string> {
  const [{ table }, output] = await Promise.all([
    import('#cli/output.ts'),
    import('#cli/access-output.ts'),
  ]);
  const { request, identity, decision, considered, wouldAllow, withoutDenies, changes, notes } =
    json;
  const facts: readonly (readonly [string, string])[] = [
    ['Decision', REASONS[decision.reason]],
    ['Action', `${request.action} on ${request.namespace}/${request.credential}`],
    ['Environment', request.environment ?? ''],
    ['Needs', output.needsText(decision.needs)],
    ['Who', output.identityText(identity)],
    ['When', request.at],
    ['From', request.sourceAddress ?? 'an address that is not given'],
  ];
  const near = withoutDenies?.wouldAllow ?? wouldAllow;
  const nearest = considered.filter(({ policy }) => near.includes(policy));
  return output.sections(
    facts.map(([label, value]) => `${`${label}:`.padEnd(13)} ${value}`).join('\n'),
    decision.rules.length === 0
      ? undefined
      : `Decided by:\n${table(
          ['POLICY', 'EFFECT', 'SUBJECT', 'PERMISSION', 'GRANTED BY', 'LEVEL'],
          decision.rules.map((rule) => [
            rule.policy,
            rule.effect,
            output.subjectText(rule.subject),
            rule.permission,
            rule.grantedBy,
            rule.level,
          ]),
        )}`,
    withoutDenies === undefined
      ? undefined
      : withoutDenies.decision.allowed
        ? `But for the policies that deny, it would be allowed:\n${withoutDenies.decision.rules.map(output.ruleText).join('\n')}`
        : 'But for the policies that deny, it would not be allowed either.',
    decision.allowed || nearest.length === 0
      ? undefined
      : `What comes nearest to allowing it:\n${table(
          ['POLICY', 'MISSES', 'WHAT'],
          nearest.flatMap(({ policy, misses }) =>
            misses.map(({ part, text }, index) => [index === 0 ? policy : '', part, text]),
          ),
        )}`,
    decision.allowed || nearest.length > 0 || decision.reason === 'Denied'
      ? undefined
      : `No AccessPolicy comes near: one would have to give ${output.needsText(decision.needs)} on this credential to ${output.identityText(identity)}.`,
    changes === undefined ? undefined : output.changesText(changes),
    output.notesText(notes),
  );
}
