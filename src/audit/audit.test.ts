import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import { createStdoutAudit, streamWriter } from '#audit/stdout.ts';

const act = {
  act: 'VersionPromoted',
  actor: { kind: 'Operator', name: 'strongroom-operator-0' },
  object: { apiVersion: 'strongroom.dev/v1alpha1', kind: 'ExchangeCredential', name: 'maker' },
  version: 3,
  requestId: 'r-1',
} as const;

describe('createStdoutAudit', () => {
  it('writes one line of JSON a record, told from log lines by its first member', async () => {
    const stream = new PassThrough();
    const audit = createStdoutAudit({ write: streamWriter(stream), clock: { now: () => 0 } });
    await audit({ ...act, decision: 'Allow', outcome: 'Intended', reason: 'line\nbreak' });
    const line = String(stream.read());
    expect(line.endsWith('\n')).toBe(true);
    expect(line.trimEnd()).not.toContain('\n');
    expect(line.startsWith('{"audit":true,"time":"1970-01-01T00:00:00.000Z"')).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ ...act, reason: 'line\nbreak' });
  });

  it('rejects when the stream does', async () => {
    const stream = new PassThrough();
    stream.on('error', () => undefined);
    stream.destroy(new Error('gone'));
    const audit = createStdoutAudit({ write: streamWriter(stream), clock: { now: () => 0 } });
    await expect(audit({ ...act, decision: 'Allow', outcome: 'Intended' })).rejects.toThrow(
      'destroyed',
    );
  });
});

describe('perform', () => {
  it('records the intention before the effect and the outcome after it', async () => {
    const seen: string[] = [];
    const audit = async (record: AuditRecord) => void seen.push(record.outcome);
    const result = await perform(audit, act, async () => {
      seen.push('effect');
      return 7;
    });
    expect(result).toBe(7);
    expect(seen).toEqual(['Intended', 'effect', 'Succeeded']);
  });

  it('does nothing when the intention cannot be recorded', async () => {
    let happened = false;
    const audit = () => Promise.reject(new Error('disk full'));
    await expect(
      perform(audit, act, async () => {
        happened = true;
      }),
    ).rejects.toThrow('disk full');
    expect(happened).toBe(false);
  });

  it('records a failure by its code and throws it on', async () => {
    const seen: AuditRecord[] = [];
    const audit = async (record: AuditRecord) => void seen.push(record);
    const error = Object.assign(new Error('value hunter2 refused'), { code: 'ERR_KUBE_CONFLICT' });
    await expect(perform(audit, act, () => Promise.reject(error))).rejects.toBe(error);
    expect(seen.map((record) => record.outcome)).toEqual(['Intended', 'Failed']);
    expect(seen[1]?.details).toEqual({ error: 'ERR_KUBE_CONFLICT' });
    expect(JSON.stringify(seen)).not.toContain('hunter2');
  });
});
