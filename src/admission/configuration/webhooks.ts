/** The webhook configurations: what the API server asks about, whom it asks, and what if nobody answers. */
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { GROUP, LABELS, VERSION } from '#api/names.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import type {
  AdmissionRule,
  AdmissionWebhook,
  LabelSelector,
  MatchCondition,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '#kube/objects.ts';
import { GARBAGE_COLLECTOR, NAMESPACE_CONTROLLER } from '../exemptions.ts';
import { IS_KUBELET, all, isUser, text } from '../twin/expressions.ts';
import { NOT_MIRROR_POD } from '../twin/pod-policies.ts';
import { ADMISSION_API, TWIN_LABELS, rule } from '../twin/policy-object.ts';
import type { WebhookEndpoint } from './deps.ts';

export interface WebhookInput {
  readonly endpoint: WebhookEndpoint;
  /** PEM. */
  readonly caBundle: string;
  /** Namespaces where only the webhook can decide about pods. */
  readonly strictNamespaces: readonly string[];
  readonly operatorNamespace: string;
  readonly operatorUsername: string;
  /** Whether a MutatingAdmissionPolicy labels pods, so that no webhook has to. */
  readonly isLabelledByPolicy: boolean;
  /** Whether Secrets elsewhere are compared with managed values. */
  readonly detectsCopies: boolean;
}

export interface WebhookConfigurations {
  readonly validating: ValidatingWebhookConfiguration;
  readonly mutating: MutatingWebhookConfiguration;
}

/** Of both configurations. */
export const WEBHOOKS_NAME = 'strongroom-admission';

/** Its `namespaceSelector` lists the strict namespaces. */
const STRICT = 'strict.strongroom.dev';

const TIMEOUT_S = 5;
/** For what is only looked at: nobody should wait for it. */
const FINDING_TIMEOUT_S = 2;

const METADATA_NAME = 'kubernetes.io/metadata.name';
const ALL_WRITES = ['CREATE', 'UPDATE', 'DELETE'] as const;

/** Everything is written out, also what the API server would fill in, so that drift can be seen. */
export function webhookConfigurations(input: WebhookInput): WebhookConfigurations {
  const metadata = { name: WEBHOOKS_NAME, labels: TWIN_LABELS };
  return {
    validating: {
      apiVersion: ADMISSION_API,
      kind: 'ValidatingWebhookConfiguration',
      metadata,
      webhooks: validating(input),
    },
    mutating: {
      apiVersion: ADMISSION_API,
      kind: 'MutatingWebhookConfiguration',
      metadata,
      webhooks: mutating(input).map((webhook) => ({ ...webhook, reinvocationPolicy: 'IfNeeded' })),
    },
  };
}

/** The namespaces that a configuration has as strict. */
export function strictNamespacesIn({
  webhooks = [],
}: Pick<ValidatingWebhookConfiguration, 'webhooks'>): readonly string[] {
  const strict = webhooks.find(({ name }) => name === STRICT);
  return (
    strict?.namespaceSelector?.matchExpressions?.find(
      ({ key, operator }) => key === METADATA_NAME && operator === 'In',
    )?.values ?? []
  );
}

function validating(input: WebhookInput): readonly AdmissionWebhook[] {
  const strict = [...new Set(input.strictNamespaces)].sort();
  const notOperator = otherThanOperator(input);
  return [
    webhook(input, 'objects.strongroom.dev', {
      rules: ownKinds([...STAMPED, NAMESPACE_ACCESSES.plural], ALL_WRITES, true),
      namespaceSelector: selector(input, {}),
      matchConditions: [
        {
          name: 'not-the-operator-but-its-probes',
          expression: `${notOperator.expression} || (object != null && ${text(LABELS.probe)} in object.metadata.?labels.orValue({}))`,
        },
        NOT_KUBELET,
        NOT_CLEARING_AWAY,
      ],
    }),
    webhook(input, 'namespaces.strongroom.dev', {
      rules: [
        rule('', ['namespaces'], ALL_WRITES),
        rule('', ['namespaces/status', 'namespaces/finalize'], ['UPDATE']),
      ],
      // On an update selectors would see the new labels alone.
      namespaceSelector: selector(input, {}),
      matchConditions: [notOperator, IS_OR_WAS_GUARDED, NOT_FINALIZING],
    }),
    webhook(input, 'guard.strongroom.dev', {
      rules: [
        rule('', ['secrets', 'serviceaccounts'], ALL_WRITES),
        rule('', ['serviceaccounts/token'], ['CREATE']),
        rule(
          '',
          ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy', 'services/proxy'],
          ['CONNECT'],
        ),
      ],
      namespaceSelector: selector(input, { isGuarded: true }),
      matchConditions: [notOperator, NOT_KUBELET, NOT_CLEARING_AWAY],
    }),
    // Which of these the operator generated, the policies of the twin see by themselves; those of
    // others are nobody's business while the webhook is away.
    webhook(input, 'generated.strongroom.dev', {
      rules: [
        rule('networking.k8s.io', ['networkpolicies'], ALL_WRITES),
        rule('rbac.authorization.k8s.io', ['roles', 'rolebindings'], ALL_WRITES),
      ],
      namespaceSelector: selector(input, { isGuarded: true }),
      matchConditions: [notOperator, NOT_KUBELET, NOT_CLEARING_AWAY],
      failurePolicy: 'Ignore',
    }),
    webhook(input, 'nodes.strongroom.dev', {
      rules: [rule('', ['nodes/proxy'], ['CONNECT'])],
      namespaceSelector: {},
      matchConditions: [notOperator, NOT_KUBELET],
    }),
    ...(strict.length === 0
      ? []
      : [
          webhook(input, STRICT, {
            rules: POD_RULES,
            namespaceSelector: selector(input, { isGuarded: true, among: strict }),
            matchConditions: [notOperator, NOT_MIRROR_POD],
          }),
        ]),
    webhook(input, 'pods.strongroom.dev', {
      rules: POD_RULES,
      namespaceSelector: selector(input, { isGuarded: true, but: strict }),
      matchConditions: [notOperator, NOT_MIRROR_POD],
      // The policies of the twin decide these by themselves.
      failurePolicy: 'Ignore',
    }),
    ...(input.detectsCopies
      ? [
          webhook(input, 'copies.strongroom.dev', {
            rules: [rule('', ['secrets'])],
            namespaceSelector: selector(input, { isGuarded: false }),
            matchConditions: [notOperator, NOT_KUBELET],
            failurePolicy: 'Ignore',
            timeoutSeconds: FINDING_TIMEOUT_S,
          }),
        ]
      : []),
  ];
}

function mutating(input: WebhookInput): readonly AdmissionWebhook[] {
  const notOperator = otherThanOperator(input);
  return [
    webhook(input, 'stamp.strongroom.dev', {
      path: '/mutate',
      rules: ownKinds(STAMPED, ['CREATE', 'UPDATE'], false),
      namespaceSelector: selector(input, {}),
      matchConditions: [notOperator, NOT_KUBELET],
    }),
    ...(input.isLabelledByPolicy
      ? []
      : [
          webhook(input, 'pods-label.strongroom.dev', {
            path: '/mutate',
            rules: [rule('', ['pods'], ['CREATE'])],
            namespaceSelector: selector(input, { isGuarded: true }),
            matchConditions: [notOperator, NOT_MIRROR_POD],
            // Without its label a pod is refused by the twin.
            failurePolicy: 'Ignore',
          }),
        ]),
  ];
}

const STAMPED: readonly string[] = [
  EXCHANGE_CREDENTIALS,
  ACCESS_POLICIES,
  IP_BLOCKS,
  EMERGENCY_ACCESSES,
].map(({ plural }) => plural);

function ownKinds(
  plurals: readonly string[],
  operations: AdmissionRule['operations'],
  withStatus: boolean,
): readonly AdmissionRule[] {
  return [
    rule(GROUP, plurals, operations, VERSION),
    ...(withStatus
      ? [
          rule(
            GROUP,
            STAMPED.map((plural) => `${plural}/status`),
            ['UPDATE'],
            VERSION,
          ),
        ]
      : []),
  ];
}

const POD_RULES: readonly AdmissionRule[] = [
  rule('', ['pods', 'podtemplates', 'replicationcontrollers']),
  rule('', ['pods/ephemeralcontainers'], ['UPDATE']),
  rule('apps', [
    'deployments',
    'statefulsets',
    'daemonsets',
    'replicasets',
    // Pods of a StatefulSet are made of these.
    'controllerrevisions',
  ]),
  rule('batch', ['jobs', 'cronjobs']),
];

function otherThanOperator({ operatorUsername }: WebhookInput): MatchCondition {
  return {
    name: 'not-the-operator',
    expression: `request.userInfo.username != ${text(operatorUsername)}`,
  };
}

const NOT_KUBELET: MatchCondition = { name: 'no-kubelet', expression: `!(${IS_KUBELET})` };

const IS_OR_WAS_GUARDED: MatchCondition = {
  name: 'guarded-before-or-after',
  expression: ['object', 'oldObject']
    .map(
      (one) => `(${one} != null && ${text(LABELS.guarded)} in ${one}.metadata.?labels.orValue({}))`,
    )
    .join(' || '),
};

/** A namespace whose deletion was admitted must be able to go while no webhook answers. */
const NOT_FINALIZING: MatchCondition = {
  name: 'no-namespace-controller',
  expression: `request.userInfo.username != ${text(NAMESPACE_CONTROLLER)}`,
};

/** Each rule lets it pass; and it must go on while no webhook answers, or namespaces hang. */
const NOT_CLEARING_AWAY: MatchCondition = {
  name: 'no-clearing-away',
  expression: `!(${all(
    'request.operation == "DELETE"',
    isUser(NAMESPACE_CONTROLLER, GARBAGE_COLLECTOR),
  )})`,
};

interface Selection {
  /** Absent: all. */
  readonly isGuarded?: boolean;
  readonly among?: readonly string[];
  readonly but?: readonly string[];
}

/** Never kube-system nor the operator's own namespace: what admission needs may not wait for it. */
function selector(
  { operatorNamespace }: WebhookInput,
  { isGuarded, among, but = [] }: Selection,
): LabelSelector {
  return {
    ...(isGuarded === true ? { matchLabels: { [LABELS.guarded]: 'true' } } : {}),
    matchExpressions: [
      ...(isGuarded === false
        ? [{ key: LABELS.guarded, operator: 'NotIn' as const, values: ['true'] }]
        : []),
      ...(among === undefined
        ? []
        : [{ key: METADATA_NAME, operator: 'In' as const, values: among }]),
      {
        key: METADATA_NAME,
        operator: 'NotIn',
        values: ['kube-system', operatorNamespace, ...but],
      },
    ],
  };
}

function webhook(
  { endpoint, caBundle }: WebhookInput,
  name: string,
  parts: Pick<AdmissionWebhook, 'rules' | 'namespaceSelector' | 'matchConditions'> & {
    readonly path?: string;
    readonly failurePolicy?: 'Fail' | 'Ignore';
    readonly timeoutSeconds?: number;
  },
): AdmissionWebhook {
  const {
    path = '/validate',
    failurePolicy = 'Fail',
    timeoutSeconds = TIMEOUT_S,
    namespaceSelector = {},
    ...rest
  } = parts;
  return {
    name,
    clientConfig: {
      ...('url' in endpoint
        ? { url: `${endpoint.url}${path}` }
        : { service: { ...endpoint.service, path } }),
      caBundle: Buffer.from(caBundle, 'utf8').toString('base64'),
    },
    ...rest,
    failurePolicy,
    matchPolicy: 'Equivalent',
    namespaceSelector,
    objectSelector: {},
    sideEffects: 'NoneOnDryRun',
    timeoutSeconds,
    admissionReviewVersions: ['v1'],
  };
}
