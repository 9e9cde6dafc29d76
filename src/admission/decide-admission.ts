/** The one decision about a review: which rule is about it, and what stands above all rules. */
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { GROUP, LABELS, VERSION } from '#api/names.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import { describeObject } from './ask.ts';
import type { AdmissionRequest, Operation } from './request.ts';
import { isMaster } from './requester.ts';
import type { Rule, RuleContext } from './rule.ts';
import { accessPolicyRule } from './rules/access-policies.ts';
import { connectRule } from './rules/connect.ts';
import { controllerRevisionRule } from './rules/controller-revisions.ts';
import { emergencyAccessRule } from './rules/emergency-accesses.ts';
import { exchangeCredentialRule } from './rules/exchange-credentials.ts';
import { generatedRule } from './rules/generated.ts';
import { ipBlockRule } from './rules/ip-blocks.ts';
import { namespaceRule } from './rules/namespaces.ts';
import { podRule } from './rules/pods.ts';
import { secretCopyRule } from './rules/secret-copies.ts';
import { secretRule } from './rules/secrets.ts';
import { serviceAccountRule } from './rules/service-accounts.ts';
import { namespaceAccessRule, statusRule } from './rules/status.ts';
import { tokenRule } from './rules/tokens.ts';
import { workloadRule } from './rules/workloads.ts';
import { refuse } from './verdict.ts';
import type { RefusalReason, Verdict } from './verdict.ts';
import { warn } from './warn.ts';

/**
 * Decides a review: pure, from the caches alone, the same for a dry run. What no rule is about is
 * refused: a review of it was asked for by a configuration that this version does not know.
 */
export function decideAdmission(request: AdmissionRequest, context: RuleContext): Verdict {
  const reserved = checkReserved(request);
  if (reserved !== undefined) return reserved;
  const rule = ruleFor(request);
  const verdict =
    rule === undefined || !isComplete(request) ? notUnderstood(request) : rule(request, context);
  return isMaster(request.userInfo) ? letMasterPass(verdict) : verdict;
}

/** Nobody may have these, whoever they are: they keep what is written here true. */
const ABOVE_MASTERS: ReadonlySet<RefusalReason | undefined> = new Set([
  'Reserved',
  'Invalid',
  'Immutable',
  'ApprovalRefused',
  'NotUnderstood',
]);

/** Nothing inside of a cluster can hold them back; that a rule would have, they are told. */
function letMasterPass(verdict: Verdict): Verdict {
  if (verdict.allowed || ABOVE_MASTERS.has(verdict.reason)) return verdict;
  const { message = '', warnings = [] } = verdict;
  return {
    allowed: true,
    warnings: [warn(`Let through for system:masters alone: ${message}`), ...warnings],
  };
}

/** Whatever carries the label is refused, by which everybody sees that admission works. */
function checkReserved(request: AdmissionRequest): Verdict | undefined {
  if (request.object?.metadata.labels?.[LABELS.probe] === undefined) return undefined;
  return refuse(
    'Reserved',
    `${describeObject(request)}: label ${LABELS.probe} is refused for everyone: it shows that admission guards the cluster; leave it away`,
  );
}

interface Entry {
  readonly version: string;
  readonly kind: string;
  readonly operations: readonly Operation[];
  readonly rule: Rule;
}

const WRITES: readonly Operation[] = ['CREATE', 'UPDATE', 'DELETE'];
const CHANGES: readonly Operation[] = ['CREATE', 'UPDATE'];

/** By group, resource and subresource, as `apps/deployments` or `/pods/exec`. */
const RULES: ReadonlyMap<string, Entry> = new Map([
  ...own(EXCHANGE_CREDENTIALS, exchangeCredentialRule),
  ...own(ACCESS_POLICIES, accessPolicyRule),
  ...own(IP_BLOCKS, ipBlockRule),
  ...own(EMERGENCY_ACCESSES, emergencyAccessRule),
  ...own(NAMESPACE_ACCESSES, namespaceAccessRule),
  entry('', 'v1', 'namespaces', 'Namespace', WRITES, namespaceRule),
  entry('', 'v1', 'namespaces/status', 'Namespace', ['UPDATE'], namespaceRule),
  entry('', 'v1', 'namespaces/finalize', 'Namespace', ['UPDATE'], namespaceRule),
  entry('', 'v1', 'pods', 'Pod', CHANGES, podRule),
  entry('', 'v1', 'pods/ephemeralcontainers', 'Pod', ['UPDATE'], podRule),
  entry('', 'v1', 'pods/status', 'Pod', ['UPDATE'], podRule),
  entry('', 'v1', 'pods/resize', 'Pod', ['UPDATE'], podRule),
  entry('', 'v1', 'pods/binding', 'Binding', ['CREATE'], podRule),
  entry('', 'v1', 'bindings', 'Binding', ['CREATE'], podRule),
  entry('', 'v1', 'pods/exec', 'PodExecOptions', ['CONNECT'], connectRule),
  entry('', 'v1', 'pods/attach', 'PodAttachOptions', ['CONNECT'], connectRule),
  entry('', 'v1', 'pods/portforward', 'PodPortForwardOptions', ['CONNECT'], connectRule),
  entry('', 'v1', 'pods/proxy', 'PodProxyOptions', ['CONNECT'], connectRule),
  entry('', 'v1', 'services/proxy', 'ServiceProxyOptions', ['CONNECT'], connectRule),
  entry('', 'v1', 'nodes/proxy', 'NodeProxyOptions', ['CONNECT'], connectRule),
  entry('', 'v1', 'secrets', 'Secret', WRITES, secretsRule),
  entry('', 'v1', 'serviceaccounts', 'ServiceAccount', WRITES, serviceAccountRule),
  entry('', 'v1', 'podtemplates', 'PodTemplate', CHANGES, workloadRule),
  entry('', 'v1', 'replicationcontrollers', 'ReplicationController', CHANGES, workloadRule),
  entry('', 'v1', 'serviceaccounts/token', 'TokenRequest', ['CREATE'], tokenRule),
  entry('apps', 'v1', 'deployments', 'Deployment', CHANGES, workloadRule),
  entry('apps', 'v1', 'statefulsets', 'StatefulSet', CHANGES, workloadRule),
  entry('apps', 'v1', 'daemonsets', 'DaemonSet', CHANGES, workloadRule),
  entry('apps', 'v1', 'replicasets', 'ReplicaSet', CHANGES, workloadRule),
  entry('apps', 'v1', 'controllerrevisions', 'ControllerRevision', CHANGES, controllerRevisionRule),
  entry('batch', 'v1', 'jobs', 'Job', CHANGES, workloadRule),
  entry('batch', 'v1', 'cronjobs', 'CronJob', CHANGES, workloadRule),
  entry('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy', WRITES, generatedRule),
  entry('rbac.authorization.k8s.io', 'v1', 'roles', 'Role', WRITES, generatedRule),
  entry('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding', WRITES, generatedRule),
]);

/** Who may write it, in guarded namespaces; and everywhere whether it holds a copy. */
function secretsRule(request: AdmissionRequest, context: RuleContext): Verdict {
  const verdict = secretRule(request, context);
  if (!verdict.allowed) return verdict;
  const copy = secretCopyRule(request, context);
  if (copy.findings === undefined) return verdict;
  return { ...verdict, findings: [...(verdict.findings ?? []), ...copy.findings] };
}

function own(
  { plural, kind }: { readonly plural: string; readonly kind: string },
  rule: Rule,
): readonly (readonly [string, Entry])[] {
  return [
    entry(GROUP, VERSION, plural, kind, WRITES, rule),
    entry(GROUP, VERSION, `${plural}/status`, kind, ['UPDATE'], statusRule),
  ];
}

function entry(
  group: string,
  version: string,
  resource: string,
  kind: string,
  operations: readonly Operation[],
  rule: Rule,
): readonly [string, Entry] {
  return [`${group}/${resource}`, { version, kind, operations, rule }];
}

/** Subresources and options have kinds of their own; that they are the right ones, `kind` says. */
function ruleFor({
  resource,
  subResource = '',
  kind,
  operation,
}: AdmissionRequest): Rule | undefined {
  const path = subResource === '' ? resource.resource : `${resource.resource}/${subResource}`;
  const found = RULES.get(`${resource.group}/${path}`);
  if (found === undefined || found.version !== resource.version || found.kind !== kind.kind) {
    return undefined;
  }
  return found.operations.includes(operation) ? found.rule : undefined;
}

/** Whether the objects are there that the operation is about: a rule finds nothing wrong with nothing. */
function isComplete({ operation, object, oldObject }: AdmissionRequest): boolean {
  switch (operation) {
    case 'CREATE':
    case 'CONNECT':
      return object !== undefined;
    case 'UPDATE':
      return object !== undefined && oldObject !== undefined;
    case 'DELETE':
      return oldObject !== undefined;
  }
}

function notUnderstood({ operation, resource, subResource = '', kind }: AdmissionRequest): Verdict {
  const path = subResource === '' ? resource.resource : `${resource.resource}/${subResource}`;
  return refuse(
    'NotUnderstood',
    `${operation} of ${path} (${resource.group === '' ? 'core' : resource.group}/${resource.version}, ${kind.kind}) is not understood by this version of Strongroom, or its objects are missing; "strongroom admission restore" puts its own configurations back`,
    { code: 422 },
  );
}
