/**
 * Decisions over many policies and credentials, and the index made anew after a change; against the
 * same rules applied to one policy after the other.
 */
import { ACTIONS } from '../src/access/actions.ts';
import { decide } from '../src/access/decide.ts';
import { createPolicyIndex } from '../src/access/policy-index.ts';
import type { AccessRequest, CredentialFacts } from '../src/access/request.ts';
import { policyOf } from '../src/access/testing/builders.ts';
import { naiveDecide } from '../src/access/testing/naive-decide.ts';
import type { AccessPolicy, AccessPolicySpec } from '../src/api/access-policy.ts';
import { ENVIRONMENTS, ROLES } from '../src/api/roles.ts';
import type { Benchmark, Comparison, Samples } from './benchmark.ts';

const POLICIES = 1000;
const CREDENTIALS = 10_000;
const NAMESPACES = 100;
/** Decisions a sample: one alone is shorter than the clock can tell. */
const BATCH = 200;
const ROUNDS = 300;
const NAIVE_ROUNDS = 30;
const NOW = Date.parse('2026-11-24T12:00:00Z');

export const decision: Benchmark = {
  name: 'decision',
  run: () =>
    Promise.resolve([
      ...[10, 100, POLICIES].flatMap((count) => [
        compare(`decide, allowed, ${count} policies`, desks(count), 'desk', true),
        compare(`decide, denied, ${count} policies`, desks(count), 'desk', false),
      ]),
      compare(
        `decide, in 50 groups, ${POLICIES} policies`,
        desks(POLICIES),
        'desk',
        true,
        Array.from({ length: 50 }, (_, index) => `desk-${index * 7}`),
      ),
      compare(
        `decide, all of ${POLICIES} policies about one group, each allowing`,
        oneGroup(() => ({})),
        'all',
        true,
      ),
      compare(
        `decide, all of ${POLICIES} policies about one group, none allowing`,
        oneGroup((index) => ({ credentials: { names: [`other-${index}`] } })),
        'all',
        false,
      ),
      compare(
        `decide, all of ${POLICIES} policies about one group, under a constraint`,
        oneGroup(() => ({
          constraints: {
            sourceRanges: ['10.20.0.0/16', '2001:db8::/32'],
            times: [{ schedule: '0 9 * * 1-5', duration: '8h', timeZone: 'Europe/Zurich' }],
          },
        })),
        'all',
        true,
      ),
      rebuild(),
    ]),
};

function compare(
  what: string,
  policies: readonly AccessPolicy[],
  group: 'desk' | 'all',
  isAllowed: boolean,
  more: readonly string[] = [],
): Comparison {
  const index = createPolicyIndex(policies);
  const requests = requestsFor(policies.length, group, isAllowed, more);
  for (const request of requests.slice(0, 20)) {
    const answers = [decide(index, request).allowed, naiveDecide(policies, request)];
    if (!answers.every((answer) => answer === isAllowed))
      throw new Error(`${what}: ${answers.join()}`);
  }
  return {
    what: `${what} × ${CREDENTIALS} credentials`,
    ours: sampleEach(ROUNDS, BATCH, requests, (request) => decide(index, request)),
    peers: {
      'linear scan': sampleEach(NAIVE_ROUNDS, 1, requests, (request) =>
        naiveDecide(policies, request),
      ),
    },
  };
}

/** Of a thousand policies one is another object than before, as after an event of a watch. */
function rebuild(): Comparison {
  const policies = [...desks(POLICIES)];
  createPolicyIndex(policies);
  const samples: number[] = [];
  for (let round = -ROUNDS / 10; round < ROUNDS; round += 1) {
    const place = (round * 37 + POLICIES) % POLICIES;
    const before = policies[place];
    if (before !== undefined) policies[place] = structuredClone(before);
    const started = performance.now();
    createPolicyIndex(policies);
    if (round >= 0) samples.push(performance.now() - started);
  }
  const cold: number[] = [];
  for (let round = 0; round < NAIVE_ROUNDS; round += 1) {
    const copies = structuredClone(policies);
    const started = performance.now();
    createPolicyIndex(copies);
    cold.push(performance.now() - started);
  }
  return {
    what: `index of ${POLICIES} policies anew, after one changed`,
    ours: samples,
    peers: { 'all compiled anew': cold },
  };
}

/** Milliseconds an operation, over the requests in turn. */
function sampleEach(
  rounds: number,
  batch: number,
  requests: readonly AccessRequest[],
  operation: (request: AccessRequest) => unknown,
): Samples {
  const samples: number[] = [];
  let next = 0;
  for (let round = -Math.ceil(rounds / 10); round < rounds; round += 1) {
    const started = performance.now();
    for (let turn = 0; turn < batch; turn += 1) {
      const request = requests[next % requests.length];
      next += 1;
      if (request !== undefined) operation(request);
    }
    if (round >= 0) samples.push((performance.now() - started) / batch);
  }
  return samples;
}

/** Each about a desk, its ServiceAccount, a few namespaces, and some about labels and addresses. */
function desks(count: number): readonly AccessPolicy[] {
  return Array.from({ length: count }, (_, index) =>
    policyOf(
      {
        subjects: [
          { kind: 'Group', name: `desk-${index}` },
          { kind: 'ServiceAccount', namespace: namespaceOf(index), name: `maker-${index}` },
        ],
        effect: index % 20 === 19 ? 'Deny' : 'Allow',
        roles: [ROLES[index % ROLES.length] ?? 'Trader'],
        permissions: ['AccessSecrets'],
        accessLevel: 'Write',
        environments: index % 20 === 19 ? ['Development'] : ENVIRONMENTS,
        credentials: {
          namespaces: [namespaceOf(index), namespaceOf(index + 1)],
          ...(index % 3 === 0 && { selector: { matchLabels: { desk: 'mm' } } }),
        },
        ...(index % 5 === 1 && { constraints: { sourceRanges: ['10.20.0.0/16'] } }),
      },
      `policy-${index}`,
    ),
  );
}

function oneGroup(spec: (index: number) => Partial<AccessPolicySpec>): readonly AccessPolicy[] {
  return Array.from({ length: POLICIES }, (_, index) =>
    policyOf(
      {
        subjects: [{ kind: 'Group', name: 'all' }],
        credentials: { namespaces: ['*'] },
        ...spec(index),
      },
      `policy-${index}`,
    ),
  );
}

function namespaceOf(index: number): string {
  return `namespace-${index % NAMESPACES}`;
}

/** One a credential; denied ones ask for a level that no policy gives. */
function requestsFor(
  count: number,
  group: 'desk' | 'all',
  isAllowed: boolean,
  more: readonly string[],
): readonly AccessRequest[] {
  return Array.from({ length: CREDENTIALS }, (_, number): AccessRequest => {
    // Those about a Deny are for other environments, which is for tests to look at.
    const desk = ((number % count) - ((number % count) % 20 === 19 ? 1 : 0)) % count;
    const credential: CredentialFacts = {
      namespace: group === 'desk' ? namespaceOf(desk) : namespaceOf(number),
      name: `credential-${number}`,
      labels: { desk: 'mm', tier: 'one' },
      exchange: 'Hyperliquid',
      environment: 'Production',
    };
    return {
      identity: {
        username: `user-${number}`,
        groups: [group === 'desk' ? `desk-${desk}` : 'all', ...more, 'system:authenticated'],
      },
      action: group === 'desk' && !isAllowed ? ACTIONS.rotate : ACTIONS.retrieve,
      target: { kind: 'Credential', credential },
      atMs: NOW,
      sourceAddress: '10.20.3.4',
    };
  });
}
