/** What `strongroom doctor` looks at: each check says what it found, and what to do about it. */
import { X509Certificate } from 'node:crypto';
import type { Condition } from '#api/access-policy.ts';
import { INSTALLATION_STATUS } from '#access/installation.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { EMERGENCY_ACCOUNT_PREFIX, GROUP, LABELS, NAMESPACE_ACCESS_NAME } from '#api/names.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import { ADMISSION_SECRET_NAME } from '#admission/pki/stored-pki.ts';
import { WEBHOOK_PROBE, probeOutcome } from '#admission/probes.ts';
import type { ProbeOutcome } from '#admission/probes.ts';
import { isNeverGuarded } from '#credentials/slim.ts';
import { parseInstallationStatus } from '#cli/installation-status.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject, Namespace } from '#kube/objects.ts';
import {
  CONFIG_MAPS,
  LEASES,
  MUTATING_WEBHOOKS,
  NAMESPACES,
  SECRETS,
  SERVICE_ACCOUNTS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_WEBHOOKS,
} from '#kube/resources.ts';
import type { Resource } from '#kube/resource.ts';

export type CheckState =
  | 'Ok'
  | 'Failed'
  /** It needs a right that the caller does not have. */
  | 'NotAllowed'
  /** There is nothing to look at (yet). */
  | 'Skipped';

export interface CheckResult {
  readonly name: string;
  readonly state: CheckState;
  readonly message: string;
}

export interface DoctorContext {
  readonly client: KubeClient;
  readonly operatorNamespace: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

type Found = Omit<CheckResult, 'name'>;
type CheckFunction = (context: DoctorContext) => Promise<Found>;

const ok = (message: string): Found => ({ state: 'Ok', message });
const failed = (message: string): Found => ({ state: 'Failed', message });
const skipped = (message: string): Found => ({ state: 'Skipped', message });

/** In this order: what comes first explains what fails after it. */
const CHECKS: Readonly<Record<string, CheckFunction>> = {
  'kinds are served': checkKinds,
  'an operator leads': checkLease,
  'the operator says that it guards': checkStatus,
  'validating webhooks': (context) => checkWebhooks(context, VALIDATING_WEBHOOKS),
  'mutating webhooks': (context) => checkWebhooks(context, MUTATING_WEBHOOKS),
  'policies of the twin': checkPolicies,
  'CA of the webhook': checkAuthorities,
  'certificate of the webhook': checkCertificate,
  'the webhook refuses': checkWebhookProbe,
  'the twin refuses': checkTwinProbe,
  'tables of guarded namespaces': checkTables,
};

/** One after the other. A check that may not look, or fails to, says so; never rejects but when aborted. */
export async function runChecks(context: DoctorContext): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [name, check] of Object.entries(CHECKS)) {
    try {
      results.push({ name, ...(await check(context)) });
    } catch (error) {
      context.signal.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      const state = isKubeError(error, 'ERR_KUBE_FORBIDDEN') ? 'NotAllowed' : 'Failed';
      results.push({ name, state, message });
    }
  }
  return results;
}

/** Those that tell whether requests are refused; the others tell why they are not, or soon will not be. */
const TELLING: ReadonlySet<string> = new Set([
  'the operator says that it guards',
  'validating webhooks',
  'mutating webhooks',
  'policies of the twin',
  'the webhook refuses',
  'the twin refuses',
]);

export interface Conclusion {
  /** Null: not known, since nothing failed and not all that would tell was allowed. */
  readonly guards: boolean | null;
  /** Names of the checks that would tell and were not allowed. */
  readonly untold: readonly string[];
}

export function concludeFrom(checks: readonly CheckResult[]): Conclusion {
  const isFailed = checks.some(({ state }) => state === 'Failed');
  const untold = checks
    .filter(({ name, state }) => state === 'NotAllowed' && TELLING.has(name))
    .map(({ name }) => name);
  return { guards: isFailed ? false : untold.length === 0 ? true : null, untold };
}

const KINDS = [
  'accesspolicies',
  'emergencyaccesses',
  'exchangecredentials',
  'ipblocks',
  'namespaceaccesses',
];

async function checkKinds({ client, signal }: DoctorContext): Promise<Found> {
  const served = (await client.discover({ signal }))
    .filter(({ group }) => group === GROUP)
    .flatMap(({ resources }) => resources);
  const missing = KINDS.filter((kind) => !served.includes(kind));
  return missing.length === 0
    ? ok(`all of ${GROUP}`)
    : failed(
        `the API server does not serve ${missing.join(', ')} of ${GROUP}; apply the CustomResourceDefinitions of the chart`,
      );
}

const LEASE = 'strongroom-operator';
/** Twice the duration of the lease, and a little. */
const MAX_LEASE_AGE_MS = 40_000;

interface Leadership {
  /** Undefined: nobody leads, or who did has not been heard of for long. */
  readonly leader?: string;
  /** When the Lease was last renewed, RFC 3339; absent where it never was. */
  readonly renewTime?: string;
}

/** Undefined: there is no Lease. */
async function leadership(context: DoctorContext): Promise<Leadership | undefined> {
  const { client, operatorNamespace: namespace, nowMs, signal } = context;
  const lease = await client.find(LEASES, { namespace, name: LEASE }, { signal });
  if (lease === undefined) return undefined;
  const { holderIdentity, renewTime } = lease.spec ?? {};
  const isHeld = nowMs - Date.parse(renewTime ?? '') < MAX_LEASE_AGE_MS;
  return {
    ...(holderIdentity && isHeld ? { leader: holderIdentity } : {}),
    ...(typeof renewTime === 'string' ? { renewTime } : {}),
  };
}

async function checkLease(context: DoctorContext): Promise<Found> {
  const { operatorNamespace: namespace } = context;
  const found = await leadership(context);
  if (found === undefined) {
    return failed(
      `no Lease ${namespace}/${LEASE}: no operator has ever led there; is it another namespace (--operator-namespace)?`,
    );
  }
  const { leader, renewTime = 'no time' } = found;
  return leader === undefined
    ? failed(
        `nobody leads: Lease ${namespace}/${LEASE} was renewed at ${renewTime}; look at the operator's pods and their logs`,
      )
    : ok(`${leader} leads`);
}

async function checkStatus(context: DoctorContext): Promise<Found> {
  const { client, operatorNamespace: namespace, signal } = context;
  const at = { namespace, name: INSTALLATION_STATUS };
  const found = await client.find(CONFIG_MAPS, at, { signal });
  const status = parseInstallationStatus(found?.data?.['status']);
  const guards = status?.conditions.find(({ type }: Condition) => type === 'AdmissionGuards');
  if (guards === undefined) {
    return failed(
      `ConfigMap ${namespace}/${INSTALLATION_STATUS} does not say whether admission guards; is admission.enabled set in the chart?`,
    );
  }
  if (guards.status !== 'True') return failed(guards.message);
  // It is written when it changes, and by who leads: without a leader it may be of long ago.
  const { leader, renewTime = 'an unknown time' } = (await leadership(context)) ?? {};
  return leader === undefined
    ? failed(
        `it said so last, and nobody has led since ${renewTime}, so it is not known any more: ${guards.message}`,
      )
    : ok(guards.message);
}

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}

/** Ours, by the label that the operator gives them. */
async function own<T extends KubeObject>(
  { client, signal }: DoctorContext,
  resource: Resource<T>,
): Promise<readonly T[]> {
  const { items } = await client.list(
    resource,
    { allNamespaces: true },
    { labelSelector: `${LABELS.managedBy}=strongroom`, signal },
  );
  return items;
}

const RESTORE = '"strongroom admission restore" puts it back';

async function checkWebhooks(
  context: DoctorContext,
  resource: Resource<WebhookConfiguration>,
): Promise<Found> {
  const configurations = await own(context, resource);
  const names = configurations.flatMap(({ webhooks = [] }) => webhooks.map(({ name }) => name));
  if (names.length === 0) {
    return failed(
      `no ${resource.kind} of Strongroom: the API server does not ask it; ${RESTORE}, if somebody took it away`,
    );
  }
  return ok(names.join(', '));
}

async function checkPolicies(context: DoctorContext): Promise<Found> {
  const [policies, bindings] = await Promise.all([
    own(context, VALIDATING_POLICIES),
    own(context, VALIDATING_POLICY_BINDINGS),
  ]);
  if (policies.length === 0) {
    return failed(
      `no ValidatingAdmissionPolicy of Strongroom; ${RESTORE}, if somebody took it away`,
    );
  }
  const bound = new Map(bindings.map((binding) => [binding.spec.policyName, binding]));
  const unbound = policies.filter(
    ({ metadata }) => bound.get(metadata.name)?.spec.validationActions.includes('Deny') !== true,
  );
  if (unbound.length > 0) {
    return failed(
      `no binding makes these refuse: ${unbound.map(({ metadata }) => metadata.name).join(', ')}; ${RESTORE}`,
    );
  }
  const unsound = policies.filter(
    ({ status }) => (status?.typeChecking?.expressionWarnings ?? []).length > 0,
  );
  return unsound.length > 0
    ? failed(
        `the API server doubts the expressions of ${unsound.map(({ metadata }) => metadata.name).join(', ')}; "kubectl get -o yaml" shows why`,
      )
    : ok(`${policies.length}, each with a binding`);
}

const CERTIFICATE_WARNING_MS = 7 * 86_400_000;

async function checkAuthorities(context: DoctorContext): Promise<Found> {
  const configurations = [
    ...(await own<WebhookConfiguration>(context, VALIDATING_WEBHOOKS)),
    ...(await own<WebhookConfiguration>(context, MUTATING_WEBHOOKS)),
  ];
  const bundles = new Set(
    configurations.flatMap(({ webhooks = [] }) =>
      webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? ''),
    ),
  );
  if (bundles.size === 0) return skipped('there are no webhooks');
  if (bundles.has('')) {
    return failed('a webhook has no CA bundle, so that the API server does not trust the operator');
  }
  const ends = [...bundles].map((bundle) => latestEnd(Buffer.from(bundle, 'base64').toString()));
  const end = Math.min(...ends);
  if (Number.isNaN(end)) return failed('a CA bundle of a webhook cannot be read');
  return judgeEnd('the CA', end, context.nowMs);
}

/** When the last certificate of a PEM bundle ends, in ms since the epoch; NaN for no bundle. */
export function latestEnd(pem: string): number {
  const parts = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  try {
    const ends = parts.map((part) => new X509Certificate(part).validToDate.getTime());
    return ends.length === 0 ? Number.NaN : Math.max(...ends);
  } catch {
    return Number.NaN;
  }
}

function judgeEnd(what: string, endMs: number, nowMs: number): Found {
  const at = new Date(endMs).toISOString();
  if (endMs <= nowMs) return failed(`${what} ended at ${at}; the log of the leader says why`);
  return endMs - nowMs < CERTIFICATE_WARNING_MS
    ? failed(`${what} ends at ${at}, and should have been renewed; the log of the leader says why`)
    : ok(`${what} ends at ${at}`);
}

async function checkCertificate(context: DoctorContext): Promise<Found> {
  const { client, operatorNamespace: namespace, nowMs, signal } = context;
  const secret = await client.find(SECRETS, { namespace, name: ADMISSION_SECRET_NAME }, { signal });
  const certificate = secret?.data?.['tls.crt'];
  if (certificate === undefined) {
    return skipped(`Secret ${namespace}/${ADMISSION_SECRET_NAME} holds none: another one is used`);
  }
  const end = latestEnd(Buffer.from(certificate, 'base64').toString());
  return Number.isNaN(end)
    ? failed(`tls.crt of Secret ${namespace}/${ADMISSION_SECRET_NAME} cannot be read`)
    : judgeEnd('it', end, nowMs);
}

async function tryProbe<T extends KubeObject>(
  { client, signal }: DoctorContext,
  resource: Resource<T>,
  object: T,
): Promise<{ readonly outcome: ProbeOutcome; readonly said: string }> {
  try {
    await client.create(resource, object, { dryRun: true, signal });
    return { outcome: probeOutcome(undefined), said: '' };
  } catch (error) {
    signal.throwIfAborted();
    return { outcome: probeOutcome(error), said: error instanceof Error ? error.message : '' };
  }
}

function judgeProbe(
  what: string,
  { outcome, said }: { readonly outcome: ProbeOutcome; readonly said: string },
): Found {
  switch (outcome) {
    case 'Refused':
      return ok(`${what} was refused, as it has to be`);
    case 'LetThrough':
      return failed(`${what} went through, and must not: nothing guards against it`);
    case 'NoAnswer':
      return failed(`the API server does not reach the webhook: ${said}`);
    case 'NotAllowed':
      return { state: 'NotAllowed', message: said };
    case 'Unknown':
      return failed(said);
  }
}

async function checkWebhookProbe(context: DoctorContext): Promise<Found> {
  return judgeProbe(
    'an IPBlock that is a probe',
    await tryProbe(context, IP_BLOCKS, WEBHOOK_PROBE),
  );
}

async function guardedNamespaces({
  client,
  operatorNamespace,
  signal,
}: DoctorContext): Promise<readonly Namespace[]> {
  const { items } = await client.list(
    NAMESPACES,
    { allNamespaces: true },
    { labelSelector: `${LABELS.guarded}=true`, signal },
  );
  return items.filter(
    ({ metadata }) =>
      metadata.deletionTimestamp === undefined && !isNeverGuarded(metadata.name, operatorNamespace),
  );
}

async function checkTwinProbe(context: DoctorContext): Promise<Found> {
  const [namespace] = await guardedNamespaces(context);
  if (namespace === undefined) return skipped('no namespace is guarded yet');
  const name = `${EMERGENCY_ACCOUNT_PREFIX}probe`;
  const found = await tryProbe(context, SERVICE_ACCOUNTS, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: namespace.metadata.name },
  });
  const isByWebhook = /admission webhook/.test(found.said);
  if (isByWebhook) {
    return failed(
      `only the webhook refused a ServiceAccount ${name}: without it, nothing would; ${RESTORE}`,
    );
  }
  return judgeProbe(`a ServiceAccount ${namespace.metadata.name}/${name}`, found);
}

async function checkTables(context: DoctorContext): Promise<Found> {
  const { client, signal } = context;
  const namespaces = await guardedNamespaces(context);
  if (namespaces.length === 0) return skipped('no namespace is guarded yet');
  const missing: string[] = [];
  for (const { metadata } of namespaces) {
    const at = { namespace: metadata.name, name: NAMESPACE_ACCESS_NAME };
    const table = await client.find(NAMESPACE_ACCESSES, at, { signal });
    if (table === undefined) missing.push(metadata.name);
  }
  return missing.length === 0
    ? ok(`${namespaces.length}`)
    : failed(
        `no NamespaceAccess ${NAMESPACE_ACCESS_NAME} in ${missing.join(', ')}: the twin refuses every pod there; look at the log of the leader`,
      );
}
