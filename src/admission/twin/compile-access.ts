/**
 * What the policies say about one namespace, small enough for CEL: for each guarded Secret who may
 * use it. It knows neither times nor addresses, so that what hangs on them stays undecided here.
 */
import { ACTIONS } from '#access/actions.ts';
import type { CompiledPolicy, PolicyEntry } from '#access/compile.ts';
import { factsOf } from '#access/facts.ts';
import { needsOf } from '#access/needs.ts';
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
  const texts = new Map<ExchangeCredential, string>();
  const rulesByText = new Map<string, AccessRule>();
  for (const credential of credentials) {
    const rule = ruleFor(index, factsOf(credential));
    const text = JSON.stringify(rule);
    texts.set(credential, text);
    rulesByText.set(text, rule);
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
export function isStrict({ incomplete, rules = [] }: NamespaceAccessSpec): boolean {
  return (
    incomplete === true ||
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

function ruleFor(index: PolicyIndex, credential: CredentialFacts): AccessRule {
  const needs = needsOf({ action: ACTIONS.mount, target: { kind: 'Credential', credential } });
  const effects = new Map<string, AccessEffect>();
  for (const policy of index.policies) {
    if ((policy.permissions & needs.permissions) === 0) continue;
    const isDeny = policy.effect === 'Deny';
    if (isDeny ? needs.rank < policy.level : needs.rank > policy.level) continue;
    if (!policy.matches(credential)) continue;
    const effect = effectOf(policy);
    for (const entry of policy.entries) {
      const key = keyOf(entry);
      const present = effects.get(key);
      if (present === undefined || STRENGTH[present] < STRENGTH[effect]) effects.set(key, effect);
    }
  }
  return { subjects: Object.fromEntries([...effects].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function effectOf({ effect, constrained }: CompiledPolicy): AccessEffect {
  return constrained ? `May${effect}` : effect;
}

function keyOf({ by, name }: PolicyEntry): string {
  return by === 'Anyone' ? ANYONE : `${by}:${name}`;
}
