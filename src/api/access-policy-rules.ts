/**
 * The rules that involve several fields of an AccessPolicy. Rules about one field stand with the
 * field in access-policy-schema.ts.
 */
import type { Exchange } from '#api/exchanges.ts';
import type {
  AccessPolicySpec,
  Constraints,
  Countries,
  CredentialSelector,
  LabelRequirement,
  LabelSelector,
  NetworkPeer,
  NetworkPort,
  PolicyNetwork,
  Subject,
} from '#api/access-policy-types.ts';
import { DNS_SUBDOMAIN } from '#api/schema/building-blocks.ts';
import type { Rule } from '#api/schema/rule.ts';
import { celString } from '#api/schema/rule.ts';

const ACCOUNT_NAME = `^${DNS_SUBDOMAIN}$`;
const accountName = new RegExp(ACCOUNT_NAME);

/** `namespace` is a word of CEL's own, so the field is `__namespace__` there. */
export const SUBJECT_RULES: readonly Rule<Subject>[] = [
  {
    cel: `self.kind != 'ServiceAccount' || has(self.__namespace__)`,
    message: 'spec.subjects has a ServiceAccount without namespace; add the one that it is in',
    fieldPath: '.namespace',
    holds: ({ kind, namespace }) => kind !== 'ServiceAccount' || namespace !== undefined,
  },
  {
    cel: `self.kind == 'ServiceAccount' || !has(self.__namespace__)`,
    message:
      'spec.subjects has a User or Group with namespace; remove it, only a ServiceAccount is in one',
    fieldPath: '.namespace',
    holds: ({ kind, namespace }) => kind === 'ServiceAccount' || namespace === undefined,
  },
  {
    cel: `self.kind != 'ServiceAccount' || (self.name.size() <= 253 && self.name.matches(${celString(ACCOUNT_NAME)}))`,
    message:
      'spec.subjects must name a ServiceAccount by its name alone: lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit',
    fieldPath: '.name',
    holds: ({ kind, name }) =>
      kind !== 'ServiceAccount' || (name.length <= 253 && accountName.test(name)),
  },
];

/** Each is looked for among all; the bound of the list keeps that cheap. */
export const uniqueSubjects: Rule<readonly Subject[]> = {
  cel: 'self.all(one, self.exists_one(other, other == one))',
  message: 'spec.subjects names a subject twice; remove one of the two',
  reason: 'FieldValueForbidden',
  holds: (subjects) =>
    new Set(
      subjects.map(({ kind, name, namespace = '' }) => JSON.stringify([kind, name, namespace])),
    ).size === subjects.length,
};

export const selectorNotEmpty: Rule<LabelSelector> = {
  cel: '(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)',
  message:
    'spec.credentials.selector must not be empty: an empty one selects everything; remove it, or say so with "*" in names',
  holds: ({ matchLabels = {}, matchExpressions = [] }) =>
    Object.keys(matchLabels).length + matchExpressions.length > 0,
};

export const REQUIREMENT_RULES: readonly Rule<LabelRequirement>[] = [
  {
    cel: `!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)`,
    message:
      'spec.credentials.selector.matchExpressions needs values with the operators In and NotIn; add them',
    fieldPath: '.values',
    holds: ({ operator, values = [] }) => !takesValues(operator) || values.length > 0,
  },
  {
    cel: `self.operator in ['In', 'NotIn'] || !has(self.values) || self.values.size() == 0`,
    message:
      'spec.credentials.selector.matchExpressions has no values with the operators Exists and DoesNotExist; remove them',
    fieldPath: '.values',
    holds: ({ operator, values = [] }) => takesValues(operator) || values.length === 0,
  },
];

export const selectsSomehow: Rule<CredentialSelector> = {
  cel: 'has(self.namespaces) || has(self.names) || has(self.selector) || has(self.exchanges)',
  message:
    'spec.credentials needs at least one of namespaces, names, selector and exchanges; for all credentials write names: ["*"]',
  holds: ({ namespaces, names, selector, exchanges }) =>
    [namespaces, names, selector, exchanges].some((given) => given !== undefined),
};

export const constrainsSomehow: Rule<Constraints> = {
  cel: 'has(self.sourceRanges) || has(self.times) || has(self.countries)',
  message:
    'spec.constraints needs at least one of sourceRanges, times and countries; remove it if there is none',
  holds: ({ sourceRanges, times, countries }) =>
    [sourceRanges, times, countries].some((given) => given !== undefined),
};

export const COUNTRIES_RULES: readonly Rule<Countries>[] = [
  {
    cel: 'has(self.allow) || has(self.deny)',
    message: 'spec.constraints.countries needs allow, deny or both; remove it if there is none',
    holds: ({ allow, deny }) => allow !== undefined || deny !== undefined,
  },
  {
    cel: '!has(self.allow) || !has(self.deny) || !self.allow.exists(country, country in self.deny)',
    message: 'spec.constraints.countries has a country in both allow and deny; remove it from one',
    fieldPath: '.deny',
    holds: ({ allow = [], deny = [] }) => !allow.some((country) => deny.includes(country)),
  },
];

export const ACCESS_SPEC_RULES: readonly Rule<AccessPolicySpec>[] = [
  {
    cel: `!has(self.effect) || self.effect != 'Deny' || (has(self.roles) && self.roles.size() > 0) || (has(self.permissions) && self.permissions.size() > 0)`,
    message:
      'spec.effect Deny takes away what its roles and permissions hold, and there are none; add them to spec.roles or spec.permissions',
    fieldPath: '.effect',
    holds: ({ effect, roles = [], permissions = [] }) =>
      effect !== 'Deny' || roles.length + permissions.length > 0,
  },
  {
    cel: `!has(self.network) || !has(self.effect) || self.effect != 'Deny'`,
    message:
      'spec.network opens, and a Deny opens nothing; write an IPBlock to cut addresses off, or remove it',
    fieldPath: '.network',
    holds: ({ network, effect }) => network === undefined || effect !== 'Deny',
  },
  {
    cel: `!has(self.network) || self.subjects.exists(one, one.kind == 'ServiceAccount')`,
    message:
      'spec.network is about the pods of ServiceAccounts, and there is none in spec.subjects; add one or remove it',
    fieldPath: '.network',
    holds: ({ network, subjects }) =>
      network === undefined || subjects.some(({ kind }) => kind === 'ServiceAccount'),
  },
];

export const NETWORK_RULES: readonly Rule<PolicyNetwork>[] = [
  {
    cel: 'has(self.egress) || has(self.ingress)',
    message: 'spec.network needs egress, ingress or both; remove it if neither is to be limited',
    holds: ({ egress, ingress }) => egress !== undefined || ingress !== undefined,
  },
];

export const exchangesHaveHosts: Rule<readonly Exchange[]> = {
  cel: `!('Other' in self)`,
  message:
    'spec.network.egress.exchanges has Other, whose endpoints nobody knows; name their ranges in spec.network.egress.to',
  reason: 'FieldValueForbidden',
  holds: (exchanges) => !exchanges.includes('Other'),
};

export function networkPeerRules(path: string): readonly Rule<NetworkPeer>[] {
  return [
    {
      cel: 'has(self.cidr) != has(self.pods)',
      message: `${path} needs exactly one of cidr and pods in each entry`,
      holds: ({ cidr, pods }) => (cidr === undefined) !== (pods === undefined),
    },
  ];
}

export const NETWORK_PORT_RULES: readonly Rule<NetworkPort>[] = [
  {
    cel: '!has(self.endPort) || self.endPort >= self.port',
    message:
      'spec.network has ports with an endPort below port; exchange the two or remove endPort',
    fieldPath: '.endPort',
    holds: ({ port, endPort }) => endPort === undefined || endPort >= port,
  },
];

function takesValues(operator: LabelRequirement['operator']): boolean {
  return operator === 'In' || operator === 'NotIn';
}
