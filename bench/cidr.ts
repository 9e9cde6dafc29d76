/**
 * Address sets of 50,000 CIDRs: aggregated from text to text, asked for addresses, taken apart; in
 * the same run by cidr-tools, and by BlockList of Node where it can do it.
 */
import { BlockList, isIPv4 } from 'node:net';
import { containsCidr, excludeCidr, mergeCidr } from 'cidr-tools';
import packageLock from '../package-lock.json' with { type: 'json' };
import { disjointIntervals } from '../src/network/blocks/timeline.ts';
import { addressSet } from '../src/network/cidr/address-set.ts';
import { shardsOf } from '../src/network/cidr/shards.ts';
import { PRIVATE_RANGES } from '../src/network/cidr/special-ranges.ts';
import type { Benchmark, Comparison, Samples } from './benchmark.ts';

const CIDRS = 50_000;
const ROUNDS = 40;
const PEER_ROUNDS = 10;
/** Look-ups a sample: one alone is shorter than the clock can tell. */
const LOOK_UPS = 100_000;
/** Of the peers, which go through the whole list for each. */
const PEER_LOOK_UPS = 20;
const CIDR_TOOLS = `cidr-tools ${packageLock.packages['node_modules/cidr-tools'].version}`;
const PRIVATE = PRIVATE_RANGES.cidrs();

export const cidr: Benchmark = {
  name: 'cidr',
  run: () => {
    const v4 = listOf(CIDRS, blockOfIPv4);
    const mixed = [...v4.slice(0, CIDRS / 2), ...listOf(CIDRS / 2, blockOfIPv6)];
    return Promise.resolve(
      [
        { name: `${CIDRS} IPv4 CIDRs`, list: v4 },
        { name: `${CIDRS} CIDRs, half IPv6`, list: mixed },
      ].flatMap(({ name, list }) => [
        aggregate(name, list),
        lookUp(name, list),
        protect(name, list),
        ...shard(name, list),
      ]),
    );
  },
};

function aggregate(name: string, list: readonly string[]): Comparison {
  const ours = addressSet(list).cidrs();
  const theirs = mergeCidr([...list]);
  if (ours.length !== theirs.length) {
    throw new Error(`${name}: ${ours.length} aggregated CIDRs, and ${theirs.length} by the peer`);
  }
  return {
    what: `aggregate ${name}, text to text`,
    ours: timed(ROUNDS, () => addressSet(list).cidrs()),
    peers: { [CIDR_TOOLS]: timed(PEER_ROUNDS, () => mergeCidr([...list])) },
  };
}

/** Half of the addresses are in the set. */
function lookUp(name: string, list: readonly string[]): Comparison {
  const set = addressSet(list);
  const inside = list.map((one) => one.slice(0, one.indexOf('/')));
  const asked = inside.map((one, index) => (index % 2 === 0 ? one : outside(one, index)));
  const blockList = new BlockList();
  for (const one of list) {
    const [address = '', prefix] = one.split('/');
    blockList.addSubnet(address, Number(prefix), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  const merged = mergeCidr([...list]);
  const byNode = (one: string): boolean => blockList.check(one, isIPv4(one) ? 'ipv4' : 'ipv6');
  const byPeer = (one: string): boolean => containsCidr(merged, one);
  for (const one of asked.slice(0, PEER_LOOK_UPS)) {
    const answers = [set.contains(one), byNode(one), byPeer(one)];
    if (new Set(answers).size > 1) throw new Error(`${name}, ${one}: ${answers.join()}`);
  }
  return {
    what: `look an address up among ${name}`,
    ours: each(ROUNDS, LOOK_UPS, asked, (one) => set.contains(one)),
    peers: {
      'BlockList of Node': each(PEER_ROUNDS, PEER_LOOK_UPS, asked, byNode),
      [CIDR_TOOLS]: each(PEER_ROUNDS, PEER_LOOK_UPS / 10, asked, byPeer),
    },
  };
}

function protect(name: string, list: readonly string[]): Comparison {
  const set = addressSet(list);
  const merged = mergeCidr([...list]);
  return {
    what: `take the private ranges from ${name}`,
    ours: timed(ROUNDS, () => set.minus(PRIVATE_RANGES).cidrs()),
    peers: { [CIDR_TOOLS]: timed(PEER_ROUNDS, () => excludeCidr(merged, [...PRIVATE])) },
  };
}

function shard(name: string, list: readonly string[]): readonly Comparison[] {
  const set = addressSet(list);
  const bans = Array.from({ length: 1000 }, (_, ban) => ({
    addresses: addressSet(list.filter((_, index) => index % 1000 === ban)),
    expiresAtMs: ban,
  }));
  return [
    {
      what: `shards of 1,000 of ${name}`,
      ours: timed(ROUNDS, () => shardsOf(set, 1000)),
      peers: {},
    },
    {
      what: `disjoint intervals of ${name} in 1,000 blocks with an end each`,
      ours: timed(PEER_ROUNDS, () => disjointIntervals(bans)),
      peers: {},
    },
  ];
}

/** Milliseconds an operation. */
function timed(rounds: number, operation: () => unknown): Samples {
  const samples: number[] = [];
  for (let round = -Math.ceil(rounds / 10); round < rounds; round += 1) {
    const started = performance.now();
    operation();
    if (round >= 0) samples.push(performance.now() - started);
  }
  return samples;
}

/** Milliseconds a text, over the texts in turn. */
function each(
  rounds: number,
  batch: number,
  texts: readonly string[],
  operation: (text: string) => unknown,
): Samples {
  let next = 0;
  return timed(rounds, () => {
    for (let turn = 0; turn < batch; turn += 1) {
      operation(texts[next % texts.length] ?? '');
      next += 1;
    }
  }).map((ms) => ms / batch);
}

/** The same numbers in each run: what is measured must not differ from run to run. */
function listOf(count: number, block: (random: () => number) => string): readonly string[] {
  let state = 1;
  const random = (): number => {
    // Xorshift (Marsaglia 2003) of 32 bits.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return Array.from({ length: count }, () => block(random));
}

/** Single addresses and networks as lists of attackers have them, most of them small. */
function blockOfIPv4(random: () => number): string {
  const prefix = random() % 2 === 0 ? 32 : 16 + (random() % 16);
  const value = (random() & (-1 << (32 - prefix))) >>> 0;
  return `${[24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')}/${prefix}`;
}

function blockOfIPv6(random: () => number): string {
  const groups = Array.from({ length: 8 }, () => (random() & 0xffff).toString(16));
  const provider = `2a0${random() % 8}`;
  if (random() % 2 === 0) return `${provider}:${groups.slice(1, 3).join(':')}::/48`;
  return `${provider}:${groups.slice(1).join(':')}/128`;
}

function outside(address: string, index: number): string {
  return isIPv4(address)
    ? `10.${index & 255}.${(index >> 8) & 255}.1`
    : `2001:db8::${index.toString(16).slice(-4)}`;
}
