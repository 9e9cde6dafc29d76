/** The network evaluator against a matcher of NetworkPolicies that others wrote. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Family } from '#network/cluster-facts.ts';
import { createEvaluator } from '#network/evaluator/evaluator.ts';
import type { Endpoint, Verdict } from '#network/evaluator/evaluator.ts';
import { policyTypes } from '#network/evaluator/policy-rules.ts';
import { NETWORK_POLICIES } from '#kube/resources.ts';
import { binary } from '../cluster/index.ts';
import { FEATURES, featuresOf } from '../oracle/features.ts';
import { LEFT_OUT } from '../oracle/left-out.ts';
import { networkCase } from '../oracle/network-cases.ts';
import type { CaseConnection, NetworkCase } from '../oracle/network-cases.ts';
import { startOracle } from '../oracle/oracle.ts';
import type { Oracle, OracleVerdict } from '../oracle/oracle.ts';
import { shrink } from '../oracle/shrink.ts';
import { connect, createNamespace } from './cluster.ts';

/** Random policy sets; the seed of each is its number, so that one can be looked at alone. */
const CASES = 20_000;
const AT_ONCE = 250;

let oracle: Oracle;

beforeAll(async () => {
  oracle = startOracle(await binary('network-oracle', { progress: (line) => console.error(line) }));
});

afterAll(() => oracle[Symbol.asyncDispose]());

describe('the network evaluator and cyclonus', () => {
  it(`agree on ${CASES} random sets of policies`, { timeout: 600_000 }, async () => {
    const counts = new Map<string, number>();
    const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
    for (let first = 1; first <= CASES; first += AT_ONCE) {
      const seeds = Array.from({ length: AT_ONCE }, (_, index) => first + index);
      const cases = seeds.map(networkCase);
      const asked = oracle.ask(cases);
      const ours = cases.map(judgeAll);
      const theirs = await asked;
      for (const [index, all] of cases.entries()) {
        for (const [at, connection] of all.connections.entries()) {
          const verdicts = ours[index]?.[at] ?? [];
          const reason = whyLeftOut(connection, all);
          count(reason ?? 'compared');
          if (reason !== undefined) continue;
          if (!isEqual(verdicts, theirs[index]?.[at])) {
            throw await disagreement(first + index, { ...all, connections: [connection] });
          }
          const features = verdicts.flatMap((verdict) => featuresOf(connection, all, verdict));
          for (const feature of new Set(features)) count(feature);
        }
      }
    }
    // Each on its own, so that a generator that lost one is noticed.
    const rare = [...FEATURES, ...Object.keys(LEFT_OUT)].filter(
      (feature) => (counts.get(feature) ?? 0) < 100,
    );
    expect(rare).toEqual([]);
    expect(counts.get('compared')).toBeGreaterThan(CASES * 5);
  });
});

describe('an API server', () => {
  it('stores the policies of 100 sets, with the policyTypes that the evaluator takes them to have', async () => {
    const client = await connect();
    await using namespace = await createNamespace(client, 'network-oracle');
    for (let seed = 1; seed <= 100; seed += 1) {
      for (const policy of networkCase(seed).policies) {
        const metadata = { name: policy.metadata.name, namespace: namespace.name };
        const stored = await client.create(
          NETWORK_POLICIES,
          { ...policy, metadata },
          { dryRun: true },
        );
        expect({ seed, types: policyTypes(policy) }).toEqual({
          seed,
          types: stored.spec?.policyTypes,
        });
      }
    }
  });
});

/** For each connection what is said of its ends as addresses, and as the pods that they are. */
function judgeAll(all: NetworkCase): readonly (readonly Verdict[])[] {
  const { judge } = createEvaluator(all);
  const podOf = (address: string): Endpoint => {
    const pod = all.pods.find(({ addresses }) => addresses.includes(address));
    return pod === undefined ? { address } : { pod };
  };
  return all.connections.map(({ from, to, ...rest }) => [
    judge({ from: { address: from }, to: { address: to }, ...rest }),
    judge({ from: podOf(from), to: podOf(to), family: familyOf(to), ...rest }),
  ]);
}

function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

function whyLeftOut(connection: CaseConnection, all: NetworkCase): string | undefined {
  return Object.entries(LEFT_OUT).find(([, isLeftOut]) => isLeftOut(connection, all))?.[0];
}

function isEqual(ours: readonly Verdict[], theirs: OracleVerdict | undefined): boolean {
  return ours.every(
    ({ egress, ingress }) =>
      egress.allowed === theirs?.egress && ingress.allowed === theirs.ingress,
  );
}

async function disagreement(seed: number, all: NetworkCase): Promise<Error> {
  const smallest = await shrink(all, async (smaller) => {
    try {
      const [connection] = smaller.connections;
      if (connection === undefined || whyLeftOut(connection, smaller) !== undefined) return false;
      const [[theirs] = []] = await oracle.ask([smaller]);
      return !isEqual(judgeAll(smaller)[0] ?? [], theirs);
    } catch {
      // Too much is gone: one of the two cannot read it any more.
      return false;
    }
  });
  const [[theirs] = []] = await oracle.ask([smallest]);
  return new Error(
    [
      `networkCase(${seed}) is judged otherwise by cyclonus; the smallest that still is:`,
      JSON.stringify(smallest, null, 2),
      `ours: ${JSON.stringify(judgeAll(smallest)[0])}`,
      `cyclonus: ${JSON.stringify(theirs)}`,
    ].join('\n'),
  );
}
