/**
 * The label on pods that says which ServiceAccount they run under: NetworkPolicies select by it. One
 * policy sets it, others keep everybody else off.
 */
import { LABELS } from '#api/names.ts';
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from '#kube/objects.ts';
import { MAX_LABEL } from '../pods/pod-template.ts';
import { text } from './expressions.ts';
import { NOT_MIRROR_POD, accountOf } from './pod-policies.ts';
import {
  ADMISSION_API,
  TWIN_LABELS,
  guardedNamespaces,
  rule,
  validatingPair,
} from './policy-object.ts';
import type { TwinSettings, ValidatingPair } from './policy-object.ts';

const NAME = 'strongroom-pod-label';
const KEY = text(LABELS.serviceAccount);

function label(object: string): string {
  return `${object}.metadata.?labels[?${KEY}]`;
}

export function labelPolicies(settings: TwinSettings): readonly ValidatingPair[] {
  const pods = validatingPair(
    {
      name: NAME,
      rules: [
        rule('', ['pods']),
        rule('', ['pods/ephemeralcontainers', 'pods/resize', 'pods/status'], ['UPDATE']),
      ],
      matchConditions: [NOT_MIRROR_POD],
      variables: { account: accountOf('object.spec') },
      validations: [
        {
          expression: `request.operation == "UPDATE" && ${label('object')} == ${label('oldObject')} || ${label('object')} == optional.of(variables.account) && !(request.operation == "UPDATE" && ${label('oldObject')} == optional.of(variables.account))`,
          messageExpression: `"Pod " + request.namespace + "/" + object.metadata.?name.orValue("") + (variables.account.size() > ${MAX_LABEL} ? ": the name of ServiceAccount " + variables.account + " has more than ${MAX_LABEL} characters, so that the label ${LABELS.serviceAccount} cannot hold it; use an account with a shorter name" : ": the label ${LABELS.serviceAccount} must be and stay \\"" + variables.account + "\\", the name of its ServiceAccount; leave it out, admission sets it")`,
          message: `The label ${LABELS.serviceAccount} must be and stay the name of the pod's ServiceAccount.`,
        },
      ],
    },
    settings,
  );
  // A binding to a node brings labels along, which replace those of the pod.
  const bindings = validatingPair(
    {
      name: 'strongroom-pod-binding-label',
      rules: [rule('', ['pods/binding', 'bindings'], ['CREATE'])],
      validations: [
        {
          expression: `!${label('object')}.hasValue()`,
          messageExpression: `"the binding of Pod " + request.namespace + "/" + object.metadata.?name.orValue("") + " has the label ${LABELS.serviceAccount}, which admission alone sets; leave it out"`,
          message: `The label ${LABELS.serviceAccount} is set by admission alone.`,
        },
      ],
    },
    settings,
  );
  return [pods, bindings];
}

/** Sets the label; a name that does not fit is left for the policy above to refuse. */
export function labelMutation(
  settings: TwinSettings,
): readonly [MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding] {
  const metadata = { name: NAME, labels: TWIN_LABELS };
  return [
    {
      apiVersion: ADMISSION_API,
      kind: 'MutatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        reinvocationPolicy: 'IfNeeded',
        matchConstraints: {
          matchPolicy: 'Equivalent',
          namespaceSelector: {},
          objectSelector: {},
          resourceRules: [rule('', ['pods'], ['CREATE'])],
        },
        matchConditions: [
          NOT_MIRROR_POD,
          {
            name: 'no-label-yet',
            expression: `!${label('object')}.hasValue() && (${accountOf('object.spec')}).size() <= ${MAX_LABEL}`,
          },
        ],
        variables: [],
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: {
              expression: `Object{metadata: Object.metadata{labels: {${KEY}: ${accountOf('object.spec')}}}}`,
            },
          },
        ],
      },
    },
    {
      apiVersion: ADMISSION_API,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata,
      spec: {
        policyName: NAME,
        matchResources: {
          matchPolicy: 'Equivalent',
          namespaceSelector: guardedNamespaces(settings),
          objectSelector: {},
        },
      },
    },
  ];
}
