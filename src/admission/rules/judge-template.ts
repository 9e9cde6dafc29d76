/**
 * What pods and the templates of workloads have in common: what their ServiceAccount may use, and
 * who may let them run under it.
 */
import { serviceAccountIdentity } from '#access/identity.ts';
import { EMERGENCY_ACCOUNT_PREFIX, LABELS } from '#api/names.ts';
import { isMadeFromTemplate } from '../exemptions.ts';
import { MAX_LABEL, accountNameOf } from '../pods/pod-template.ts';
import type { PodTemplate } from '../pods/pod-template.ts';
import { secretsOf } from '../pods/secrets-of.ts';
import type { SecretUse } from '../pods/secrets-of.ts';
import type { AdmissionRequest } from '../request.ts';
import type { RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { mayActAs } from '../what-account-may.ts';
import { mayMount } from '../who-may-mount.ts';
import type { AdmissionWorld } from '../world.ts';
import { accountRefusal, mountRefusal, nameOf } from './refusals.ts';
import { podWarnings } from './warnings.ts';

export interface TemplateInQuestion {
  /** `Pod trading/maker` or `the template of Deployment trading/maker`. */
  readonly what: string;
  readonly namespace: string;
  readonly template: PodTemplate;
  readonly isPod: boolean;
}

/** Of a new one, or one whose program, Secrets or account changed. */
export function judgeTemplate(
  { what, namespace, template, isPod }: TemplateInQuestion,
  request: AdmissionRequest,
  { world, nowMs }: RuleContext,
): Verdict {
  const account = accountNameOf(template);
  const refusal = refusedAccount(what, account);
  if (refusal !== undefined) return refusal;

  const policies = new Set<string>();
  const guarded: SecretUse[] = [];
  const identity = serviceAccountIdentity(namespace, account);
  for (const use of usedSecrets(world, namespace, account, template)) {
    const credentials = world.credentialsOfSecret(namespace, use.secret);
    const [first] = credentials;
    if (first === undefined) continue;
    guarded.push(use);
    const answer = mayMount(world, identity, credentials, nowMs);
    for (const policy of answer.policies) policies.add(policy);
    if (answer.isAllowed) continue;
    return mountRefusal(
      `${what} uses the Secret ${use.secret} (${use.field}), which is that of ${nameOf(answer.credential)}`,
      `its ServiceAccount ${namespace}/${account}`,
      identity,
      answer,
      world,
    );
  }

  if (!isMadeFromTemplate(request)) {
    const { userInfo } = request;
    const held = mayActAs(world, userInfo, namespace, account, nowMs);
    if (!held.isAllowed) {
      return accountRefusal(
        `${what} runs under ServiceAccount ${namespace}/${account}`,
        userInfo.username,
        held.right,
      );
    }
    for (const policy of held.policies) policies.add(policy);
  }
  const warnings = podWarnings(template, isPod, guarded);
  if (warnings.length === 0 && policies.size === 0) return ALLOWED;
  return {
    allowed: true,
    ...(warnings.length > 0 && { warnings }),
    ...(policies.size > 0 && { policies: [...policies] }),
  };
}

function refusedAccount(what: string, account: string): Verdict | undefined {
  if (account.startsWith(EMERGENCY_ACCOUNT_PREFIX)) {
    return refuse(
      'Reserved',
      `${what} would run under ServiceAccount ${account}; accounts of this prefix are there for the tokens of emergency access, and no pod may run under one`,
    );
  }
  if (account.length > MAX_LABEL) {
    return refuse(
      'Invalid',
      `${what} would run under ServiceAccount ${account}, whose name has ${account.length} characters; in a guarded namespace it must fit into the label ${LABELS.serviceAccount}, which takes ${MAX_LABEL}: choose a shorter name`,
      { code: 422 },
    );
  }
  return undefined;
}

/** What the pods name, and what the account adds to those without pull secrets of their own. */
function usedSecrets(
  world: AdmissionWorld,
  namespace: string,
  account: string,
  { spec }: PodTemplate,
): readonly SecretUse[] {
  const named = secretsOf(spec);
  const pulled = world.account(namespace, account)?.imagePullSecrets ?? [];
  if (pulled.length === 0) return named;
  return [
    ...named,
    ...pulled.map((secret): SecretUse => ({
      secret,
      use: 'ImagePull',
      field: `imagePullSecrets of ServiceAccount ${account}`,
    })),
  ];
}

/** A value that is not the account's: NetworkPolicies would take the pods for those of another one. */
export function foreignLabel(
  { what, template }: TemplateInQuestion,
  isRequired: boolean,
): Verdict | undefined {
  const label = template.labels[LABELS.serviceAccount];
  const account = accountNameOf(template);
  if (label === account || (label === undefined && !isRequired)) return undefined;
  const must = `must be "${account}", the name of its ServiceAccount`;
  return label === undefined
    ? refuse(
        'Reserved',
        `${what}: the label ${LABELS.serviceAccount} is absent and ${must}; admission sets it, and what sets it is not at work ("strongroom doctor" says why)`,
      )
    : refuse(
        'Reserved',
        `${what}: the label ${LABELS.serviceAccount} is ${JSON.stringify(label)} and ${must}; leave it out, admission sets it`,
      );
}
