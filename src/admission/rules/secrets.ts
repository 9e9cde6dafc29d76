/** Secrets of guarded namespaces: those that Strongroom delivers, and those that would pass for them. */
import { emergencyAccountName } from '#access/emergency/subject.ts';
import { EMERGENCY_ACCOUNT_PREFIX, LABELS } from '#api/names.ts';
import type { KubeObject, Secret } from '#kube/objects.ts';
import { describeObject } from '../ask.ts';
import { isClusterDeletion, isCollectorUpdate, isStorageMigration } from '../exemptions.ts';
import type { AdmissionRequest } from '../request.ts';
import { isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { isUnguarded, ownNameOf } from './guarded.ts';
import { nameOf } from './refusals.ts';
import { judgeTokenOf } from './tokens.ts';

/** Nobody writes a managed Secret but the operator, and nobody takes its name. Not even system:masters. */
export const secretRule: Rule = (request, context) => {
  const { operation, namespace = '', subResource = '', userInfo, object, oldObject } = request;
  const { world, settings } = context;
  if (operation === 'CONNECT' || subResource !== '') return ALLOWED;
  if (isOperator(userInfo, settings) || isUnguarded(world, namespace)) return ALLOWED;
  if (isManaged(object) || isManaged(oldObject)) return judgeManaged(request);
  if (operation === 'CREATE') {
    const refusal = takenName(request, context);
    if (refusal !== undefined) return refusal;
  }
  const account = tokenAccount(object);
  const isNew = account !== undefined && account !== tokenAccount(oldObject);
  return isNew ? judgeTokenSecret(account, request, context) : ALLOWED;
};

function isManaged(secret: KubeObject | undefined): boolean {
  return secret?.metadata.labels?.[LABELS.credential] !== undefined;
}

function judgeManaged(request: AdmissionRequest): Verdict {
  if (isClusterDeletion(request) || isCollectorUpdate(request) || isStorageMigration(request)) {
    return ALLOWED;
  }
  const { operation, object, oldObject } = request;
  const what = describeObject(request);
  if (isManaged(object) && !isManaged(oldObject)) {
    return refuse(
      'Reserved',
      `${what}: the label ${LABELS.credential} says that Strongroom delivers the Secret, and Strongroom alone sets it; leave it out`,
    );
  }
  const credential = oldObject?.metadata.labels?.[LABELS.credential] ?? '';
  return refuse(
    'Reserved',
    operation === 'DELETE'
      ? `${what} is what Strongroom delivers for ExchangeCredential ${credential}; to withdraw it, set spec.state: Suspended there, or delete the ExchangeCredential`
      : `${what} is what Strongroom delivers for ExchangeCredential ${credential}; change its source and ask for a new version there (strongroom rotate)`,
  );
}

/** A Secret of the name that a credential is, or is to be, delivered under. */
function takenName(request: AdmissionRequest, { world }: RuleContext): Verdict | undefined {
  const { namespace = '' } = request;
  const name = ownNameOf(request);
  const credential = world
    .credentialsOfSecret(namespace, name)
    .find(
      ({ spec, status }) =>
        spec.delivery.secret?.name === name || status?.delivery?.secretName === name,
    );
  if (credential === undefined) return undefined;
  return refuse(
    'Reserved',
    `${describeObject(request)}: ExchangeCredential ${nameOf(credential)} delivers to a Secret of this name, and pods take what is in it for its value; choose another name`,
  );
}

const TOKEN_TYPE = 'kubernetes.io/service-account-token';
const TOKEN_ACCOUNT = 'kubernetes.io/service-account.name';

/** The account whose token the API server's controller puts into the Secret. */
function tokenAccount(secret: Secret | undefined): string | undefined {
  if (secret?.type !== TOKEN_TYPE) return undefined;
  return secret?.metadata.annotations?.[TOKEN_ACCOUNT];
}

/** Such a token does not end. */
function judgeTokenSecret(
  account: string,
  request: AdmissionRequest,
  context: RuleContext,
): Verdict {
  if (!account.startsWith(EMERGENCY_ACCOUNT_PREFIX)) return judgeTokenOf(account, request, context);
  const { namespace = '' } = request;
  const access = context.world
    .emergencyAccesses(namespace)
    .find(({ metadata }) => emergencyAccountName(metadata.name) === account);
  return refuse(
    'Reserved',
    `${describeObject(request)} would hold a token of ServiceAccount ${account} that does not end; its subject asks for one that does: strongroom emergency token ${access?.metadata.name ?? 'NAME'} -n ${namespace}`,
  );
}
