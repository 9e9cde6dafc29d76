/** Emergency access with what it needs of the world: the configuration, and where notices go. */
import { readFile } from 'node:fs/promises';
import { createEmergencyController } from '#access/emergency/controller.ts';
import type { EmergencyController, EmergencyDeps } from '#access/emergency/deps.ts';
import { NO_NOTICES, createNoticeSink, parseNoticeUrl } from '#access/emergency/notices.ts';
import { postNotice } from '#access/emergency/post-notice.ts';
import type { EmergencySettings } from '#access/emergency/settings.ts';
import { createUseReporter } from '#access/emergency/uses.ts';
import type { UseReporter } from '#access/emergency/uses.ts';
import { parseDuration } from '#api/duration.ts';
import { secretsOf } from '#admission/pods/secrets-of.ts';
import { accountNameOf, templateOf } from '#admission/pods/pod-template.ts';
import { holdsToken } from '#admission/rules/warnings.ts';
import type { EmergencyConfig } from '#cli/admission-config.ts';
import { usageError } from '#cli/errors.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Pod } from '#kube/objects.ts';

export interface Emergency {
  readonly controller: EmergencyController;
  readonly settings: EmergencySettings;
  /** On every replica. */
  readonly uses: UseReporter;
}

type Provided = 'settings' | 'notices' | 'secretsOfPod' | 'accountOfToken';

export function createEmergency(
  config: EmergencyConfig,
  /** Not guarded by the lease: every replica writes what it let through. */
  ownClient: KubeClient,
  deps: Omit<EmergencyDeps, Provided>,
): Emergency {
  const { clock, random, log } = deps;
  const settings = settingsOf(config);
  const controller = createEmergencyController({
    ...deps,
    settings,
    notices: noticesOf(config, deps),
    secretsOfPod,
    accountOfToken,
  });
  const uses = createUseReporter({
    client: ownClient,
    accesses: controller.accesses,
    replica: deps.operator.instance,
    clock,
    random,
    log,
  });
  return { controller, settings, uses };
}

function settingsOf(config: EmergencyConfig): EmergencySettings {
  const { maxDuration, approvalTimeout, approvals, selfApproval } = config;
  return {
    maxDurationMs: parseDuration(maxDuration),
    approvals,
    selfApproval,
    approvalTimeoutMs: parseDuration(approvalTimeout),
  };
}

function noticesOf(
  { noticeUrl, noticeKeyFile, noticePlainHttp }: EmergencyConfig,
  { clock, random, log }: Omit<EmergencyDeps, Provided>,
): EmergencyDeps['notices'] {
  if (noticeUrl === undefined) return () => NO_NOTICES;
  let url: URL;
  try {
    url = parseNoticeUrl(noticeUrl, noticePlainHttp);
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : 'emergency.noticeUrl is no URL');
  }
  return (onLost) =>
    createNoticeSink({
      url,
      ...(noticeKeyFile === undefined ? {} : { key: () => readFile(noticeKeyFile) }),
      post: postNotice,
      clock,
      random,
      log,
      onLost,
    });
}

/** Of whatever field of the Pod API; those of a pod that is not understood are none. */
function secretsOfPod(pod: Pod): readonly string[] {
  const template = templateOf('pods', pod);
  if (template === undefined) return [];
  return [...new Set(secretsOf(template.spec).map(({ secret }) => secret))];
}

function accountOfToken(pod: Pod): string | undefined {
  const template = templateOf('pods', pod);
  return template !== undefined && holdsToken(template) ? accountNameOf(template) : undefined;
}
