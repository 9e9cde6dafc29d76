/**
 * Pods and what makes them: which guarded Secrets they use, and under whose ServiceAccount. The same
 * as the rules of the webhook, by the NamespaceAccess of the namespace.
 */
import { EMERGENCY_ACCOUNT_PREFIX, LABELS } from '#api/names.ts';
import type { AdmissionRule, MatchCondition } from '#kube/objects.ts';
import { KUBE_SYSTEM, MAKERS, MIRROR } from '../exemptions.ts';
import { MAX_LABEL, RUNS } from '../pods/pod-template.ts';
import {
  AS_REQUESTER,
  IS_KUBELET,
  IS_MASTER,
  REQUESTER_KEYS,
  USERNAME,
  accountKeys,
  all,
  any,
  isUser,
  listed,
  mayPass,
  text,
} from './expressions.ts';
import { OTHER_ACCOUNTS } from '../what-account-may.ts';
import { rule, validatingPair } from './policy-object.ts';
import type { TwinSettings, Validation, ValidatingPair } from './policy-object.ts';
import { secretNames, secretPlaces } from './secret-names.ts';

interface Family {
  readonly name: string;
  readonly rules: readonly AdmissionRule[];
  /** From the object to what has the `spec` and the labels of pods; empty for a pod. */
  readonly template: string;
  readonly what: string;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'strongroom-pods',
    rules: [rule('', ['pods']), rule('', ['pods/ephemeralcontainers'], ['UPDATE'])],
    template: '',
    what: '"Pod "',
  },
  {
    name: 'strongroom-workloads',
    rules: [
      rule('apps', ['deployments', 'statefulsets', 'daemonsets', 'replicasets']),
      rule('batch', ['jobs']),
    ],
    template: '.spec.template',
    what: '"the template of " + request.kind.kind + " "',
  },
  {
    // Its template may be absent by the schema, and is never.
    name: 'strongroom-replication-controllers',
    rules: [rule('', ['replicationcontrollers'])],
    template: '.spec.template',
    what: '"the template of ReplicationController "',
  },
  {
    name: 'strongroom-cron-jobs',
    rules: [rule('batch', ['cronjobs'])],
    template: '.spec.jobTemplate.spec.template',
    what: '"the template of CronJob "',
  },
  {
    name: 'strongroom-pod-templates',
    rules: [rule('', ['podtemplates'])],
    template: '.template',
    what: '"the template of PodTemplate "',
  },
];

/** Controllers of kube-system, with the kind of the owners of what they make of its template. */
const MAKER_TABLE = `{${[...MAKERS]
  .map(
    ([name, { apiVersion, kind }]) =>
      `${text(`${KUBE_SYSTEM}${name}`)}: ${text(`${apiVersion}/${kind}`)}`,
  )
  .join(', ')}}`;

const IS_MADE_FROM_TEMPLATE: string = all(
  `${USERNAME} in ${MAKER_TABLE}`,
  `object.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false) && owner.apiVersion + "/" + owner.kind == ${MAKER_TABLE}[${USERNAME}])`,
);

/** A kubelet shows a pod of its own files, which has neither ServiceAccount nor Secrets. */
export const NOT_MIRROR_POD: MatchCondition = {
  name: 'no-mirror-pod',
  expression: `!(${all(
    'request.operation == "CREATE"',
    IS_KUBELET,
    `${text(MIRROR)} in object.metadata.?annotations.orValue({})`,
  )})`,
};

/** The rules of the namespace; none where they did not fit, and the webhook decides all. */
const SECRETS = 'params.spec.?secrets.orValue({})';
const RULES = 'params.spec.?rules.orValue([])';
/** What whoever acts as the account has to hold, as places in ACCOUNT_RULES. */
const ACCOUNT_PLACES = `params.spec.?accounts[?variables.account].or(params.spec.?accounts[?${text(OTHER_ACCOUNTS)}]).orValue([])`;
const ACCOUNT_RULES = 'params.spec.?accountRules.orValue([])';
const IS_INCOMPLETE = 'params.spec.?incomplete.orValue(false)';

const NEEDED =
  'AccessSecrets at Read, or at the minimumAccessLevel of the credential: ask whoever writes AccessPolicies';

/**
 * What is needed, and the command that says what is missing of it. Which credential is behind a
 * Secret the NamespaceAccess does not say.
 *
 * @param as the options that name who lacks it, as CEL
 */
function needed(as: string): string {
  return `${text(`${NEEDED}; whoever may read those sees what is missing with: strongroom explain mount CREDENTIAL -n `)} + request.namespace + " " + ${as} + ", where CREDENTIAL is the ExchangeCredential that the Secret belongs to"`;
}

const AS_ACCOUNT = '"--as-service-account " + request.namespace + "/" + variables.account';

/** Beyond, a Secret that is named twice is told twice. */
const MAX_COMPARED = 1_000;

/** Each of the refused Secrets once: the keys of a map are. */
const REFUSED_ONCE = `variables.secrets.size() > ${MAX_COMPARED} ? variables.refused : variables.secrets.filter(name, name in variables.refused)`;

const HELD = 'who acts as an account needs all that it may do';

/** Names in `names` whose Secret is guarded and one of whose rules surely says no to the keys. */
function refusedSecrets(names: string, keys: string): string {
  return `variables.secrets.size() == 0 ? [] : ${names}.filter(name, name in variables.secrets && !variables.secrets[name].all(place, ${mayPass(keys, 'variables.rules[place].subjects')}))`;
}

function family({ name, rules, template, what }: Family, settings: TwinSettings): ValidatingPair {
  const isPod = template === '';
  const now = `object${template}`;
  const before = `oldObject${template}`;
  const isSame = isPod
    ? all(...RUNS.map((field) => `object.spec.?${field} == oldObject.spec.?${field}`))
    : `${now}.spec == ${before}.spec`;
  const field = `.?labels[?${text(LABELS.serviceAccount)}]`;
  const label = isPod
    ? (object: string) => `${object}.metadata${field}`
    : (object: string) => `${object}.?metadata${field}`;
  const object = `${what} + request.namespace + "/" + object.metadata.?name.orValue(object.metadata.?generateName.orValue(""))`;
  const validations: readonly Validation[] = [
    {
      expression: any(
        '!variables.isChanged',
        `!variables.account.startsWith(${text(EMERGENCY_ACCOUNT_PREFIX)})`,
      ),
      messageExpression: `variables.what + " would run under ServiceAccount " + variables.account + "; accounts of this prefix are there for the tokens of emergency access, and no pod may run under one"`,
      message: `No pod may run under a ServiceAccount named ${EMERGENCY_ACCOUNT_PREFIX}….`,
    },
    {
      expression: any('!variables.isChanged', `variables.account.size() <= ${MAX_LABEL}`),
      messageExpression: `variables.what + " would run under ServiceAccount " + variables.account + ", whose name does not fit into the label ${LABELS.serviceAccount}: choose one of at most ${MAX_LABEL} characters"`,
      message: `Names of ServiceAccounts have at most ${MAX_LABEL} characters in a guarded namespace.`,
    },
    {
      expression: any(
        '!variables.isChanged',
        IS_INCOMPLETE,
        IS_MASTER,
        'variables.refused.size() == 0',
      ),
      messageExpression: onlyIf(
        'variables.refused.size() > 0',
        `variables.what + " uses the Secret " + (${listed('variables.refusedOnce')}) + " (" + (${listed('variables.places')}) + "), which holds a credential; its ServiceAccount " + request.namespace + "/" + variables.account + " needs for it " + ${needed(AS_ACCOUNT)}`,
      ),
      message: `The ServiceAccount may not mount a Secret that is used; it needs ${NEEDED}.`,
    },
    {
      expression: any(
        '!variables.isChanged',
        IS_INCOMPLETE,
        IS_MASTER,
        IS_MADE_FROM_TEMPLATE,
        'variables.notHeld.size() == 0',
      ),
      messageExpression: onlyIf(
        'variables.notHeld.size() > 0',
        `variables.what + " runs under ServiceAccount " + request.namespace + "/" + variables.account + ", which AccessPolicies give " + variables.accountRules[variables.notHeld[0]].right + "; " + ${text(`${HELD}, and `)} + ${USERNAME} + " does not hold that: let somebody do it who does, or ask whoever writes AccessPolicies"`,
      ),
      message: `Whoever runs pods under this ServiceAccount may do what it may: ${HELD}.`,
    },
    ...(isPod
      ? []
      : [
          {
            expression: any(
              `request.operation == "UPDATE" && ${label(now)} == ${label(before)}`,
              `${label(now)}.orValue(variables.account) == variables.account`,
            ),
            messageExpression: `variables.what + ": the label ${LABELS.serviceAccount} must be \\"" + variables.account + "\\", the name of its ServiceAccount; leave it out, admission sets it"`,
            message: `The label ${LABELS.serviceAccount} must be the name of the ServiceAccount.`,
          },
        ]),
  ];
  return validatingPair(
    {
      name,
      rules,
      withoutAccess: 'Deny',
      ...(isPod ? { matchConditions: [NOT_MIRROR_POD] } : {}),
      variables: {
        what: object,
        isChanged: any('request.operation == "CREATE"', `!(${isSame})`),
        account: accountOf(`${now}.spec`),
        secrets: SECRETS,
        rules: RULES,
        accountPlaces: ACCOUNT_PLACES,
        accountRules: ACCOUNT_RULES,
        accountKeys: accountKeys('variables.account'),
        requesterKeys: REQUESTER_KEYS,
        names: secretNames(`${now}.spec`),
        refused: refusedSecrets('variables.names', 'variables.accountKeys'),
        notHeld: `variables.accountPlaces.filter(place, !(${mayPass('variables.requesterKeys', 'variables.accountRules[place].subjects')}))`,
        // For messages alone.
        refusedOnce: REFUSED_ONCE,
        places: secretPlaces(`${now}.spec`, 'variables.refused'),
      },
      validations,
    },
    settings,
  );
}

/** The ServiceAccount that a pod of this PodSpec runs under. */
export function accountOf(podSpec: string): string {
  const name = `${podSpec}.?serviceAccountName.orValue("")`;
  const alias = `${podSpec}.?serviceAccount.orValue("")`;
  return `${name} != "" ? ${name} : ${alias} != "" ? ${alias} : "default"`;
}

/**
 * The API server evaluates every message with every request, out of the same budget: what is costly
 * is only put together where it is told.
 */
function onlyIf(condition: string, message: string): string {
  return `!(${condition}) ? "" : ${message}`;
}

/** Pull secrets reach the pods of the account: whoever adds a guarded one must be allowed it. */
function serviceAccounts(settings: TwinSettings): ValidatingPair {
  const names = (object: string): string =>
    `${object}.?imagePullSecrets.orValue([]).map(one, one.?name.orValue("")) + ${object}.?secrets.orValue([]).map(one, one.?name.orValue(""))`;
  return validatingPair(
    {
      name: 'strongroom-service-accounts',
      rules: [rule('', ['serviceaccounts'])],
      // A namespace that has just been made or guarded gets its accounts at once; no pod yet.
      withoutAccess: 'Allow',
      variables: {
        secrets: SECRETS,
        rules: RULES,
        requesterKeys: REQUESTER_KEYS,
        old: `request.operation == "UPDATE" ? ${names('oldObject')} : []`,
        names: `(${names('object')}).filter(name, !(name in variables.old))`,
        refused: refusedSecrets('variables.names', 'variables.requesterKeys'),
        refusedOnce: REFUSED_ONCE,
        asRequester: AS_REQUESTER,
      },
      validations: [
        {
          expression: any(
            IS_INCOMPLETE,
            IS_MASTER,
            isUser(settings.operatorUsername),
            'variables.refused.size() == 0',
          ),
          messageExpression: onlyIf(
            'variables.refused.size() > 0',
            `"ServiceAccount " + request.namespace + "/" + object.metadata.?name.orValue("") + " would give its pods the Secret " + (${listed('variables.refusedOnce')}) + ", which holds a credential; " + ${USERNAME} + " needs for it " + ${needed('variables.asRequester')}`,
          ),
          message: `Whoever gives a ServiceAccount a guarded Secret needs ${NEEDED}.`,
        },
      ],
    },
    settings,
  );
}

export function podPolicies(settings: TwinSettings): readonly ValidatingPair[] {
  return [...FAMILIES.map((one) => family(one, settings)), serviceAccounts(settings)];
}
