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
import type { PolicyEntry } from '#access/compile.ts';
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
const ANYTHING: MountAnswer = { isAllowed: true, policies: [] };

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

  const identity = serviceAccountIdentity(namespace, account);
  const about = aboutEach(possibleIndex(index, world.policies()), identity, namespace);
  const answers = present?.answers ?? new WeakMap<ExchangeCredential, boolean>();
  const found =
    about === undefined
      ? NOTHING
      : among.filter((credential) => {
          const known = answers.get(credential);
          if (known !== undefined) return known;
          // Without constraints the time does not matter.
          const { allowed } = mountDecision(about(credential), identity, credential, 0);
          answers.set(credential, allowed);
          return allowed;
        });
  const isSame = found.length === present?.mounted.length && found.every(isAt(present.mounted));
  const mounted = isSame ? present.mounted : found;
  put(kept, key, { among, mounted, answers });
  return mounted;
}

/**
 * Whether pods of an account of the credential's namespace may mount it at some time, as `mountedBy`
 * has it. The credential is taken as it is given, not as it is known.
 */
export function mayEverMount(
  world: Pick<AdmissionWorld, 'policyIndex' | 'policies'>,
  account: string,
  credential: ExchangeCredential,
): boolean {
  const identity = serviceAccountIdentity(credential.metadata.namespace ?? '', account);
  const index = possibleIndex(world.policyIndex(), world.policies());
  return mountDecision(index, identity, credential, 0).allowed;
}

/** Whether the identity may mount each of the credentials, which are all of one namespace. */
export function mayMount(
  world: Pick<AdmissionWorld, 'policyIndex'>,
  identity: Identity,
  credentials: readonly ExchangeCredential[],
  nowMs: number,
): MountAnswer {
  const [first] = credentials;
  if (first === undefined) return ANYTHING;
  const index = world.policyIndex();
  const about =
    credentials.length < MANY
      ? undefined
      : aboutEach(index, identity, first.metadata.namespace ?? '');
  const policies = new Set<string>();
  for (const credential of credentials) {
    const narrowed = about?.(credential) ?? index;
    const decision = mountDecision(narrowed, identity, credential, nowMs);
    if (!decision.allowed) {
      return { isAllowed: false, policies: policiesOf(decision), credential, decision };
    }
    for (const { policy } of decision.rules) {
      if (policies.size < MAX_POLICIES) policies.add(policy);
    }
  }
  return { isAllowed: true, policies: [...policies] };
}

/** From so many credentials on, policies are sorted by the names that they select first. */
const MANY = 16;

type About = Pick<PolicyIndex, 'about'>;

/**
 * The policies about an identity that may concern a credential, by its name: hundreds that name one
 * each are not looked at for each of thousands. Undefined where none is about the identity.
 */
function aboutEach(
  index: PolicyIndex,
  identity: Identity,
  namespace: string,
): ((credential: ExchangeCredential) => About) | undefined {
  const lists = index.about(identity, namespace);
  if (lists.length === 0) return undefined;
  const ofAnyName: PolicyEntry[] = [];
  const byName = new Map<string, PolicyEntry[]>();
  for (const entry of lists.flat().sort(byPolicyThenPlace)) {
    if (entry.names === undefined) {
      ofAnyName.push(entry);
      continue;
    }
    for (const name of entry.names) {
      const named = byName.get(name);
      if (named === undefined) byName.set(name, [entry]);
      else named.push(entry);
    }
  }
  return ({ metadata }) => {
    const named = byName.get(metadata.name);
    return { about: () => (named === undefined ? [ofAnyName] : [ofAnyName, named]) };
  };
}

interface Answer {
  /** What it was found for. */
  readonly mounted: readonly ExchangeCredential[];
  readonly answer: MountAnswer;
  /** Of the clock, where the answer hangs on it; schedules begin and end with whole seconds. */
  readonly second: number | undefined;
}

const answersByIndex = new WeakMap<PolicyIndex, Map<string, Answer>>();

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
  const kept = mapOf(answersByIndex, index);
  const { username, groups } = identity;
  const key = JSON.stringify([namespace, account, username, ...[...groups].sort()]);
  const second = Math.floor(nowMs / 1000);
  const known = kept.get(key);
  const present =
    known !== undefined && (known.second === undefined || known.second === second)
      ? known
      : undefined;
  if (present?.mounted === mounted) return present.answer;
  const answer = answerFor(world, identity, mounted, nowMs, present);
  const hangsOnTime = index
    .about(identity, namespace)
    .some((list) => list.some(({ constrained }) => constrained));
  put(kept, key, { mounted, answer, second: hangsOnTime ? second : undefined });
  return answer;
}

/** Of a yes for another list only what is new is asked about. */
function answerFor(
  world: PolicyWorld,
  identity: Identity,
  mounted: readonly ExchangeCredential[],
  nowMs: number,
  before: Answer | undefined,
): MountAnswer {
  if (before?.answer.isAllowed !== true) return mayMount(world, identity, mounted, nowMs);
  const known = new Set(before.mounted);
  const added = mounted.filter((credential) => !known.has(credential));
  const answer = mayMount(world, identity, added, nowMs);
  if (!answer.isAllowed) return answer;
  const policies = new Set([...before.answer.policies, ...answer.policies]);
  return { isAllowed: true, policies: [...policies].slice(0, MAX_POLICIES) };
}

/** The order that decisions expect of a list. */
function byPolicyThenPlace(a: PolicyEntry, b: PolicyEntry): number {
  if (a.policy === b.policy) return a.place - b.place;
  return a.policy.name < b.policy.name ? -1 : 1;
}

function mountDecision(
  index: Pick<PolicyIndex, 'about'>,
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
