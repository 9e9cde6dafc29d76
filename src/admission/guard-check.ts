/** Tries once a minute, on the leader, whether admission really guards, and tells of it. */
import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { AdmissionReport, GuardBoard } from '#access/guard-board.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import type { KubeClient } from '#kube/client.ts';
import type { KubeObject } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import type { Resource } from '#kube/resource.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { DriftFinding } from './configuration/deps.ts';
import { WEBHOOK_PROBE, probeOutcome, twinProbe } from './probes.ts';
import type { ProbeOutcome } from './probes.ts';

export interface GuardCheckDeps {
  readonly client: KubeClient;
  readonly board: GuardBoard;
  readonly drift: () => readonly DriftFinding[];
  /** A guarded namespace that the operator has its rights in, if there is one. */
  readonly guardedNamespace: () => string | undefined;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: Logger;
  readonly registry: Registry;
}

const PERIOD_MS = 60_000;
/** While it does not guard, a change for the better is not to be waited for; and drift is not either. */
const IMPATIENT_MS = 2_000;

export function createGuardGauge(registry: Registry): Gauge {
  return new Gauge({
    name: 'strongroom_admission_guards',
    help: 'On the leader: 1 when what must be refused is refused, and nobody changed what makes it so',
    registers: [registry],
  });
}

export function createGuardCheck(deps: GuardCheckDeps): Runnable {
  const { client, board, clock, log } = deps;
  const gauge = createGuardGauge(deps.registry);

  async function ask<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    signal: AbortSignal,
    mayAsk = false,
  ): Promise<ProbeOutcome> {
    try {
      await client.create(resource, object, { dryRun: true, signal });
      return probeOutcome(undefined);
    } catch (error) {
      if (signal.aborted) throw error;
      return probeOutcome(error, mayAsk);
    }
  }

  async function look(signal: AbortSignal): Promise<AdmissionReport> {
    const namespace = deps.guardedNamespace();
    const webhook = await ask(IP_BLOCKS, WEBHOOK_PROBE, signal);
    const twin =
      namespace === undefined
        ? undefined
        : // The operator has the right there, and no error about a Secret tells who said no.
          await ask(SECRETS, twinProbe(namespace), signal, true);
    return guardReport({ webhook, twin, drift: deps.drift() });
  }

  /** Ends early when what others changed is not what it was: that is known without asking. */
  async function rest(ms: number, signal: AbortSignal): Promise<void> {
    const before = describeDrift(deps.drift());
    for (let leftMs = ms; leftMs > 0 && !signal.aborted; leftMs -= IMPATIENT_MS) {
      await clock.sleep(Math.min(leftMs, IMPATIENT_MS), signal).catch(() => undefined);
      if (describeDrift(deps.drift()) !== before) return;
    }
  }

  return {
    name: 'admission: whether it guards',
    async run(signal) {
      while (!signal.aborted) {
        const before = board.current();
        const report = await look(signal);
        gauge.set(report.guards ? 1 : 0);
        if (before?.guards !== report.guards) {
          const { reason, message } = report;
          if (report.guards) log.info({ reason }, message);
          else log.warn({ reason }, message);
        }
        board.tell(report);
        await rest(report.guards ? PERIOD_MS : IMPATIENT_MS, signal);
      }
    },
  };
}

export interface GuardFacts {
  readonly webhook: ProbeOutcome;
  /** Undefined where there is no guarded namespace to try it in. */
  readonly twin: ProbeOutcome | undefined;
  readonly drift: readonly DriftFinding[];
}

/** What the attempts come to, the worst first. */
export function guardReport({ webhook, twin, drift }: GuardFacts): AdmissionReport {
  const not = (reason: string, message: string): AdmissionReport => ({
    guards: false,
    reason,
    message,
  });
  if (drift.length > 0) {
    return not(
      'ConfigurationDrift',
      `Somebody changed what makes the API server ask: ${describeDrift(drift)}. Who did it is in the audit log of the API server; "strongroom admission restore" puts it back`,
    );
  }
  if (webhook === 'LetThrough') {
    return not(
      'WebhookNotAsked',
      'A request that the webhook must refuse went through: the API server does not ask it',
    );
  }
  if (twin === 'LetThrough') {
    return not(
      'TwinNotAsked',
      'A request that the ValidatingAdmissionPolicies must refuse went through: without the webhook, nothing would guard',
    );
  }
  if (webhook === 'NoAnswer') {
    return not(
      'WebhookDoesNotAnswer',
      'The API server does not reach the webhook: the policies of the twin guard, and what only the webhook can decide is refused',
    );
  }
  if (webhook !== 'Refused' || (twin !== undefined && twin !== 'Refused')) {
    return not(
      'NotTried',
      'Whether admission guards could not be tried; the log of the leader says why',
    );
  }
  return {
    guards: true,
    reason: 'ProbeRefused',
    message:
      twin === undefined
        ? 'A request that the webhook must refuse was refused; there is no guarded namespace yet'
        : 'Requests that the webhook and its twin must refuse were refused',
  };
}

const MAX_LISTED = 5;

function describeDrift(drift: readonly DriftFinding[]): string {
  const listed = drift
    .slice(0, MAX_LISTED)
    .map(({ kind, name, what }) => `${kind} ${name} is ${what.toLowerCase()}`)
    .join(', ');
  return drift.length > MAX_LISTED ? `${listed} and ${drift.length - MAX_LISTED} more` : listed;
}
