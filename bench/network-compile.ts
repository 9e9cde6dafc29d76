/**
 * 1,000 AccessPolicies over 200 namespaces and 50,000 blocked CIDRs into NetworkPolicies, all at once
 * and after one change; against a plain loop that looks at every CIDR for every rule.
 */
import type { ActiveBlock } from '../src/network/active-block.ts';
import { addressSet, EMPTY_SET } from '../src/network/cidr/address-set.ts';
import type { AddressSet } from '../src/network/cidr/address-set.ts';
import type { ClusterFacts } from '../src/network/cluster-facts.ts';
import { createCompiler } from '../src/network/compiler/compiler.ts';
import type { Compiler, NamespaceInput } from '../src/network/compiler/compiler.ts';
import type { NetworkGrant } from '../src/network/compiler/grant.ts';
import type { Benchmark, Comparison, Samples } from './benchmark.ts';

const POLICIES = 1000;
const NAMESPACES = 200;
const CIDRS = 50_000;
const BLOCKS = 10;
const ROUNDS = 5;
/** Namespaces that the plain loop does, because all of them would take minutes. */
const NAIVE_NAMESPACES = 1;

const FACTS: ClusterFacts = {
  families: ['IPv4', 'IPv6'],
  podRanges: EMPTY_SET,
  serviceRanges: EMPTY_SET,
  nodeAddresses: EMPTY_SET,
  apiServer: { addresses: EMPTY_SET, ports: [] },
  dns: { addresses: EMPTY_SET, namespace: 'kube-system', podLabels: {} },
  policyEngine: { seen: 'Yes' },
  rewritingServices: [],
};

export const networkCompile: Benchmark = {
  name: 'network-compile',
  run: () => Promise.resolve([inFull(), oneCidr(), onePolicy()]),
};

function inFull(): Comparison {
  const peer = `plain loop, ${NAIVE_NAMESPACES} namespace, times ${NAMESPACES / NAIVE_NAMESPACES}`;
  return {
    what: `compile ${POLICIES} policies, ${NAMESPACES} namespaces, ${CIDRS} CIDRs in full`,
    ours: sampled(ROUNDS, () => {
      const inputs = inputsOf(blocksOf());
      const compiler = createCompiler();
      return () => void compileAll(compiler, inputs);
    }),
    peers: {
      [peer]: sampled(2, () => {
        const inputs = inputsOf(blocksOf());
        return () => void naiveCompile(inputs.slice(0, NAIVE_NAMESPACES));
      }).map((ms) => (ms * NAMESPACES) / NAIVE_NAMESPACES),
    },
  };
}

/** A new CIDR in one of the blocks, which all namespaces have; all else is the same objects. */
function oneCidr(): Comparison {
  const [first, ...others] = blocksOf();
  if (first === undefined) throw new Error('no block');
  const compiler = createCompiler();
  const before = inputsOf([first, ...others]);
  let standing = compileAll(compiler, before);
  let { addresses } = first;
  let count = 0;
  return {
    what: `the same after one more blocked CIDR, all ${NAMESPACES} namespaces`,
    ours: sampled(ROUNDS * 3, () => {
      count += 1;
      addresses = addresses.union(addressSet([`100.64.${count}.77/32`]));
      const blocks = [{ ...first, addresses }, ...others];
      const inputs = before.map((input) => ({
        ...input,
        pods: [...input.pods],
        foreign: [...input.foreign],
        blocks: [...blocks],
      }));
      return () => {
        const next = compileAll(compiler, inputs);
        const written = [...next].filter((policy) => !standing.has(policy)).length;
        // One policy a namespace, or two or three where a part was full.
        if (written < NAMESPACES || written > 3 * NAMESPACES) throw new Error(`${written} writes`);
        standing = next;
      };
    }),
    peers: {},
  };
}

function onePolicy(): Comparison {
  const inputs = inputsOf(blocksOf());
  const compiler = createCompiler();
  compileAll(compiler, inputs);
  const [first] = inputs;
  if (first === undefined) throw new Error('no namespace');
  let count = 0;
  return {
    what: 'the same after one changed policy, one namespace',
    ours: sampled(ROUNDS * 5, () => {
      count += 1;
      const [grant, ...others] = first.grants;
      const changed: NetworkGrant = {
        ...(grant ?? grantOf(0, 0)),
        egress: [{ addresses: addressSet([`192.0.2.${count}/32`]) }],
      };
      const input = { ...first, grants: [changed, ...others] };
      return () => void compiler.compileNamespace(input);
    }),
    peers: {},
  };
}

/** Only what the prepared step does is measured. */
function sampled(rounds: number, prepare: () => () => void): Samples {
  const samples: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const operation = prepare();
    const started = performance.now();
    operation();
    if (round >= 0) samples.push(performance.now() - started);
  }
  return samples;
}

function compileAll(compiler: Compiler, inputs: readonly NamespaceInput[]): Set<object> {
  return new Set(inputs.flatMap((input) => compiler.compileNamespace(input).policies));
}

function blocksOf(): readonly ActiveBlock[] {
  return Array.from({ length: BLOCKS }, (_, block) => ({
    name: `block-${block}`,
    addresses: addressSet(
      Array.from({ length: CIDRS / BLOCKS }, (_entry, at) => cidrOf(block * (CIDRS / BLOCKS) + at)),
    ),
    ingress: true,
    egress: true,
    namespaces: '*',
  }));
}

/** Single addresses and some networks all over IPv4; a tenth of them are of IPv6. */
function cidrOf(at: number): string {
  const word = Math.imul(at + 1, 0x9e37_79b1) >>> 0;
  if (at % 10 === 0)
    return `2001:db8:${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}::/64`;
  const octets = [24, 16, 8].map((shift) => (word >>> shift) & 255);
  return at % 5 === 0 ? `${octets.join('.')}.0/24` : `${octets.join('.')}.${word & 255}/32`;
}

function inputsOf(blocks: readonly ActiveBlock[]): readonly NamespaceInput[] {
  const perNamespace = POLICIES / NAMESPACES;
  return Array.from({ length: NAMESPACES }, (_, index) => {
    const namespace = `desk-${index}`;
    return {
      namespace,
      pods: Array.from({ length: 4 * perNamespace }, (_pod, at) => ({
        namespace,
        name: `pod-${at}`,
        labels: { app: `app-${at % (2 * perNamespace)}`, 'pod-template-hash': 'x' },
        serviceAccount: `app-${at % (2 * perNamespace)}`,
        addresses: [],
        hostNetwork: false,
        ports: [],
      })),
      foreign: [],
      grants: Array.from({ length: perNamespace }, (_grant, at) => grantOf(index, at)),
      blocks,
      facts: FACTS,
    };
  });
}

/** Every fifth one opens all of the Internet on 443, the others an exchange and a network. */
function grantOf(namespace: number, at: number): NetworkGrant {
  const name = `policy-${namespace}-${at}`;
  const ports = [{ port: 443, protocol: 'TCP' as const }];
  return {
    policy: { name, uid: name },
    serviceAccount: `app-${at}`,
    egress: [
      {
        addresses: addressSet(
          at === 0 ? ['0.0.0.0/0', '::/0'] : [`104.18.${namespace}.${at}/32`, '172.64.0.0/13'],
        ),
        ports,
      },
      { pods: [{ namespace: 'kube-system', podLabels: { 'k8s-app': 'kube-dns' } }] },
    ],
    ingress: [{ addresses: addressSet([`10.${namespace}.0.0/16`]) }],
  };
}

/** Without sharing, indexes or parts: of every block, the CIDRs in each allowed CIDR. */
function naiveCompile(inputs: readonly NamespaceInput[]): readonly object[] {
  const everything = addressSet(['0.0.0.0/0', '::/0']);
  return inputs.flatMap(({ grants, blocks }) => {
    const peersOf = (allowed: AddressSet): readonly object[] =>
      allowed.cidrs().map((cidr) => {
        const set = addressSet([cidr]);
        const holes = blocks.flatMap(({ addresses }) =>
          addresses.cidrs().filter((hole) => set.intersects(addressSet([hole]))),
        );
        return { ipBlock: { cidr, except: holes } };
      });
    const rules = grants.flatMap(({ egress = [], ingress = [] }) => [...egress, ...ingress]);
    return [everything, ...rules.map(({ addresses }) => addresses ?? EMPTY_SET)].map((allowed) =>
      peersOf(allowed),
    );
  });
}
