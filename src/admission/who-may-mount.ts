/**
 * Who may run pods that use which credentials. Asked with every pod, so that answers are kept for as
 * long as neither policies nor credentials change.
 */
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import { SYSTEM_MASTERS, serviceAccountIdentity } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import { possibleIndex } from '#access/possible-access.ts';
import type { PolicyIndex } from '#access/policy-index.ts';
import type { Decision } from '#access/request.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { AdmissionWorld } from './world.ts';

type PolicyWorld = Pick<AdmissionWorld, 'policyIndex' | 'policies' | 'credentials'>;

export type MountAnswer =
  | {
      readonly isAllowed: true;
      /** AccessPolicies that decided, at most 10 of them. */
      readonly policies: readonly string[];
    }
  | {
      readonly isAllowed: false;
      readonly policies: readonly string[];
      /** The first one that may not be mounted. */
      readonly credential: ExchangeCredential;
      readonly decision: Decision;
    };

const NOTHING: readonly ExchangeCredential[] = [];
const MAX_POLICIES = 10;

/** What is kept of one namespace's account or of one requester; beyond that all is forgotten. */
const MAX_KEPT = 10_000;

interface Mounted {
  /** The list that it was found for. */
  readonly among: readonly ExchangeCredential[];
  readonly mounted: readonly ExchangeCredential[];
  /** By object: what did not change is not asked again. */
  readonly answers: WeakMap<ExchangeCredential, boolean>;
}

const mountedByIndex = new WeakMap<PolicyIndex, Map<string, Mounted>>();

/**
 * The credentials of a namespace that pods of the account may use at some time: constraints of an
 * Allow count as met, and a Deny takes away only what it denies without one. The same list until
 * policies or credentials change.
 */
export function mountedBy(
  world: PolicyWorld,
  namespace: string,
  account: string,
): readonly ExchangeCredential[] {
  const among = world.credentials(namespace);
  if (among.length === 0) return NOTHING;
  const index = world.policyIndex();
  const kept = mapOf(mountedByIndex, index);
  const key = `${namespace}/${account}`;
  const present = kept.get(key);
  if (present?.among === among) return present.mounted;

  const possible = possibleIndex(index, world.policies());
  const identity = serviceAccountIdentity(namespace, account);
  const answers = present?.answers ?? new WeakMap<ExchangeCredential, boolean>();
  const isNobody = possible.about(identity, namespace).length === 0;
  const found = isNobody
    ? NOTHING
    : among.filter((credential) => {
        const known = answers.get(credential);
        if (known !== undefined) return known;
        // Without constraints the time does not matter.
        const { allowed } = mountDecision(possible, identity, credential, 0);
        answers.set(credential, allowed);
        return allowed;
      });
  const isSame = found.length === present?.mounted.length && found.every(isAt(present.mounted));
  const mounted = isSame ? present.mounted : found;
  put(kept, key, { among, mounted, answers });
  return mounted;
}

/** Whether the identity may mount each of the credentials, which are all of one namespace. */
export function mayMount(
  world: Pick<AdmissionWorld, 'policyIndex'>,
  identity: Identity,
  credentials: readonly ExchangeCredential[],
  nowMs: number,
): MountAnswer {
  const index = world.policyIndex();
  const policies = new Set<string>();
  for (const credential of credentials) {
    const decision = mountDecision(index, identity, credential, nowMs);
    if (!decision.allowed) {
      return { isAllowed: false, policies: policiesOf(decision), credential, decision };
    }
    for (const { policy } of decision.rules) {
      if (policies.size < MAX_POLICIES) policies.add(policy);
    }
  }
  return { isAllowed: true, policies: [...policies] };
}

interface Answer {
  readonly answer: MountAnswer;
  /** Of the clock, where the answer hangs on it; schedules begin and end with whole seconds. */
  readonly second: number | undefined;
}

const ANYTHING: MountAnswer = { isAllowed: true, policies: [] };
const answersByIndex = new WeakMap<
  PolicyIndex,
  WeakMap<readonly ExchangeCredential[], Map<string, Answer>>
>();

/** Whether whoever asks may mount all that pods of the account may use; members of system:masters may. */
export function mayRunAs(
  world: PolicyWorld,
  identity: Identity,
  namespace: string,
  account: string,
  nowMs: number,
): MountAnswer {
  if (identity.groups.includes(SYSTEM_MASTERS)) return ANYTHING;
  const mounted = mountedBy(world, namespace, account);
  if (mounted.length === 0) return ANYTHING;
  const index = world.policyIndex();
  let byList = answersByIndex.get(index);
  if (byList === undefined) {
    byList = new WeakMap();
    answersByIndex.set(index, byList);
  }
  const kept = mapOf(byList, mounted);
  const key = JSON.stringify([identity.username, ...[...identity.groups].sort()]);
  const second = Math.floor(nowMs / 1000);
  const present = kept.get(key);
  if (present !== undefined && (present.second === undefined || present.second === second)) {
    return present.answer;
  }
  const answer = mayMount(world, identity, mounted, nowMs);
  const hangsOnTime = index
    .about(identity, namespace)
    .some((list) => list.some(({ constrained }) => constrained));
  put(kept, key, { answer, second: hangsOnTime ? second : undefined });
  return answer;
}

function mountDecision(
  index: PolicyIndex,
  identity: Identity,
  credential: ExchangeCredential,
  atMs: number,
): Decision {
  const target = { kind: 'Credential', credential: factsOf(credential) } as const;
  return decide(index, { identity, action: ACTIONS.mount, target, atMs });
}

function policiesOf({ rules }: Decision): readonly string[] {
  return rules.slice(0, MAX_POLICIES).map(({ policy }) => policy);
}

function isAt<T>(list: readonly T[]): (item: T, place: number) => boolean {
  return (item, place) => list[place] === item;
}

function mapOf<K extends object, V>(maps: WeakMap<K, Map<string, V>>, key: K): Map<string, V> {
  const present = maps.get(key);
  if (present !== undefined) return present;
  const map = new Map<string, V>();
  maps.set(key, map);
  return map;
}

function put<V>(kept: Map<string, V>, key: string, value: V): void {
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, value);
}
