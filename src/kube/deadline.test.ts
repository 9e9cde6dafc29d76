import { getEventListeners, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createDeadline } from '#kube/deadline.ts';

describe('createDeadline', () => {
  it('aborts when the time is over', async () => {
    using deadline = createDeadline(undefined, 5);
    await once(deadline.signal, 'abort');
    expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError' });
  });

  it('aborts with its parent, by the parent’s reason', () => {
    const parent = new AbortController();
    using before = createDeadline(parent.signal, 60_000);
    parent.abort('because');
    using after = createDeadline(parent.signal, 60_000);
    expect([before.signal.reason, after.signal.reason]).toEqual(['because', 'because']);
  });

  it('leaves nothing behind with a parent that lives on', async () => {
    const parent = new AbortController();
    const deadline = createDeadline(parent.signal, 5);
    expect(getEventListeners(parent.signal, 'abort')).toHaveLength(1);
    deadline[Symbol.dispose]();
    await delay(20);
    expect(getEventListeners(parent.signal, 'abort')).toHaveLength(0);
    expect(deadline.signal.aborted).toBe(false);
  });
});
