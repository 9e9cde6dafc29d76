/** Objects as the API server writes them in JSON: times are RFC 3339 strings. */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly generateName?: string;
  readonly managedFields?: readonly unknown[];
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface KubeList<T> {
  readonly items: readonly T[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  /** Base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
}

export interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: string };
}

interface SecretKeyReference {
  readonly name?: string;
  readonly key?: string;
}

export interface Container {
  readonly name: string;
  readonly env?: readonly {
    readonly name: string;
    readonly valueFrom?: { readonly secretKeyRef?: SecretKeyReference };
  }[];
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  }[];
  readonly envFrom?: readonly { readonly secretRef?: { readonly name?: string } }[];
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
    readonly subPathExpr?: string;
  }[];
}

export interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly running?: { readonly startedAt?: string } };
}

export interface Pod extends KubeObject {
  readonly spec?: {
    readonly serviceAccountName?: string;
    readonly hostNetwork?: boolean;
    readonly nodeName?: string;
    readonly imagePullSecrets?: readonly { readonly name?: string }[];
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly ephemeralContainers?: readonly Container[];
    readonly volumes?: readonly {
      readonly name: string;
      readonly secret?: { readonly secretName?: string };
      readonly projected?: {
        readonly sources?: readonly { readonly secret?: { readonly name?: string } }[];
      };
    }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly startTime?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly hostIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number;
  };
}

export interface ObjectReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
}

/** events.k8s.io/v1 */
export interface Event extends KubeObject {
  /** RFC 3339 with microseconds. */
  readonly eventTime: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note?: string;
  readonly regarding?: ObjectReference;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

export interface PolicyRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

export interface Role extends KubeObject {
  readonly rules?: readonly PolicyRule[] | null;
}

export interface ClusterRole extends KubeObject {
  readonly rules?: readonly PolicyRule[] | null;
}

export interface RbacSubject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly apiGroup?: string;
}

export interface RoleBinding extends KubeObject {
  readonly roleRef: { readonly apiGroup: string; readonly kind: string; readonly name: string };
  readonly subjects?: readonly RbacSubject[];
}

export type ClusterRoleBinding = RoleBinding;

export interface ServiceAccount extends KubeObject {
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
  readonly secrets?: readonly { readonly name?: string }[];
  readonly automountServiceAccountToken?: boolean;
}

/** authentication.k8s.io/v1; created as the subresource `token` of a ServiceAccount. */
export interface TokenRequest extends KubeObject {
  readonly spec: {
    readonly audiences?: readonly string[];
    readonly expirationSeconds?: number;
  };
  readonly status?: { readonly token: string; readonly expirationTimestamp: string };
}

export interface SubjectAccessReview extends KubeObject {
  readonly spec: {
    readonly user?: string;
    readonly groups?: readonly string[];
    readonly resourceAttributes?: {
      readonly namespace?: string;
      readonly verb: string;
      readonly group?: string;
      readonly resource: string;
      readonly subresource?: string;
      readonly name?: string;
    };
  };
  readonly status?: { readonly allowed: boolean; readonly reason?: string };
}

export interface SelfSubjectReview extends KubeObject {
  readonly status?: {
    readonly userInfo?: { readonly username?: string; readonly groups?: readonly string[] };
  };
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

export interface NetworkPolicyPort {
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  /** A number, or the name of a container port. */
  readonly port?: number | string;
  readonly endPort?: number;
}

export interface NetworkPolicyPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

/** networking.k8s.io/v1 */
export interface NetworkPolicy extends KubeObject {
  readonly spec?: {
    readonly podSelector?: LabelSelector;
    readonly policyTypes?: readonly ('Ingress' | 'Egress')[];
    readonly ingress?: readonly {
      readonly from?: readonly NetworkPolicyPeer[];
      readonly ports?: readonly NetworkPolicyPort[];
    }[];
    readonly egress?: readonly {
      readonly to?: readonly NetworkPolicyPeer[];
      readonly ports?: readonly NetworkPolicyPort[];
    }[];
  };
}

/** As far as addresses and the system on it go. */
export interface Node extends KubeObject {
  readonly spec?: {
    readonly podCIDR?: string;
    readonly podCIDRs?: readonly string[];
  };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly nodeInfo?: { readonly kubeletVersion?: string };
  };
}

export interface Service extends KubeObject {
  readonly spec?: {
    readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
    readonly clusterIP?: string;
    /** One of each family, or `None`. */
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
    /** Absent: Cluster. */
    readonly externalTrafficPolicy?: 'Cluster' | 'Local';
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly {
      readonly name?: string;
      readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
      readonly port: number;
      /** A number, or the name of a container port. */
      readonly targetPort?: number | string;
    }[];
  };
}

/** discovery.k8s.io/v1 */
export interface EndpointSlice extends KubeObject {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[] | null;
  readonly ports?:
    | readonly {
        readonly name?: string;
        readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
        readonly port?: number;
      }[]
    | null;
}

/** networking.k8s.io/v1 */
export interface ServiceCidr extends KubeObject {
  readonly spec?: { readonly cidrs?: readonly string[] };
}

export interface DaemonSet extends KubeObject {
  readonly spec?: {
    readonly template?: {
      readonly spec?: {
        readonly containers?: readonly {
          readonly name: string;
          readonly image?: string;
          readonly command?: readonly string[];
          readonly args?: readonly string[];
        }[];
      };
    };
  };
  readonly status?: { readonly desiredNumberScheduled?: number };
}

export interface AdmissionRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT' | '*')[];
  readonly resources: readonly string[];
  /** Absent: `*`. */
  readonly scope?: 'Cluster' | 'Namespaced' | '*';
  /** Only in the rules of policies. */
  readonly resourceNames?: readonly string[];
}

/** A CEL expression with a name: a request has to fulfil all, or the policy or webhook is not asked. */
export interface MatchCondition {
  readonly name: string;
  readonly expression: string;
}

export interface AdmissionWebhook {
  /** A DNS name of three labels or more, unique in its configuration. */
  readonly name: string;
  readonly clientConfig: {
    /** Either this or `service`. */
    readonly url?: string;
    readonly service?: {
      readonly namespace: string;
      readonly name: string;
      readonly path?: string;
      readonly port?: number;
    };
    /** PEM, in base64. */
    readonly caBundle?: string;
  };
  readonly rules: readonly AdmissionRule[];
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly matchPolicy: 'Exact' | 'Equivalent';
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly matchConditions?: readonly MatchCondition[];
  readonly sideEffects: 'None' | 'NoneOnDryRun';
  readonly timeoutSeconds: number;
  readonly admissionReviewVersions: readonly string[];
}

/** admissionregistration.k8s.io/v1 */
export interface ValidatingWebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly AdmissionWebhook[];
}

/** admissionregistration.k8s.io/v1 */
export interface MutatingWebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly (AdmissionWebhook & {
    readonly reinvocationPolicy: 'Never' | 'IfNeeded';
  })[];
}

/** What a policy of admission, or the binding of one, looks at. */
export interface AdmissionMatch {
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly resourceRules?: readonly AdmissionRule[];
  readonly excludeResourceRules?: readonly AdmissionRule[];
  readonly matchPolicy?: 'Exact' | 'Equivalent';
}

interface AdmissionPolicySpec {
  readonly paramKind?: { readonly apiVersion: string; readonly kind: string };
  readonly matchConstraints: AdmissionMatch;
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly matchConditions?: readonly MatchCondition[];
  /** CEL, evaluated at most once and only when used: `variables.<name>`. */
  readonly variables?: readonly MatchCondition[];
}

/** admissionregistration.k8s.io/v1 */
export interface ValidatingAdmissionPolicy extends KubeObject {
  readonly spec: AdmissionPolicySpec & {
    readonly validations: readonly {
      readonly expression: string;
      readonly message?: string;
      readonly messageExpression?: string;
      readonly reason?: 'Forbidden' | 'Invalid' | 'Unauthorized' | 'RequestEntityTooLarge';
    }[];
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly typeChecking?: {
      readonly expressionWarnings?: readonly {
        readonly fieldRef: string;
        readonly warning: string;
      }[];
    };
  };
}

interface AdmissionBindingSpec {
  readonly policyName: string;
  readonly paramRef?: {
    readonly name: string;
    readonly namespace?: string;
    readonly parameterNotFoundAction: 'Allow' | 'Deny';
  };
  readonly matchResources?: AdmissionMatch;
}

/** admissionregistration.k8s.io/v1 */
export interface ValidatingAdmissionPolicyBinding extends KubeObject {
  readonly spec: AdmissionBindingSpec & {
    readonly validationActions: readonly ('Deny' | 'Warn' | 'Audit')[];
  };
}

/** admissionregistration.k8s.io/v1, since Kubernetes 1.36 */
export interface MutatingAdmissionPolicy extends KubeObject {
  readonly spec: AdmissionPolicySpec & {
    readonly reinvocationPolicy: 'Never' | 'IfNeeded';
    readonly mutations: readonly (
      | {
          readonly patchType: 'ApplyConfiguration';
          readonly applyConfiguration: { readonly expression: string };
        }
      | { readonly patchType: 'JSONPatch'; readonly jsonPatch: { readonly expression: string } }
    )[];
  };
}

/** admissionregistration.k8s.io/v1, since Kubernetes 1.36 */
export interface MutatingAdmissionPolicyBinding extends KubeObject {
  readonly spec: AdmissionBindingSpec;
}

/** The answer to a call that failed. */
export interface Status {
  readonly kind: 'Status';
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly {
      readonly field?: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}
