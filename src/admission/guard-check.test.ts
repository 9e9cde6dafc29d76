import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createGuardBoard } from '#access/guard-board.ts';
import type { KubeClient } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import type { DriftFinding } from './configuration/deps.ts';
import { createGuardCheck, guardReport } from './guard-check.ts';
import type { GuardFacts } from './guard-check.ts';
import { probeOutcome } from './probes.ts';
import type { ProbeOutcome } from './probes.ts';

const forbidden = (message: string) => new KubeError('ERR_KUBE_FORBIDDEN', message);
const DENIED = forbidden(
  'create IPBlock strongroom-probe: admission webhook "guard.strongroom.dev" denied the request: …',
);

describe('what an attempt means', () => {
  it.each<readonly [string, unknown, ProbeOutcome]>([
    ['it went through', undefined, 'LetThrough'],
    ['the webhook refused', DENIED, 'Refused'],
    [
      'a policy of the twin refused',
      forbidden(`x: ValidatingAdmissionPolicy 'strongroom-emergency-tokens' with binding … denied`),
      'Refused',
    ],
    [
      'the policy of somebody else refused',
      forbidden(`x: ValidatingAdmissionPolicy 'no-blocks' with binding … denied request`),
      'NotAllowed',
    ],
    [
      'the webhook of somebody else refused',
      forbidden('x: admission webhook "validate.kyverno.svc" denied the request'),
      'NotAllowed',
    ],
    [
      'RBAC refused',
      forbidden('x: ipblocks.strongroom.dev is forbidden: User "a" cannot create resource'),
      'NotAllowed',
    ],
    [
      'the webhook does not answer',
      new KubeError(
        'ERR_KUBE_UNAVAILABLE',
        'x: Internal error occurred: failed calling webhook "guard.strongroom.dev": connection refused',
      ),
      'NoAnswer',
    ],
    ['the API server does not answer', new KubeError('ERR_KUBE_NETWORK', 'reset'), 'Unknown'],
    ['something else went wrong', new TypeError('x'), 'Unknown'],
  ])('%s', (_, error, outcome) => {
    expect(probeOutcome(error)).toBe(outcome);
  });

  it('takes "forbidden" for admission where RBAC is known to allow it', () => {
    expect(probeOutcome(forbidden('create Secret a/b: Forbidden'), true)).toBe('Refused');
    expect(probeOutcome(forbidden('create Secret a/b: Forbidden'))).toBe('NotAllowed');
  });
});

describe('what is told of it', () => {
  const good: GuardFacts = { webhook: 'Refused', twin: 'Refused', drift: [] };
  it.each<readonly [Partial<GuardFacts>, boolean, string]>([
    [{}, true, 'ProbeRefused'],
    [{ twin: undefined }, true, 'ProbeRefused'],
    [{ webhook: 'LetThrough' }, false, 'WebhookNotAsked'],
    [{ twin: 'LetThrough' }, false, 'TwinNotAsked'],
    [{ webhook: 'NoAnswer' }, false, 'WebhookDoesNotAnswer'],
    [{ webhook: 'NotAllowed' }, false, 'NotTried'],
    [{ webhook: 'Unknown' }, false, 'NotTried'],
    [{ twin: 'Unknown' }, false, 'NotTried'],
    [
      {
        drift: [
          {
            kind: 'ValidatingWebhookConfiguration',
            name: 'strongroom',
            what: 'Changed',
            message: '…',
          },
        ],
      },
      false,
      'ConfigurationDrift',
    ],
  ])('%j', (facts, guards, reason) => {
    expect(guardReport({ ...good, ...facts })).toMatchObject({ guards, reason });
  });
});

describe('the check', () => {
  it('tries once a minute, and soon again while it does not guard', async () => {
    const clock = createFakeClock();
    const board = createGuardBoard();
    const registry = new Registry();
    const asked: string[] = [];
    let answer: unknown = DENIED;
    let drift: readonly DriftFinding[] = [];
    const check = createGuardCheck({
      client: {
        async create(resource: { kind: string }, _: unknown, options: { dryRun?: boolean }) {
          expect(options.dryRun).toBe(true);
          asked.push(resource.kind);
          if (answer !== undefined) throw answer;
          return _;
        },
      } as unknown as KubeClient,
      board,
      drift: () => drift,
      guardedNamespace: () => undefined,
      clock,
      log: silentLogger,
      registry,
    });
    const stop = new AbortController();
    expect(board.current()?.guards).toBeUndefined();
    const running = check.run(stop.signal);
    await clock.advance(0);
    expect(board.current()?.guards).toBe(true);
    expect(await registry.metrics()).toContain('strongroom_admission_guards 1');
    await clock.advance(59_000);
    expect(asked).toHaveLength(1);
    answer = undefined;
    await clock.advance(1_000);
    expect(board.current()?.guards).toBe(false);
    expect(await registry.metrics()).toContain('strongroom_admission_guards 0');
    answer = DENIED;
    await clock.advance(2_000);
    expect(board.current()?.guards).toBe(true);
    // Told at once, without waiting for the minute.
    drift = [{ kind: 'ValidatingWebhookConfiguration', name: 'a', what: 'Missing', message: '…' }];
    await clock.advance(2_000);
    expect(board.current()?.guards).toBe(false);
    stop.abort();
    await running;
  });
});
