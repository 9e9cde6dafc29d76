/** What the operator alone writes: these policies need no parameters and no webhook. */
import { EMERGENCY_ACCOUNT_PREFIX, FIELD_MANAGER, GROUP, LABELS, VERSION } from '#api/names.ts';
import {
  GARBAGE_COLLECTOR,
  NAMESPACE_CONTROLLER,
  STORAGE_VERSION_MIGRATOR,
} from '../exemptions.ts';
import { IS_KUBELET, IS_MASTER, USERNAME, all, any, isUser, text } from './expressions.ts';
import { namespaceNamed, rule, validatingPair } from './policy-object.ts';
import type { PolicyParts, TwinSettings, ValidatingPair } from './policy-object.ts';

/** Without them a namespace would hang on its way out, and what lost its owner would stay. */
const MAY_CLEAR_AWAY: string = all(
  'request.operation == "DELETE"',
  isUser(NAMESPACE_CONTROLLER, GARBAGE_COLLECTOR),
);

/** All fields beside metadata of the kinds that these policies are about. */
const CONTENTS =
  'spec data binaryData type immutable rules roleRef subjects secrets imagePullSecrets automountServiceAccountToken'.split(
    ' ',
  );

function unchanged(...metadata: readonly string[]): string {
  return all(
    'request.operation == "UPDATE"',
    ...metadata.map((field) => `object.metadata.?${field} == oldObject.metadata.?${field}`),
    ...CONTENTS.map((field) => `dyn(object).?${field} == dyn(oldObject).?${field}`),
  );
}

/** What stands there already. */
const IS_UNCHANGED: string = unchanged('labels', 'annotations', 'finalizers', 'ownerReferences');

/** The storage-version migrator writes what stands there, the garbage collector lets it go. */
const MAY_WRITE_AGAIN: string = any(
  all(isUser(STORAGE_VERSION_MIGRATOR), IS_UNCHANGED),
  all(isUser(GARBAGE_COLLECTOR), unchanged('labels', 'annotations')),
);

/** The label's value, empty without one. */
function label(object: 'object' | 'oldObject', name: string): string {
  return `(${object} == null ? "" : ${object}.metadata.?labels[?${text(name)}].orValue(""))`;
}

function hasLabel(name: string): string {
  return any(`${label('object', name)} != ""`, `${label('oldObject', name)} != ""`);
}

const ALL_WRITES = ['CREATE', 'UPDATE', 'DELETE'] as const;

/** `alice may not update Secret strongroom-system/seal-key`: who and what, with the reason after it. */
function said(kind: string, because: string): string {
  const object = '(object == null ? oldObject : object)';
  const name = `${object}.metadata.?name.orValue("")`;
  const namespace = `${object}.metadata.?namespace.orValue("")`;
  return `${USERNAME} + " may not " + request.operation.lowerAscii() + " ${kind} " + (${namespace} == "" ? "" : ${namespace} + "/") + ${name} + ": " + ${because}`;
}

/** Components of the operator's namespace that others write: administrators, and the node agents. */
const FEED_KEY = 'feed-key';
const NODE_REPORT = 'node-report';
/** Its namespace is the chart's choice. RBAC and a policy of the chart say which reports it writes. */
const IS_NODE_AGENT: string = all(
  `${USERNAME}.startsWith("system:serviceaccount:")`,
  `${USERNAME}.endsWith(":strongroom-node-agent")`,
);
/** The ConfigMap on which an administrator asks for what was removed to be put back. */
export const ADMISSION_MEMORY = 'strongroom-admission';

function vault(settings: TwinSettings): PolicyParts {
  const { operatorNamespace, operatorUsername } = settings;
  const isAll = (value: string): string =>
    all(
      ...(['object', 'oldObject'] as const).map(
        (one) => `${one} == null || ${label(one, LABELS.component)} == ${text(value)}`,
      ),
    );
  return {
    name: 'strongroom-vault',
    namespaces: namespaceNamed(operatorNamespace),
    rules: [rule('', ['secrets', 'configmaps'], ALL_WRITES)],
    matchConditions: [{ name: 'ours', expression: hasLabel(LABELS.component) }],
    validations: [
      {
        expression: any(
          isUser(operatorUsername),
          IS_MASTER,
          MAY_CLEAR_AWAY,
          MAY_WRITE_AGAIN,
          isAll(FEED_KEY),
          all(IS_NODE_AGENT, isAll(NODE_REPORT)),
          all(
            'request.operation == "UPDATE"',
            `object.metadata.name == ${text(ADMISSION_MEMORY)}`,
            'dyn(object).?data == dyn(oldObject).?data',
            'object.metadata.?labels == oldObject.metadata.?labels',
          ),
        ),
        messageExpression: said(
          'Secret or ConfigMap',
          text(
            `label ${LABELS.component} marks what the operator keeps its keys and records in, and ${operatorUsername} alone writes that`,
          ),
        ),
        message: `Label ${LABELS.component} marks what the operator alone writes.`,
      },
    ],
  };
}

function namespaceAccess({ operatorUsername }: TwinSettings): PolicyParts {
  return {
    name: 'strongroom-namespace-access',
    namespaces: {},
    rules: [rule(GROUP, ['namespaceaccesses'], ALL_WRITES, VERSION)],
    validations: [
      {
        expression: any(isUser(operatorUsername), IS_MASTER, MAY_CLEAR_AWAY, MAY_WRITE_AGAIN),
        messageExpression: said(
          'NamespaceAccess',
          text(
            `${operatorUsername} alone writes it, from the AccessPolicies; change those instead`,
          ),
        ),
        message: 'The operator alone writes NamespaceAccesses, from the AccessPolicies.',
      },
    ],
  };
}

function managedSecrets({ operatorUsername }: TwinSettings): PolicyParts {
  return {
    name: 'strongroom-managed-secrets',
    rules: [rule('', ['secrets'], ALL_WRITES)],
    matchConditions: [{ name: 'managed', expression: hasLabel(LABELS.credential) }],
    validations: [
      {
        expression: any(isUser(operatorUsername), MAY_CLEAR_AWAY, MAY_WRITE_AGAIN),
        messageExpression: said(
          'Secret',
          `"label ${LABELS.credential} marks the Secret of ExchangeCredential " + variables.credential + ", and ${operatorUsername} alone writes that; change the ExchangeCredential instead"`,
        ),
        message: `Label ${LABELS.credential} marks what the operator delivers, and it alone writes that.`,
      },
    ],
    variables: {
      credential: `${label('oldObject', LABELS.credential)} != "" ? ${label('oldObject', LABELS.credential)} : ${label('object', LABELS.credential)}`,
    },
  };
}

function generatedObjects({ operatorUsername }: TwinSettings): PolicyParts {
  const isGenerated = (one: 'object' | 'oldObject'): string =>
    any(
      `${label(one, LABELS.managedBy)} == ${text(FIELD_MANAGER)}`,
      `${label(one, LABELS.policyUid)} != ""`,
      `${label(one, LABELS.emergencyAccess)} != ""`,
    );
  return {
    name: 'strongroom-generated-objects',
    rules: [
      rule('networking.k8s.io', ['networkpolicies'], ALL_WRITES),
      rule('rbac.authorization.k8s.io', ['roles', 'rolebindings'], ALL_WRITES),
    ],
    matchConditions: [
      { name: 'generated', expression: any(isGenerated('object'), isGenerated('oldObject')) },
    ],
    validations: [
      {
        expression: any(isUser(operatorUsername), IS_MASTER, MAY_CLEAR_AWAY, IS_UNCHANGED),
        messageExpression: said(
          '" + request.kind.kind + "',
          text(
            `its labels mark what the operator generates, and ${operatorUsername} alone writes that; change the AccessPolicy, IPBlock or EmergencyAccess that it stands for`,
          ),
        ),
        message: 'The operator alone writes what it generates from policies.',
      },
    ],
  };
}

function emergencyAccounts({ operatorUsername }: TwinSettings): PolicyParts {
  return {
    name: 'strongroom-emergency-accounts',
    rules: [rule('', ['serviceaccounts'], ALL_WRITES)],
    matchConditions: [
      {
        name: 'emergency',
        expression: `(object == null ? oldObject : object).metadata.?name.orValue("").startsWith(${text(EMERGENCY_ACCOUNT_PREFIX)})`,
      },
    ],
    validations: [
      {
        expression: any(isUser(operatorUsername), MAY_CLEAR_AWAY, MAY_WRITE_AGAIN),
        messageExpression: said(
          'ServiceAccount',
          text(
            `names that begin with ${EMERGENCY_ACCOUNT_PREFIX} are kept for EmergencyAccesses, and ${operatorUsername} alone writes those`,
          ),
        ),
        message: `The operator alone writes ServiceAccounts named ${EMERGENCY_ACCOUNT_PREFIX}…`,
      },
    ],
  };
}

/** A token in a Secret never expires: that of an EmergencyAccess must. */
function emergencyTokens(): PolicyParts {
  const account = 'kubernetes.io/service-account.name';
  return {
    name: 'strongroom-emergency-tokens',
    rules: [rule('', ['secrets'])],
    matchConditions: [
      {
        name: 'token',
        expression: all(
          'object.?type.orValue("") == "kubernetes.io/service-account-token"',
          `object.metadata.?annotations[?${text(account)}].orValue("").startsWith(${text(EMERGENCY_ACCOUNT_PREFIX)})`,
        ),
      },
    ],
    validations: [
      {
        expression: 'false',
        messageExpression: said(
          'Secret',
          `${text(
            `ServiceAccounts named ${EMERGENCY_ACCOUNT_PREFIX}… get no token that stays; the subject of the EmergencyAccess asks for one that ends: strongroom emergency token NAME -n `,
          )} + request.namespace`,
        ),
        message: `ServiceAccounts named ${EMERGENCY_ACCOUNT_PREFIX}… get no token that stays.`,
      },
    ],
  };
}

function status({ operatorUsername }: TwinSettings): PolicyParts {
  return {
    name: 'strongroom-status',
    namespaces: {},
    rules: [
      rule(
        GROUP,
        ['exchangecredentials', 'accesspolicies', 'ipblocks', 'emergencyaccesses'].map(
          (plural) => `${plural}/status`,
        ),
        ['UPDATE'],
        VERSION,
      ),
    ],
    validations: [
      {
        expression: any(isUser(operatorUsername), IS_MASTER),
        messageExpression: said(
          'the status of " + request.kind.kind + "',
          text(`${operatorUsername} alone writes what it found; change spec instead`),
        ),
        message: 'The operator alone writes status.',
      },
    ],
  };
}

/** In the operator's namespace, which the webhook is never asked about: whoever had one would be it. */
function operatorTokens({ operatorNamespace, operatorUsername }: TwinSettings): PolicyParts {
  return {
    name: 'strongroom-operator-tokens',
    namespaces: namespaceNamed(operatorNamespace),
    rules: [rule('', ['serviceaccounts/token'], ['CREATE'])],
    validations: [
      {
        expression: any(
          isUser(operatorUsername),
          IS_MASTER,
          all(IS_KUBELET, 'object.spec.?boundObjectRef.?kind.orValue("") == "Pod"'),
        ),
        messageExpression: `${USERNAME} + " may not get a token of ServiceAccount " + request.namespace + "/" + request.name + ": it would be one of Strongroom itself; only its own pods get one"`,
        message: 'Only its own pods get tokens of Strongroom.',
      },
    ],
  };
}

export function ownPolicies(settings: TwinSettings): readonly ValidatingPair[] {
  return [
    vault,
    namespaceAccess,
    managedSecrets,
    generatedObjects,
    emergencyAccounts,
    emergencyTokens,
    status,
    operatorTokens,
  ].map((parts) => validatingPair(parts(settings), settings));
}
