/**
 * The ways into a running pod past every Secret: exec, attach, port-forward, and the proxies of pods,
 * services and nodes. Into one that holds a credential only emergency access leads. Whoever has an
 * EmergencyAccess has by RBAC a way into every pod of its namespace, as a role names no pods that come
 * and go, and so is let into those alone that it names, whatever the others hold.
 */
import { activeFor, mayStillStand } from '#access/emergency/active.ts';
import { subjectUsername } from '#access/emergency/subject.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { Pod } from '#kube/objects.ts';
import { accountNameOf, templateOf } from '../pods/pod-template.ts';
import { secretsOf } from '../pods/secrets-of.ts';
import type { AdmissionRequest } from '../request.ts';
import { isMaster } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { accountRights, describeRight } from '../what-account-may.ts';
import type { AdmissionWorld } from '../world.ts';
import { formerUse, isUnguarded } from './guarded.ts';
import { holdsToken } from './warnings.ts';

/** Members of system:masters pass, and stand in the audit. */
export const connectRule: Rule = (request, context) => {
  const { operation, resource, namespace = '', userInfo } = request;
  if (operation !== 'CONNECT' || isMaster(userInfo)) return ALLOWED;
  if (resource.resource === 'nodes') return judgeNode(request, context);
  if (isUnguarded(context.world, namespace)) return ALLOWED;
  return resource.resource === 'services'
    ? judgeService(request, context)
    : judgePod(request, context);
};

function judgePod(request: AdmissionRequest, context: RuleContext): Verdict {
  const { namespace = '' } = request;
  const name = connectedName(request);
  const pod = context.world.pod(namespace, name);
  if (pod === undefined) return notKnown(`Pod ${namespace}/${name}`);
  const held = heldBy(context.world, pod);
  const bound = boundBy(request, context);
  if (held === undefined && bound === undefined) return ALLOWED;
  const access = accessToAll([pod], request, context);
  if (access !== undefined) return { allowed: true, emergencyAccess: access };
  if (held === undefined) return beyondBound(request, bound, `Pod ${namespace}/${name}`);
  return needsAccess(request, `Pod ${namespace}/${name} ${held}`, `the pod ${name}`);
}

/** The API server picks one of its pods, so that all of them count. */
function judgeService(request: AdmissionRequest, context: RuleContext): Verdict {
  const { namespace = '' } = request;
  const name = connectedName(request);
  const service = context.world.service(namespace, name);
  if (service === undefined || !context.world.knowsPods(namespace)) {
    return notKnown(`Service ${namespace}/${name}, or the pods of its namespace,`);
  }
  const selector = Object.entries(service.spec?.selector ?? {});
  if (selector.length === 0) {
    // Somebody wrote its endpoints by hand: they can be any pod.
    return needsAccess(
      request,
      `Service ${namespace}/${name} selects no pods, so that it may lead to one that holds a credential`,
      'a pod, which is reached by port-forward',
    );
  }
  const behind = context.world.pods(namespace).filter((pod) => {
    const labels = pod.metadata.labels ?? {};
    return selector.every(([key, value]) => labels[key] === value);
  });
  const holding = behind.filter((pod) => heldBy(context.world, pod) !== undefined);
  const [first] = holding;
  const bound = boundBy(request, context);
  if (first === undefined && bound === undefined) return ALLOWED;
  const reached = bound === undefined ? holding : behind;
  const access = reached.length === 0 ? undefined : accessToAll(reached, request, context);
  if (access !== undefined) return { allowed: true, emergencyAccess: access };
  if (first === undefined) return beyondBound(request, bound, `Service ${namespace}/${name}`);
  return needsAccess(
    request,
    `Service ${namespace}/${name} leads to Pod ${namespace}/${first.metadata.name}, which holds a credential`,
    'all of its pods',
  );
}

/** A kubelet runs commands in every pod of its node, of whatever namespace. */
function judgeNode(request: AdmissionRequest, context: RuleContext): Verdict {
  const name = connectedName(request);
  const { world } = context;
  if (!world.guardedNamespaces().every((one) => world.knowsPods(one.name))) {
    return notKnown(`what runs on Node ${name}`);
  }
  const holding = world.podsOnNode(name).filter((pod) => heldBy(world, pod) !== undefined);
  if (holding.length === 0) return ALLOWED;
  return needsAccess(
    request,
    `a pod on Node ${name} holds a credential, and the proxy of a node reaches all of its pods`,
    'a pod, and then exec into it instead',
  );
}

/**
 * What of a pod holds a credential, in words: a Secret, or a token of an account with rights.
 * Undefined where nothing does.
 */
function heldBy(world: AdmissionWorld, pod: Pod): string | undefined {
  const template = templateOf('pods', pod);
  const namespace = pod.metadata.namespace ?? '';
  if (template === undefined) return 'is not understood';
  const use = secretsOf(template.spec).find(
    ({ secret }) => world.credentialsOfSecret(namespace, secret).length > 0,
  );
  if (use !== undefined) return `holds a credential (Secret ${use.secret})`;
  const former = formerUse(world, namespace, template);
  if (former !== undefined) {
    return `holds what Secret ${former.secret} had in it when it was that of a credential`;
  }
  if (!holdsToken(template)) return undefined;
  const account = accountNameOf(template);
  const [right] = accountRights(world.policyIndex(), namespace, account);
  return right && `holds a token of ServiceAccount ${account}, which has ${describeRight(right)}`;
}

/** Name of one EmergencyAccess that leads into all of the pods, which are of the request's namespace. */
function accessToAll(
  pods: readonly Pod[],
  { namespace = '', userInfo }: AdmissionRequest,
  { world, nowMs }: RuleContext,
): string | undefined {
  const active = activeFor(world.emergencyAccesses(namespace), userInfo.username, nowMs);
  return active.find((access) => pods.every((pod) => leadsInto(access, pod)))?.metadata.name;
}

/** The EmergencyAccess of the requester by which they may have, in RBAC, a way into every pod here. */
function boundBy(
  { namespace = '', userInfo }: AdmissionRequest,
  { world }: RuleContext,
): EmergencyAccess | undefined {
  return world
    .emergencyAccesses(namespace)
    .find(
      (access) =>
        access.spec.permissions.includes('EmergencyOverride') &&
        subjectUsername(access) === userInfo.username &&
        mayStillStand(access),
    );
}

function beyondBound(
  { namespace = '', userInfo }: AdmissionRequest,
  bound: EmergencyAccess | undefined,
  what: string,
): Verdict {
  return refuse(
    'EmergencyAccessNeeded',
    `${userInfo.username} has the EmergencyAccess ${namespace}/${bound?.metadata.name ?? ''}, and until its review is closed connects in ${namespace} only to pods that an active one of theirs names, also where they hold no credential; none leads to ${what}: ask for one with "strongroom emergency request", or let somebody else connect`,
  );
}

function leadsInto({ spec }: EmergencyAccess, { metadata }: Pod): boolean {
  const targets = spec.target.pods ?? [];
  return (
    spec.permissions.includes('EmergencyOverride') &&
    (targets.includes('*') || targets.includes(metadata.name))
  );
}

/** `name`, `name:port` or `scheme:name:port`: the proxies take each of them. */
function connectedName({ name, subResource }: AdmissionRequest): string {
  if (subResource !== 'proxy') return name;
  const parts = name.split(':');
  return (parts.length === 3 ? parts[1] : parts[0]) ?? '';
}

const WAYS: ReadonlyMap<string | undefined, string> = new Map([
  ['exec', 'run commands in it'],
  ['attach', 'attach to it'],
  ['portforward', 'forward its ports'],
]);

function needsAccess(request: AdmissionRequest, why: string, target: string): Verdict {
  const way = WAYS.get(request.subResource) ?? 'reach it through the API server';
  return refuse(
    'EmergencyAccessNeeded',
    `${why}; to ${way}, ${request.userInfo.username} needs an active EmergencyAccess with the permission EmergencyOverride for ${target}: ask for one with "strongroom emergency request"`,
  );
}

/** It may be known in a moment. */
function notKnown(what: string): Verdict {
  return refuse(
    'NotKnownYet',
    `${what} is not known here yet, and may lead to a credential; try again`,
    { code: 503 },
  );
}
