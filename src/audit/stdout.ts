import type { Audit } from '#audit/audit.ts';

export interface StdoutAuditOptions {
  /** Resolves once the line was handed to the stream, rejects when it could not be. */
  readonly write: (line: string) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly clock: { now(): number };
}

/**
 * Writes each record as one line of JSON. The member `audit: true` tells records from log lines on
 * the same stream; the members' order is fixed, so that equal records are equal lines.
 */
export function createStdoutAudit({ write, clock }: StdoutAuditOptions): Audit {
  return async (record, signal) => {
    signal?.throwIfAborted();
    const { act, actor, object, version, reason, decision, outcome, requestId, details } = record;
    const time = new Date(clock.now()).toISOString();
    await write(
      `${JSON.stringify({ audit: true, time, act, decision, outcome, actor, object, version, reason, requestId, details })}\n`,
    );
  };
}

/** Adapts a writable stream: the promise settles with the stream's own callback. */
export function streamWriter(stream: NodeJS.WritableStream): (line: string) => Promise<void> {
  return (line) =>
    new Promise((resolve, reject) => {
      stream.write(line, (error) => (error ? reject(error) : resolve()));
    });
}
