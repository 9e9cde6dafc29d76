/**
 * What the policies say about one namespace, small enough for CEL: for each guarded Secret who may
 * use it. It knows neither times nor addresses, so that what hangs on them stays undecided here.
 */
import { ACTIONS } from '#access/actions.ts';
import type { CompiledPolicy, PolicyEntry } from '#access/compile.ts';
import { factsOf } from '#access/facts.ts';
import { needsOf } from '#access/needs.ts';
import { permissionSet } from '#access/permission-set.ts';
import type { PolicyIndex } from '#access/policy-index.ts';
import type { CredentialFacts } from '#access/request.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { AccessEffect, AccessRule, NamespaceAccessSpec } from '#api/namespace-access.ts';

/** Of every identity that has a name: a Deny about somebody that nobody understands. */
export const ANYONE = 'Anyone';

/** Well below what etcd takes, in UTF-8 bytes of JSON. */
export const MAX_BYTES = 900_000;

/**
 * So many different rules a request can be judged by within CEL's budget, with fifty groups; the
 * test of the twin on a real API server measures it.
 */
export const MAX_RULES = 400;

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
  credentials: readonly ExchangeCredential[],
): NamespaceAccessSpec {
  const ruleFor = createRuleCompiler(index);
  const texts = new Map<ExchangeCredential, string>();
  const rulesByText = new Map<string, AccessRule>();
  for (const credential of credentials) {
    const { rule, text } = ruleFor(factsOf(credential));
    texts.set(credential, text);
    rulesByText.set(text, rule);
    // It ends here, however many follow.
    if (rulesByText.size > MAX_RULES) return { incomplete: true };
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
  };
  const isTooMuch = order.length > MAX_RULES || Buffer.byteLength(JSON.stringify(spec)) > MAX_BYTES;
  return isTooMuch ? { incomplete: true } : spec;
}

/** Whether some request about the namespace can only be decided by the webhook. */
export function isStrict(spec: NamespaceAccessSpec): boolean {
  const { incomplete, rules = [], formerSecrets = [] } = spec;
  return (
    incomplete === true ||
    // What becomes of pods that hold what a Secret had, CEL is not asked.
    formerSecrets.length > 0 ||
    rules.some(({ subjects }) =>
      Object.values(subjects).some((effect) => effect === 'MayAllow' || effect === 'MayDeny'),
    )
  );
}

/** Names of the Secrets that hold a credential's value, or are to hold it. */
export function guardedSecretsOf({ spec, status }: ExchangeCredential): readonly string[] {
  const names = [
    spec.delivery.secret?.name,
    status?.delivery?.secretName,
    spec.source.secretRef?.name,
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
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
    if (!policy.matches(credential)) continue;
    const effect = effectOf(policy);
    for (const entry of policy.entries) {
      const key = keyOf(entry);
      const present = effects.get(key);
      if (present === undefined || STRENGTH[present] < STRENGTH[effect]) effects.set(key, effect);
    }
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
