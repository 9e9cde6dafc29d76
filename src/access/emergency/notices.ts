/**
 * Notices of emergency access to a webhook of the installation's own, such as a chat or a pager.
 * A courtesy beside Events and audit records: they are kept in memory only, sent in order, tried
 * again for some minutes, and what is given up is counted.
 */
import { createHmac, randomUUID } from 'node:crypto';
import type { EmergencyAccess, EmergencyAccessStatus } from '#api/emergency-access.ts';
import { createBackoff } from '#runtime/backoff.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { Random } from '#runtime/random.ts';
import { withTimeLimit } from '#runtime/time-limit.ts';
import type { EmergencyAct } from './acts.ts';
import type { Happening } from './happenings.ts';
import { subjectUsername } from './subject.ts';

/** The JSON body; a contract of the webhook. No value of a credential is in it. */
export interface Notice {
  readonly type: EmergencyAct;
  /** RFC 3339. */
  readonly time: string;
  /** A sentence for people. */
  readonly message: string;
  readonly by?: string;
  readonly access: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly state: string;
    readonly subject: string;
    readonly requestedBy?: string;
    readonly reason: string;
    readonly ticket?: string;
    readonly permissions: readonly string[];
    readonly credentials: readonly string[];
    readonly pods: readonly string[];
    readonly approvedBy: readonly string[];
    readonly selfApproved: boolean;
    readonly expiresAt?: string;
    readonly uses: number;
  };
}

export function noticeOf(
  access: EmergencyAccess,
  status: EmergencyAccessStatus,
  { act, by, note }: Happening,
  nowMs: number,
): Notice {
  const { metadata, spec } = access;
  const { approvals = [] } = status;
  return {
    type: act,
    time: new Date(nowMs).toISOString(),
    message: note,
    ...(by === undefined ? {} : { by }),
    access: {
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      state: status.state ?? 'Pending',
      subject: subjectUsername(access),
      ...(status.requestedBy === undefined ? {} : { requestedBy: status.requestedBy.username }),
      reason: spec.reason,
      ...(spec.ticket === undefined ? {} : { ticket: spec.ticket }),
      permissions: spec.permissions,
      credentials: spec.target.credentials ?? [],
      pods: spec.target.pods ?? [],
      approvedBy: approvals.map(({ username }) => username),
      selfApproved: approvals.some(({ self }) => self),
      ...(status.expiresAt === undefined ? {} : { expiresAt: status.expiresAt }),
      uses: status.useCount ?? 0,
    },
  };
}

export interface NoticeSink extends Runnable {
  /** Never blocks and never throws. */
  send(notice: Notice): void;
}

/** Sends one request and resolves with the status of the answer; redirects are not followed. */
export type Post = (
  url: URL,
  request: {
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly signal: AbortSignal;
  },
) => Promise<number>;

export interface NoticeSinkOptions {
  readonly url: URL;
  /** Read anew for each notice, so that it can be replaced; absent: notices are not signed. */
  readonly key?: () => Promise<Uint8Array>;
  readonly post: Post;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** A notice was given up: too many waited, or nobody took it. */
  readonly onLost: () => void;
}

/** Whoever is behind by more has other troubles. */
const MAX_WAITING = 256;
const TIMEOUT_MS = 10_000;
/** With the waits between them, about ten minutes. */
const MAX_ATTEMPTS = 20;

/** A sink for an installation that names no URL. */
export const NO_NOTICES: NoticeSink = {
  name: 'emergency notices (none)',
  run: (signal) =>
    new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    }),
  send: () => undefined,
};

/**
 * A URL that notices may be sent to. They name people and places, so without TLS only where the
 * installation says so.
 *
 * @throws RangeError that says what is wrong with it
 */
export function parseNoticeUrl(text: string, mayBePlain: boolean): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new RangeError('emergency.noticeUrl is no URL that begins with https://');
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError(
      'emergency.noticeUrl holds a user name or password; take them out, and check the signature instead',
    );
  }
  if (url.protocol === 'http:' && !mayBePlain) {
    throw new RangeError(
      'emergency.noticeUrl is not https; set emergency.noticePlainHttp where the way to it is safe',
    );
  }
  return url;
}

export function createNoticeSink(options: NoticeSinkOptions): NoticeSink {
  const { clock, log } = options;
  const waiting: { readonly id: string; readonly body: string }[] = [];
  let wake = Promise.withResolvers<void>();
  let running: AbortSignal | undefined;

  function lose(why: string): void {
    options.onLost();
    log.warn({ reason: why }, 'Notice of emergency access given up');
  }

  async function deliver(id: string, body: string, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(clock, options.random);
    for (let attempt = 1; ; attempt += 1) {
      let why: string;
      try {
        const status = await withTimeLimit(clock, TIMEOUT_MS, signal, (limit) =>
          postOnce(id, body, limit),
        );
        if (status >= 200 && status < 300) return;
        why = `answered ${status}`;
        // It will not take it the next time either, but for a few that ask to come again.
        if (status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429) {
          lose(why);
          return;
        }
      } catch (error) {
        if (signal.aborted) return;
        why = codeOf(error);
      }
      if (attempt === MAX_ATTEMPTS) {
        lose(why);
        return;
      }
      log.debug({ reason: why, attempt }, 'Notice of emergency access not taken, trying again');
      await clock.sleep(backoff.nextMs(), signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }

  async function postOnce(id: string, body: string, signal: AbortSignal): Promise<number> {
    const timestamp = String(Math.floor(clock.now() / 1000));
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'strongroom-operator',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
    };
    const key = await options.key?.();
    const signature = key && signNotice(key, id, timestamp, body);
    return options.post(options.url, {
      headers: signature === undefined ? headers : { ...headers, 'webhook-signature': signature },
      body,
      signal,
    });
  }

  return {
    name: 'emergency notices',
    send(notice) {
      // Only the leader tells; what a former one kept is not sent by a later one.
      if (running === undefined || running.aborted) return;
      if (waiting.length >= MAX_WAITING) {
        waiting.shift();
        lose('too many are waiting');
      }
      waiting.push({ id: `msg_${randomUUID()}`, body: JSON.stringify(notice) });
      wake.resolve();
    },
    async run(signal) {
      running = signal;
      const stop = (): void => wake.resolve();
      signal.addEventListener('abort', stop);
      while (!signal.aborted) {
        const next = waiting.shift();
        if (next !== undefined) {
          await deliver(next.id, next.body, signal);
          continue;
        }
        await wake.promise;
        if (!signal.aborted) wake = Promise.withResolvers<void>();
      }
      signal.removeEventListener('abort', stop);
    },
  };
}

/** As the Standard Webhooks do it: HMAC-SHA256 over `id.timestamp.body`. */
export function signNotice(key: Uint8Array, id: string, timestamp: string, body: string): string {
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return `v1,${mac}`;
}

/** Never a message: it can hold what the other side wrote. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return error instanceof Error ? error.name : 'no reason given';
}
