import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorkQueue } from './queue.ts';
import type { Priority } from './queue.ts';
import { namespaceOf } from './store.ts';
import { createFakeClock } from './testing/fake-clock.ts';

function setUp() {
  const clock = createFakeClock();
  return { clock, queue: createWorkQueue({ name: 'test', clock }) };
}

describe('work queue', () => {
  it('keeps a key once, however often it is added', async () => {
    const { queue } = setUp();
    for (let i = 0; i < 5; i += 1) queue.add('a/x');
    expect(queue.length).toBe(1);
    expect(await queue.take()).toBe('a/x');
    expect(queue.length).toBe(0);
  });

  it('does not hand out a key that is being worked on, but again afterwards', async () => {
    const { queue } = setUp();
    queue.add('a/x');
    expect(await queue.take()).toBe('a/x');
    queue.add('a/x');
    queue.add('a/x');
    expect(queue.length).toBe(0);
    queue.done('a/x');
    expect(queue.length).toBe(1);
    expect(await queue.take()).toBe('a/x');
    queue.done('a/x');
    expect(queue.length).toBe(0);
  });

  it('hands out urgent before normal before bulk, and raises what waits', async () => {
    const { queue } = setUp();
    queue.add('a/bulk', 'bulk');
    queue.add('a/normal');
    queue.add('a/raised', 'bulk');
    queue.add('a/raised', 'urgent');
    queue.add('a/raised', 'normal');
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual([
      'a/raised',
      'a/normal',
      'a/bulk',
    ]);
  });

  it('lets namespaces take turns, so that a thousand keys of one delay another by one', async () => {
    const { queue } = setUp();
    for (let i = 0; i < 1000; i += 1) queue.add(`noisy/${i}`);
    queue.add('quiet/x');
    expect([await queue.take(), await queue.take()]).toContain('quiet/x');
  });

  it('waits out delays, keeps the earlier of two, and doubles those of failures', async () => {
    const { clock, queue } = setUp();
    queue.addAfter('a/x', 10_000);
    queue.addAfter('a/x', 1000);
    queue.addAfter('a/x', 5000);
    await clock.advance(999);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
    queue.done((await queue.take()) ?? '');
    for (const waitMs of [5, 10, 20, 40]) {
      queue.addRateLimited('a/y');
      await clock.advance(waitMs - 1);
      expect(queue.length).toBe(0);
      await clock.advance(1);
      expect(queue.length).toBe(1);
      queue.done((await queue.take()) ?? '');
    }
    queue.forget('a/y');
    queue.addRateLimited('a/y');
    await clock.advance(5);
    expect(queue.length).toBe(1);
  });

  it('never waits longer than 1000 s, and as long as the server asks', async () => {
    const { clock, queue } = setUp();
    for (let i = 0; i < 60; i += 1) queue.addRateLimited('a/x');
    await clock.advance(1_000_000);
    expect(queue.length).toBe(1);
    queue.addRateLimited('a/y', 'normal', 30_000);
    await clock.advance(29_999);
    expect(queue.length).toBe(1);
    await clock.advance(1);
    expect(queue.length).toBe(2);
  });

  it('hands out what waits at a shutdown, and then nothing', async () => {
    const { queue } = setUp();
    const early = queue.take();
    queue.add('a/x');
    queue.add('a/y');
    queue.addAfter('a/z', 10);
    queue.shutDown();
    queue.add('a/late');
    expect([await early, await queue.take(), await queue.take()]).toEqual([
      'a/x',
      'a/y',
      undefined,
    ]);
  });

  it('keeps the higher of two priorities of a delay, whichever comes first', async () => {
    for (const [first, second] of [
      [
        { ms: 10, p: 'urgent' },
        { ms: 20, p: 'bulk' },
      ],
      [
        { ms: 20, p: 'urgent' },
        { ms: 10, p: 'bulk' },
      ],
      [
        { ms: 10, p: 'bulk' },
        { ms: 20, p: 'urgent' },
      ],
      [
        { ms: 20, p: 'bulk' },
        { ms: 10, p: 'urgent' },
      ],
    ] as const) {
      const { clock, queue } = setUp();
      queue.add('a/normal');
      queue.addAfter('a/x', first.ms, first.p);
      queue.addAfter('a/x', second.ms, second.p);
      await clock.advance(10);
      expect(await queue.take()).toBe('a/x');
      queue.done('a/x');
      await clock.advance(10);
      expect(queue.length).toBe(1);
    }
  });

  it('waits out delays longer than a timer can be', async () => {
    const clock = createFakeClock();
    const capped = {
      ...clock,
      setTimeout: (run: () => void, ms: number) => clock.setTimeout(run, Math.min(ms, 1000)),
    };
    const queue = createWorkQueue({ name: 'test', clock: capped });
    queue.addAfter('a/x', 3500, 'urgent');
    await clock.advance(3499);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
  });

  it('leaves no timer behind at a shutdown', () => {
    const clock = createFakeClock();
    let running = 0;
    const counting = {
      ...clock,
      setTimeout(run: () => void, ms: number) {
        running += 1;
        const timer = clock.setTimeout(run, ms);
        return { cancel: () => ((running -= 1), timer.cancel()) };
      },
    };
    const queue = createWorkQueue({ name: 'test', clock: counting });
    for (let i = 0; i < 10; i += 1) queue.addAfter(`a/${i}`, 1000);
    queue.addAfter('a/0', 500);
    expect(running).toBe(10);
    queue.shutDown();
    expect(running).toBe(0);
  });

  it('keeps a key that fails at the priority it was worked on with', async () => {
    const { clock, queue } = setUp();
    queue.add('a/urgent', 'urgent');
    expect(await queue.take()).toBe('a/urgent');
    queue.addRateLimited('a/urgent');
    queue.done('a/urgent');
    queue.add('a/normal');
    await clock.advance(5);
    expect(await queue.take()).toBe('a/urgent');
  });

  it('makes no namespace wait longer than one turn of the others', () => {
    const keys = fc.array(
      fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(30)).map(([ns, i]) => `${ns}/${i}`),
      { minLength: 1, maxLength: 80 },
    );
    return fc.assert(
      fc.asyncProperty(keys, async (added) => {
        const { queue } = setUp();
        for (const key of added) queue.add(key);
        const left = new Set(added);
        /** Keys handed out since the namespace's last turn. */
        const waits = new Map<string, number>();
        while (queue.length > 0) {
          const key = (await queue.take()) ?? '';
          left.delete(key);
          waits.set(namespaceOf(key), -1);
          for (const namespace of new Set([...left].map(namespaceOf))) {
            const waited = (waits.get(namespace) ?? 0) + 1;
            expect(waited).toBeLessThanOrEqual(4);
            waits.set(namespace, waited);
          }
        }
        expect(left.size).toBe(0);
      }),
    );
  });

  it('hands out a delayed key at its earliest time, not sooner or later', async () => {
    const delay = fc.record({
      key: fc.constantFrom('a/1', 'a/2', 'b/1'),
      ms: fc.integer({ min: 1, max: 50 }),
      thenMs: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(delay, { minLength: 1, maxLength: 15 }), async (delays) => {
        const { clock, queue } = setUp();
        const due = new Map<string, number>();
        const seen = new Map<string, number[]>();
        const wanted = new Map<string, number[]>();
        const drain = async (): Promise<void> => {
          while (queue.length > 0) {
            const key = (await queue.take()) ?? '';
            seen.set(key, [...(seen.get(key) ?? []), clock.monotonicMs()]);
            queue.done(key);
          }
        };
        const tick = async (): Promise<void> => {
          await clock.advance(1);
          await drain();
          for (const [key, atMs] of due) {
            if (atMs > clock.monotonicMs()) continue;
            due.delete(key);
            wanted.set(key, [...(wanted.get(key) ?? []), atMs]);
          }
        };
        for (const { key, ms, thenMs } of delays) {
          queue.addAfter(key, ms);
          due.set(key, Math.min(due.get(key) ?? Infinity, clock.monotonicMs() + ms));
          for (let i = 0; i < thenMs; i += 1) await tick();
        }
        for (let i = 0; i < 51; i += 1) await tick();
        expect(seen).toEqual(wanted);
      }),
      { numRuns: 20 },
    );
  });

  it('loses no key and never gives one to two workers, in any order of calls', async () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant('add' as const),
        key: fc.constantFrom('a/1', 'a/2', 'b/1', 'c/1'),
        priority: fc.constantFrom<Priority>('urgent', 'normal', 'bulk'),
      }),
      fc.record({ do: fc.constant('take' as const) }),
      fc.record({ do: fc.constant('done' as const), pick: fc.nat(3) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { queue } = setUp();
        const held: string[] = [];
        /** Added since it was last handed out. */
        const owed = new Set<string>();
        const take = async (): Promise<void> => {
          const key = await queue.take();
          if (key === undefined) throw new Error('handed out nothing');
          expect(held).not.toContain(key);
          expect(owed.has(key)).toBe(true);
          owed.delete(key);
          held.push(key);
        };
        for (const s of steps) {
          if (s.do === 'add') {
            queue.add(s.key, s.priority);
            owed.add(s.key);
          } else if (s.do === 'take') {
            if (queue.length > 0) await take();
          } else {
            const [key] = held.splice(s.pick % Math.max(1, held.length), 1);
            if (key !== undefined) queue.done(key);
          }
          expect(queue.length).toBe([...owed].filter((key) => !held.includes(key)).length);
        }
        for (const key of held.splice(0)) queue.done(key);
        while (queue.length > 0) {
          await take();
          for (const key of held.splice(0)) queue.done(key);
        }
        expect(owed.size).toBe(0);
      }),
    );
  });
});
