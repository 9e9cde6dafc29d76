/**
 * From the bytes of a review to those of its answer. Rules decide; here is what holds for all of
 * them: nothing is allowed by accident, late, or without a record.
 */
import type { Audit } from '#audit/audit.ts';
import type { JsonPatchOperation } from '#kube/client.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { Logger } from '#runtime/log.ts';
import { decisionRecord, resourceName } from './decision-record.ts';
import type { AdmissionMetrics, AdmissionPath } from './metrics.ts';
import type { AdmissionRequest } from './request.ts';
import { answerReview, failureStatus } from './review/answer.ts';
import { readReview } from './review/read-review.ts';
import type { ReadReview } from './review/read-review.ts';
import { ALLOWED, refuse } from './verdict.ts';
import type { Finding, Verdict } from './verdict.ts';

export interface AdmissionHandlerOptions {
  /** Judges a validating review, at once and from memory. */
  readonly decide: (request: AdmissionRequest) => Verdict;
  /**
   * What has to be waited for before, if anything: for what caches are about to hear, never for the
   * API server. A verdict that it resolves with is the answer.
   */
  readonly prepare?: (
    request: AdmissionRequest,
    signal: AbortSignal,
  ) => Promise<Verdict | undefined> | undefined;
  /** What a mutating review adds to the object. */
  readonly mutate: (request: AdmissionRequest) => readonly JsonPatchOperation[];
  /** What the requester should know of a patch: warnings. */
  readonly remarks?: (
    request: AdmissionRequest,
    patch: readonly JsonPatchOperation[],
  ) => readonly string[];
  readonly audit: Audit;
  readonly metrics: AdmissionMetrics;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Whether the caches hold the whole cluster; until then nothing is decided. */
  readonly isReady: () => boolean;
  readonly log: Logger;
  /** An EmergencyAccess let a request through. Never for a dry run. */
  readonly onEmergencyUse?: (namespace: string, name: string) => void;
  /** Something was noticed in a request that went through. Never for a dry run. */
  readonly onFinding?: (request: AdmissionRequest, finding: Finding) => void;
}

export interface AdmissionAnswer {
  /** HTTP. */
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

/** Never rejects. `signal` is aborted when the API server stops waiting. */
export type AdmissionHandler = (
  path: AdmissionPath,
  body: Uint8Array,
  signal: AbortSignal,
) => Promise<AdmissionAnswer>;

export function createAdmissionHandler(options: AdmissionHandlerOptions): AdmissionHandler {
  const { metrics, clock, log, isReady } = options;

  /** A decision that was made as far as rules go; the record comes after. */
  function judge(request: AdmissionRequest, signal: AbortSignal): Verdict {
    if (!isReady()) return notKnownYet();
    if (signal.aborted) return tooLate();
    try {
      const verdict = options.decide(request);
      return (verdict.allowed as unknown) === true ? verdict : { ...verdict, allowed: false };
    } catch (error) {
      return failed(request, error);
    }
  }

  function failed(request: AdmissionRequest, error: unknown): Verdict {
    log.error(
      {
        requestId: request.uid,
        operation: request.operation,
        resource: resourceName(request),
        reason: describeError(error),
      },
      'Review could not be decided',
    );
    return internalError(request.uid);
  }

  async function record(
    request: AdmissionRequest,
    verdict: Verdict,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { uid: requestId } = request;
    try {
      await options.audit(decisionRecord(request, verdict), signal);
      return true;
    } catch (error) {
      log.error({ requestId, reason: describeError(error) }, 'Audit record could not be written');
      return false;
    }
  }

  /** What is answered in the end: an allow only with its record, and in time. */
  async function conclude(
    request: AdmissionRequest,
    verdict: Verdict,
    signal: AbortSignal,
  ): Promise<Verdict> {
    if (!verdict.allowed) {
      // Without a record it stays refused; nobody waits for one whose time is over.
      await inTime(record(request, verdict), signal);
      return verdict;
    }
    const isRecorded = await inTime(record(request, verdict, signal), signal);
    if (isRecorded === true && !signal.aborted) return verdict;
    const refusal = signal.aborted ? tooLate() : internalError(request.uid);
    // The record of the allow may stand: another one says what was answered.
    void record(request, refusal);
    return refusal;
  }

  function tellOthers(request: AdmissionRequest, verdict: Verdict): void {
    const { emergencyAccess, findings = [] } = verdict;
    for (const { type } of findings) metrics.found(type);
    if (!verdict.allowed || request.dryRun) return;
    try {
      if (emergencyAccess !== undefined && request.namespace !== undefined) {
        options.onEmergencyUse?.(request.namespace, emergencyAccess);
      }
      for (const finding of findings) options.onFinding?.(request, finding);
    } catch (error) {
      log.error({ reason: describeError(error) }, 'What a review told could not be kept');
    }
  }

  async function prepare(
    request: AdmissionRequest,
    signal: AbortSignal,
  ): Promise<Verdict | undefined> {
    if (!isReady()) return undefined;
    try {
      const prepared = options.prepare?.(request, signal);
      return prepared === undefined ? undefined : await inTime(prepared, signal);
    } catch (error) {
      return failed(request, error);
    }
  }

  async function validate(request: AdmissionRequest, signal: AbortSignal): Promise<Outcome> {
    const prepared = await prepare(request, signal);
    const verdict = await conclude(request, prepared ?? judge(request, signal), signal);
    tellOthers(request, verdict);
    return { verdict, patch: [] };
  }

  /** Nothing is decided here, so nothing is recorded: each request comes to `/validate` as well. */
  function mutate(request: AdmissionRequest, signal: AbortSignal): Outcome {
    if (!isReady()) return { verdict: notKnownYet(), patch: [] };
    if (signal.aborted) return { verdict: tooLate(), patch: [] };
    try {
      const patch = options.mutate(request);
      const warnings = options.remarks?.(request, patch) ?? [];
      return { verdict: warnings.length === 0 ? ALLOWED : { ...ALLOWED, warnings }, patch };
    } catch (error) {
      return { verdict: failed(request, error), patch: [] };
    }
  }

  /** A body that is no review: there is nobody to record, and nothing of it is logged. */
  function notUnderstood({ uid, status, message }: Extract<ReadReview, { ok: false }>) {
    log.warn({ reason: message }, 'Review was not understood');
    metrics.refused('NotUnderstood');
    const verdict = refuse('NotUnderstood', `the review is not understood: ${message}`, {
      code: status,
    });
    return uid === undefined
      ? { status, body: failureStatus(status, message) }
      : { status: 200, body: answerReview(uid, verdict) };
  }

  return async (path, body, signal) => {
    const startedMs = clock.monotonicMs();
    const read = readReview(body);
    const passed = (): number => (clock.monotonicMs() - startedMs) / 1000;
    if (!read.ok) {
      const answer = notUnderstood(read);
      metrics.reviewed({ path, allowed: false, seconds: passed() });
      return answer;
    }
    const { request } = read;
    const { verdict, patch } =
      path === '/validate' ? await validate(request, signal) : mutate(request, signal);
    const { allowed, reason = 'InternalError' } = verdict;
    if (!allowed) metrics.refused(reason);
    metrics.reviewed({ path, resource: resourceName(request), allowed, seconds: passed() });
    return { status: 200, body: answerReview(request.uid, verdict, patch) };
  };
}

interface Outcome {
  readonly verdict: Verdict;
  readonly patch: readonly JsonPatchOperation[];
}

/** Undefined when the signal is aborted first. */
async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const over = Promise.withResolvers<undefined>();
  const onAbort = (): void => over.resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function notKnownYet(): Verdict {
  return refuse(
    'NotKnownYet',
    'Strongroom has only just started and does not know the cluster yet; try again in a few seconds',
    { code: 503 },
  );
}

function tooLate(): Verdict {
  return refuse(
    'DeadlineExceeded',
    'Strongroom did not decide in the time that the API server gives; try again',
    { code: 504 },
  );
}

/** The same for every fault: what went wrong stands in the log, under the id. */
function internalError(requestId: string): Verdict {
  return refuse(
    'InternalError',
    `Strongroom could not decide on this request, and what is not decided is refused; the operator's log says more about ${requestId}`,
    { code: 500 },
  );
}
