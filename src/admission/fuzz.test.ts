/**
 * Everything that can be thrown at the webhook, and what must never come back: a fault, an answer
 * that is none, or an allow that must-refuse.ts says must not be. At least 100,000 inputs;
 * `make fuzz RUNS=…` for more, until MINUTES are over.
 */
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '#runtime/log.ts';
import { RECORDED_REVIEWS } from '../../test/samples/recorded-reviews.ts';
import { decideAdmission } from './decide-admission.ts';
import { mixed, mutateBytes, mutateJson } from './fuzz/mutations.ts';
import { mustRefuse } from './fuzz/must-refuse.ts';
import { reviews } from './fuzz/reviews.ts';
import type { Json } from './fuzz/reviews.ts';
import { CONTEXT, PODS, POLICIES, sceneWorld } from './fuzz/scene.ts';
import { createAdmissionHandler } from './handler.ts';
import { createAdmissionMetrics } from './metrics.ts';
import { mutateAdmission } from './mutate-admission.ts';
import { MAX_NESTING, readReview } from './review/read-review.ts';
import type { RuleContext } from './rule.ts';
import { ALLOWED } from './verdict.ts';
import type { NamespaceView } from './world.ts';

const RUNS = Number(process.env['RUNS'] ?? 100_000);
const TIME_LIMIT = Number(process.env['MINUTES'] ?? 0) * 60_000;

interface Answer {
  readonly kind?: unknown;
  readonly status?: unknown;
  readonly message?: unknown;
  readonly response?: {
    readonly uid?: unknown;
    readonly allowed?: unknown;
    readonly patch?: unknown;
    readonly status?: {
      readonly code?: unknown;
      readonly reason?: unknown;
      readonly message?: unknown;
    };
  };
}

interface Count {
  allowed: number;
  refused: number;
}

function setUp(decide: typeof decideAdmission = decideAdmission) {
  const handle = createAdmissionHandler({
    decide: (request) => decide(request, CONTEXT),
    mutate: (request) => mutateAdmission(request, CONTEXT, STAMP_KEY),
    audit: async () => undefined,
    metrics: createAdmissionMetrics(new Registry()),
    clock: { monotonicMs: () => 0 },
    isReady: () => true,
    log: silentLogger,
  });
  const { signal } = new AbortController();
  /** By resource, how many were allowed and how many refused. */
  const counts = new Map<string, Count>();

  /** What is wrong with the answer to these bytes; undefined: nothing. */
  async function faultOf(body: Uint8Array): Promise<string | undefined> {
    const review = parse(body);
    const answer = await handle('/validate', body, signal);
    const { kind, response, ...status } = JSON.parse(answer.body) as Answer;
    const uid = member(member(review, 'request'), 'uid');
    if (answer.status !== 200) {
      if (kind !== 'Status' || typeof status.message !== 'string') return 'no Status';
      return isUid(uid) && !isDeep(body)
        ? `HTTP ${answer.status} although the uid can be read`
        : undefined;
    }
    if (kind !== 'AdmissionReview' || response === undefined) return 'no AdmissionReview';
    if (response.uid !== uid) return 'another uid';
    count(review, response.allowed === true);
    if (response.allowed === true) {
      const why = mustRefuse(review);
      return why === undefined ? undefined : `allowed, and must not be: ${why}`;
    }
    const { code, reason, message } = response.status ?? {};
    if (response.allowed !== false) return 'neither allowed nor refused';
    if (typeof reason !== 'string' || reason === '') return 'refused without a reason';
    if (typeof message !== 'string' || message === '') return 'refused without a word';
    if (typeof code !== 'number' || code < 400) return `refused with ${String(code)}`;
    return reason === 'InternalError' ? `a fault: ${message}` : undefined;
  }

  async function faultOfMutation(body: Uint8Array): Promise<string | undefined> {
    const { response } = JSON.parse((await handle('/mutate', body, signal)).body) as Answer;
    if (response?.allowed !== true) {
      return response?.status?.reason === 'InternalError' ? 'a fault' : undefined;
    }
    if (response.patch === undefined) return undefined;
    const patch: unknown = JSON.parse(Buffer.from(response.patch as string, 'base64').toString());
    const isPatch =
      Array.isArray(patch) &&
      patch.every((one) =>
        /^\/metadata\/(annotations|labels)(\/strongroom|$)/.test(String(member(one, 'path'))),
      );
    return isPatch ? undefined : 'a patch of something else';
  }

  function count(review: unknown, isAllowed: boolean): void {
    const request = member(review, 'request');
    const parts = [member(member(request, 'resource'), 'resource'), member(request, 'subResource')];
    const key = parts.filter((one) => typeof one === 'string').join('/');
    const entry = counts.get(key) ?? { allowed: 0, refused: 0 };
    entry[isAllowed ? 'allowed' : 'refused'] += 1;
    if (counts.size < 10_000) counts.set(key, entry);
  }

  return { faultOf, faultOfMutation, counts };
}

const STAMP_KEY = new Uint8Array(32).fill(7);

function bytesOf(review: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(review), 'utf8');
}

function parse(body: Uint8Array): unknown {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return JSON.parse(decoder.decode(body)) as unknown;
  } catch {
    return undefined;
  }
}

function member(of: unknown, name: string): unknown {
  const isObject = typeof of === 'object' && of !== null && Object.hasOwn(of, name);
  return isObject ? (of as Json)[name] : undefined;
}

/** Nothing is made of what nests deeper than anything of Kubernetes: then no uid is known. */
function isDeep(body: Uint8Array): boolean {
  let depth = 0;
  let deepest = 0;
  for (const character of Buffer.from(body)
    .toString('utf8')
    .replaceAll(/"(\\.|[^"\\])*"/g, '')) {
    if ('{['.includes(character)) depth += 1;
    if ('}]'.includes(character)) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest > MAX_NESTING;
}

function isUid(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= 256;
}

/** To make a review costs most: each is spoilt in so many ways. */
const WAYS = 5;

/** What is thrown, as it is written to the wire. */
const plain = reviews.map((review) => [bytesOf(review)]);
const mutated = fc
  .tuple(reviews, fc.array(mutateJson, { minLength: WAYS, maxLength: WAYS }))
  .map(([review, ways]) => ways.map((mutate) => bytesOf(mutate(review))));
const scrambled = fc
  .tuple(reviews, fc.array(mutateBytes, { minLength: WAYS, maxLength: WAYS }))
  .map(([review, ways]) => ways.map((mutate) => mutate(JSON.stringify(review))));
const spoilt = fc.oneof(
  { arbitrary: mutateJson.map((mutate) => (review: Json) => bytesOf(mutate(review))), weight: 5 },
  mutateBytes.map((mutate) => (review: Json) => mutate(JSON.stringify(review))),
);
const recorded = fc
  .tuple(
    mixed([...RECORDED_REVIEWS.values()].map((body) => parse(body) as Json)),
    fc.array(spoilt, { minLength: WAYS - 1, maxLength: WAYS - 1 }),
  )
  .map(([review, ways]) => [bytesOf(review), ...ways.map((mutate) => mutate(review))]);

/** The first fault that is found, made as small as it can be unless told; undefined: none. */
async function faultFound(
  inputs: fc.Arbitrary<readonly Uint8Array[]>,
  numRuns: number,
  faultOf: (body: Uint8Array) => Promise<string | undefined>,
  endOnFailure = false,
): Promise<string | undefined> {
  const found = await fc.check(
    fc.asyncProperty(inputs, async (bodies) => {
      for (const body of bodies) {
        const fault = await faultOf(body);
        if (fault !== undefined) throw new Error(`${fault}: ${Buffer.from(body).toString('utf8')}`);
      }
    }),
    {
      numRuns,
      endOnFailure,
      ...(TIME_LIMIT > 0 && { interruptAfterTimeLimit: TIME_LIMIT, markInterruptAsFailure: false }),
    },
  );
  if (!found.failed) return undefined;
  return `seed ${found.seed}, path ${found.counterexamplePath ?? ''}: ${String(found.errorInstance)}`;
}

/** What random reviews are about, with `status` of our kinds. */
const REVIEWED: readonly string[] = [
  'accesspolicies',
  'accesspolicies/status',
  'cronjobs',
  'daemonsets',
  'deployments',
  'emergencyaccesses',
  'emergencyaccesses/status',
  'exchangecredentials',
  'exchangecredentials/status',
  'ipblocks',
  'ipblocks/status',
  'jobs',
  'namespaceaccesses',
  'namespaceaccesses/status',
  'namespaces',
  'namespaces/finalize',
  'namespaces/status',
  'networkpolicies',
  'nodes/proxy',
  'pods',
  'pods/attach',
  'pods/ephemeralcontainers',
  'pods/exec',
  'pods/portforward',
  'pods/proxy',
  'podtemplates',
  'replicasets',
  'replicationcontrollers',
  'rolebindings',
  'roles',
  'secrets',
  'serviceaccounts',
  'serviceaccounts/token',
  'services/proxy',
  'statefulsets',
];

const share = (part: number): number => Math.ceil(RUNS * part);
const TIMEOUT = 600_000 + 5 * TIME_LIMIT;

const { world, settings } = CONTEXT;
const withContext =
  (context: Partial<RuleContext>): typeof decideAdmission =>
  (request) =>
    decideAdmission(request, { ...CONTEXT, ...context });

/** Faults that somebody could make in a rule, or in what it is given. */
const BROKEN: Readonly<Record<string, typeof decideAdmission>> = {
  'one resource that is not looked at': (request, context) =>
    request.resource.resource === 'cronjobs' ? ALLOWED : decideAdmission(request, context),
  'one subresource that is not looked at': (request, context) =>
    request.subResource === 'attach' ? ALLOWED : decideAdmission(request, context),
  'an update like a create': (request, context) =>
    decideAdmission({ ...request, operation: 'CREATE' }, context),
  'names without regard to case': (request, context) => {
    const { userInfo } = request;
    const username = userInfo.username.toLowerCase();
    return decideAdmission({ ...request, userInfo: { ...userInfo, username } }, context);
  },
  'a clock that is slow': withContext({ nowMs: CONTEXT.nowMs - 5 * 60_000 }),
  'a clock of another time zone': withContext({ nowMs: CONTEXT.nowMs - 12 * 3_600_000 }),
  'Denies that do not count': withContext({
    world: sceneWorld({ policies: POLICIES.filter(({ spec }) => spec.effect !== 'Deny') }),
  }),
  'Secrets that are imported from': withContext({
    world: {
      ...world,
      credentialsOfSecret: (namespace, secret) =>
        secret === 'import-me' ? [] : world.credentialsOfSecret(namespace, secret),
    },
  }),
  'pull Secrets of accounts': withContext({ world: { ...world, account: () => undefined } }),
  'pods that nobody knows': withContext({
    world: { ...world, pod: (namespace, name) => world.pod(namespace, name) ?? PODS[2] },
  }),
  'another operator': withContext({
    settings: { ...settings, operatorUsername: 'system:serviceaccount:trading:maker' },
  }),
  'a namespace that nobody knows': withContext({
    world: {
      ...world,
      namespace: (name) => (name === 'lab' ? { ...open(), name } : world.namespace(name)),
    },
  }),
  'a rule that fails': (request, context) => {
    if (request.name === 'sim') throw new Error('unexpected');
    return decideAdmission(request, context);
  },
  'a refusal without a word': (request, context) => {
    const { allowed } = decideAdmission(request, context);
    return { allowed, message: '', reason: '' as 'Denied' };
  },
};

/** What random reviews are not about. */
const BROKEN_FOR_SOME: Readonly<Record<string, typeof decideAdmission>> = Object.fromEntries(
  ['controllerrevisions', 'pods/binding', 'pods/status'].map(
    (path): [string, typeof decideAdmission] => [
      `${path}, when they are not looked at`,
      (request, context) => {
        const { resource, subResource } = request;
        const asked = [resource.resource, ...(subResource === undefined ? [] : [subResource])];
        return asked.join('/') === path ? ALLOWED : decideAdmission(request, context);
      },
    ],
  ),
);

function open(): NamespaceView {
  return { name: 'open', isGuarded: false, isDeleting: false };
}

describe('the webhook, whatever it is sent', () => {
  const { faultOf, faultOfMutation, counts } = setUp();

  test(
    'is right about reviews as an API server sends them',
    async () => {
      expect(await faultFound(plain, share(0.4), faultOf)).toBeUndefined();
      expect([...counts.keys()].sort()).toEqual(REVIEWED);
      // Had all of one kind been refused, or allowed, little would have been found.
      const isOneSided = ({ allowed, refused }: Count): boolean => allowed === 0 || refused === 0;
      const onesided = [...counts].filter(([, count]) => isOneSided(count));
      expect(RUNS < 100_000 ? [] : onesided).toEqual([]);
    },
    TIMEOUT,
  );

  test.each<[string, fc.Arbitrary<readonly Uint8Array[]>, number]>([
    ['members that are wrong', mutated, 0.33],
    ['reviews of an API server that were mixed up', recorded, 0.12],
    ['bytes that are no review', scrambled, 0.1],
  ])(
    'is right about %s',
    async (_what, inputs, part) => {
      expect(await faultFound(inputs, share(part / WAYS), faultOf)).toBeUndefined();
    },
    TIMEOUT,
  );

  test(
    'changes nothing but labels and annotations of ours',
    async () => {
      const inputs = fc.oneof(plain, mutated);
      expect(await faultFound(inputs, share(0.05), faultOfMutation)).toBeUndefined();
    },
    TIMEOUT,
  );
});

/** What the rules say to each review that an API server sent; the reason of those that are refused. */
const VERDICTS: Readonly<Record<string, string>> = {
  'access-policy-create': 'Allowed',
  'access-policy-delete': 'NotGranted',
  'controller-revision-create-by-controller': 'Allowed',
  'cron-job-create': 'Allowed',
  'deployment-create': 'Allowed',
  'deployment-scale': 'NotUnderstood',
  'deployment-update': 'NotGranted',
  'emergency-access-create': 'Allowed',
  'emergency-access-update': 'Allowed',
  'exchange-credential-create-mutating': 'Invalid',
  'exchange-credential-create': 'Allowed',
  'exchange-credential-delete-collection': 'NotGranted',
  'exchange-credential-status': 'NotGranted',
  'exchange-credential-update': 'Allowed',
  'ip-block-create': 'Allowed',
  'namespace-create': 'Allowed',
  'namespace-delete': 'NotGranted',
  'namespace-update-dry-run': 'NotGranted',
  'node-proxy': 'EmergencyAccessNeeded',
  'pod-attach': 'Allowed',
  'pod-binding': 'Reserved',
  'pod-create-by-controller': 'Allowed',
  'pod-create': 'NotGranted',
  'pod-ephemeral-containers': 'NotGranted',
  'pod-exec': 'EmergencyAccessNeeded',
  'pod-port-forward': 'Allowed',
  'pod-proxy': 'EmergencyAccessNeeded',
  'pod-status': 'Immutable',
  'pod-update': 'Allowed',
  'replica-set-create-by-controller': 'Allowed',
  'role-binding-create': 'Reserved',
  'secret-create': 'Allowed',
  'secret-delete': 'Reserved',
  'secret-of-account-dry-run': 'BeyondOwnRights',
  'secret-update': 'Reserved',
  'service-account-create': 'Allowed',
  'service-account-token': 'Allowed',
  'service-account-update': 'NotGranted',
  'service-proxy': 'EmergencyAccessNeeded',
};

describe('a review as an API server sent it', () => {
  test.each([...RECORDED_REVIEWS])('is read, and decided: %s', async (name, body) => {
    const read = readReview(body);
    if (!read.ok) throw new Error(read.message);
    const { allowed, reason } = decideAdmission(read.request, CONTEXT);
    expect(allowed ? 'Allowed' : reason).toBe(VERDICTS[name]);
    expect(mustRefuse(parse(body)) === undefined).toBe(allowed);
    expect(await setUp().faultOf(body)).toBeUndefined();
  });

  test('none is missing', () => {
    expect([...RECORDED_REVIEWS.keys()]).toEqual(Object.keys(VERDICTS));
  });
});

/** Each is found among some thousands; that none is missed by chance, there may be more. */
const AT_MOST = 200_000;

describe('the fuzzer', () => {
  test.each(Object.entries(BROKEN))('finds %s', async (_what, decide) => {
    const { faultOf } = setUp(decide);
    expect(await faultFound(plain, AT_MOST, faultOf, true)).toMatch(/^seed/);
  });

  test.each(Object.entries(BROKEN_FOR_SOME))(
    'finds %s, from what was recorded',
    async (_what, decide) => {
      const { faultOf } = setUp(decide);
      expect(await faultFound(recorded, AT_MOST, faultOf, true)).toMatch(/^seed/);
    },
  );
});
