/** What the commands that ask about access have in common on the command line. */
import { isIP } from 'node:net';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { ACTION_NAMES, ACTIONS } from '#access/actions.ts';
import type { Action, ActionName } from '#access/actions.ts';
import { parseServiceAccount, serviceAccountIdentity } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import type { AccessRequest } from '#access/request.ts';
import { ACCESS_LEVELS, ENVIRONMENTS, PERMISSIONS } from '#api/roles.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import type { ClusterOptions } from '#cli/cluster.ts';
import { withClusterOptions } from '#cli/cluster.ts';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { outputOption } from '#cli/status.ts';

export interface AccessOptions extends ClusterOptions {
  readonly allNamespaces?: boolean;
  readonly file?: readonly string[];
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly at?: number;
  readonly sourceAddress?: string;
  readonly country?: string;
  readonly output: 'table' | 'json';
  readonly operatorNamespace: string;
}

export interface IdentityOptions {
  readonly as?: string;
  readonly asGroup?: readonly string[];
  readonly asServiceAccount?: string;
}

/** From where and when something is asked for; the same for all requests of one command. */
export type Circumstances = Pick<AccessRequest, 'atMs' | 'sourceAddress' | 'country'>;

export function withAccessOptions(command: Command): Command {
  return withClusterOptions(command)
    .option('-A, --all-namespaces', 'look at every namespace')
    .option(
      '-f, --file <path...>',
      'take policies, credentials and RBAC from YAML files, folders or stdin (-), not from a cluster',
    )
    .option(
      '--with <path...>',
      'as if these AccessPolicies and ExchangeCredentials were applied, and what that changes',
    )
    .option('--without <policy...>', 'as if these AccessPolicies were deleted')
    .option('--at <time>', 'as of this time (RFC 3339) instead of now', parseTime)
    .option('--source-address <ip>', 'as if asked from this address', parseAddress)
    .option('--country <code>', 'as if asked from this country (ISO 3166-1 alpha-2)', parseCountry)
    .option('--operator-namespace <name>', 'where the operator runs', 'strongroom-system')
    .addOption(outputOption());
}

export function withIdentityOptions(command: Command): Command {
  return command
    .option('--as <user>', 'about this user; about yourself unless somebody is named')
    .option('--as-group <group...>', 'who is in these groups')
    .option('--as-service-account <namespace/name>', 'about this ServiceAccount');
}

export function levelOption(): Option {
  return new Option(
    '--level <level>',
    'level that is needed, where ACTION is the name of a permission (default: Read)',
  ).choices(ACCESS_LEVELS);
}

export function environmentOption(): Option {
  return new Option(
    '--environment <environment>',
    'without CREDENTIAL: in this environment; in all three without it',
  ).choices(ENVIRONMENTS);
}

/** Named in the help of each command that takes one. */
export const ACTION_HELP: string = `what is done: ${ACTION_NAMES.join(', ')}; or the name of a permission`;

/** The action of a name, or of a permission at a level. */
export function parseAction(name: string, level: AccessLevel | undefined): Action {
  if (isActionName(name)) {
    if (level === undefined) return ACTIONS[name];
    throw usageError(
      `--level goes with a permission; ${name} needs ${ACTIONS[name].level} by itself`,
    );
  }
  if (isPermission(name)) {
    return { name, anyOf: [name], level: level ?? 'Read', description: `have ${name}` };
  }
  throw usageError(
    `there is no such action; actions are ${ACTION_NAMES.join(', ')}; permissions are ${PERMISSIONS.join(', ')}`,
  );
}

export function circumstancesOf(io: Io, options: AccessOptions): Circumstances {
  return {
    atMs: options.at ?? io.now(),
    ...(options.sourceAddress === undefined ? {} : { sourceAddress: options.sourceAddress }),
    ...(options.country === undefined ? {} : { country: options.country }),
  };
}

/**
 * Who the options name, with the groups that the API server gives everybody; undefined when they
 * name nobody.
 */
export function namedIdentity(options: IdentityOptions): Identity | undefined {
  const { as, asGroup = [], asServiceAccount } = options;
  if (asServiceAccount !== undefined) {
    if (as !== undefined) throw usageError('say either --as or --as-service-account');
    const [namespace, name, ...rest] = asServiceAccount.split('/');
    if (!namespace || !name || rest.length > 0) {
      throw usageError('--as-service-account wants <namespace>/<name>, such as trading/maker');
    }
    return withGroups(serviceAccountIdentity(namespace, name), asGroup);
  }
  if (as === '') throw usageError('--as is empty; name a user');
  if (as === undefined && asGroup.length === 0) return undefined;
  const account = as === undefined ? undefined : parseServiceAccount(as);
  return withGroups(
    account === undefined
      ? {
          username: as ?? '',
          groups: [as === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'],
        }
      : serviceAccountIdentity(account.namespace, account.name),
    asGroup,
  );
}

function withGroups(identity: Identity, groups: readonly string[]): Identity {
  return { ...identity, groups: [...new Set([...groups, ...identity.groups])] };
}

function isActionName(name: string): name is ActionName {
  return Object.hasOwn(ACTIONS, name);
}

function isPermission(name: string): name is Permission {
  return PERMISSIONS.some((permission) => permission === name);
}

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

export function parseTime(text: string): number {
  const [, year, month, day] = TIME.exec(text) ?? [];
  const time = Date.parse(text);
  // Date.parse takes 30 February for 2 March.
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (Number.isNaN(time) || Number.isNaN(days) || Number(day) > days) {
    throw new InvalidArgumentError(
      'a time is wanted as in RFC 3339, such as 2026-11-24T21:00:00Z.',
    );
  }
  return time;
}

function parseAddress(text: string): string {
  if (isIP(text) === 0 || text.includes('%')) {
    throw new InvalidArgumentError('an IPv4 or IPv6 address is wanted, such as 10.20.0.7.');
  }
  return text;
}

function parseCountry(text: string): string {
  if (!/^[A-Za-z]{2}$/.test(text)) {
    throw new InvalidArgumentError('two letters are wanted, such as CH.');
  }
  return text.toUpperCase();
}
