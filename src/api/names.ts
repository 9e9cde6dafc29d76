/**
 * Every name that Strongroom writes into a cluster or reads from one: group, labels, annotations,
 * finalizer, condition types and reasons. They are a contract: other people's scripts, alerts and
 * manifests hold them.
 */

export const GROUP = 'strongroom.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = 'strongroom.dev/v1alpha1';

/** Owner of the fields that the operator applies with server-side apply. */
export const FIELD_MANAGER = 'strongroom';

/** Keeps an object until its delivered Secret is withdrawn and its deletion policy is carried out. */
export const FINALIZER = 'strongroom.dev/vault';

export const LABELS = {
  /** On a namespace, `"true"`: Strongroom works here. */
  guarded: 'strongroom.dev/guarded',
  /** On a namespace: the environment that its credentials must have. */
  environment: 'strongroom.dev/environment',
  /** On a delivered Secret: the name of its ExchangeCredential. */
  credential: 'strongroom.dev/credential',
  /** On the operator's own objects: what they are, such as `vault-entry` or `seal-key`. */
  component: 'strongroom.dev/component',
  /** On a Role or RoleBinding: the UID of the AccessPolicy that it stands for. */
  policyUid: 'strongroom.dev/policy-uid',
  /** On a pod: the name of its ServiceAccount, so that NetworkPolicies can select it. */
  serviceAccount: 'strongroom.dev/service-account',
  /** On the operator's objects of the network: `strongroom`. */
  managedBy: 'app.kubernetes.io/managed-by',
  /** On ConfigMaps that keep a feed: a digest of the name of its IPBlock. */
  feed: 'strongroom.dev/feed',
  /** On a GlobalNetworkSet of Calico: the policies that deny what is in it. */
  addressGroup: 'strongroom.dev/address-group',
  /** On what stands for an EmergencyAccess: its UID. */
  emergencyAccess: 'strongroom.dev/emergency-access',
  /** On a dry-run request: admission refuses whatever carries it, which shows that it works. */
  probe: 'strongroom.dev/probe',
} as const;

/** ServiceAccounts whose tokens read Secrets for an EmergencyAccess: no pod may run under one. */
export const EMERGENCY_ACCOUNT_PREFIX = 'strongroom-emergency-';

/** The one NamespaceAccess of a guarded namespace. */
export const NAMESPACE_ACCESS_NAME = 'strongroom';

export const ANNOTATIONS = {
  /** A request id: take a new version from the source now. */
  rotate: 'strongroom.dev/rotate',
  /** `<version>` or `<version>/<request id>`: make that version current again. */
  rollbackTo: 'strongroom.dev/rollback-to',
  /** `<version>` or `<version>/<request id>`: end that version for good. */
  revoke: 'strongroom.dev/revoke',
  /** Why one of the above is asked for; stands in the audit record. */
  reason: 'strongroom.dev/reason',
  /** UID of the namespace that the vault entry was made in: lets its successor take it over. */
  adopt: 'strongroom.dev/adopt',
  /** On a delivered Secret: the version it holds. */
  version: 'strongroom.dev/version',
  /** On a NetworkPolicy of the operator: the AccessPolicies and IPBlocks that it is there for. */
  reasonFor: 'strongroom.dev/reason-for',
  /** Who created the object, as the API server verified it (JSON); written by admission alone. */
  createdBy: 'strongroom.dev/created-by',
  /** Who set each of the requests above (JSON, by annotation); written by admission alone. */
  requestedBy: 'strongroom.dev/requested-by',
  /** On an EmergencyAccess: why somebody approves it. */
  approve: 'strongroom.dev/approve',
  /** On an EmergencyAccess: the second reason of a subject who approves alone. */
  selfApprove: 'strongroom.dev/self-approve',
  /** On an EmergencyAccess: why somebody turns it down. */
  deny: 'strongroom.dev/deny',
  /** On an EmergencyAccess: why somebody ends it early. */
  end: 'strongroom.dev/end',
  /** On an EmergencyAccess that has ended: what the review found. */
  review: 'strongroom.dev/review',
  /** On an EmergencyAccess: who did which of the above (JSON, authenticated); written by admission alone. */
  decisions: 'strongroom.dev/decisions',
  /** On the ConfigMap of what admission applied: puts back what others changed or deleted. */
  restore: 'strongroom.dev/restore',
  /** On an ExchangeCredential: the EmergencyAccess after which its value should be replaced. */
  rotationDue: 'strongroom.dev/rotation-due',
} as const;

/** Conditions of an ExchangeCredential. */
export const CONDITION_TYPES = [
  'Ready',
  'Reconciling',
  'Stalled',
  'SourceReady',
  'Delivered',
] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** Reasons of an ExchangeCredential's conditions, with what each one means; the reference page prints them. */
export const REASONS = {
  Delivered: 'The current version is in the delivered Secret.',
  SourceRead: 'The source was read and holds nothing that is not in the vault.',
  UpToDate: 'Nothing is left to do.',
  Suspended: '`spec.state` is Suspended: the Secret is withdrawn, the versions are kept.',
  Revoked: 'Every version was ended; this cannot be undone.',
  CurrentVersionRevoked: 'The current version was revoked and no other one took its place.',
  NoVersion: 'No version was taken from the source yet.',
  SourceMissing: 'The Secret, or the key in it, that the source names does not exist.',
  SourceRefused: 'The value of the source is not usable; the message says which field and why.',
  SourceHeld:
    'The source still holds the value that was rolled back or revoked; it is not taken again until it differs.',
  SourceRemoved: 'The source Secret was deleted after its import, as `afterImport` asks.',
  ForeignSecret:
    'A Secret of the target name belongs to someone else; it is left alone. Delete it or choose another name.',
  PodsWithoutRight:
    'Pods that were there before use the name of the Secret under ServiceAccounts that may not mount the credential; nothing is delivered until they are gone or may.',
  NamespaceNotGuarded: 'The namespace does not carry the label `strongroom.dev/guarded: "true"`.',
  NamespaceReplaced:
    'The namespace was deleted and made anew since the vault entry was written; the annotation `strongroom.dev/adopt` takes it over.',
  NamespaceTerminating: 'The namespace is on its way out; nothing new is delivered.',
  EnvironmentMismatch:
    'The namespace carries another environment in its label `strongroom.dev/environment`.',
  VaultTampered: 'The vault entry does not authenticate: it was changed outside of Strongroom.',
  VaultSwapped: 'The vault entry is that of another credential.',
  VaultRolledBack: 'The vault entry is an older copy of itself.',
  VaultEntryMissing: 'The vault entry is gone although versions were stored in it.',
  VaultUnavailable: 'The vault could not be read or written; it is tried again.',
  ReconcileFailed: 'A step failed; it is tried again.',
  Deleting: 'The object is being deleted and its deletion policy carried out.',
} as const;
export type Reason = keyof typeof REASONS;

/** Conditions of an AccessPolicy. */
export const ACCESS_POLICY_CONDITION_TYPES = [
  'Ready',
  'Reconciling',
  'Stalled',
  'AccessGranted',
  'Undermined',
  'NetworkApplied',
] as const;
export type AccessPolicyConditionType = (typeof ACCESS_POLICY_CONDITION_TYPES)[number];

/** Reasons of an AccessPolicy's conditions, with what each one means; the reference page prints them. */
export const ACCESS_POLICY_REASONS = {
  Granted: 'Roles and RoleBindings stand for the policy.',
  Constrained:
    'The policy has constraints, and RBAC knows neither times nor addresses: nothing stands for it, admission and the gateway decide.',
  DenyOnly: 'A Deny grants nothing; it takes from what other policies grant.',
  SelectsNothing: 'The policy selects no credential that exists; it takes effect once one does.',
  NothingGranted:
    'No rights stand: the subjects do not exist, the namespaces are not guarded, or RBAC cannot say what the policy gives; the findings say which.',
  Withheld:
    'Some standing rights are withheld, because a Deny may concern the same person and RBAC knows no deny; the findings say whose.',
  NamespaceNotReady:
    'The operator has no rights yet in a guarded namespace that the policy reaches; it is tried again.',
  UpToDate: 'Nothing is left to do.',
  ReconcileFailed: 'A step failed; it is tried again.',
  WeaknessesFound: 'RBAC of others lets somebody round the policy; the findings say whom, and how.',
  NoWeakness: 'No RBAC of others was found that lets somebody round the policy.',
  NetworkApplied: 'NetworkPolicies stand for all that `spec.network` says.',
  NetworkPartlyApplied:
    'Some of `spec.network` is not enforced as it is written; `gaps` says what, and why.',
  NetworkOnly: 'The policy names neither roles nor permissions; it is about the network alone.',
  NoNetwork: 'The policy has no `spec.network`; it opens and closes nothing.',
  NetworkPending:
    'NetworkPolicies cannot be written yet, as no pod runs under the ServiceAccounts or the cluster is not known well enough; it is tried again.',
} as const;
export type AccessPolicyReason = keyof typeof ACCESS_POLICY_REASONS;

/** Types of findings, with what each one means; the reference page prints them. */
export const ACCESS_FINDINGS = {
  SubjectNotFound: 'A ServiceAccount that the policy names does not exist (yet).',
  AccountNotGuarded:
    'A ServiceAccount of a namespace that is not guarded gets rights in another one: whoever may create pods or tokens in its own has them, and admission does not ask there.',
  NamespaceNotFound: 'A namespace that the policy names does not exist (yet).',
  NamespaceNotGuarded:
    'A namespace that the policy names does not carry the label `strongroom.dev/guarded: "true"`; no rights stand there.',
  CredentialNotFound: 'A credential that the policy names does not exist (yet).',
  SelectsNothing: 'The policy selects no credential that exists.',
  SelectsEverything: 'The policy selects every credential, also those to come.',
  GrantsNothing: 'The policy has neither roles nor permissions.',
  ContradictedByDeny: 'A Deny takes away all or some of what the policy grants.',
  WithheldByDeny:
    'Standing rights are withheld from a subject, because a Deny may concern the same person.',
  GrantsToAdministrator:
    'Somebody who may write policies (ManageUsers) gets other rights by this one.',
  NamesOperator:
    'The policy names the operator itself. It can neither give rights to it nor take its own away.',
  ConfusableName:
    'A name differs from another one only by upper and lower case or by characters that look alike.',
  RateLimitsNotEnforced: 'Rate limits hold at the gateway only; nothing else counts requests.',
  PartNotUnderstood:
    'A part of the policy is not understood, such as a role of a newer version. In an Allow that part grants nothing; in a Deny it denies all that it could mean.',
  SecretRead: 'Somebody may read a delivered Secret, or all Secrets of its namespace.',
  SecretWrite: 'Somebody may change or replace a delivered Secret.',
  PodExec: 'Somebody may run commands in a pod, attach to it or forward its ports.',
  EphemeralContainers:
    'Somebody may add a container to a running pod and read its memory and files.',
  WorkloadCreate: 'Somebody may run a pod that mounts a Secret of the namespace.',
  TokenRequest: 'Somebody may get a token of a ServiceAccount and act as it.',
  Impersonate: 'Somebody may act as another user, group or ServiceAccount.',
  Escalate: 'Somebody may write roles with more rights than they have (`escalate`).',
  Bind: 'Somebody may bind roles with more rights than they have (`bind`).',
  NodesProxy: 'Somebody may reach the kubelets, and through them every pod of a node.',
  Proxy: 'Somebody may reach pods or services through the API server.',
  CertificateApproval: 'Somebody may have client certificates of any name signed.',
  AdmissionConfiguration:
    'Somebody may change what is admitted, or read objects as they are admitted (webhooks).',
  HostPathVolume: 'Somebody may create PersistentVolumes, which can be any directory of a node.',
  NamespaceLabels: 'Somebody may take the guarded or the environment label off a namespace.',
  CustomResourceWrite:
    'Somebody may write ExchangeCredentials, AccessPolicies or IPBlocks without a policy, or what the operator alone writes.',
  VaultAccess: "Somebody may read or write Secrets, or get into pods, in the operator's namespace.",
} as const;
export type AccessFindingType = keyof typeof ACCESS_FINDINGS;

/** Conditions of an IPBlock. */
export const IP_BLOCK_CONDITION_TYPES = [
  'Ready',
  'Reconciling',
  'Stalled',
  'Enforced',
  'FeedReady',
] as const;
export type IPBlockConditionType = (typeof IP_BLOCK_CONDITION_TYPES)[number];

/** Reasons of an IPBlock's conditions, with what each one means; the reference page prints them. */
export const IP_BLOCK_REASONS = {
  Enforced: 'Every pod that it is about is cut off from the addresses.',
  PartiallyEnforced:
    'It holds for some pods, nodes or directions; `gaps` says for which it does not.',
  Ineffective: 'Something lets the addresses through all the same; `gaps` names it.',
  Observed: '`spec.mode` is Observe: nothing is written, status says what would be cut off.',
  Expired: 'Its time is over; it does nothing any more and can be deleted.',
  NothingToBlock: 'No address is left: the list is empty, or all of it lies in protected ranges.',
  NothingToProtect: 'No pod and no gateway is in its scope yet.',
  WideBan:
    'It is wider than /8 (IPv4) or /19 (IPv6) and does not carry `acknowledgeWideBan: true`; nothing is written.',
  FeedFetched: 'The feed was fetched and read.',
  FeedStale: 'The feed could not be fetched lately; the last good copy is in force.',
  FeedNeverFetched: 'The feed has not been fetched yet, so nothing of it is in force.',
  FeedRefused: 'What the feed answered is no usable list; the last good copy, if any, is in force.',
  FactsMissing:
    'The addresses of nodes and API server are not known yet; nothing is written that could cut them off.',
  UpToDate: 'Nothing is left to do.',
  ReconcileFailed: 'A step failed; it is tried again.',
} as const;
export type IPBlockReason = keyof typeof IP_BLOCK_REASONS;

/** Conditions of an EmergencyAccess. */
export const EMERGENCY_ACCESS_CONDITION_TYPES = [
  'Ready',
  'Reconciling',
  'Stalled',
  'Active',
  'Reviewed',
] as const;
export type EmergencyAccessConditionType = (typeof EMERGENCY_ACCESS_CONDITION_TYPES)[number];

/** Reasons of an EmergencyAccess's conditions, with what each one means; the reference page prints them. */
export const EMERGENCY_ACCESS_REASONS = {
  AwaitingApproval: 'Nobody, or not enough people, approved it yet.',
  Approved: 'Enough people approved it; the access is being prepared.',
  Active: 'The subject may do what it names until `expiresAt`.',
  Expired: 'Its time is over, or nobody approved it in time.',
  Revoked: 'Somebody ended it early.',
  Denied: 'Somebody turned it down.',
  TooLong: 'It asks for more time than the installation allows.',
  TargetMissing: 'A credential or pod that it names does not exist.',
  NamespaceNotGuarded: 'The namespace does not carry the label `strongroom.dev/guarded: "true"`.',
  AdmissionAbsent:
    'The admission webhook does not guard the cluster, so that nothing can be granted for a time.',
  NotUsed: 'It was never active, so that there is nothing to review.',
  ReviewDue: 'It was active and nobody has closed the review yet.',
  Reviewed: 'The review is closed.',
  UpToDate: 'Nothing is left to do.',
  ReconcileFailed: 'A step failed; it is tried again.',
} as const;
export type EmergencyAccessReason = keyof typeof EMERGENCY_ACCESS_REASONS;

/** Types of gaps of enforcement, with what each one means; the reference pages print them. */
export const NETWORK_GAPS = {
  ForeignPolicyReopens:
    'A NetworkPolicy that Strongroom did not write allows what is blocked, and NetworkPolicies only add.',
  IsolatedByOthers:
    'Only NetworkPolicies of others isolate the pods, so no allow side is generated for them: it would let in more than before.',
  NotIsolated: 'No NetworkPolicy isolates the pods (yet), so that everything is open to them.',
  OwnPolicyBehind:
    'A NetworkPolicy of Strongroom still allows what is blocked; it is being brought up to date.',
  AlwaysOpen:
    'Addresses of the pod itself or of its node: no NetworkPolicy can cut a pod off from them.',
  HostNetworkPod:
    'Pods with hostNetwork have the address of their node; no NetworkPolicy covers them.',
  NoPolicyEngine: 'Nothing was seen in the cluster that enforces NetworkPolicies.',
  SourceAddressRewritten:
    'A Service with externalTrafficPolicy Cluster hides the address of the client from the pods behind it.',
  TooManySelectors:
    'So many NetworkPolicies of others select pods of the namespace that the pods beside them cannot be selected.',
  FamilyAbsent: 'The cluster has no addresses of that family; the block does nothing for it.',
  RangeProtected: 'Addresses were left out because they are protected.',
  PodsNotSelectable:
    'The pods of a ServiceAccount share no labels that other pods of the namespace lack, so that no NetworkPolicy can select them alone.',
  NoPods:
    'No pod runs under the ServiceAccount (yet), so that nothing shows by which labels to select it.',
  DnsClosed:
    'Exchanges are opened by host name, and the policy does not open the DNS of the cluster: its pods cannot look them up.',
  DnsUnknown:
    'The policy opens the DNS of the cluster, and its Service is not found, so that nothing is open.',
  NameUnresolved: 'A host name could not be resolved (yet), so that its addresses are not open.',
  NameStale:
    'A host name could not be resolved lately; the addresses known last stay open for a grace time.',
  NameByAddress:
    'A host name is opened by the addresses that it has now; whoever shares them is reachable too, and new ones open late.',
  NodeAgentMissing:
    'No node agent reports from a node, so that nothing is enforced on it by the agent.',
  NodeAgentBehind: 'The node agent of a node has not applied the newest blocks (yet).',
  DataPathBypassesNetfilter:
    'On a node pods are reached past netfilter (eBPF), so that the node agent does not see their packets.',
  NamespaceNotReady: 'The operator has no rights yet in a guarded namespace.',
  GatewayAbsent: 'The scope names the gateway, and there is none.',
  BackendFull: 'The backend has no room for all addresses; some are left out.',
  EgressOnly: 'The backend can deny traffic of pods to addresses, not from them.',
} as const;
export type NetworkGapType = keyof typeof NETWORK_GAPS;
