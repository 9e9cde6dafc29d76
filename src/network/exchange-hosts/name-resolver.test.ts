import { describe, expect, it } from 'vitest';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { addressSet } from '../cidr/address-set.ts';
import type { Family } from '../cluster-facts.ts';
import { createNameResolver } from './name-resolver.ts';
import type { NameResolverDeps, Resolve } from './name-resolver.ts';

const HOST = 'api.phemex.com';
const MINUTE = 60_000;
type Answer = readonly string[] | 'Fails' | 'Hangs';

/** A DNS whose answers a test changes while it runs. */
function scene(over: Partial<NameResolverDeps> = {}) {
  const clock = createFakeClock();
  const answers: Record<Family, Answer> = { IPv4: ['203.0.113.1'], IPv6: [] };
  const dns = { answers, ttlSeconds: 60, asked: [] as string[] };
  const resolve: Resolve = async (name, family) => {
    dns.asked.push(`${name} ${family}`);
    const answer = dns.answers[family];
    if (answer === 'Hangs') return new Promise<never>(() => undefined);
    if (answer === 'Fails') throw Object.assign(new Error('no'), { code: 'ESERVFAIL' });
    return answer.map((address) => ({ address, ttlSeconds: dns.ttlSeconds }));
  };
  const names = createNameResolver({ resolve, clock, ...over });
  const changes: string[] = [];
  names.onChange((host, what) => changes.push(`${host} ${what}`));
  const stop = new AbortController();
  const ended = names.run(stop.signal);
  return {
    clock,
    dns,
    names,
    changes,
    cidrs: () => names.addressesOf(HOST).addresses.cidrs(),
    state: () => names.addressesOf(HOST).state,
    problem: () => names.addressesOf(HOST).problem,
    async end() {
      stop.abort();
      await ended;
    },
  };
}

describe('looking up', () => {
  it('knows nothing of a host before it is wanted, and looks it up once it is', async () => {
    const { clock, names, cidrs, state, dns, end } = scene();
    await clock.advance(MINUTE);
    expect(dns.asked).toEqual([]);
    expect(state()).toBe('Unresolved');
    names.want([HOST]);
    await clock.advance(0);
    expect(dns.asked).toEqual([`${HOST} IPv4`, `${HOST} IPv6`]);
    expect(cidrs()).toEqual(['203.0.113.1/32']);
    expect(state()).toBe('Fresh');
    await end();
  });

  it('asks only for families that the cluster has', async () => {
    const { clock, names, dns, end } = scene({ families: () => ['IPv6'] });
    names.want([HOST]);
    await clock.advance(0);
    expect(dns.asked).toEqual([`${HOST} IPv6`]);
    await end();
  });

  it.each([
    [1, 30_000],
    [30, 30_000],
    [120, 120_000],
    [300, 300_000],
    [86_400, 300_000],
  ])('with a TTL of %s s looks again after %s ms', async (ttlSeconds, waitMs) => {
    const { clock, names, dns, end } = scene({ families: () => ['IPv4'] });
    dns.ttlSeconds = ttlSeconds;
    names.want([HOST]);
    await clock.advance(waitMs - 1);
    expect(dns.asked).toHaveLength(1);
    await clock.advance(1);
    expect(dns.asked).toHaveLength(2);
    await end();
  });

  it('forgets a host that is not wanted any more, and asks for it no longer', async () => {
    const { clock, names, dns, state, end } = scene();
    names.want([HOST, 'ws.phemex.com']);
    await clock.advance(0);
    names.want(['ws.phemex.com']);
    dns.asked.length = 0;
    await clock.advance(10 * MINUTE);
    expect(state()).toBe('Unresolved');
    expect(dns.asked.filter((asked) => asked.startsWith(HOST))).toEqual([]);
    expect(dns.asked).not.toEqual([]);
    await end();
  });

  it('ends at once, with a look-up under way', async () => {
    const { clock, names, dns, end } = scene();
    dns.answers.IPv4 = 'Hangs';
    names.want([HOST]);
    await clock.advance(0);
    await end();
    dns.asked.length = 0;
    await clock.advance(60 * MINUTE);
    expect(dns.asked).toEqual([]);
  });
});

describe('pools that rotate', () => {
  it('keep what was seen within the grace time, and change nothing by turning', async () => {
    const { clock, names, dns, cidrs, changes, end } = scene();
    const pool = ['203.0.113.1', '203.0.113.2', '203.0.113.3', '203.0.113.4'];
    names.want([HOST]);
    for (let turn = 0; turn < 60; turn += 1) {
      dns.answers.IPv4 = [pool[turn % pool.length] ?? ''];
      await clock.advance(MINUTE);
    }
    expect(cidrs()).toEqual(['203.0.113.1/32', '203.0.113.2/31', '203.0.113.4/32']);
    expect(changes).toEqual(Array.from({ length: 4 }, () => `${HOST} Addresses`));
    await end();
  });

  it('lose an address an hour after it was last seen, not before', async () => {
    const { clock, names, dns, cidrs, end } = scene();
    dns.answers.IPv4 = ['203.0.113.1', '203.0.113.9'];
    names.want([HOST]);
    await clock.advance(0);
    dns.answers.IPv4 = ['203.0.113.1'];
    await clock.advance(59 * MINUTE);
    expect(cidrs()).toEqual(['203.0.113.1/32', '203.0.113.9/32']);
    await clock.advance(2 * MINUTE);
    expect(cidrs()).toEqual(['203.0.113.1/32']);
    await end();
  });

  it('hold a thousand addresses at most, the last ones seen', async () => {
    const { clock, names, dns, cidrs, end } = scene();
    names.want([HOST]);
    for (let turn = 0; turn < 12; turn += 1) {
      dns.answers.IPv4 = Array.from({ length: 128 }, (_, index) => `203.0.${turn}.${index * 2}`);
      await clock.advance(MINUTE);
    }
    expect(cidrs()).toHaveLength(1000);
    expect(cidrs().at(-1)).toBe('203.0.11.254/32');
    await end();
  });
});

describe('a restart', () => {
  it('takes over what was seen, for the rest of its grace time', async () => {
    const first = scene();
    first.names.want([HOST]);
    await first.clock.advance(0);
    const seen = first.names.seen();
    expect(Object.keys(seen[HOST] ?? {})).toEqual(['203.0.113.1']);
    await first.end();

    const { clock, names, dns, cidrs, state, end } = scene();
    dns.answers = { IPv4: 'Fails', IPv6: 'Fails' };
    names.restore(seen);
    names.want([HOST]);
    expect(cidrs()).toEqual(['203.0.113.1/32']);
    expect(state()).toBe('Stale');
    await clock.advance(59 * MINUTE);
    expect(cidrs()).toEqual(['203.0.113.1/32']);
    await clock.advance(2 * MINUTE);
    expect(cidrs()).toEqual([]);
    await end();
  });

  it('takes nothing over that is too old, private or of the cluster', async () => {
    const { clock, names, dns, cidrs, end } = scene({
      refused: () => addressSet(['198.51.100.0/24']),
    });
    dns.answers = { IPv4: 'Hangs', IPv6: 'Hangs' };
    names.want([HOST]);
    names.restore({
      [HOST]: {
        '203.0.113.1': clock.now() - 61 * MINUTE,
        '10.0.0.1': clock.now(),
        '198.51.100.1': clock.now(),
        '203.0.113.2': clock.now() - 59 * MINUTE,
      },
    });
    expect(cidrs()).toEqual(['203.0.113.2/32']);
    await end();
  });

  it('says which hosts were not looked up yet, and when that is over, whatever came of it', async () => {
    const { clock, names, dns, changes, end } = scene();
    dns.answers = { IPv4: 'Fails', IPv6: 'Fails' };
    names.want([HOST]);
    expect(names.pending()).toEqual([HOST]);
    await clock.advance(0);
    expect(names.pending()).toEqual([]);
    expect(changes).toEqual([`${HOST} State`]);
    await end();
  });
});

describe('a DNS that fails', () => {
  it.each(['Fails', 'Hangs'] as const)('%s: keeps what is known, and says so', async (how) => {
    const { clock, names, dns, cidrs, state, problem, changes, end } = scene();
    names.want([HOST]);
    await clock.advance(0);
    dns.answers.IPv4 = how;
    dns.answers.IPv6 = how;
    await clock.advance(2 * MINUTE);
    expect(state()).toBe('Stale');
    expect(cidrs()).toEqual(['203.0.113.1/32']);
    expect(problem()).toMatch(/could not be looked up \(IPv4: (ESERVFAIL|no answer within 10 s)/);
    expect(changes).toEqual([`${HOST} Addresses`, `${HOST} State`]);
    dns.answers.IPv4 = ['203.0.113.1'];
    await clock.advance(MINUTE);
    expect(state()).toBe('Fresh');
    expect(problem()).toBeUndefined();
    await end();
  });

  it('leaves nothing open when the grace time is over', async () => {
    const { clock, names, dns, cidrs, state, end } = scene();
    names.want([HOST]);
    await clock.advance(0);
    dns.answers.IPv4 = 'Fails';
    await clock.advance(61 * MINUTE);
    expect([state(), cidrs()]).toEqual(['Unresolved', []]);
    await end();
  });

  it('is none where one family answers', async () => {
    const { clock, names, dns, cidrs, state, end } = scene();
    dns.answers.IPv6 = 'Fails';
    names.want([HOST]);
    await clock.advance(0);
    expect([state(), cidrs()]).toEqual(['Fresh', ['203.0.113.1/32']]);
    await end();
  });

  it('says of a name without addresses that it has none', async () => {
    const { clock, names, dns, state, problem, end } = scene();
    dns.answers.IPv4 = [];
    names.want([HOST]);
    await clock.advance(0);
    expect([state(), problem()]).toEqual(['Unresolved', `DNS knows no address of ${HOST}`]);
    await end();
  });
});

describe('a DNS that lies', () => {
  it.each(['10.0.0.1', '169.254.169.254', '127.0.0.1', '::1', 'fd00::1', '::ffff:10.0.0.1', 'x'])(
    'opens nothing for %s',
    async (address) => {
      const { clock, names, dns, cidrs, state, problem, end } = scene();
      dns.answers.IPv4 = [address];
      names.want([HOST]);
      await clock.advance(0);
      expect([state(), cidrs()]).toEqual(['Unresolved', []]);
      expect(problem()).toContain(`DNS answers ${address} for ${HOST}`);
      await end();
    },
  );

  it('opens nothing of the cluster, though it be public', async () => {
    const { clock, names, dns, cidrs, state, end } = scene({
      refused: () => addressSet(['198.51.100.0/24']),
    });
    dns.answers.IPv4 = ['198.51.100.7', '203.0.113.1'];
    names.want([HOST]);
    await clock.advance(0);
    expect([state(), cidrs()]).toEqual(['Fresh', ['203.0.113.1/32']]);
    await end();
  });

  it('cannot drive the look-ups by a TTL of zero', async () => {
    const { clock, names, dns, end } = scene({ families: () => ['IPv4'] });
    dns.ttlSeconds = 0;
    names.want([HOST]);
    await clock.advance(10 * MINUTE);
    expect(dns.asked).toHaveLength(21);
    await end();
  });
});
