import { describe, expect, it } from 'vitest';
import { captureIo } from '../../test/cli/capture-io.ts';
import { secondsFor } from './emergency-token.ts';
import { emergencyOf, remarkOn } from './emergency-manifest.ts';
import type { EmergencyRequestOptions } from './emergency.ts';
import { CliError } from './errors.ts';
import { run } from './run.ts';

async function ran(...argv: readonly string[]) {
  const io = captureIo({ cwd: '.' });
  const code = await run(io, argv);
  return { code, out: io.out(), err: io.err() };
}

const WHY = 'orders are stuck and must be cancelled';

describe('emergency', () => {
  it.each<readonly [readonly string[], string]>([
    [['request', '--credential', 'maker'], '--reason'],
    [['request', '--reason', WHY], '--credential, --pod or --all-pods'],
    [['request', '--reason', 'help', '--pod', 'a'], 'at least 20 are needed'],
    [['request', '--reason', WHY, '--pod', 'a', '--for', 'soon'], '30m or 1h'],
    [['request', '--reason', WHY, '--pod', 'a', '--self'], '--self needs --second-reason'],
    [['request', '--reason', WHY, '--pod', 'a', '--second-reason', WHY], 'is for --self'],
    [['request', '--reason', WHY, '--pod', 'a', '--all-pods'], 'cannot be used with'],
    [['request', '--reason', WHY, '--pod', 'a', '--self', '--subject', 'b'], 'cannot be used'],
    [
      ['request', '--reason', WHY, '--pod', 'a', '--subject', 'b', '--service-account', 'c'],
      'cannot be used',
    ],
    [['approve', 'night'], '--reason'],
    [['approve', '--reason', 'x'], 'name'],
    [['approve', 'night', '--reason', ' '], '--reason is empty'],
    [['review', 'night'], '--finding'],
    [['review', 'night', '--finding', ''], '--finding is empty'],
    [['end', 'night', '--reason', 'x', '--timeout', 'soon'], 'a number of seconds'],
    [['token', 'night', '--format', 'yaml'], 'token, kubeconfig'],
    [['token', 'night', '--for', 'soon'], '15m'],
    [['open', 'night'], 'unknown command'],
  ])('refuses %j before it asks a cluster', async (argv, message) => {
    const { code, out, err } = await ran('emergency', ...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  it.each(['request', 'approve', 'deny', 'end', 'review', 'list', 'show', 'token'])(
    'explains %s with an example',
    async (name) => {
      const { code, out } = await ran('emergency', name, '--help');
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`\\n  (umask 077; )?strongroom emergency ${name}`));
    },
  );

  it('prints no token to a terminal unless that is meant', async () => {
    const io = captureIo({ cwd: '.' });
    Object.assign(io.stdout, { isTTY: true });
    expect(await run(io, ['emergency', 'token', 'night'])).toBe(2);
    expect(io.err()).toContain('stdout is a terminal');
  });
});

describe('emergencyOf', () => {
  const me = { username: 'alice', groups: [] };
  const at = Date.parse('2026-11-26T15:10:07Z');
  const of = (options: Partial<EmergencyRequestOptions>, username = me.username) =>
    emergencyOf(
      { reason: WHY, output: 'table', timeout: 1, ...options },
      'trading',
      { ...me, username },
      at,
    );

  it('asks for what the targets need, for whoever asks', () => {
    const { metadata, spec } = of({ credential: ['maker'], pod: ['maker-0'], for: '30m' });
    expect(metadata).toEqual({ namespace: 'trading', name: 'alice-20261126-151007' });
    expect(spec).toEqual({
      subject: { kind: 'User', name: 'alice' },
      reason: WHY,
      target: { credentials: ['maker'], pods: ['maker-0'] },
      permissions: ['AccessSecrets', 'EmergencyOverride'],
      duration: '30m',
    });
  });

  it.each<readonly [Partial<EmergencyRequestOptions>, string, unknown]>([
    [{ subject: 'bob' }, 'alice', { kind: 'User', name: 'bob' }],
    [{ serviceAccount: 'robot' }, 'alice', { kind: 'ServiceAccount', name: 'robot' }],
    [{}, 'system:serviceaccount:trading:robot', { kind: 'ServiceAccount', name: 'robot' }],
  ])('%j of %s', (options, username, expected) => {
    expect(of({ ...options, allPods: true }, username).spec).toMatchObject({
      subject: expected,
      target: { pods: ['*'] },
      permissions: ['EmergencyOverride'],
    });
  });

  it('refuses a ServiceAccount of another namespace', () => {
    expect(() => of({ allPods: true }, 'system:serviceaccount:other:robot')).toThrow(
      'ServiceAccount of another namespace than trading',
    );
  });

  it.each([
    ['Alice@Example.com', 'alice-example-com-20261126-151007'],
    ['…', 'emergency-20261126-151007'],
    ['x'.repeat(300), `${'x'.repeat(40)}-20261126-151007`],
  ])('has a name of %s', (username, expected) => {
    expect(of({ allPods: true }, username).metadata.name).toBe(expected);
  });

  it('takes no second reason that repeats the first', () => {
    expect(() => of({ allPods: true, secondReason: WHY })).toThrow('must not repeat');
  });

  it('remarks that no token is that short', () => {
    expect(remarkOn(of({ credential: ['maker'], for: '10m' }))).toContain('ask for 15m');
    expect(remarkOn(of({ credential: ['maker'], for: '15m' }))).toBeUndefined();
    expect(remarkOn(of({ allPods: true, for: '10m' }))).toBeUndefined();
  });
});

describe('secondsFor', () => {
  it.each([
    [30 * 60_000, undefined, 1720],
    [30 * 60_000, 15 * 60_000, 900],
    [30 * 60_000, 60 * 60_000, 1720],
    [680_000, undefined, 600],
    // Of just this time the API server may make a year.
    [3_687_000, undefined, 3606],
  ])('of %d ms that are left, with --for %s', (left, wished, expected) => {
    expect(secondsFor(left, wished, 'it')).toBe(expected);
  });

  it.each([
    [679_999, undefined, 'it ends in 679 s'],
    [0, undefined, 'ends in 0 s'],
    [30 * 60_000, 599_000, '--for is less than 10m'],
  ])('refuses %d ms with --for %s', (left, wished, message) => {
    expect(() => secondsFor(left, wished, 'it')).toThrow(CliError);
    expect(() => secondsFor(left, wished, 'it')).toThrow(message);
  });
});
