/**
 * What the policies say about one namespace, small enough for CEL: for each guarded Secret who may
 * use it, and for each ServiceAccount with rights who holds all of them. It knows neither times nor
 * addresses, so that what hangs on them stays undecided here.
 */
import { isDeepStrictEqual } from 'node:util';
import { ACTIONS } from '#access/actions.ts';
import type { CompiledPolicy, PolicyEntry } from '#access/compile.ts';
import { factsOf } from '#access/facts.ts';
import { needsOf } from '#access/needs.ts';
import { permissionSet } from '#access/permission-set.ts';
import type { PolicyIndex } from '#access/policy-index.ts';
import type { CredentialFacts } from '#access/request.ts';
import { guardedSecretsOf } from '#api/credential-secrets.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type {
  AccessEffect,
  AccessRule,
  AccountRule,
  NamespaceAccessSpec,
} from '#api/namespace-access.ts';
import { mapOf, put } from '../kept-answers.ts';
import {
  OTHER_ACCOUNTS,
  accountRights,
  describeRight,
  effectOnRight,
  namedAccounts,
} from '../what-account-may.ts';
import type { AccountRight } from '../what-account-may.ts';

/** Of every identity that has a name: a Deny about somebody that nobody understands. */
export const ANYONE = 'Anyone';

/**
 * Of JSON, in UTF-8 bytes. The API server writes and reads all of a parameter object as JSON for each
 * pod, which takes it about 0.1 ms a kilobyte (measured with 1.37): a larger one would be felt.
 */
export const MAX_BYTES = 100_000;

/**
 * So many different rules of an account or of a Secret a request can be judged by within CEL's
 * budget, with fifty groups; the test of the twin on a real API server measures it.
 */
export const MAX_RULES = 400;

/** Characters of what is told of a right. */
const MAX_RIGHT = 1_024;

/** A stronger one hides the weaker ones of the same subject. */
const STRENGTH: Readonly<Record<AccessEffect, number>> = {
  MayAllow: 0,
  Allow: 1,
  MayDeny: 2,
  Deny: 3,
};

/**
 * Equal for equal policies and credentials, in whatever order they come. `credentials` are all of
 * the namespace.
 */
export function compileNamespaceAccess(
  index: PolicyIndex,
  namespace: string,
  credentials: readonly ExchangeCredential[],
): NamespaceAccessSpec {
  const accounts = accountsOf(index, namespace);
  if (accounts === undefined) return { incomplete: true };
  const ruleFor = createRuleCompiler(index);
  const texts = new Map<ExchangeCredential, string>();
  const rulesByText = new Map<string, AccessRule>();
  let size = 0;
  for (const credential of credentials) {
    const { rule, text } = ruleFor(factsOf(credential));
    texts.set(credential, text);
    if (rulesByText.has(text)) continue;
    rulesByText.set(text, rule);
    size += text.length;
    // It ends here, however many follow.
    if (size > MAX_BYTES) return { incomplete: true };
  }
  const order = [...rulesByText.keys()].sort();
  const placeOf = new Map(order.map((text, place) => [text, place]));

  const places = new Map<string, Set<number>>();
  for (const [credential, text] of texts) {
    for (const secret of guardedSecretsOf(credential)) {
      const known = places.get(secret) ?? new Set<number>();
      known.add(placeOf.get(text) ?? 0);
      places.set(secret, known);
    }
  }
  const spec: NamespaceAccessSpec = {
    secrets: Object.fromEntries(
      [...places]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([secret, found]) => [secret, [...found].sort((a, b) => a - b)]),
    ),
    rules: order.flatMap((text) => rulesByText.get(text) ?? []),
    ...accounts,
  };
  const isTooMuch =
    [...places.values()].some((found) => found.size > MAX_RULES) ||
    Buffer.byteLength(JSON.stringify(spec)) > MAX_BYTES;
  return isTooMuch ? { incomplete: true } : spec;
}

/** Whether some request about the namespace can only be decided by the webhook. */
export function isStrict(spec: NamespaceAccessSpec): boolean {
  const { incomplete, rules = [], accountRules = [], formerSecrets = [] } = spec;
  return (
    incomplete === true ||
    // What becomes of pods that hold what a Secret had, CEL is not asked.
    formerSecrets.length > 0 ||
    [...rules, ...accountRules].some(({ subjects }) =>
      Object.values(subjects).some((effect) => effect === 'MayAllow' || effect === 'MayDeny'),
    )
  );
}

type CompiledAccounts = Pick<NamespaceAccessSpec, 'accounts' | 'accountRules'>;

const accountsByIndex = new WeakMap<PolicyIndex, Map<string, CompiledAccounts | 'TooMuch'>>();

/** Found once for the policies: credentials change far more often, with each pod that uses one. */
function accountsOf(index: PolicyIndex, namespace: string): CompiledAccounts | undefined {
  const kept = mapOf(accountsByIndex, index);
  const known = kept.get(namespace) ?? compileAccounts(index, namespace) ?? 'TooMuch';
  put(kept, namespace, known);
  return known === 'TooMuch' ? undefined : known;
}

/**
 * Who may act as which account: a rule for each right, and all rules of an account must allow. Empty
 * where no account may do anything, undefined where one may do too much.
 */
function compileAccounts(index: PolicyIndex, namespace: string): CompiledAccounts | undefined {
  const rulesByText = new Map<string, AccountRule>();
  const textsByAccount = new Map<string, readonly string[]>();
  let size = 0;
  for (const account of [OTHER_ACCOUNTS, ...namedAccounts(index, namespace)]) {
    const texts = new Set<string>();
    for (const right of accountRights(index, namespace, account)) {
      const { rule, text } = compiledRule(effectsOnRight(index, right));
      texts.add(text);
      if (!rulesByText.has(text)) size += text.length;
      const told = describeRight(right).slice(0, MAX_RIGHT);
      const present = rulesByText.get(text);
      // The same one of several, in whatever order they come.
      if (present === undefined || told < present.right) {
        rulesByText.set(text, { right: told, ...rule });
      }
      // It ends here, however many follow.
      if (texts.size > MAX_RULES || size > MAX_BYTES) return undefined;
    }
    textsByAccount.set(account, [...texts].sort());
  }
  if (rulesByText.size === 0) return {};
  const order = [...rulesByText.keys()].sort();
  const placeOf = new Map(order.map((text, place) => [text, place]));
  const others = textsByAccount.get(OTHER_ACCOUNTS) ?? [];
  const accounts: Record<string, readonly number[]> = {};
  for (const [account, texts] of textsByAccount) {
    const isSame = isDeepStrictEqual(texts, account === OTHER_ACCOUNTS ? [] : others);
    if (isSame) continue;
    accounts[account] = texts.map((text) => placeOf.get(text) ?? 0);
  }
  return { accounts, accountRules: order.flatMap((text) => rulesByText.get(text) ?? []) };
}

function effectsOnRight(index: PolicyIndex, right: AccountRight): Effects {
  const effects = new Map<string, AccessEffect>();
  for (const policy of index.policies) {
    if (effectOnRight(policy, right) !== undefined) addEffect(effects, policy);
  }
  return effects;
}

function addEffect(effects: Map<string, AccessEffect>, policy: CompiledPolicy): void {
  const effect = effectOf(policy);
  for (const entry of policy.entries) {
    const key = keyOf(entry);
    const present = effects.get(key);
    if (present === undefined || STRENGTH[present] < STRENGTH[effect]) effects.set(key, effect);
  }
}

type Effects = ReadonlyMap<string, AccessEffect>;

interface CompiledRule {
  readonly rule: AccessRule;
  readonly text: string;
}

/**
 * Credentials are many, and differ in little that policies look at: what depends on that alone is
 * found once, and policies that name credentials are looked up by the name.
 */
function createRuleCompiler(index: PolicyIndex): (credential: CredentialFacts) => CompiledRule {
  const byName = new Map<string, CompiledPolicy[]>();
  const ofAnyName: CompiledPolicy[] = [];
  for (const policy of index.policies) {
    const [entry] = policy.entries;
    if (entry === undefined || (policy.permissions & MOUNT_PERMISSIONS) === 0) continue;
    if (entry.names === undefined) ofAnyName.push(policy);
    for (const name of entry.names ?? []) {
      const list = byName.get(name);
      if (list === undefined) byName.set(name, [policy]);
      else list.push(policy);
    }
  }
  const known = new Map<string, { readonly effects: Effects; readonly compiled: CompiledRule }>();

  return (credential) => {
    const { namespace, environment, exchange, minimumAccessLevel, labels } = credential;
    const kind = JSON.stringify([
      [namespace, environment, exchange ?? null, minimumAccessLevel ?? null],
      Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
    ]);
    let base = known.get(kind);
    if (base === undefined) {
      const effects = withEffects(new Map(), ofAnyName, credential);
      base = { effects, compiled: compiledRule(effects) };
      known.set(kind, base);
    }
    const named = byName.get(credential.name);
    return named === undefined
      ? base.compiled
      : compiledRule(withEffects(base.effects, named, credential));
  };
}

const MOUNT_PERMISSIONS = permissionSet(ACTIONS.mount.anyOf);

function withEffects(
  before: Effects,
  policies: readonly CompiledPolicy[],
  credential: CredentialFacts,
): Effects {
  const { rank } = needsOf({ action: ACTIONS.mount, target: { kind: 'Credential', credential } });
  const effects = new Map(before);
  for (const policy of policies) {
    const isDeny = policy.effect === 'Deny';
    if (isDeny ? rank < policy.level : rank > policy.level) continue;
    if (policy.matches(credential)) addEffect(effects, policy);
  }
  return effects;
}

function compiledRule(effects: Effects): CompiledRule {
  const rule = {
    subjects: Object.fromEntries([...effects].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  return { rule, text: JSON.stringify(rule) };
}

function effectOf({ effect, constrained }: CompiledPolicy): AccessEffect {
  return constrained ? `May${effect}` : effect;
}

function keyOf({ by, name }: PolicyEntry): string {
  return by === 'Anyone' ? ANYONE : `${by}:${name}`;
}
