/**
 * What CEL cannot decide, so that only the webhook does: by time or address, by what is not in the
 * request, or by more than a table of one namespace can hold. The test of parity takes no
 * disagreement but these, and docs/admission.md prints them.
 */

export interface OnlyWebhook {
  readonly name: string;
  /** What is decided. */
  readonly what: string;
  /** Why CEL cannot. */
  readonly because: string;
  /** What becomes of it while no webhook answers. */
  readonly whenAway: string;
}

export const ONLY_WEBHOOK: readonly OnlyWebhook[] = [
  {
    name: 'Constraints',
    what: 'Pods, templates, ServiceAccounts and ControllerRevisions where an AccessPolicy with constraints says who may mount, or who holds what an account may do',
    because: 'CEL knows no clock, and neither the API server nor CEL the address of the requester',
    whenAway: 'refused: such a namespace is strict',
  },
  {
    name: 'TooLarge',
    what: 'Pods, templates, ServiceAccounts and ControllerRevisions of a namespace whose table does not fit',
    because:
      'the API server reads all of it for each pod, about 0.1 ms a kilobyte, and CEL has a budget for each request; so it ends at 100 kB, some 300 different accounts with rights',
    whenAway: 'refused: such a namespace is strict',
  },
  {
    name: 'AccountPullSecrets',
    what: 'Pull secrets that a ServiceAccount adds to pods of a template, or to those with some of their own',
    because:
      'CEL sees the request, not the ServiceAccount; the API server puts them into the pods, where CEL sees them',
    whenAway: 'the template passes, its pods are refused',
  },
  {
    name: 'UnknownSecretFields',
    what: 'Names of Secrets in free maps of volume drivers, and in fields that no version knew when this one was built',
    because: 'CEL reads the fields that it was written for; the webhook walks through all of them',
    whenAway: 'passes, but in strict namespaces',
  },
  {
    name: 'TakenSecretName',
    what: 'Creating a Secret under the name that a credential is delivered to',
    because:
      'the table of a namespace does not tell deliveries from sources, which people do create',
    whenAway: 'refused',
  },
  {
    name: 'TokenSecrets',
    what: 'Secrets that hold a token of a ServiceAccount that policies let do anything',
    because: 'the same as TokenRequests, which depend on EmergencyAccesses and the clock',
    whenAway: 'refused; those of emergency accounts by CEL too',
  },
  {
    name: 'Tokens',
    what: 'TokenRequests (serviceaccounts/token)',
    because: 'an EmergencyAccess ends by the clock, and is another object',
    whenAway: 'refused, but to kubelets',
  },
  {
    name: 'Connect',
    what: 'exec, attach, portforward and proxy of pods, services and nodes',
    because: 'the request has the options, not the pod, and an EmergencyAccess ends by the clock',
    whenAway: 'refused in guarded namespaces',
  },
  {
    name: 'OwnKinds',
    what: 'ExchangeCredentials, AccessPolicies, IPBlocks and EmergencyAccesses, but for their status',
    because:
      'who may write one depends on all policies together, on its own change and on the clock',
    whenAway: 'refused, but to the operator',
  },
  {
    name: 'FormerSecrets',
    what: 'Pods that hold what a Secret had in it when it was guarded, when they change',
    because: 'whose it was is not known any more, and CEL does not look for it',
    whenAway: 'refused: such a namespace is strict',
  },
  {
    name: 'Namespaces',
    what: 'Labels and deletion of guarded namespaces, and guarding one',
    because:
      'it needs rights over all that is in the namespace, which no table of one namespace holds',
    whenAway: 'refused',
  },
  {
    name: 'Copies',
    what: 'Copies of managed values in Secrets elsewhere',
    because: 'fingerprints are keyed, and the key is not in the API server',
    whenAway: 'not noticed',
  },
];
