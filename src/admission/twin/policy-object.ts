/** A ValidatingAdmissionPolicy and the binding that puts it to work, from what differs. */
import { FIELD_MANAGER, LABELS, NAMESPACE_ACCESS_NAME } from '#api/names.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import type {
  AdmissionMatch,
  AdmissionRule,
  LabelSelector,
  MatchCondition,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '#kube/objects.ts';

export interface TwinSettings {
  readonly operatorNamespace: string;
  /** `system:serviceaccount:<namespace>:<account>`. */
  readonly operatorUsername: string;
}

export interface Validation {
  /** CEL that is true for what may pass. */
  readonly expression: string;
  /** CEL that says who did what, and what would be needed; on one line. */
  readonly messageExpression: string;
  /** Told where the expression of the message itself fails. */
  readonly message: string;
}

export interface PolicyParts {
  readonly name: string;
  readonly rules: readonly AdmissionRule[];
  /** Absent: guarded namespaces. */
  readonly namespaces?: LabelSelector;
  /** Whether it reads the NamespaceAccess of the request's namespace, and what holds without one. */
  readonly withoutAccess?: 'Allow' | 'Deny';
  readonly matchConditions?: readonly MatchCondition[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly validations: readonly Validation[];
}

export type ValidatingPair = readonly [ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding];

export const ADMISSION_API = 'admissionregistration.k8s.io/v1';

export const TWIN_LABELS: Readonly<Record<string, string>> = {
  [LABELS.managedBy]: FIELD_MANAGER,
  [LABELS.component]: 'admission',
};

const METADATA_NAME = 'kubernetes.io/metadata.name';

/** Never kube-system nor the operator's own: nothing that admission needs to come up may wait for it. */
export function guardedNamespaces({ operatorNamespace }: TwinSettings): LabelSelector {
  return {
    matchLabels: { [LABELS.guarded]: 'true' },
    matchExpressions: [
      { key: METADATA_NAME, operator: 'NotIn', values: ['kube-system', operatorNamespace] },
    ],
  };
}

export function namespaceNamed(name: string): LabelSelector {
  return { matchLabels: { [METADATA_NAME]: name } };
}

export function rule(
  group: string,
  resources: readonly string[],
  operations: AdmissionRule['operations'] = ['CREATE', 'UPDATE'],
  version = 'v1',
): AdmissionRule {
  return {
    apiGroups: [group],
    apiVersions: [version],
    operations,
    resources,
    scope: '*',
  };
}

export function validatingPair(parts: PolicyParts, settings: TwinSettings): ValidatingPair {
  const { name, rules, namespaces = guardedNamespaces(settings), variables = {} } = parts;
  const metadata = { name, labels: TWIN_LABELS };
  const matchResources: AdmissionMatch = {
    matchPolicy: 'Equivalent',
    namespaceSelector: namespaces,
    objectSelector: {},
  };
  return [
    {
      apiVersion: ADMISSION_API,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        ...(parts.withoutAccess === undefined
          ? {}
          : {
              paramKind: {
                apiVersion: `${NAMESPACE_ACCESSES.group}/${NAMESPACE_ACCESSES.version}`,
                kind: NAMESPACE_ACCESSES.kind,
              },
            }),
        matchConstraints: {
          matchPolicy: 'Equivalent',
          namespaceSelector: {},
          objectSelector: {},
          resourceRules: rules,
        },
        ...(parts.matchConditions === undefined ? {} : { matchConditions: parts.matchConditions }),
        variables: Object.entries(variables).map(([variable, expression]) => ({
          name: variable,
          expression,
        })),
        validations: parts.validations.map((validation) => ({
          ...validation,
          reason: 'Forbidden' as const,
        })),
      },
    },
    {
      apiVersion: ADMISSION_API,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: {
        policyName: name,
        ...(parts.withoutAccess === undefined
          ? {}
          : {
              paramRef: {
                name: NAMESPACE_ACCESS_NAME,
                parameterNotFoundAction: parts.withoutAccess,
              },
            }),
        matchResources,
        validationActions: ['Deny'],
      },
    },
  ];
}
