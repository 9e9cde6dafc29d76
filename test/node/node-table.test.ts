/** What the node agent's table does to packets: real ones, through the kernel of this machine. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Direction, NetworkPod } from '../../src/network/cluster-facts.ts';
import type { Ban } from '../../src/network/node-agent/ban.ts';
import { createEnforcer } from '../../src/network/node-agent/enforcer.ts';
import type { Enforcer } from '../../src/network/node-agent/enforcer.ts';
import { parseElements, parseListing } from '../../src/network/node-agent/listing.ts';
import { createNft } from '../../src/network/node-agent/nft.ts';
import type { Nft } from '../../src/network/node-agent/nft.ts';
import { nodeBlockConfigMaps } from '../../src/network/node-agent/node-blocks.ts';
import type { NodeBlockGroup } from '../../src/network/node-agent/node-blocks.ts';
import { parseRange } from '../../src/network/node-agent/range-text.ts';
import { readNodeBlocks } from '../../src/network/node-agent/read-node-blocks.ts';
import { tableOf } from '../../src/network/node-agent/table.ts';
import type { Table } from '../../src/network/node-agent/table.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { nodeSupport } from '../cluster/index.ts';
import { installTools, nodeTools } from '../cluster/packages.ts';
import { eventually } from '../eventually.ts';
import { ADDRESSES, startRouter } from './router.ts';
import type { Router } from './router.ts';

const support = nodeSupport();
const skipped = support.supported ? undefined : support.reason;
const FAMILIES = ['IPv4', 'IPv6'] as const;
const { pod, otherPod, node, banned, other } = ADDRESSES;

/** What others have on a node; the agent must leave all of it alone. */
const OTHERS = `
table inet firewall {
	set known { type ipv4_addr; flags interval; auto-merge; elements = { 203.0.113.0/24 }; }
	chain forward { type filter hook forward priority filter; policy accept; ip saddr @known counter drop; }
}
table ip nat {
	chain prerouting { type nat hook prerouting priority dstnat; ip daddr 10.96.0.9 dnat to ${banned.IPv4}; }
	chain output { type nat hook output priority -100; ip daddr 10.96.0.9 dnat to ${banned.IPv4}; }
}
table ip6 nat {
	chain prerouting { type nat hook prerouting priority dstnat; ip6 daddr fd00::9 dnat to ${banned.IPv6}; }
}
`;

function ban(text: string, expiresAtMs?: number): Ban {
  const range = parseRange(text);
  if (range === undefined) throw new RangeError(text);
  return expiresAtMs === undefined ? range : { ...range, expiresAtMs };
}

const pods: readonly NetworkPod[] = (['pod', 'otherPod'] as const).map((name) => ({
  namespace: name === 'pod' ? 'trading' : 'research',
  name,
  labels: {},
  serviceAccount: 'default',
  addresses: Object.values(ADDRESSES[name]),
  hostNetwork: false,
  ports: [],
}));

function table(...groups: readonly NodeBlockGroup[]): Table {
  const read = readNodeBlocks(nodeBlockConfigMaps({ groups, pods, namespace: 'strongroom' }));
  if (!read.complete) throw new Error(read.reason);
  return tableOf(read.blocks);
}

function group(
  direction: Direction,
  intervals: readonly Ban[],
  namespaces: NodeBlockGroup['namespaces'] = '*',
): NodeBlockGroup {
  const order = (of: Ban): string => `${of.family}${of.first.toString(16).padStart(32, '0')}`;
  const sorted = intervals.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
  return { namespaces, direction, intervals: sorted };
}

const bothWays = (intervals: readonly Ban[], namespaces: NodeBlockGroup['namespaces'] = '*') => [
  group('Ingress', intervals, namespaces),
  group('Egress', intervals, namespaces),
];
const BANNED = FAMILIES.map((family) => ban(banned[family]));

describe.skipIf(skipped !== undefined)(
  `the table of a node${skipped === undefined ? '' : ` (skipped: ${skipped})`}`,
  () => {
    const cleanup = new AsyncDisposableStack();
    let router: Router;
    let nft: Nft;
    let enforcer: Enforcer;

    beforeAll(async () => {
      await installTools(nodeTools, (line) => console.error(line));
      router = cleanup.use(await startRouter());
      nft = createNft(router.nft);
      enforcer = createEnforcer(nft, systemClock);
      await nft(['-f', '-'], OTHERS);
    });
    afterAll(() => cleanup.disposeAsync());
    afterEach(() => enforcer.remove());

    const who = (name: 'pods' | 'node' | 'outside') => router[name];

    async function reaches(): Promise<Record<string, string>> {
      const outcomes: Record<string, string> = {};
      for (const family of FAMILIES) {
        for (const [name, host, from, to] of [
          ['pod to banned', 'pods', pod, banned],
          ['banned to pod', 'outside', banned, pod],
          ['node to banned', 'node', node, banned],
          ['banned to node', 'outside', banned, node],
          ['other pod to banned', 'pods', otherPod, banned],
          ['banned to other pod', 'outside', banned, otherPod],
          ['pod to other', 'pods', pod, other],
          ['other to node', 'outside', other, node],
        ] as const) {
          const ends = { from: from[family], to: to[family] };
          const [tcp, udp] = await Promise.all([
            who(host).ask({ act: 'tcp', ...ends }),
            who(host).ask({ act: 'udp', ...ends }),
          ]);
          outcomes[`${family} ${name}`] = `${tcp}, ${udp}`;
        }
      }
      return outcomes;
    }

    function expected(one: Record<string, string>): Record<string, string> {
      return Object.fromEntries(
        FAMILIES.flatMap((family) =>
          [
            'pod to banned',
            'banned to pod',
            'node to banned',
            'banned to node',
            'other pod to banned',
            'banned to other pod',
            'pod to other',
            'other to node',
          ].map((name) => [`${family} ${name}`, one[name] ?? 'answered, answered']),
        ),
      );
    }

    it('lets everything through while nothing is banned', async () => {
      await enforcer.enforce(table());
      expect(await reaches()).toEqual(expected({}));
    });

    it('cuts a banned address off from pods and node, in both directions, and nobody else', async () => {
      await enforcer.enforce(table(...bothWays(BANNED)));
      const before = await router.outside.ask({ act: 'count', from: pod.IPv4 });
      expect(await reaches()).toEqual(
        expected({
          'pod to banned': 'refused, silent',
          'banned to pod': 'silent, silent',
          'node to banned': 'refused, silent',
          'banned to node': 'silent, silent',
          'other pod to banned': 'refused, silent',
          'banned to other pod': 'silent, silent',
        }),
      );
      // One datagram was for an address that is not banned; the other did not even arrive.
      expect(await router.outside.ask({ act: 'count', from: pod.IPv4 })).toBe(before + 1);
      const { refused, hits } = await enforcer.observe();
      expect(refused.fromBanned).toBeGreaterThan(8);
      expect(refused.toBanned).toBeGreaterThan(8);
      expect(hits.map(({ address }) => address).toSorted()).toEqual(
        Object.values(banned).toSorted(),
      );
      expect(hits.reduce((sum, { packets }) => sum + packets, 0)).toBe(
        refused.fromBanned + refused.toBanned,
      );
    });

    it('lets a banned address begin nothing where only its way in is banned', async () => {
      await enforcer.enforce(table(group('Ingress', BANNED)));
      expect(await reaches()).toEqual(
        expected({
          'banned to pod': 'silent, silent',
          'banned to node': 'silent, silent',
          'banned to other pod': 'silent, silent',
        }),
      );
    });

    it('lets nobody begin anything with it where only the way to it is banned', async () => {
      await enforcer.enforce(table(group('Egress', BANNED)));
      expect(await reaches()).toEqual(
        expected({
          'pod to banned': 'refused, silent',
          'node to banned': 'refused, silent',
          'other pod to banned': 'refused, silent',
        }),
      );
    });

    it.each([
      ['both', bothWays(BANNED, ['trading']), ['refused, silent', 'silent, silent']],
      ['in', [group('Ingress', BANNED, ['trading'])], ['answered, answered', 'silent, silent']],
      ['out', [group('Egress', BANNED, ['trading'])], ['refused, silent', 'answered, answered']],
    ] as const)(
      'concerns only pods of the namespaces in scope (%s)',
      async (_, groups, [out, back]) => {
        await enforcer.enforce(table(...groups));
        expect(await reaches()).toEqual(expected({ 'pod to banned': out, 'banned to pod': back }));
      },
    );

    it.each([
      ['both', bothWays(BANNED)],
      ['out', [group('Egress', BANNED)]],
    ] as const)('sees a banned address behind a Service (%s)', async (_, groups) => {
      const probes = [
        ['pods', pod.IPv4, '10.96.0.9'],
        ['pods', pod.IPv6, 'fd00::9'],
        ['node', node.IPv4, '10.96.0.9'],
      ] as const;
      const ask = ([host, from, to]: (typeof probes)[number]) =>
        who(host).ask({ act: 'tcp', from, to });
      for (const probe of probes) expect(await ask(probe)).toBe('answered');
      await enforcer.enforce(table(...groups));
      for (const probe of probes) expect(await ask(probe)).toBe('refused');
    });

    it.each([
      ['198.40.0.0-198.51.100.7', '2001:db8:1:8000::-2001:db8:2::7'],
      ['198.51.100.7-240.0.0.1', '2001:db8:2::7-2fff::'],
      ['0.0.0.0-9.255.255.255', '::2-1fff::'],
      ['198.0.0.0-198.255.255.255', '2001:db8:2::-2001:db8:2:ffff::'],
    ] as const)('refuses up to both ends of a wide ban (%s, %s)', async (...texts) => {
      const bans = texts.map((text) => ban(text));
      await enforcer.enforce(table(...bothWays(bans)));
      for (const [index, family] of FAMILIES.entries()) {
        const { first = 0n, last = 0n } = bans[index] ?? {};
        for (const to of [banned[family], other[family]]) {
          const address = parseRange(to)?.first ?? 0n;
          expect(await router.pods.ask({ act: 'tcp', from: pod[family], to })).toBe(
            first <= address && address <= last ? 'refused' : 'answered',
          );
        }
      }
      expect(await createEnforcer(nft, systemClock).enforce(table(...bothWays(bans)))).toBe(
        'nothing',
      );
    });

    it('sees a banned address behind a translation that tracks no connections', async () => {
      const service = '10.96.0.77';
      await nft(
        ['-f', '-'],
        `table ip stateless {
          chain prerouting {
            type filter hook prerouting priority raw;
            ip daddr ${service} notrack ip daddr set ${banned.IPv4}
            ip saddr ${banned.IPv4} notrack ip saddr set ${service}
          }
        }\n`,
      );
      try {
        const ask = () => router.pods.ask({ act: 'tcp', from: pod.IPv4, to: service });
        expect(await ask()).toBe('answered');
        await enforcer.enforce(table(...bothWays(BANNED)));
        // The reset comes from the true address, which the pod has never heard of.
        expect(await ask()).toBe('silent');
        const { refused } = await enforcer.observe();
        expect(refused.toBanned).toBeGreaterThan(0);
        expect(refused.fromBanned).toBe(0);
      } finally {
        await nft(['delete', 'table', 'ip', 'stateless']);
      }
    });

    it('cuts replies off that show where they go behind the translation only', async () => {
      const [source, target] = [banned, otherPod];
      await nft(
        ['-f', '-'],
        `table inet cluster {
          chain hold { type filter hook forward priority filter; }
          chain postrouting {
            type nat hook postrouting priority srcnat;
            ip saddr ${source.IPv4} ip daddr ${target.IPv4} masquerade
            ip6 saddr ${source.IPv6} ip6 daddr ${target.IPv6} masquerade
          }
        }\n`,
      );
      try {
        for (const family of FAMILIES) {
          const name = `masqueraded ${family}`;
          const ends = { from: source[family], to: target[family] };
          await router.outside.ask({ act: 'open', name, ...ends });
          expect(await router.outside.ask({ act: 'talk', name })).toBe('answered');
          // The pod repeats its reply for as long as none arrives: here comes one after the ban.
          const ip = family === 'IPv4' ? 'ip' : 'ip6';
          await nft(['add', 'rule', 'inet', 'cluster', 'hold', ip, 'daddr', ends.from, 'drop']);
          expect(await router.outside.ask({ act: 'talk', name })).toBe('silent');
          await enforcer.enforce(table(...bothWays(BANNED)));
          await eventually(async () => (await enforcer.observe()).refused.toBanned > 0, {
            what: 'a reply refused',
          });
          await enforcer.remove();
        }
      } finally {
        await nft(['delete', 'table', 'inet', 'cluster']);
      }
    });

    it.each([
      ['both', bothWays(BANNED), ['reset', 'silent']],
      ['in', [group('Ingress', BANNED)], ['answered', 'silent']],
      ['out', [group('Egress', BANNED)], ['reset', 'answered']],
      ['both, one namespace', bothWays(BANNED, ['trading']), ['reset', 'silent']],
      ['in, one namespace', [group('Ingress', BANNED, ['trading'])], ['answered', 'silent']],
      ['out, one namespace', [group('Egress', BANNED, ['trading'])], ['reset', 'answered']],
    ] as const)('cuts live connections (%s)', async (name, groups, [outgoing, incoming]) => {
      for (const family of FAMILIES) {
        const out = `${name} ${family} out`;
        const back = `${name} ${family} in`;
        const at = { pod: pod[family], banned: banned[family] };
        await router.pods.ask({ act: 'open', name: out, from: at.pod, to: at.banned });
        await router.outside.ask({ act: 'open', name: back, from: at.banned, to: at.pod });
        expect(await router.pods.ask({ act: 'talk', name: out })).toBe('answered');
        expect(await router.outside.ask({ act: 'talk', name: back })).toBe('answered');
        await enforcer.enforce(table(...groups));
        expect(await router.pods.ask({ act: 'talk', name: out })).toBe(outgoing);
        expect(await router.outside.ask({ act: 'talk', name: back })).toBe(incoming);
        await enforcer.remove();
      }
    });

    it('lets an address back when its time is over, with no agent there', async () => {
      await enforcer.enforce(
        table(...bothWays([ban(banned.IPv4, Date.now() + 2_500), ban('198.51.100.9')])),
      );
      const ask = () => router.pods.ask({ act: 'tcp', from: pod.IPv4, to: banned.IPv4 });
      expect(await ask()).toBe('refused');
      const started = Date.now();
      await eventually(async () => (await ask()) === 'answered', { what: 'the end of the ban' });
      expect(Date.now() - started).toBeGreaterThan(1_000);
      expect(await nft(['list', 'table', 'inet', 'strongroom'])).toContain('198.51.100.9');
    });

    it('keeps a long ban beside a short one', async () => {
      const short = Date.now() + 2_000;
      await enforcer.enforce(
        table(
          ...bothWays([ban('198.51.100.0/29', Date.now() + 60_000), ban('198.51.100.8', short)]),
        ),
      );
      const ask = (to: string) => router.pods.ask({ act: 'tcp', from: pod.IPv4, to });
      expect(await ask(other.IPv4)).toBe('refused');
      await eventually(async () => (await ask(other.IPv4)) === 'answered', { what: 'its end' });
      expect(await ask(banned.IPv4)).toBe('refused');
    });

    const othersNow = async (): Promise<string> => {
      const text = await nft(['-s', 'list', 'ruleset']);
      const { structure } = parseListing(await nft(['-t', 'list', 'ruleset', 'inet']));
      const blocks = text.split(/^(?=table )/m);
      expect(blocks.some((each) => each.startsWith('table inet strongroom'))).toBe(
        structure !== undefined,
      );
      return blocks.filter((each) => !each.startsWith('table inet strongroom')).join('');
    };

    it('leaves the tables of others as they are, and nothing of itself when removed', async () => {
      await enforcer.remove();
      const before = await nft(['-s', 'list', 'ruleset']);
      expect(before).toContain('table inet firewall');
      await enforcer.enforce(table(...bothWays(BANNED)));
      expect(await othersNow()).toBe(before);
      await enforcer.enforce(table(...bothWays([...BANNED, ban('203.0.113.7')])));
      await enforcer.enforce(table(group('Ingress', BANNED, ['trading'])));
      expect(await othersNow()).toBe(before);
      await enforcer.remove();
      expect(await nft(['-s', 'list', 'ruleset'])).toBe(before);
      await enforcer.remove();
    });

    it('is taken over by the next agent without a change', async () => {
      const wanted = table(
        ...bothWays([...BANNED, ban('203.0.113.0/25', Date.now() + 3_600_000)]),
        group(
          'Egress',
          [ban('203.0.113.200-203.0.113.209', Date.now() + 90_000_000_000)],
          ['trading'],
        ),
      );
      await enforcer.enforce(wanted);
      const handles = () => nft(['-j', '-t', 'list', 'ruleset', 'inet']);
      const before = await handles();
      const next = createEnforcer(nft, systemClock);
      expect(await next.enforce(wanted)).toBe('nothing');
      expect(await handles()).toBe(before);
      // And one that finds something else there changes that alone.
      const another = createEnforcer(nft, systemClock);
      expect(
        await another.enforce(
          table(
            ...bothWays(BANNED),
            group(
              'Egress',
              [ban('203.0.113.200-203.0.113.209', Date.now() + 90_000_000_000)],
              ['trading'],
            ),
          ),
        ),
      ).toBe('delta');
    });

    it.each([
      ['a flushed chain', 'flush chain inet strongroom prerouting', 'reload', true],
      ['a rule more', 'insert rule inet strongroom prerouting accept', 'reload', true],
      ['a deleted table', 'delete table inet strongroom', 'reload', true],
      ['a flushed set', 'flush set inet strongroom node_both4', 'delta', false],
      ['a ban more', 'add element inet strongroom node_both4 { 192.0.2.1 }', 'delta', false],
    ] as const)('is put back after %s', async (_, command, how, isQuick) => {
      const wanted = table(...bothWays(BANNED));
      await enforcer.enforce(wanted);
      await nft(['-f', '-'], `${command}\n`);
      expect((await enforcer.observe()).isSound).toBe(!isQuick);
      enforcer.doubt();
      expect(await enforcer.enforce(wanted)).toBe(how);
      expect((await enforcer.observe()).isSound).toBe(true);
      expect(await nft(['list', 'set', 'inet', 'strongroom', 'node_both4'])).not.toContain(
        '192.0.2.1',
      );
      expect(await router.pods.ask({ act: 'tcp', from: pod.IPv4, to: banned.IPv4 })).toBe(
        'refused',
      );
    });

    it('ends bans by the right time after somebody set the clock', async () => {
      let offsetMs = 0;
      const clock = { ...systemClock, now: () => Date.now() + offsetMs };
      const skewed = createEnforcer(nft, clock);
      const wanted = table(...bothWays([ban(banned.IPv4, Date.now() + 3_600_000)]));
      const left = async (): Promise<number | undefined> => {
        const json = await nft(['-j', 'list', 'set', 'inet', 'strongroom', 'node_both4']);
        return parseElements(json).get('node_both4')?.[0]?.expiresInSeconds;
      };
      await skewed.enforce(wanted);
      expect(await left()).toBeGreaterThan(3_500);
      offsetMs = 1_800_000;
      skewed.doubt();
      expect(await skewed.enforce(wanted)).toBe('delta');
      expect(await left()).toBeLessThan(1_900);
      offsetMs = 7_200_000;
      skewed.doubt();
      await skewed.enforce(wanted);
      expect(await router.pods.ask({ act: 'tcp', from: pod.IPv4, to: banned.IPv4 })).toBe(
        'answered',
      );
    });

    it('has in the kernel what is wanted after any row of changes', async () => {
      const state = fc.array(
        fc.record({
          gap: fc.nat(3),
          size: fc.integer({ min: 1, max: 6 }),
          days: fc.constantFrom(undefined, 1, 2, 3),
        }),
        { maxLength: 8 },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(state, { minLength: 2, maxLength: 5 }), async (states) => {
          await enforcer.remove();
          const kinds = [];
          for (const drafts of states) {
            let from = 0xc633_6400n;
            const bans = drafts.map(({ gap, size, days }): Ban => {
              const first = from + BigInt(gap);
              from = first + BigInt(size);
              const range = { family: 'IPv4' as const, first, last: from - 1n };
              return days === undefined
                ? range
                : { ...range, expiresAtMs: 1_900_000_000_000 + days * 86_400_000 };
            });
            const wanted = table(...bothWays(bans));
            kinds.push(await enforcer.enforce(wanted));
            const listed = parseElements(await nft(['-j', 'list', 'table', 'inet', 'strongroom']));
            const now = Date.now();
            const found = (listed.get('node_both4') ?? []).map(
              ({ range, expiresInSeconds }) =>
                `${range} ${expiresInSeconds === undefined ? '' : Math.round((expiresInSeconds * 1000 + now - 1_900_000_000_000) / 86_400_000)}`,
            );
            const want = [...(wanted.sets.get('node_both4') ?? [])].map(
              ([range, until]) =>
                `${range} ${until === Infinity ? '' : Math.round((until - 1_900_000_000_000) / 86_400_000)}`,
            );
            expect(found.toSorted()).toEqual(want.toSorted());
          }
          // Changes are changes: the table is made once.
          expect(kinds.filter((kind) => kind === 'reload').length).toBe(1);
        }),
        { numRuns: 25 },
      );
    });

    it('loads 50,000 ranges within seconds, and changes one of them in less', async () => {
      const bans = Array.from({ length: 50_000 }, (_, index): Ban => {
        const first = (11n << 24n) + BigInt(index) * 8n;
        const range = { family: 'IPv4' as const, first, last: first + 5n };
        return index % 2 === 0 ? range : { ...range, expiresAtMs: Date.now() + 3_600_000 + index };
      });
      const ask = (to: string) => router.pods.ask({ act: 'tcp', from: pod.IPv4, to });
      const timed = async (wanted: Table): Promise<readonly [how: string, ms: number]> => {
        const started = performance.now();
        const how = await enforcer.enforce(wanted);
        return [how, performance.now() - started];
      };
      // Limits for a machine that does ten other things; `make bench` has the figures.
      const [first, loadMs] = await timed(table(...bothWays([...bans, ...BANNED])));
      expect(first).toBe('reload');
      expect(loadMs).toBeLessThan(15_000);
      expect(await ask(banned.IPv4)).toBe('refused');
      expect(await ask(other.IPv4)).toBe('answered');

      const wanted = table(...bothWays([...bans, ...BANNED, ban(other.IPv4)]));
      const [second, changeMs] = await timed(wanted);
      expect(second).toBe('delta');
      expect(changeMs).toBeLessThan(15_000);
      expect(await ask(other.IPv4)).toBe('refused');
      expect(await createEnforcer(nft, systemClock).enforce(wanted)).toBe('nothing');
    });
  },
);
