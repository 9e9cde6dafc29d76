/** All that stands in the API server for the rules when the webhook is away. */
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '#kube/objects.ts';
import { labelMutation, labelPolicies } from './label-policies.ts';
import { ownPolicies } from './own-policies.ts';
import { podPolicies } from './pod-policies.ts';
import type { TwinSettings } from './policy-object.ts';
import { revisionPolicy } from './revision-policies.ts';

export interface TwinPolicies {
  readonly policies: readonly ValidatingAdmissionPolicy[];
  readonly bindings: readonly ValidatingAdmissionPolicyBinding[];
  /** Only for API servers that serve MutatingAdmissionPolicy v1, since Kubernetes 1.36. */
  readonly mutatingPolicies: readonly MutatingAdmissionPolicy[];
  readonly mutatingBindings: readonly MutatingAdmissionPolicyBinding[];
}

/** Sorted as they should be applied: first those that need no NamespaceAccess. */
export function twinPolicies(settings: TwinSettings): TwinPolicies {
  const pairs = [
    ...ownPolicies(settings),
    ...labelPolicies(settings),
    ...podPolicies(settings),
    revisionPolicy(settings),
  ];
  const [mutation, binding] = labelMutation(settings);
  return {
    policies: pairs.map(([policy]) => policy),
    bindings: pairs.map(([, one]) => one),
    mutatingPolicies: [mutation],
    mutatingBindings: [binding],
  };
}
