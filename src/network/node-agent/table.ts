/**
 * The nftables table that enforces the blocks of a node.
 *
 * Chains come before any other rule (priority -310), so that nothing accepts a packet first. What is
 * banned in both directions is refused there packet by packet, without asking to which connection it
 * belongs: live connections end. Bans of one direction need to know which end began the connection;
 * their chains come right behind connection tracking, and stand only where there are such bans.
 * Behind the translation of addresses the destinations that it changed are looked at again, since a
 * Service can hide a banned one. A look-up among many ranges is what a packet pays for, so that all
 * others are looked up once, and of those only such that have a ban in the neighbourhood: a handful of
 * wide blocks, known by a hash. Addresses of pods have none, and need not be searched for.
 *
 * The text is, letter for letter, what nft lists, so that a table of an earlier run is recognised.
 */
import type { Family } from '../cluster-facts.ts';
import { BAN_KINDS } from './ban.ts';
import type { BanKind } from './ban.ts';
import { formatRange } from './range-text.ts';
import type { NodeBan, NodeBlocks, NodeScope } from './read-node-blocks.ts';

export const TABLE = 'inet strongroom';
/** Packets that a banned address sent, and packets that were on their way to one. */
export const COUNTERS = { fromBanned: 'from_banned', toBanned: 'to_banned' } as const;
/** Banned addresses that were refused within the last hour, with packets. */
export const HIT_SETS = ['hits4', 'hits6'] as const;

/** Before raw (-300), where others begin. */
const FIRST = 'raw - 10';
/** Connection tracking is at -200, the translation of destinations at -100. */
const TRACKED = '-199';
const TRANSLATED = '-99';

/**
 * What was begun through a Service has the destination that was chosen for it; replies to what was
 * begun under another source go to the true one. Of what is not tracked nobody knows. The destination
 * of all else is as it came.
 */
const TO_TRANSLATED = [
  'ct state invalid,untracked jump translated',
  'ct direction original ct status dnat jump translated',
  'ct direction reply ct status snat jump translated',
] as const;

export interface Table {
  /** What nft lists without elements and counters. */
  readonly structure: string;
  /** By name, in the order of the structure. */
  readonly sets: ReadonlyMap<string, SetElements>;
}

/** By range or address, until when: milliseconds since 1970, or Infinity. */
export type SetElements = ReadonlyMap<string, number>;

interface SetPlan {
  readonly name: string;
  readonly lines: readonly string[];
  /** Undefined: what is in it is none of our business. */
  readonly elements?: SetElements;
}

export function tableOf(blocks: NodeBlocks): Table {
  const node: NodeScope = blocks.scopes.find(({ namespaces }) => namespaces === '*') ?? {
    key: 'node',
    namespaces: '*',
    bans: { both: [], ingress: [], egress: [] },
    pods: [],
  };
  const scoped = blocks.scopes
    .filter(({ namespaces }) => namespaces !== '*')
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const kindsOf = (scope: NodeScope): readonly BanKind[] =>
    BAN_KINDS.filter((kind) => kind === 'both' || scope.bans[kind].length > 0);
  const sets: readonly SetPlan[] = [
    ...HIT_SETS.map((name) => ({ name, lines: hitSet(name === 'hits4' ? 'IPv4' : 'IPv6') })),
    ...[node, ...scoped].flatMap((scope) => [
      ...kindsOf(scope).flatMap((kind) =>
        FAMILIES.map((family) => banSet(scope, kind, family, scope.bans[kind])),
      ),
      ...FAMILIES.map((family) =>
        scope === node ? nearSet(family, node.bans.both) : podSet(scope, family),
      ),
    ]),
  ];
  const structure = [
    ...Object.values(COUNTERS).flatMap((name) => block(`counter ${name}`, [])),
    ...sets.flatMap(({ name, lines }) => block(`set ${name}`, lines)),
    ...chains(node, scoped, kindsOf).flatMap(([name, lines]) => block(`chain ${name}`, lines)),
  ];
  return {
    structure: [`table ${TABLE} {`, ...structure.slice(0, -1), '}', ''].join('\n'),
    sets: new Map(
      sets.flatMap(({ name, elements }) => (elements === undefined ? [] : [[name, elements]])),
    ),
  };
}

/** With the empty line that nft has between two. */
function block(head: string, lines: readonly string[]): readonly string[] {
  return [`\t${head} {`, ...lines.map((line) => `\t\t${line}`), '\t}', ''];
}

const FAMILIES = ['IPv4', 'IPv6'] as const;
const TYPES = { IPv4: 'type ipv4_addr', IPv6: 'type ipv6_addr' } as const;

/** `update` fails on a full set, and the rule with it; therefore it is never the rule that refuses. */
function hitSet(family: Family): readonly string[] {
  return [TYPES[family], 'size 4096', 'flags dynamic,timeout', 'timeout 1h'];
}

/**
 * Without `auto-merge`: it would melt a short ban and a long one beside it into one that ends early.
 */
function banSet(
  scope: NodeScope,
  kind: BanKind,
  family: Family,
  bans: readonly NodeBan[],
): SetPlan {
  return {
    name: setName(scope, kind, family),
    lines: [TYPES[family], 'flags interval,timeout'],
    elements: new Map(
      bans.flatMap((ban) =>
        ban.family === family ? [[ban.text, ban.expiresAtMs ?? Infinity]] : [],
      ),
    ),
  };
}

/** Leading bits of an address. With twelve 10.0.0.0/8, 172.16.0.0/12 and fd00::/8 stand by themselves. */
const NEAR_BITS = 12;
const WIDTHS = { IPv4: 32, IPv6: 128 } as const;
const NEAR_MASKS = { IPv4: '255.240.0.0', IPv6: 'fff0::' } as const;

/** The blocks in which there is a ban, by their first addresses. */
function nearSet(family: Family, bans: readonly NodeBan[]): SetPlan {
  const shift = BigInt(WIDTHS[family] - NEAR_BITS);
  const blocks = new Set<bigint>();
  for (const ban of bans) {
    if (ban.family !== family) continue;
    for (let at = ban.first >> shift; at <= ban.last >> shift; at += 1n) blocks.add(at);
  }
  return {
    name: nearName(family),
    // A hash of fixed size is the fastest kind of set, and there are no more blocks than that.
    lines: [TYPES[family], `size ${2 ** NEAR_BITS}`],
    elements: new Map(
      [...blocks].map((block) => {
        const first = block << shift;
        return [formatRange({ family, first, last: first }), Infinity];
      }),
    ),
  };
}

function nearName(family: Family): string {
  return `node_near${family === 'IPv4' ? '4' : '6'}`;
}

function podSet(scope: NodeScope, family: Family): SetPlan {
  const own = scope.pods.filter((address) => address.includes(':') === (family === 'IPv6'));
  return {
    name: setName(scope, 'pods', family),
    lines: [TYPES[family]],
    elements: new Map(own.map((address) => [address, Infinity])),
  };
}

function setName(scope: NodeScope, what: BanKind | 'pods', family: Family): string {
  const prefix = scope.namespaces === '*' ? 'node' : `pods_${scope.key}`;
  return `${prefix}_${what}${family === 'IPv4' ? '4' : '6'}`;
}

type Chain = readonly [name: string, lines: readonly string[]];

function chains(
  node: NodeScope,
  scoped: readonly NodeScope[],
  kindsOf: (scope: NodeScope) => readonly BanKind[],
): readonly Chain[] {
  const has = (kind: BanKind): boolean => kindsOf(node).includes(kind);
  const each = (rule: (protocol: 'ip' | 'ip6', set: (kind: BanKind) => string) => string) =>
    FAMILIES.map((family) =>
      rule(family === 'IPv4' ? 'ip' : 'ip6', (kind) => `@${setName(node, kind, family)}`),
    );
  const bothWays = (end: 'saddr' | 'daddr'): readonly string[] =>
    FAMILIES.map((family) => {
      const address = `${family === 'IPv4' ? 'ip' : 'ip6'} ${end}`;
      const near = `${address} & ${NEAR_MASKS[family]} == @${nearName(family)}`;
      return `${near} ${address} @${setName(node, 'both', family)}`;
    });
  const fromBanned = bothWays('saddr').map((match) => `${match} goto refuse_from`);
  const toBanned = bothWays('daddr').map((match) => `${match} goto refuse_to`);
  // The first packet to a Service shows where it goes only behind the translation.
  const begunToBanned = has('egress')
    ? each(
        (ip, set) => `ct direction original ct reply ${ip} saddr ${set('egress')} goto refuse_to`,
      )
    : [];
  const replyToBanned = has('ingress')
    ? each(
        (ip, set) => `ct direction reply ct original ${ip} saddr ${set('ingress')} goto refuse_to`,
      )
    : [];
  const begunByBanned = has('ingress')
    ? each(
        (ip, set) =>
          `ct direction original ct original ${ip} saddr ${set('ingress')} goto refuse_from`,
      )
    : [];
  const replyFromBanned = has('egress')
    ? each((ip, set) => `ct direction reply ct reply ${ip} saddr ${set('egress')} goto refuse_from`)
    : [];
  // What leaves the node itself is from no banned address: but for our own resets, in its name.
  const trackedLeaving = [...replyToBanned, ...begunToBanned];
  const trackedArriving = [...begunByBanned, ...replyFromBanned, ...trackedLeaving];
  const hook = (name: string, priority: string): string =>
    `type filter hook ${name} priority ${priority}; policy accept;`;
  const arriving = 'iif "lo" accept';
  const leaving = 'oif "lo" accept';
  return [
    [
      'refuse_from',
      [
        `counter name "${COUNTERS.fromBanned}"`,
        'update @hits4 { ip saddr counter }',
        'update @hits6 { ip6 saddr counter }',
        'drop',
      ],
    ],
    [
      'refuse_to',
      [
        `counter name "${COUNTERS.toBanned}"`,
        'update @hits4 { ip daddr counter }',
        'update @hits6 { ip6 daddr counter }',
        // Who is on our side learns at once that the connection is no more.
        'meta l4proto tcp reject with tcp reset',
        'drop',
      ],
    ],
    ['translated', [...toBanned, ...begunToBanned]],
    ['prerouting', [hook('prerouting', FIRST), arriving, ...fromBanned, ...toBanned]],
    [
      'forward',
      [
        hook('forward', FIRST),
        ...TO_TRANSLATED,
        ...scoped.flatMap((scope) => kindsOf(scope).flatMap((kind) => scopedRules(scope, kind))),
      ],
    ],
    ['output', [hook('output', FIRST), leaving, ...toBanned]],
    ['output_translated', [hook('output', TRANSLATED), leaving, ...TO_TRANSLATED]],
    ...(trackedLeaving.length === 0
      ? []
      : ([
          ['tracked_prerouting', [hook('prerouting', TRACKED), arriving, ...trackedArriving]],
          ['tracked_output', [hook('output', TRACKED), leaving, ...trackedLeaving]],
        ] as const)),
  ];
}

/** What pods send and get is forwarded, and there their own addresses show, whatever Service it was. */
function scopedRules(scope: NodeScope, kind: BanKind): readonly string[] {
  return FAMILIES.flatMap((family) => {
    const ip = family === 'IPv4' ? 'ip' : 'ip6';
    const banned = `@${setName(scope, kind, family)}`;
    const pods = `@${setName(scope, 'pods', family)}`;
    const begun = kind === 'ingress' ? 'original' : 'reply';
    const other = kind === 'ingress' ? 'reply' : 'original';
    if (kind === 'both') {
      return [
        `${ip} daddr ${pods} ${ip} saddr ${banned} goto refuse_from`,
        `${ip} saddr ${pods} ${ip} daddr ${banned} goto refuse_to`,
      ];
    }
    const connection = `ct ${other} ${ip} saddr ${pods} ct ${begun} ${ip} saddr ${banned}`;
    return [
      `ct direction ${begun} ${connection} goto refuse_from`,
      `ct direction ${other} ${connection} goto refuse_to`,
    ];
  });
}
