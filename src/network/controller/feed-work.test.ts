import { describe, expect, it } from 'vitest';
import type { IPBlock } from '#api/ip-block.ts';
import { silentLogger } from '#runtime/log.ts';
import type { FeedCopy, FeedOutcome } from '../feeds/feed.ts';
import { createFeedWork } from './feed-work.ts';

const START = Date.parse('2026-11-24T12:00:00Z');
const HOUR = 3_600_000;

function copyOf(cidr: string, fetchedAtMs: number, url = 'https://lists.example/a'): FeedCopy {
  return {
    url,
    format: 'Plain',
    items: [{ cidr }],
    counts: { entries: 1, corrected: 0, skipped: 0, skippedSamples: [] },
    fetchedAtMs,
  };
}

function setUp(stored: FeedCopy | undefined, answers: (() => FeedOutcome)[]) {
  const state = { nowMs: START, url: 'https://lists.example/a', stored };
  const changes: string[] = [];
  let asked = 0;
  const block = (): IPBlock => ({
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: 'drop' },
    spec: { reason: 'test', feed: { url: state.url, format: 'Plain', every: '1h' } },
  });
  let present = true;
  const work = createFeedWork({
    blocks: { get: () => (present ? block() : undefined) },
    fetcher: {
      fetch: () => {
        asked += 1;
        const answer = answers.shift();
        if (answer === undefined) throw new Error('asked once too often');
        return Promise.resolve(answer());
      },
    },
    store: {
      load: () => Promise.resolve(state.stored),
      save: (_, copy) => Promise.resolve(void (state.stored = copy)),
      remove: () => Promise.resolve(void (state.stored = undefined)),
      list: () => Promise.resolve(state.stored === undefined ? [] : ['drop']),
    },
    now: () => state.nowMs,
    random: () => 0,
    onChange: (name) => changes.push(name),
    onFetched: () => Promise.resolve(),
  });
  const look = () =>
    work.reconcile('drop', {
      signal: new AbortController().signal,
      log: silentLogger,
      reconcileId: 'r',
    });
  return {
    state,
    work,
    look,
    block,
    changes,
    asked: () => asked,
    remove: () => void (present = false),
  };
}

const unreachable: () => FeedOutcome = () => ({ kind: 'Unreachable', message: 'no answer' });

describe('createFeedWork', () => {
  it('fetches at once, and then as often as asked', async () => {
    const at = setUp(undefined, [
      () => ({ kind: 'Fetched', copy: copyOf('198.51.100.0/24', START), isNew: true }),
    ]);
    await at.look();
    expect(at.work.copyOf('drop')?.items).toEqual([{ cidr: '198.51.100.0/24' }]);
    expect(at.state.stored?.items).toHaveLength(1);
    at.state.nowMs = START + HOUR / 2;
    await at.look();
    expect(at.asked()).toBe(1);
    expect(at.work.statusOf(at.block())).toMatchObject({ isStale: false, changedAtMs: START });
  });

  it('keeps the last good copy through failures, and tells of them', async () => {
    const at = setUp(copyOf('198.51.100.0/24', START - HOUR), [unreachable, unreachable]);
    await at.look();
    expect(at.work.copyOf('drop')?.items).toEqual([{ cidr: '198.51.100.0/24' }]);
    expect(at.work.statusOf(at.block())).toMatchObject({ error: 'no answer', isStale: false });
    at.state.nowMs = START + 3 * HOUR;
    await at.look();
    expect(at.work.copyOf('drop')).toBeDefined();
    expect(at.work.statusOf(at.block())).toMatchObject({ isStale: true });
  });

  it('does not ask anew after a restart while the copy is young enough', async () => {
    const at = setUp(copyOf('198.51.100.0/24', START - HOUR / 2), []);
    await at.look();
    expect(at.asked()).toBe(0);
    expect(at.changes).toEqual(['drop']);
  });

  it('takes no copy of one URL for another', async () => {
    const at = setUp(copyOf('198.51.100.0/24', START), [unreachable, unreachable]);
    await at.look();
    at.state.url = 'https://lists.example/b';
    await at.look();
    expect(at.work.copyOf('drop')).toBeUndefined();
    expect(at.asked()).toBe(1);
  });

  it('forgets a feed with its block, and clears up what others left', async () => {
    const at = setUp(copyOf('198.51.100.0/24', START), []);
    await at.look();
    at.remove();
    await at.look();
    expect(at.state.stored).toBeUndefined();
    expect(at.work.copyOf('drop')).toBeUndefined();
    at.state.stored = copyOf('198.51.100.0/24', START);
    await at.work.clearUp();
    expect(at.state.stored).toBeUndefined();
  });
});
