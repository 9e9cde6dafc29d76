import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkPolicy } from '#kube/objects.ts';
import { addressSet, EMPTY_SET, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { Direction, NetworkPod } from '../cluster-facts.ts';
import { createEvaluator } from '../evaluator/evaluator.ts';
import type { Connection, Endpoint, Evaluator } from '../evaluator/evaluator.ts';
import { createCompiler } from './compiler.ts';
import type { CompiledNamespace, NamespaceInput } from './compiler.ts';
import { isOurPolicy } from './our-policy.ts';
import { arbitraryCidr } from './testing/arbitrary-addresses.ts';
import { arbitraryNamespace } from './testing/arbitrary-namespace.ts';
import type { ArbitraryNamespace } from './testing/arbitrary-namespace.ts';
import { policyFaults } from './testing/policy-faults.ts';

const DIRECTIONS: readonly Direction[] = ['Ingress', 'Egress'];

/** So little that most namespaces get several parts, and what everybody has. */
const MOST = fc.constantFrom(20, 60, 8000);

function compile(input: NamespaceInput, most: number): CompiledNamespace {
  return createCompiler(most).compileNamespace(input);
}

function evaluatorOf(
  { input, later, elsewhere }: ArbitraryNamespace,
  policies: readonly NetworkPolicy[],
): Evaluator {
  return createEvaluator({
    policies: [...input.foreign, ...policies],
    pods: [...input.pods, ...later, ...elsewhere],
    namespaces: ['trading', 'other'].map((name) => ({
      name,
      labels: { 'kubernetes.io/metadata.name': name },
    })),
  });
}

/** Addresses on each side of edges that blocks and grants have. */
function addressesOf({ blocks, grants, facts }: NamespaceInput): readonly string[] {
  const sets = [
    ...blocks.map(({ addresses }) => addresses),
    ...grants.flatMap(({ egress = [], ingress = [] }) =>
      [...egress, ...ingress].map(({ addresses }) => addresses ?? EMPTY_SET),
    ),
  ];
  const edges = sets
    .flatMap((set) => set.intervals())
    .filter(({ family }) => facts.families.includes(family))
    .flatMap(({ family, first, last }) =>
      [first - 1n, first, last, last + 1n].flatMap((address) => textOf(family, address)),
    );
  return [...new Set(edges)].filter((_, at) => at % 3 === 0).slice(0, 16);
}

function textOf(family: 'IPv4' | 'IPv6', address: bigint): readonly string[] {
  const bits = family === 'IPv4' ? 32 : 128;
  if (address < 0n || address >= 1n << BigInt(bits)) return [];
  if (family === 'IPv4') {
    return [[24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.')];
  }
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((address >> BigInt(112 - 16 * at)) & 0xffffn).toString(16),
  );
  return [groups.join(':')];
}

function* connectionsOf({ input, later, elsewhere }: ArbitraryNamespace): Generator<Connection> {
  const inside = [...input.pods, ...later];
  const others: readonly Endpoint[] = [
    ...[...inside, ...elsewhere].map((pod) => ({ pod })),
    ...addressesOf(input).map((address) => ({ address })),
  ];
  for (const pod of inside) {
    for (const other of others) {
      for (const [port, protocol] of [
        [443, 'TCP'],
        [8080, 'TCP'],
        [80, 'UDP'],
      ] as const) {
        yield { from: { pod }, to: other, port, protocol };
        yield { from: other, to: { pod }, port, protocol };
      }
    }
  }
}

/** Pods that are reached by rules about addresses are blocked with these. */
function isBlocked({ from, to }: Connection, { blocks }: NamespaceInput): boolean {
  const addressesOfEnd = (end: Endpoint): readonly string[] =>
    'address' in end ? [end.address] : end.pod.addresses;
  return blocks.some(
    ({ addresses, ingress, egress }) =>
      (ingress && addressesOfEnd(from).some((one) => addresses.contains(one))) ||
      (egress && addressesOfEnd(to).some((one) => addresses.contains(one))),
  );
}

function blockedIn(direction: Direction, { blocks, facts }: NamespaceInput): AddressSet {
  const all = unionOf(
    blocks
      .filter((block) => (direction === 'Ingress' ? block.ingress : block.egress))
      .map(({ addresses }) => addresses),
  );
  return unionOf(facts.families.map((family) => all.ofFamily(family)));
}

describe('blocks', () => {
  it('never open anything, nor close anything but their addresses', () => {
    const seen = { closed: 0, open: 0 };
    fc.assert(
      fc.property(arbitraryNamespace, MOST, (namespace, most) => {
        const { input } = namespace;
        const before = evaluatorOf(namespace, compile({ ...input, blocks: [] }, most).policies);
        const after = evaluatorOf(namespace, compile(input, most).policies);
        for (const connection of connectionsOf(namespace)) {
          const [was, is] = [before.judge(connection).allowed, after.judge(connection).allowed];
          if (is) seen.open += 1;
          if (was && !is) seen.closed += 1;
          const isWrong = (is && !was) || (was && !is && !isBlocked(connection, input));
          if (isWrong) throw new Error(`${JSON.stringify(connection)} was ${was}, is ${is}`);
        }
      }),
      { numRuns: 120 },
    );
    expect(seen.closed).toBeGreaterThan(300);
    expect(seen.open).toBeGreaterThan(300);
  });

  it('are closed for all pods under grants or under nothing', () => {
    const seen = { blocked: 0, foreign: 0 };
    fc.assert(
      fc.property(arbitraryNamespace, MOST, (namespace, most) => {
        const { input, later, elsewhere } = namespace;
        const { policies, gaps } = compile(input, most);
        const evaluator = evaluatorOf(namespace, policies);
        const everyPod = [...input.pods, ...later, ...elsewhere];
        const ofPods = addressSet(everyPod.flatMap(({ addresses }) => addresses));
        for (const direction of DIRECTIONS) {
          const blocked = blockedIn(direction, input).minus(ofPods);
          for (const pod of input.pods.filter(({ hostNetwork }) => !hostNetwork)) {
            const { isolated, byPolicy } = evaluator.openAddresses(pod, direction);
            const isMissed = gaps.some(
              (gap) => gap.type === 'TooManySelectors' && gap.pods?.includes(pod.name) === true,
            );
            const ours = byPolicy.filter(({ policy }) => isOurPolicy(policy));
            if (ours.length > 0 && !blocked.isEmpty) seen.blocked += 1;
            if (byPolicy.length > ours.length) seen.foreign += 1;
            const open = ours.filter((one) => one.open.intersects(blocked));
            expect(open.map(({ policy }) => policy.metadata.name)).toEqual([]);
            expect(isolated || blocked.isEmpty || isMissed).toBe(true);
          }
        }
      }),
      { numRuns: 120 },
    );
    expect(seen.blocked).toBeGreaterThan(60);
    expect(seen.foreign).toBeGreaterThan(60);
  });
});

describe('grants', () => {
  it('open what they say and is not blocked, and nothing else, to the pods of their account', () => {
    const seen = { opened: 0, isolated: 0 };
    fc.assert(
      fc.property(arbitraryNamespace, MOST, (namespace, most) => {
        const input = { ...namespace.input, foreign: [] };
        const { policies, gaps } = compile(input, most);
        const evaluator = evaluatorOf({ ...namespace, input }, policies);
        const unselectable = gaps
          .filter(({ type }) => type === 'PodsNotSelectable')
          .flatMap(({ pods = [] }) => pods);
        for (const pod of input.pods) {
          if (pod.hostNetwork || unselectable.includes(pod.name)) continue;
          for (const direction of DIRECTIONS) {
            const granted = grantedTo(pod, direction, input);
            if (granted === undefined) continue;
            seen.isolated += 1;
            for (const address of addressesOf(input)) {
              const far = { address };
              const ends =
                direction === 'Egress' ? { from: { pod }, to: far } : { from: far, to: { pod } };
              const connection: Connection = { ...ends, port: 443, protocol: 'TCP' };
              const expected =
                granted.contains(address) && !blockedIn(direction, input).contains(address);
              if (expected) seen.opened += 1;
              const { allowed } = evaluator.judge(connection);
              if (allowed !== expected)
                throw new Error(`${JSON.stringify(connection)}: ${allowed}`);
            }
          }
        }
      }),
      { numRuns: 120 },
    );
    expect(seen.opened).toBeGreaterThan(20);
    expect(seen.isolated).toBeGreaterThan(30);
  });
});

/** Addresses that grants open on TCP 443; undefined where none isolates. */
function grantedTo(
  { serviceAccount }: NetworkPod,
  direction: Direction,
  { grants, facts }: NamespaceInput,
): AddressSet | undefined {
  const own = grants
    .filter((grant) => grant.serviceAccount === serviceAccount)
    .map((grant) => (direction === 'Ingress' ? grant.ingress : grant.egress))
    .filter((rules) => rules !== undefined);
  if (own.length === 0) return undefined;
  const open = own
    .flat()
    .filter(
      ({ ports }) =>
        ports === undefined ||
        ports.some(
          ({ port, endPort, protocol }) =>
            protocol === 'TCP' && port <= 443 && (endPort ?? port) >= 443,
        ),
    );
  const all = unionOf(open.map(({ addresses }) => addresses ?? EMPTY_SET));
  return unionOf(facts.families.map((family) => all.ofFamily(family)));
}

type Step = (input: NamespaceInput) => NamespaceInput;

/** Mostly a few CIDRs of one block; lists are made anew, of the same objects, as the controller does. */
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.nat(), fc.array(arbitraryCidr, { minLength: 1, maxLength: 2 }), fc.boolean())
      .map(([which, cidrs, isMore]): Step => {
        const few = addressSet(cidrs);
        return (input) => ({
          ...input,
          pods: [...input.pods],
          foreign: [...input.foreign],
          grants: [...input.grants],
          blocks: input.blocks.map((block, at) => {
            if (at !== which % input.blocks.length) return block;
            const { addresses } = block;
            return { ...block, addresses: isMore ? addresses.union(few) : addresses.minus(few) };
          }),
        });
      }),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>(({ blocks, ...rest }) => ({ ...rest, blocks: blocks.slice(1) })),
  },
  ...(['pods', 'foreign', 'grants', 'blocks', 'facts'] as const).map((key) => ({
    weight: 1,
    arbitrary: arbitraryNamespace.map(({ input }): Step => (before) => ({
      ...before,
      [key]: input[key],
    })),
  })),
);

describe('what is compiled', () => {
  it('is taken by the API server, and well known as ours', () => {
    const seen = { policies: 0, parts: 0 };
    fc.assert(
      fc.property(arbitraryNamespace, MOST, ({ input }, most) => {
        const { policies } = compile(input, most);
        const names = policies.map(({ metadata }) => metadata.name);
        expect(names).toEqual([...new Set(names)].sort((a, b) => (a < b ? -1 : 1)));
        seen.policies += policies.length;
        seen.parts += names.filter((name) => name.includes('-part-')).length;
        for (const policy of policies) {
          expect(policyFaults(policy, input.facts.families)).toEqual([]);
        }
      }),
      { numRuns: 120 },
    );
    expect(seen.parts).toBeGreaterThan(60);
    expect(seen.policies).toBeGreaterThan(200);
  });

  it('is the same, byte for byte, whatever the order of the input is', () => {
    const turned = <T>(all: readonly T[]): readonly T[] => all.toReversed();
    fc.assert(
      fc.property(arbitraryNamespace, MOST, ({ input }, most) => {
        const other: NamespaceInput = {
          ...input,
          pods: turned(input.pods).map((pod) => ({
            ...pod,
            labels: Object.fromEntries(turned(Object.entries(pod.labels))),
          })),
          foreign: turned(input.foreign),
          grants: turned(input.grants).map((grant) => ({
            ...grant,
            ...(grant.egress && { egress: turned(grant.egress) }),
            ...(grant.ingress && { ingress: turned(grant.ingress) }),
          })),
          blocks: turned(input.blocks),
          facts: { ...input.facts, families: turned(input.facts.families) },
        };
        expect(JSON.stringify(compile(other, most))).toBe(JSON.stringify(compile(input, most)));
      }),
      { numRuns: 120 },
    );
  });

  it('is the same with what was kept of other input', () => {
    fc.assert(
      fc.property(arbitraryNamespace, arbitraryNamespace, MOST, (one, other, most) => {
        const compiler = createCompiler(most);
        const mixed = { ...one.input, blocks: other.input.blocks };
        for (const input of [one.input, other.input, mixed, one.input, mixed]) {
          expect(compiler.compileNamespace(input)).toEqual(compile(input, most));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is the same, byte for byte, after any changes, and what is the same is the same object', () => {
    const seen = { kept: 0, written: 0 };
    const steps = fc.array(arbitraryStep, { minLength: 3, maxLength: 8 });
    fc.assert(
      fc.property(arbitraryNamespace, steps, MOST, ({ input }, changes, most) => {
        const compiler = createCompiler(most);
        let [now, before] = [input, compiler.compileNamespace(input).policies];
        for (const change of changes) {
          now = change(now);
          const compiled = compiler.compileNamespace(now);
          expect(JSON.stringify(compiled)).toBe(JSON.stringify(compile(now, most)));
          const old = new Map(before.map((policy) => [JSON.stringify(policy), policy]));
          for (const policy of compiled.policies) {
            const same = old.get(JSON.stringify(policy));
            if (same === undefined) seen.written += 1;
            else seen.kept += 1;
            expect(same === undefined || same === policy).toBe(true);
          }
          before = compiled.policies;
        }
      }),
      { numRuns: 120 },
    );
    expect(seen.kept).toBeGreaterThan(300);
    expect(seen.written).toBeGreaterThan(300);
  });
});
